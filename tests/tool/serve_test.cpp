// hearth serve as a process: its first and last lines, signals, the environment, the files that service managers read,
// and two servers behind nginx.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/server/socket_client.h"
#include "tests/support/loopback.h"
#include "tool_process.h"

namespace hearth::testing {
namespace {

using hearth_server::request_bytes;
using hearth_server::SocketAnswer;
using hearth_server::SocketClient;

const std::string kSmallWorld = source_dir() + "/examples/models/small-world-q8_0.gguf";

SocketAnswer ask(int port, const std::string& method, const std::string& path, const std::string& body = "",
                 const std::string& headers = "") {
  SocketClient client(port);
  if (!client.is_connected()) return {};
  client.send(request_bytes(method, path, body, headers));
  return client.receive();
}

/// A program that runs in a process group of its own until it is told to end.
class Process {
 public:
  Process(const std::vector<std::string>& command, const std::vector<std::string>& environment,
          const std::string& log) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(fd, 1), ::dup2(fd, 2);
    for (const std::string& text : environment) ::putenv(const_cast<char*>(text.c_str()));
    std::vector<char*> argv;
    for (const std::string& text : command) argv.push_back(const_cast<char*>(text.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~Process() {
    if (pid_ > 0) ::kill(-pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  /// Its exit code, waiting at most so long; -1: a signal ended it, or it runs on.
  int wait(double seconds) {
    for (int i = 0; i < static_cast<int>(seconds * 100); ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

class ServeProcess : public ToolTest {
 protected:
  void SetUp() override {
    if (run_tool(std::vector<std::string>{"serve", "-h"}).out.find("--port") == std::string::npos) {
      GTEST_SKIP() << "this build has no server";
    }
    ToolTest::SetUp();
  }
  std::unique_ptr<Process> serve(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), {tool_path(), "serve", kSmallWorld, "-t", "1", "--parallel", "2"});
    return std::make_unique<Process>(arguments, environment, path("log"));
  }
  static bool ready(int port, double seconds = 60) {
    for (int i = 0; i < static_cast<int>(seconds * 20); ++i) {
      if (ask(port, "GET", "/health").status == 200) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
};

TEST_F(ServeProcess, TerminatedItEndsWhatRunsAndRefusesWhatIsNew) {
  const int port = free_port();
  auto server = serve({"--port", std::to_string(port)});
  ASSERT_TRUE(ready(port)) << read(path("log"));
  SocketClient client(port);  // takes nothing for now of an answer that is larger than what sockets hold
  client.send(request_bytes(
      "POST", "/completion",
      R"({"prompt":"Once upon a time","n_predict":400,"stream":true,"ignore_eos":true,"n_probs":400,"model":"x"})"));
  client.read_to("data: ");
  server->signal(SIGTERM);
  SocketAnswer refused;
  for (int i = 0; i < 500 && refused.status != 503; ++i) {
    refused = ask(port, "GET", "/health");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(503, refused.status);
  EXPECT_EQ(503, ask(port, "GET", "/v1/models").status);
  EXPECT_TRUE(client.read_to("\"stop\":true").ends_with("\"stop\":true"));
  client.read_to("\n\n");
  EXPECT_EQ(0, server->wait(10));
  EXPECT_NE(std::string::npos, read(path("log")).find("\"tokens\":400,\"tokens_per_second\":")) << read(path("log"));
}

TEST_F(ServeProcess, CtrlCEndsItWithinASecond) {
  const int port = free_port();
  auto server = serve({"--port", std::to_string(port)});
  ASSERT_TRUE(ready(port)) << read(path("log"));
  EXPECT_NE(std::string::npos, read(path("log")).find("serving on http://127.0.0.1:" + std::to_string(port)));
  EXPECT_NE(std::string::npos, read(path("log")).find("cache f16/f16"));
  SocketClient client(port);
  client.send(request_bytes("POST", "/v1/completions",
                            R"({"prompt":"Once","max_tokens":480,"stream":true,"ignore_eos":true})"));
  client.read_to("data: ");
  const auto begun = std::chrono::steady_clock::now();
  server->signal(SIGINT);
  EXPECT_EQ(0, server->wait(10));
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(), 3);  // busy machines
}

TEST_F(ServeProcess, KeysAreReadAgain) {
  const int port = free_port();
  write(path("keys"), "# keys\nfirst\n");
  auto server = serve({"--port", std::to_string(port), "--api-key-file", path("keys")});
  ASSERT_TRUE(ready(port)) << read(path("log"));
  const auto status = [&](const std::string& key) {
    return ask(port, "GET", "/v1/models", "", "Authorization: Bearer " + key + "\r\n").status;
  };
  EXPECT_EQ(200, status("first"));
  EXPECT_EQ(401, status("second"));
  write(path("keys"), "second\n");
  server->signal(SIGHUP);
  for (int i = 0; i < 200 && status("second") != 200; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(200, status("second"));
  EXPECT_EQ(401, status("first"));
  write(path("keys"), "");  // nobody is locked out, and nobody let in, by a file that is being written
  server->signal(SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(200, status("second"));
  EXPECT_EQ(401, status(""));
}

TEST_F(ServeProcess, TheEnvironmentOfOllamaIsHeeded) {
  const int port = free_port();
  auto server = serve({}, {"OLLAMA_HOST=127.0.0.1:" + std::to_string(port), "OLLAMA_KEEP_ALIVE=-1"});
  ASSERT_TRUE(ready(port)) << read(path("log"));
  ask(port, "POST", "/api/generate", R"({"model":"small-world-q8_0"})");
  EXPECT_NE(std::string::npos, ask(port, "GET", "/api/ps").body.find("\"expires_at\":\"2"));  // far from now: 2xxx
  auto second = run_tool({"serve", kSmallWorld, "--port", std::to_string(port)});
  expect_one_error_line(second, "127.0.0.1:" + std::to_string(port));
}

TEST_F(ServeProcess, EveryAddressMayHaveAPortOfItsOwn) {
  const int one = free_port(), other = free_port();
  auto server =
      serve({"--listen", "127.0.0.1:" + std::to_string(one), "--listen", "localhost", "--port", std::to_string(other)});
  ASSERT_TRUE(ready(one) && ready(other)) << read(path("log"));
  EXPECT_NE(std::string::npos, read(path("log")).find("http://127.0.0.1:" + std::to_string(one) + " "));
  EXPECT_NE(std::string::npos, read(path("log")).find("http://localhost:" + std::to_string(other) + " "));
  for (const char* wrong : {"127.0.0.1:70000", "127.0.0.1:x"})
    expect_one_error_line(run_tool({"serve", kSmallWorld, "--listen", wrong}), "no such port");
}

TEST_F(ServeProcess, OptionsAsLlamaServerSpellsThem) {
  for (const std::vector<std::string>& spelled :
       {std::vector<std::string>{"--ctx-size", "512", "--threads", "1", "--cache-type-k", "q8_0", "--cache-type-v",
                                 "q8_0", "--flash-attn", "on", "--n-gpu-layers", "99"},
        {"-fa", "-c", "512", "-t", "1", "-np", "2", "-ctk", "q8_0", "-ctv", "q8_0", "-ngl", "0"}}) {
    const int port = free_port();
    std::vector<std::string> command{tool_path(), "serve",     "-m",     kSmallWorld,
                                     "--host",    "127.0.0.1", "--port", std::to_string(port)};
    command.insert(command.end(), spelled.begin(), spelled.end());
    Process server(command, {}, path("log"));
    ASSERT_TRUE(ready(port)) << read(path("log"));
    EXPECT_NE(std::string::npos, read(path("log")).find("a context of 512 each, cache q8_0/q8_0")) << read(path("log"));
  }
  expect_one_error_line(run_tool({"serve", kSmallWorld, "--flash-atn", "on"}), "--flash-attn", 2);
}

/// All that looks like an option in a text.
std::vector<std::string> options_in(const std::string& text) {
  std::vector<std::string> found;
  for (size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at + 2)) {
    size_t end = at + 2;
    while (end < text.size() && (std::isalpha(static_cast<unsigned char>(text[end])) || text[end] == '-')) ++end;
    if (end > at + 3 && text[at + 2] != '-') found.push_back(text.substr(at, end - at));
  }
  return found;
}

TEST_F(ServeProcess, FilesOfServiceManagersNameOptionsThatExist) {
  const std::string help = run_tool(std::vector<std::string>{"serve", "-h"}).out;
  for (const auto& [file, begin, end] : std::vector<std::array<std::string, 3>>{{"hearth.service", "ExecStart=", "\n"},
                                                                                {"hearth.plist", "<array>", "</array>"},
                                                                                {"Dockerfile", "ENTRYPOINT", "\n"}}) {
    const std::string text = read(source_dir() + "/examples/server/service/" + file);
    const size_t at = text.find(begin);
    ASSERT_NE(std::string::npos, at) << file;
    const auto options = options_in(text.substr(at, text.find(end, at) - at));
    EXPECT_GE(options.size(), 3u) << file;
    for (const std::string& option : options) EXPECT_NE(std::string::npos, help.find(option)) << file << " " << option;
  }
}

TEST_F(ServeProcess, TwoServersBehindNginx) {
  if (std::system("nginx -v > /dev/null 2>&1") != 0) GTEST_SKIP() << "needs nginx";
  const int port = free_port(2);
  Process cluster({source_dir() + "/examples/cluster/run.sh", tool_path(), kSmallWorld, std::to_string(port)},
                  {"HEARTH_SERVE_OPTIONS=-t 1 --parallel 2"}, path("log"));
  ASSERT_TRUE(ready(port + 1) && ready(port + 2) && ready(port)) << read(path("log"));
  const auto chat = [&](const std::string& system, const std::string& turns = "") {
    return ask(port, "POST", "/v1/chat/completions",
               R"({"model":"small-world-q8_0","messages":[{"role":"system","content":")" + system + "\"}" + turns +
                   R"(,{"role":"user","content":"What is 2 plus 3?"}],"max_tokens":8,"temperature":0})");
  };
  const auto system = [](int i) { return std::string(300, static_cast<char>('a' + i)); };
  std::vector<std::string> served(8);
  for (int i = 0; i < 8; ++i) {
    const SocketAnswer first = chat(system(i));
    ASSERT_EQ(200, first.status) << first.body << read(path("log"));
    served[static_cast<size_t>(i)] = first.header("X-Served-By");
    // The next turn goes where the beginning is known.
    const SocketAnswer next =
        chat(system(i), R"(,{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."})");
    EXPECT_EQ(served[static_cast<size_t>(i)], next.header("X-Served-By"));
    EXPECT_EQ(std::string::npos, next.body.find("\"cached_tokens\":0")) << next.body;
  }
  EXPECT_NE(std::count(served.begin(), served.end(), served[0]), 8) << "one server has all conversations";

  SocketClient client(port);
  client.send(request_bytes("POST", "/v1/completions", R"({"prompt":"Once","max_tokens":8,"stream":true})"));
  EXPECT_TRUE(client.read_to("data: [DONE]").ends_with("data: [DONE]"));

  // One server is stopped: its conversations go on with the other.
  const std::string log = read(path("log"));
  const size_t at = log.find("process ", log.find("port " + std::to_string(port + 1)));
  ASSERT_EQ(0, ::kill(std::atoi(log.c_str() + at + 8), SIGTERM));
  for (int i = 0; i < 8; ++i) {
    const SocketAnswer answer = chat(system(i));
    EXPECT_EQ(200, answer.status) << answer.body;
  }
  cluster.signal(SIGTERM);
  EXPECT_EQ(0, cluster.wait(20));
}

}  // namespace
}  // namespace hearth::testing
