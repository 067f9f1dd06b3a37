// The tool on bad input: one clear line, an exit code that is not 0, and nothing half-written.
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

class BadInput : public ToolTest {
 protected:
  /// Every command that reads a model, applied to `file`.
  void expect_refused(const std::string& file, const std::string& what) {
    const std::vector<std::vector<std::string>> commands = {
        {"run", file, "-p", "hello"},
        {"inspect", file},
        {"tokenize", file, "hello"},
        {"logits", file, "--tokens", "1", "-o", path("out.f32")},
        {"bench", file, "-p", "8", "-n", "0", "-r", "1"},
    };
    for (const auto& command : commands) {
      SCOPED_TRACE(command[0]);
      expect_one_error_line(run_tool(command), what);
    }
    EXPECT_FALSE(std::filesystem::exists(path("out.f32")));
  }
};

TEST_F(BadInput, MissingFile) {
  expect_refused(path("nowhere.gguf"), "nowhere.gguf");
}

TEST_F(BadInput, EmptyFile) {
  write(path("empty.gguf"), "");
  expect_refused(path("empty.gguf"), "empty.gguf");
}

TEST_F(BadInput, ForeignFile) {
  write(path("foreign.gguf"),
        "\x7f"
        "ELF is not what a model begins with, whatever its name says.");
  expect_refused(path("foreign.gguf"), "foreign.gguf");
}

TEST_F(BadInput, Folder) {
  expect_refused(folder_.string(), folder_.string());
}

TEST_F(BadInput, TruncatedFile) {
  const std::string bytes = read(model_);
  for (size_t length : {size_t{3}, size_t{20}, size_t{1000}, bytes.size() / 2, bytes.size() - 1}) {
    SCOPED_TRACE(length);
    write(path("cut.gguf"), bytes.substr(0, length));
    for (const char* command : {"run", "inspect"})
      expect_one_error_line(run_tool({command, path("cut.gguf")}), "cut.gguf");
  }
}

TEST_F(BadInput, PromptLongerThanTheContext) {
  const std::string prompt(500, '#');
  expect_one_error_line(run_tool({"run", model_, "-c", "64", "-p", prompt}), "context");
  expect_one_error_line(run_tool({"run", model_, "-c", "64", "-f", "-"}, prompt), "context");
}

TEST_F(BadInput, InvalidUtf8) {
  expect_one_error_line(run_tool({"run", model_, "-p", "ab\xff"}), "byte 0xff at offset 2");
  expect_one_error_line(run_tool({"run", model_, "-p", "\xc0\xaf"}), "offset 0");          // overlong
  expect_one_error_line(run_tool({"run", model_, "-p", "a\xed\xa0\x80"}), "offset 1");     // surrogate
  expect_one_error_line(run_tool({"run", model_, "-p", "\xe2\x82"}), "offset 0");          // cut off
  expect_one_error_line(run_tool({"run", model_, "-p", "\xf4\x90\x80\x80"}), "offset 0");  // beyond U+10FFFF
  expect_one_error_line(run_tool({"tokenize", model_, "ab\xff"}), "offset 2");
  write(path("prompt.txt"), "text \xfe");
  expect_one_error_line(run_tool({"run", model_, "-f", path("prompt.txt")}), "offset 5");
}

TEST_F(BadInput, MissingPromptFile) {
  expect_one_error_line(run_tool({"run", model_, "-f", path("no.txt")}), "no.txt");
}

TEST_F(BadInput, TokenOutOfRange) {
  for (const char* tokens : {"1,1024", "1,-1", "2147483647"}) {
    expect_one_error_line(run_tool({"logits", model_, "--tokens", tokens, "-o", path("out.f32")}), "out of range");
  }
  for (const char* tokens : {"1,x", "99999999999", "1.5"}) {
    expect_one_error_line(run_tool({"logits", model_, "--tokens", tokens, "-o", path("out.f32")}), "--tokens", 2);
  }
  expect_one_error_line(run_tool({"run", model_, "-p", "a", "--logit-bias", "1024=1"}), "1024");
  EXPECT_FALSE(std::filesystem::exists(path("out.f32")));
}

TEST_F(BadInput, MoreTokensThanTheContext) {
  const std::vector<std::string> args = {"logits", model_, "-c", "2", "--tokens", "1,2,3", "-o", path("out.f32")};
  expect_one_error_line(run_tool(args), "context");
}

TEST_F(BadInput, FullDiskBehindStandardOutput) {
  ToolResult result = run_tool(ToolRun{.args = {"run", model_, "-p", "a", "-n", "50"}, .output_path = "/dev/full"});
  expect_one_error_line(result, "No space left");
  result = run_tool(ToolRun{.args = {"inspect", model_}, .output_path = "/dev/full"});
  expect_one_error_line(result, "No space left");
}

TEST_F(BadInput, FullDiskBehindAnOutputFile) {
  expect_one_error_line(run_tool({"logits", model_, "--tokens", "1,2", "-o", "/dev/full"}), "/dev/full");
  const size_t before = n_files();
  ToolRun run{.args = {"logits", model_, "--tokens", "1,2,3,4", "-o", path("out.f32")}, .max_file_bytes = 5000};
  expect_one_error_line(run_tool(run), "out.f32");
  run.args = {"make-model", "tiny-llama-test", "-o", path("out.gguf")};
  expect_one_error_line(run_tool(run), "out.gguf");
  EXPECT_EQ(n_files(), before);
}

TEST_F(BadInput, AFailedWriteKeepsTheOldFile) {
  write(path("out.f32"), "old");
  const std::vector<std::string> args = {"logits", model_, "--tokens", "1,2,3,4", "-o", path("out.f32")};
  expect_one_error_line(run_tool(ToolRun{.args = args, .max_file_bytes = 5000}), "out.f32");
  EXPECT_EQ(read(path("out.f32")), "old");
}

TEST_F(BadInput, UnwritablePlaces) {
  expect_one_error_line(run_tool({"make-model", "tiny-llama-test", "-o", path("no/such/folder.gguf")}), "folder.gguf");
  expect_one_error_line(run_tool({"logits", model_, "--tokens", "1", "-o", path("no/out.f32")}), "out.f32");
}

TEST_F(BadInput, WrongCommandLines) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{},
                                             {"run", model_, "-p", "a", "b"},
                                             {"run", model_, "--seed", "-2", "a"},
                                             {"chat", model_, "--on-full", "explode", "a"},
                                             {"fly"},
                                             {"run"},
                                             {"run", model_, "--what"},
                                             {"run", model_, "-n", "many"},
                                             {"tokenize", model_},
                                             {"tokenize", model_, "a", "--jsonl"},
                                             {"make-model", "llama-1b"},
                                             {"make-model", "no-shape", "-o", "x"},
                                             {"make-model", "tiny-llama-test", "--type", "q9", "-o", "x"},
                                             {"bench", model_, "-r", "0"},
                                             {"bench", model_, "-p", "-5"},
                                             {"logits", model_, "-o", "x"}}) {
    expect_one_error_line(run_tool(args), "", 2);
  }
}

TEST_F(BadInput, SettingsOutOfRange) {
  for (const std::vector<std::string>& extra :
       std::vector<std::vector<std::string>>{{"--top-p", "nan"},
                                             {"--repeat-penalty", "0"},
                                             {"--mirostat", "3"},
                                             {"--kv", "q9"},
                                             {"-c", "-5"},
                                             {"-t", "-1"},
                                             {"--isa", "mmx"},
                                             {"--logit-bias", "x"},
                                             {"--batch-size", "-2"},
                                             {"-t", "1000000"},
                                             {"-c", "2147483647", "--kv", "f32", "--batch-size", "2147483647"}}) {
    std::vector<std::string> args = {"run", model_, "-p", "a", "-n", "1"};
    args.insert(args.end(), extra.begin(), extra.end());
    SCOPED_TRACE(extra[0] + " " + extra[1]);
    expect_one_error_line(run_tool(args), "", 2);
  }
  ToolRun run{.args = {"run", model_, "-p", "a", "-n", "1"}, .isa = "mmx"};
  const ToolResult warned = run_tool(run);
  EXPECT_EQ(warned.exit_code, 0) << "the environment's wish is ignored";
  EXPECT_NE(warned.err.find("mmx"), std::string::npos) << warned.err;
}

TEST_F(BadInput, TheVocabularyMustFit) {
  const std::string other = make_model("tiny-spm-test", "f16");
  const std::vector<std::string> args = {"make-model", "tiny-llama-test", "-o", path("x.gguf"), "--vocab", other};
  expect_one_error_line(run_tool(args), "700 tokens");
  EXPECT_FALSE(std::filesystem::exists(path("x.gguf")));
}

TEST_F(BadInput, JsonLinesNameTheLine) {
  for (const char* line : {"nonsense", "[1]", "{}", R"({"text": 5})", R"({"bytes_hex": "abc"})",
                           R"({"bytes_hex": "zz"})", R"({"text": "a", "add_special": 1})"}) {
    const ToolResult result =
        run_tool({"tokenize", model_, "--jsonl"}, "{\"text\": \"good\"}\n" + std::string(line) + "\n");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("line 2"), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  }
}

class Interrupt : public ToolTest {};

TEST_F(Interrupt, RunPrintsTimingsAndEnds) {
  const ToolResult result = run_tool(
      ToolRun{.args = {"run", model_, "-p", "a", "-n", "-1", "-c", "100000", "--ignore-eos"}, .interrupt_after = 1});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.err.find("tokens/s"), std::string::npos);
  EXPECT_NE(result.err.find("interrupted"), std::string::npos);
  EXPECT_NE(result.out, "");
}

TEST_F(Interrupt, MakeModelLeavesNothing) {
  const size_t before = n_files();
  const ToolResult result =
      run_tool(ToolRun{.args = {"make-model", "llama-8b", "-o", path("big.gguf")}, .interrupt_after_ms = 300});
  expect_one_error_line(result, "interrupted", 130);
  EXPECT_EQ(n_files(), before);
}

TEST_F(Interrupt, BenchEnds) {
  const std::vector<std::string> args = {"bench", model_, "-p", "64", "-n", "0", "-r", "1000000"};
  const ToolResult result = run_tool(ToolRun{.args = args, .interrupt_after_ms = 3000});
  EXPECT_EQ(result.exit_code, 130) << result.err;
}

}  // namespace
}  // namespace hearth::testing
