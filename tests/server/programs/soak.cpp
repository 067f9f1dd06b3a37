// hearth_server_soak TOOL MODEL OTHER_MODEL [seconds=60] [clients=8] [embedder=FILE] [log=FILE] [rss=1]
//
// Starts `hearth serve` in batch-invariant mode, asks every question once alone, and then lets client processes ask the
// same questions for as long as told, together: some read slowly, leave, send halves, nonsense or bodies up to the
// limit, load and unload models, and are stopped for a while by signals. Every answer must be the one that was given
// alone, the server must not die, and its memory must stay the same. That is looked at twenty times, while the clients
// pause: nothing is in flight then, the models are loaded anew, and the same questions are asked. The median of the
// last quarter of these looks is at most 2% above that of the second quarter. Exit code 0 when all that holds.
//
// Where the whole machine stood still for a minute or more, the server may have given a connection up: the question is
// asked again, and counted.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/programs/soak_questions.h"
#include "tests/support/loopback.h"

namespace {

using namespace hearth_server;
using Clock = std::chrono::steady_clock;

constexpr size_t kMaxBody = 32 << 20;  // what the server takes unless told otherwise

// --- clients -----------------------------------------------------------------------------------------------------

enum Deed { kPlain, kSlow, kLeave, kHalf, kNonsense, kLarge, kTooLarge, kLoad, kUnload, kKept, kPaused, kDeeds };
constexpr const char* kDeedNames[] = {"answers",
                                      "slow readers",
                                      "clients that left",
                                      "half requests",
                                      "nonsense",
                                      "large bodies",
                                      "too large",
                                      "loads",
                                      "unloads",
                                      "kept open",
                                      "asked again after a pause"};

/// Shared by all processes.
struct Tally {
  std::atomic<uint64_t> done[kDeeds], wrong;
  std::atomic<bool> pausing;        ///< clients are to end what they do, and wait
  std::atomic<uint64_t> n_pausing;  ///< that do
};

class SoakClient {
 public:
  SoakClient(int port, unsigned seed, const std::vector<Question>& questions, std::string model, std::string other,
             Tally& tally)
      : port_(port),
        random_(seed),
        questions_(questions),
        model_(std::move(model)),
        other_(std::move(other)),
        tally_(tally) {}

  void run(Clock::time_point until) {
    while (Clock::now() < until && tally_.wrong < 20) {
      if (tally_.pausing) {
        ++tally_.n_pausing;
        while (tally_.pausing && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        --tally_.n_pausing;
      }
      const unsigned dice = below(1000);
      const Deed deed = dice < 500   ? kPlain
                        : dice < 560 ? kSlow
                        : dice < 680 ? kLeave
                        : dice < 740 ? kHalf
                        : dice < 840 ? kNonsense
                        : dice < 843 ? kLarge
                        : dice < 848 ? kTooLarge
                        : dice < 870 ? kLoad
                        : dice < 880 ? kUnload
                                     : kKept;
      perform(deed);
      ++tally_.done[deed];
    }
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  const Question& any() { return questions_[below(static_cast<unsigned>(questions_.size()))]; }
  static std::string bytes(const Question& question) {
    return request_bytes("POST", question.path, question.body.dump());
  }
  void pause(unsigned most_ms) { std::this_thread::sleep_for(std::chrono::milliseconds(below(most_ms + 1))); }

  void wrong(const std::string& what, const std::string& detail) {
    ++tally_.wrong;
    std::fprintf(stderr, "WRONG: %s: %s\n", what.c_str(), detail.substr(0, 600).c_str());
  }
  /// Whether everything here was stopped for so long that the server has rightly given a connection up.
  bool was_paused(Clock::time_point since) {
    const bool was = Clock::now() - since > std::chrono::seconds(60);
    tally_.done[kPaused] += was;
    return was;
  }
  SocketAnswer ask(SocketClient& client, const Question& question, Clock::time_point since = Clock::now()) {
    client.send(bytes(question));
    const SocketAnswer answer = client.receive();
    if (answer.complete || !was_paused(since)) return answer;
    asked_again_ = true;
    SocketClient again(port_, 120);
    again.send(bytes(question));
    return again.receive();
  }
  void expect(const SocketAnswer& answer, const Question& question) {
    if (answer.status != 200 || !answer.complete) {
      return wrong(question.path + " status " + std::to_string(answer.status), answer.head + answer.body);
    }
    const std::string text = text_of(answer);
    if (text == question.answer) return;
    wrong("another answer from " + question.path + " to " + question.body.dump().substr(0, 200),
          "alone '" + question.answer.substr(0, 250) + "', now '" + text.substr(0, 250) + "'");
  }
  void expect_status(int status, const SocketAnswer& answer, const char* what) {
    if (answer.status != status) wrong(std::string(what) + ": status " + std::to_string(answer.status), answer.body);
  }

  void perform(Deed deed) {
    SocketClient client(port_, 120);
    if (!client.is_connected()) return wrong("no connection", std::strerror(errno));
    const Question& question = any();
    switch (deed) {
      case kPlain: return expect(ask(client, question), question);
      case kKept: {
        auto since = Clock::now();
        for (unsigned i = 1 + below(5); i > 0; --i) {
          const Question& next = any();
          expect(ask(client, next, since), next);
          since = Clock::now();
          if (std::exchange(asked_again_, false)) return;
        }
        return;
      }
      case kSlow: return read_slowly(client, question);
      case kLeave: {
        client.send(bytes(question));
        if (below(2) == 0) client.read_to("\r\n\r\n");
        return pause(60);
      }
      case kHalf: {
        const std::string all = bytes(question);
        client.send(all.substr(0, below(static_cast<unsigned>(all.size()))));
        return pause(300);
      }
      case kNonsense: {
        std::string text = question.body.dump();
        text[below(static_cast<unsigned>(text.size()))] = '\x01';
        client.send(request_bytes("POST", question.path, text));
        return expect_status(400, client.receive(), "bad JSON");
      }
      case kLarge: {
        Question large = question;
        large.body["user_notes"] = "";
        large.body["user_notes"] = std::string(kMaxBody - large.body.dump().size(), 'x');
        return expect(ask(client, large), question);
      }
      case kTooLarge:
        client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                    std::to_string(kMaxBody + 1) + "\r\n\r\n{");
        return expect_status(413, client.receive(), "a body above the limit");
      case kLoad:
        client.send(request_bytes("POST", "/api/generate", Json{{"model", other_}, {"keep_alive", 5}}.dump()));
        return expect_status(200, client.receive(), "loading");
      case kUnload:
        client.send(request_bytes("POST", "/api/generate",
                                  Json{{"model", below(3) == 0 ? model_ : other_}, {"keep_alive", 0}}.dump()));
        return expect_status(200, client.receive(), "unloading");
      case kPaused:
      case kDeeds: return;
    }
  }

  void read_slowly(SocketClient& client, const Question& question) {
    const int small = 2048;
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client.send(bytes(question));
    SocketAnswer answer = client.receive_head();
    if (!answer.has_header("Transfer-Encoding: chunked")) return;
    const auto since = Clock::now();
    for (bool more = true; more;) {
      const std::string chunk = client.receive_chunk(answer.complete);
      answer.body += chunk;
      more = !chunk.empty();
      pause(20);
    }
    if (answer.complete || !was_paused(since)) expect(answer, question);
  }

  int port_;
  std::mt19937_64 random_;
  const std::vector<Question>& questions_;
  std::string model_, other_;
  Tally& tally_;
  bool asked_again_ = false;
};

// --- the server and the whole ------------------------------------------------------------------------------------

pid_t start_server(std::vector<std::string> arguments, const std::string& log) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(fd, 2);
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // memory would come and go by 2 MB, a tenth of what these models take
  std::vector<char*> argv;
  for (std::string& text : arguments) argv.push_back(text.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

double resident_mb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    unsigned long kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %lu", &kib) == 1) return static_cast<double>(kib) / 1024;
  }
  return 0;
}

std::string stem(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.rfind('.'));
}

bool wait_ready(int port, pid_t server) {
  for (int i = 0; i < 1200; ++i) {
    SocketClient client(port);
    client.send(request_bytes("GET", "/health"));
    if (client.is_connected() && client.receive().status == 200) return true;
    if (::waitpid(server, nullptr, WNOHANG) != 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

/// Asks every question once, with nothing beside it.
bool ask_alone(int port, std::vector<Question>& questions) {
  for (Question& question : questions) {
    SocketClient client(port, 120);
    client.send(request_bytes("POST", question.path, question.body.dump()));
    const SocketAnswer answer = client.receive();
    question.answer = text_of(answer);
    if (answer.status == 200 && !question.answer.empty()) continue;
    std::fprintf(stderr, "%s: status %d, %s\n", question.path.c_str(), answer.status, answer.body.c_str());
    return false;
  }
  return true;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void show(const Tally& tally) {
  for (int deed = 0; deed < kDeeds; ++deed) {
    std::printf("%s%llu %s", deed > 0 ? ", " : "", static_cast<unsigned long long>(tally.done[deed]), kDeedNames[deed]);
  }
  std::printf("; %llu wrong\n", static_cast<unsigned long long>(tally.wrong));
}

/// The server's memory in a state that is always the same: nothing in flight, the models loaded anew, and a few
/// questions asked one by one. 0: that did not come to be.
double calm_mb(pid_t server, int port, const std::vector<std::string>& models, const std::vector<Question>& questions,
               Tally& tally, size_t n_clients) {
  tally.pausing = true;
  for (int i = 0; i < 3000 && tally.n_pausing < n_clients; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const bool is_calm = tally.n_pausing == n_clients;
  const auto post = [&](const std::string& path, const Json& body) {
    SocketClient client(port, 120);
    client.send(request_bytes("POST", path, body.dump()));
    return client.receive();
  };
  for (const Json& keep_alive : {Json(0), Json("30m")}) {
    for (const std::string& name : models) post("/api/generate", {{"model", name}, {"keep_alive", keep_alive}});
    std::this_thread::sleep_for(std::chrono::seconds(1));  // unloading is noticed twice a second
  }
  for (size_t i = 0; i < questions.size(); i += 4) {
    if (text_of(post(questions[i].path, questions[i].body)) == questions[i].answer) continue;
    std::fprintf(stderr, "WRONG: another answer to question %zu\n", i);
    ++tally.wrong;
  }
  std::this_thread::sleep_for(std::chrono::seconds(3));  // as is rest, which takes a while
  const double mb = resident_mb(server);
  tally.pausing = false;
  for (int i = 0; i < 250 && tally.n_pausing > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return is_calm ? mb : 0;
}

/// Stops a client for a while now and then. False: the server has died.
bool stop_clients(pid_t server, const std::vector<pid_t>& clients, double seconds, std::mt19937& random) {
  const auto begun = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begun).count() < seconds) {
    if (::waitpid(server, nullptr, WNOHANG) != 0) return false;
    const pid_t client = clients[random() % clients.size()];
    const bool stops = random() % 3 == 0;
    if (stops) ::kill(client, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(300 + (stops ? random() % 2000 : 0)));
    if (stops) ::kill(client, SIGCONT);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: hearth_server_soak TOOL MODEL OTHER [seconds=N] [clients=N]\n"), 2;
  ::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::map<std::string, std::string> settings{{"seconds", "60"}, {"clients", "8"}, {"log", "soak.log"}, {"rss", "1"}};
  for (int i = 4; i < argc; ++i) {
    const std::string text = argv[i];
    settings[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  }
  const double seconds = std::atof(settings["seconds"].c_str());
  const std::string embedder = settings["embedder"];
  const int port = hearth::testing::free_port();
  std::vector<std::string> command{argv[1], "serve", argv[2], argv[3]};
  if (!embedder.empty()) command.push_back(embedder);
  for (const char* text : {"--parallel", "8", "-c", "256", "-t", "2", "--batch-invariant", "--log-level", "error"}) {
    command.push_back(text);
  }
  command.insert(command.end(), {"--port", std::to_string(port)});
  const pid_t server = start_server(command, settings["log"]);
  std::vector<std::string> models{stem(argv[2]), stem(argv[3])};
  if (!embedder.empty()) models.push_back(stem(embedder));
  auto questions = make_questions(stem(argv[2]), stem(argv[3]), embedder.empty() ? "" : stem(embedder));
  if (!wait_ready(port, server) || !ask_alone(port, questions)) {
    std::fprintf(stderr, "the server does not answer; see %s\n", settings["log"].c_str());
    ::kill(server, SIGKILL);
    return 1;
  }
  void* shared = ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Tally& tally = *new (shared) Tally{};
  const auto until = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
  std::vector<pid_t> clients;
  for (int i = 0; i < std::atoi(settings["clients"].c_str()); ++i) {
    clients.push_back(::fork());
    if (clients.back() != 0) continue;
    SoakClient(port, 1000u + static_cast<unsigned>(i), questions, stem(argv[2]), stem(argv[3]), tally).run(until);
    ::_exit(0);
  }
  constexpr int kLooks = 20;
  std::vector<double> looks;
  std::mt19937 random(7);
  bool lived = true;
  while (lived && Clock::now() < until) {
    lived = stop_clients(server, clients, seconds / (kLooks + 1), random);
    if (!lived || Clock::now() + std::chrono::seconds(1) > until) break;
    const double mb = calm_mb(server, port, models, questions, tally, clients.size());
    if (mb > 0) looks.push_back(mb);
    std::printf("%.1f MB: ", mb);
    show(tally);
  }
  for (const pid_t client : clients) {
    if (!lived) ::kill(client, SIGKILL);
    ::waitpid(client, nullptr, 0);
  }
  show(tally);
  if (!lived) return std::printf("THE SERVER DIED; see %s\n", settings["log"].c_str()), 1;
  const auto quarter = [&](size_t i) {
    return median({looks.begin() + static_cast<std::ptrdiff_t>(looks.size() * i / 4),
                   looks.begin() + static_cast<std::ptrdiff_t>(looks.size() * (i + 1) / 4)});
  };
  const double before = quarter(1), after = quarter(3);
  std::printf("memory at rest, %zu looks: mostly %.1f MB in the second quarter, %.1f MB in the last: %+.1f%%\n",
              looks.size(), before, after, 100 * (after / before - 1));
  ::kill(server, SIGTERM);
  int status = 0;
  ::waitpid(server, &status, 0);
  std::printf("the server ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  const bool flat = settings["rss"] == "0" || (looks.size() >= 4 && after <= 1.02 * before);
  return status == 0 && tally.wrong == 0 && flat ? 0 : 1;
}
