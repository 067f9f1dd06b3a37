// The programs beside the golden data that drive the server as clients do: answers of a peer word for word, the wire,
// requests in the form of every client, and the packages that people use. They need node or Python; where packages are
// not installed beside the programs ($HEARTH_API/clients; `./setup.sh clients` installs them), the tests are skipped.
#include <array>
#include <filesystem>
#include <fstream>

#include "server_world.h"

namespace hearth_server {
namespace {

/// $HEARTH_API, or the folder api beside the golden data.
std::filesystem::path api_dir() {
  if (const char* dir = std::getenv("HEARTH_API"); dir != nullptr && *dir != '\0') return dir;
  return hearth::testing::golden_dir().parent_path() / "api";
}

struct Script {
  const char* name;
  const char* file;       ///< in clients/
  const char* needs;      ///< in clients/: what its packages install; empty: none
  const char* arguments;  ///< beside --url and --model
  int n_at_least = -1;    ///< checks that must pass; < 0: all
};

constexpr const char* kPython = "python/venv/bin/python";
constexpr const char* kLacks = "--without fim,rerank,thinking,single-model --embed-model bert";

// Near ties of quantized weights turn either way: two of the peer's answers may differ. (With exact products five do,
// see GoldenClientsExact below.)
constexpr Script kScripts[] = {
    {"Wire", "wire.mjs", "", ""},
    {"Parity", "parity.mjs", "", "", 39},
    {"Replay", "replay.mjs", "node_modules/ajv", kLacks},
    {"OpenAI", "openai.mjs", "node_modules/openai", "--without single-model --embed-model bert --small-world"},
    {"Ollama", "ollama.mjs", "node_modules/ollama", "--without single-model --embed-model bert --small-world"},
    {"AiSdk", "aisdk/aisdk.mjs", "aisdk/node_modules/ai", "--embed-model bert"},
    {"Continue", "continue/adapters.mjs", "continue/node_modules/@continuedev", "--embed-model bert"},
    {"PythonOpenAI", "python/check_openai.py", kPython, "--without single-model --embed-model bert"},
    {"PythonOllama", "python/check_ollama.py", kPython, "--embed-model bert"},
    {"PythonLiteLLM", "python/check_litellm.py", kPython, "--embed-model bert"},
};

/// Runs a script against a port; its output, and its exit code in `code`.
std::string run(const Script& script, int port, const std::string& arguments, int& code) {
  const bool is_python = std::string(script.file).ends_with(".py");
  const std::string command = "cd '" + (api_dir() / "clients").string() + "' && " + (is_python ? kPython : "node") +
                              " " + script.file + " --url http://127.0.0.1:" + std::to_string(port) +
                              " --model small-world-q8_0 " + arguments + " 2>&1 < /dev/null";
  std::string output;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "cannot run " + command;
  std::array<char, 4096> buffer{};
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
  code = ::pclose(pipe);
  return output;
}

/// Why a script cannot run here; empty when it can.
std::string missing(const Script& script) {
  const auto folder = api_dir() / "clients";
  if (!std::filesystem::exists(folder / script.file)) return "needs the folder api beside the golden data";
  if (!std::filesystem::exists(folder / script.needs)) return std::string("needs packages: ") + script.needs;
  const bool is_python = std::string(script.file).ends_with(".py");
  if (!is_python && std::system("node --version > /dev/null 2>&1") != 0) return "needs node";
  return "";
}

/// Two models: one that writes, and one that makes vectors.
class GoldenClients : public ::testing::TestWithParam<Script> {
 protected:
  void SetUp() override {
    if (const std::string why = missing(GetParam()); !why.empty()) GTEST_SKIP() << GetParam().file << " " << why;
    ASSERT_TRUE(store_.add_file(kSmallWorld));
    ASSERT_TRUE(store_.add_file((hearth::testing::golden_dir() / "models" / "bert.gguf").string()));
    ServerOptions options = ServerTest::options();
    options.models.session.n_seqs = 8;
    server_ = std::make_unique<Server>(store_, options);
    ASSERT_TRUE(server_->start());
  }

  // A folder of the test's own: the clients copy and make models, and the user's are none of their business.
  hearth::testing::TempDir own_;
  ModelStore store_{hearth_store::Store(own_.file("models"))};
  std::unique_ptr<Server> server_;
};

TEST_P(GoldenClients, Pass) {
  const Script& script = GetParam();
  int code = 1;
  const std::string output = run(script, server_->port(), script.arguments, code);
  if (script.n_at_least < 0) {
    EXPECT_EQ(0, code) << output;
    return;
  }
  int n_passed = 0;
  const size_t at = output.rfind(" passed");
  if (at != std::string::npos) n_passed = std::atoi(output.c_str() + output.find_last_not_of("0123456789", at - 1) + 1);
  EXPECT_GE(n_passed, script.n_at_least) << output;
}

INSTANTIATE_TEST_SUITE_P(Server, GoldenClients, ::testing::ValuesIn(kScripts),
                         [](const auto& script) { return std::string(script.param.name); });

/// What differs when one file is all there is: it answers to any name.
using GoldenClientsAlone = ServerTest;

TEST_F(GoldenClientsAlone, Replay) {
  const Script script{"", "replay.mjs", "node_modules/ajv", "--without fim,rerank,thinking,multi-model,embeddings"};
  if (const std::string why = missing(script); !why.empty()) GTEST_SKIP() << script.file << " " << why;
  int code = 1;
  const std::string output = run(script, port(), script.arguments, code);
  EXPECT_EQ(0, code) << output;
}

/// With exact products and floats as keys and values every answer is the peer's of the same weights as floats. It then
/// gives five that are others than with 8-bit activations: the two first tokens are 0.002 to 0.036 apart there.
TEST(GoldenClientsExact, ParityWithFloats) {
  const Script script{"", "parity.mjs", "", ""};
  if (const std::string why = missing(script); !why.empty()) GTEST_SKIP() << script.file << " " << why;
  const Json floats = {
      {"chat 4",
       {{"completion_tokens", 67},
        {"text",
         "Once upon a time there was a brave owl called Fluffy. The home of Fluffy was near the hill. One snowy "
         "Friday, Fluffy met a wolf called Rocky. \"I am cold,\" said Rocky. So Fluffy shared a carrot with "
         "Rocky. Then they played under the bed until the evening. From that day on they were friends."}}},
      {"text 2", {{"text", " a black umbrella"}}},
      {"text 2, streamed", {{"text", " a black umbrella"}}},
      {"native 3",
       {{"content",
         " there was a brave duck called Oreo. The home of Oreo was near the hill. One snowy Friday, Oreo "
         "met a wolf called Rocky. \"I"}}},
      {"native 5", {{"content", " Sam had a white wagon."}}}};
  const hearth::testing::TempDir own;
  std::ifstream in(api_dir() / "parity" / "small-world.json");
  Json book = Json::parse(in, nullptr, false);
  ASSERT_TRUE(book.is_object());
  size_t n_replaced = 0;
  for (Json& entry : book["cases"]) {
    const auto other = floats.find(entry["name"].get<std::string>());
    if (other == floats.end()) continue;
    entry["answer"].update(*other);
    ++n_replaced;
  }
  EXPECT_EQ(floats.size(), n_replaced);
  std::ofstream(own.file("floats.json")) << book;

  ModelStore store{hearth_store::Store(own.file("models"))};
  ASSERT_TRUE(store.add_file(kSmallWorld));
  ServerOptions options = ServerTest::options();
  options.models.session.exact_products = true;
  options.models.session.k_type = options.models.session.v_type = hearth::KVType::kF32;
  Server server(store, options);
  ASSERT_TRUE(server.start());
  int code = 1;
  const std::string output = run(script, server.port(), "--file '" + own.file("floats.json") + "'", code);
  EXPECT_EQ(0, code) << output;
}

}  // namespace
}  // namespace hearth_server
