// The programs beside the golden data that drive the server as clients do: answers of a peer word for word, the wire,
// and requests in the form of every client. They need node; the last also needs its packages to be installed there.
#include <array>
#include <filesystem>

#include "server_world.h"

namespace hearth_server {
namespace {

class GoldenClients : public ServerTest {
 protected:
  /// Runs a script of shared/api/clients; its output, and its exit code in `code`.
  static std::string run(const std::string& script, const std::string& arguments, int& code) {
    const auto folder = hearth::testing::golden_dir().parent_path() / "api" / "clients";
    const std::string command = "cd '" + folder.string() + "' && node " + script +
                                " --url http://127.0.0.1:" + std::to_string(port()) + " --model small-world-q8_0 " +
                                arguments + " 2>&1";
    std::string output;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return "cannot run " + command;
    std::array<char, 4096> buffer{};
    for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
    code = ::pclose(pipe);
    return output;
  }
  static bool has(const char* name) {
    return std::filesystem::exists(hearth::testing::golden_dir().parent_path() / "api" / "clients" / name) &&
           std::system("node --version > /dev/null 2>&1") == 0;
  }
};

TEST_F(GoldenClients, Wire) {
  if (!has("wire.mjs")) GTEST_SKIP() << "needs shared/api and node";
  int code = 1;
  const std::string output = run("wire.mjs", "", code);
  EXPECT_EQ(0, code) << output;
}

TEST_F(GoldenClients, Parity) {
  if (!has("parity.mjs")) GTEST_SKIP() << "needs shared/api and node";
  int code = 1;
  const std::string output = run("parity.mjs", "", code);
  int n_passed = 0;
  const size_t at = output.rfind(" passed");
  if (at != std::string::npos) n_passed = std::atoi(output.c_str() + output.find_last_not_of("0123456789", at - 1) + 1);
  EXPECT_GE(n_passed, 39) << output;  // near ties of quantized weights turn either way
}

TEST_F(GoldenClients, Replay) {
  if (!has("node_modules/ajv")) GTEST_SKIP() << "needs shared/api with its packages, and node";
  int code = 1;
  const std::string output = run("replay.mjs", "--without fim,rerank,thinking,multi-model", code);
  EXPECT_EQ(0, code) << output;
}

}  // namespace
}  // namespace hearth_server
