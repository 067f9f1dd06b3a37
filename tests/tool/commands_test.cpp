// What the commands print, and that it does not depend on threads.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/golden.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

class Tool : public ToolTest {
 protected:
  static Json run_json(const std::vector<std::string>& args) {
    const ToolResult result = run_tool(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    Json parsed = Json::parse(result.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << result.out;
    return parsed;
  }
};

TEST_F(Tool, HelpOfEveryCommand) {
  const ToolResult top = run_tool(std::vector<std::string>{"-h"});
  EXPECT_EQ(top.exit_code, 0);
  for (const char* command : {"run", "inspect", "tokenize", "logits", "make-model", "bench", "selftest"}) {
    EXPECT_NE(top.out.find(command), std::string::npos);
    const ToolResult help = run_tool({command, "-h"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.out.find("Usage"), std::string::npos);
  }
  EXPECT_NE(run_tool(std::vector<std::string>{"--version"}).out.find("hearth "), std::string::npos);
}

TEST_F(Tool, RunStreamsTextAndTimings) {
  const ToolResult result = run_tool({"run", model_, "-p", "hello", "-n", "10", "--greedy"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("tokens/s"), std::string::npos);
  const Json json = run_json({"run", model_, "-p", "hello", "-n", "10", "--greedy", "--json"});
  std::string line = json.contains("text_hex") ? from_hex(json["text_hex"]) : json["text"].get<std::string>();
  if (!line.ends_with('\n')) line += '\n';
  EXPECT_EQ(result.out, line);
  EXPECT_EQ(json["ids"].size(), 10u);
  EXPECT_EQ(json["stop"], "length");
  EXPECT_EQ(json["timings"]["prompt_tokens"], json["prompt_ids"].size());
}

TEST_F(Tool, ThePromptComesFromAFileOrStandardInput) {
  write(path("prompt.txt"), "some text");
  const Json given = run_json({"run", model_, "-p", "some text", "-n", "4", "--greedy", "--json"});
  EXPECT_EQ(run_json({"run", model_, "-f", path("prompt.txt"), "-n", "4", "--greedy", "--json"})["ids"], given["ids"]);
  for (const std::vector<std::string>& from : {std::vector<std::string>{"-"}, {"-f", "-"}}) {
    std::vector<std::string> args = {"run", model_};
    args.insert(args.end(), from.begin(), from.end());
    args.insert(args.end(), {"-n", "4", "--greedy", "--json"});
    const ToolResult result = run_tool(args, "some text");
    EXPECT_EQ(Json::parse(result.out)["ids"], given["ids"]) << result.err;
  }
}

TEST_F(Tool, TextAndLogitsDoNotDependOnThreads) {
  Json first;
  std::string first_logits;
  for (const char* threads : {"1", "2", "4"}) {
    const Json run = run_json({"run", model_, "-p", "a b c", "-n", "40", "--seed", "5", "-t", threads, "--json"});
    if (first.is_null()) first = run["ids"];
    EXPECT_EQ(run["ids"], first) << threads;
    const std::string out = path("logits." + std::string(threads));
    ASSERT_EQ(run_tool({"logits", model_, "--tokens", "1,5,77,500,9,9,30", "-o", out, "-t", threads}).exit_code, 0);
    if (first_logits.empty()) first_logits = read(out);
    EXPECT_EQ(read(out), first_logits) << threads;
  }
  EXPECT_EQ(first_logits.size(), 7 * 1024 * sizeof(float));
}

TEST_F(Tool, SeedsDecideTheText) {
  const auto ids = [&](const char* seed) {
    return run_json({"run", model_, "-p", "a", "-n", "30", "--temp", "1.5", "--seed", seed, "--json"})["ids"];
  };
  EXPECT_EQ(ids("1"), ids("1"));
  EXPECT_NE(ids("1"), ids("2"));
}

TEST_F(Tool, WithoutASeedEveryTextIsAnother) {
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"run", model_, "-p", "a", "-n", "30", "--temp", "1.5", "--json"};
    args.insert(args.end(), more.begin(), more.end());
    return run_json(args);
  };
  const Json first = run({}), second = run({"--seed", "-1"});
  EXPECT_NE(first["seed"], second["seed"]);
  EXPECT_NE(first["ids"], second["ids"]);
  const std::string seed = std::to_string(first["seed"].get<uint64_t>());
  EXPECT_EQ(run({"--seed", seed})["ids"], first["ids"]) << "the seed that was printed repeats the text";
}

TEST_F(Tool, ThePromptIsAnArgumentOrAPipe) {
  const std::vector<std::string> rest = {"-n", "4", "--greedy", "-q"};
  const auto run = [&](std::vector<std::string> args, const std::string& input) {
    args.insert(args.begin(), "run");
    args.insert(args.end(), rest.begin(), rest.end());
    return run_tool(args, input);
  };
  const ToolResult given = run({model_, "-p", "some text"}, "");
  EXPECT_EQ(run({model_, "some text"}, "").out, given.out);
  EXPECT_EQ(run({"-m", model_, "some text"}, "").out, given.out);
  EXPECT_EQ(run({model_}, "some text").out, given.out);
  EXPECT_EQ(run({model_, "some text"}, "another").out, given.out) << "what is given on the line counts";
  EXPECT_EQ(run({model_, "some text", "--no-mmap"}, "").out, given.out);
  EXPECT_EQ(run({model_, "some text", "--prefetch"}, "").out, given.out);
  EXPECT_EQ(given.err, "") << "--quiet";
}

TEST_F(Tool, WordsThatPeopleType) {
  EXPECT_EQ(run_tool(std::vector<std::string>{"help"}).out, run_tool(std::vector<std::string>{"-h"}).out);
  EXPECT_EQ(run_tool({"help", "run"}).out, run_tool({"run", "-h"}).out);
  EXPECT_EQ(run_tool(std::vector<std::string>{"version"}).out, run_tool(std::vector<std::string>{"--version"}).out);
  expect_one_error_line(run_tool({"tokenise", model_}), "did you mean tokenize?", 2);
  expect_one_error_line(run_tool({"run", model_, "--temprature", "1"}), "did you mean --temperature?", 2);
  EXPECT_EQ(run_tool(ToolRun{.args = {"-h"}, .output_path = "/dev/full"}).exit_code, 1);
}

TEST_F(Tool, ContextsBeyondTheTrainingAndMarkersInAPromptAreNoted) {
  const ToolResult beyond = run_tool({"run", model_, "-p", "a", "-n", "1", "-c", "100000"});
  EXPECT_EQ(beyond.exit_code, 0);
  EXPECT_NE(beyond.err.find("trained for a context of"), std::string::npos) << beyond.err;
  EXPECT_EQ(run_tool({"run", model_, "-p", "a", "-n", "1"}).err.find("trained"), std::string::npos);
  expect_one_error_line(run_tool({"run", model_, "-c", "64", "-p", std::string(500, '#')}), "-c");
}

TEST_F(Tool, IdsBecomeTextAgain) {
  const Json json = run_json({"tokenize", model_, "some words", "--json"});
  std::string ids;
  for (const Json& id : json["ids"]) ids += (ids.empty() ? "" : ",") + std::to_string(id.get<int>());
  EXPECT_EQ(run_tool({"tokenize", model_, "--ids", ids}).out, json["detok"].get<std::string>() + "\n");
  EXPECT_EQ(run_tool({"tokenize", model_}, "some words").out, run_tool({"tokenize", model_, "some words"}).out);
  expect_one_error_line(run_tool({"tokenize", model_, "--ids", "99999"}), "99999");
  const ToolResult pieces = run_tool({"tokenize", model_, "\xe2\x82\xac", "--pieces"});
  EXPECT_TRUE(pieces.out.find("\"\xe2\x82\xac\"") != std::string::npos || pieces.out.find("\\xe2") != std::string::npos)
      << pieces.out;
}

TEST_F(Tool, TheLikeliestNextTokens) {
  const ToolResult top = run_tool({"logits", model_, "--tokens", "1,2,3", "--top", "5"});
  ASSERT_EQ(top.exit_code, 0) << top.err;
  EXPECT_EQ(std::count(top.out.begin(), top.out.end(), '\n'), 6) << top.out;
  std::istringstream rows(top.out.substr(top.out.find('\n')));
  double before = 1, sum = 0;
  for (std::string rank, id, probability, logit, text;
       rows >> rank >> id >> probability >> logit && std::getline(rows, text);) {
    EXPECT_LE(std::stod(probability), before);
    before = std::stod(probability);
    sum += before;
  }
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, 1);
  EXPECT_EQ(run_tool({"logits", model_, "--prompt", "a", "--top", "1"}).exit_code, 0);
  expect_one_error_line(run_tool({"logits", model_, "--tokens", "1"}), "--top", 2);
}

TEST_F(Tool, ThePlanSaysWhetherItFits) {
  const ToolResult plan = run_tool({"inspect", model_, "--plan"});
  EXPECT_NE(plan.out.find("fits: "), std::string::npos) << plan.out;
  EXPECT_EQ(plan.out.find("metadata"), std::string::npos) << "the plan alone";
  EXPECT_NE(run_tool({"inspect", model_}).out.find("metadata"), std::string::npos);
}

TEST_F(Tool, StopTextsEndTheRun) {
  const Json whole = run_json({"run", model_, "-p", "a", "-n", "30", "--greedy", "--json"});
  const std::string text = whole["text"];
  ASSERT_GT(text.size(), 12u);
  const std::string stop = text.substr(8, 2);
  const Json cut = run_json({"run", model_, "-p", "a", "-n", "30", "--greedy", "--json", "--stop", stop});
  EXPECT_EQ(cut["stop"], "stop_text");
  EXPECT_EQ(cut["text"], text.substr(0, text.find(stop)));
}

TEST_F(Tool, InspectDescribesTheFile) {
  const Json report = run_json({"inspect", model_, "--json", "--tensors", "--plan", "-c", "256"});
  EXPECT_EQ(report["model"]["architecture"], "llama");
  EXPECT_EQ(report["model"]["quantization"], "Q4_K_M");
  EXPECT_EQ(report["model"]["layers"], 3);
  EXPECT_EQ(report["tensors"].size(), 30u);
  EXPECT_EQ(report["metadata"]["llama.block_count"], 3);
  EXPECT_EQ(report["file"]["file_bytes"], std::filesystem::file_size(model_));
  // 3 layers, 2 heads of 64, keys and values, 2 bytes.
  constexpr int64_t kKeysAndValues = 3 * 2 * 64 * 2 * 2 * 256;
  EXPECT_GE(report["plan"]["kv_cache_bytes"].get<int64_t>(), kKeysAndValues);
  EXPECT_LE(report["plan"]["kv_cache_bytes"].get<int64_t>(), kKeysAndValues + 4 * 576);  // tokens and tables of 4 pages
  EXPECT_EQ(report["plan"]["total_bytes"],
            report["plan"]["weights_bytes"].get<int64_t>() + report["plan"]["kv_cache_bytes"].get<int64_t>() +
                report["plan"]["scratch_bytes"].get<int64_t>() + report["plan"]["tables_bytes"].get<int64_t>() +
                report["plan"]["process_bytes"].get<int64_t>());
  const ToolResult text = run_tool({"inspect", model_, "--tensors", "--plan"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_NE(text.out.find("blk.2.ffn_down.weight"), std::string::npos);
}

TEST_F(Tool, TokenizeRoundTrip) {
  const std::string text = "hello there,\n 123 caf\xc3\xa9 \xe2\x82\xac";
  const Json json = run_json({"tokenize", model_, text, "--json"});
  EXPECT_EQ(json["detok"], text);
  const ToolResult plain = run_tool({"tokenize", model_, text});
  std::string ids;
  for (const Json& id : json["ids"]) ids += (ids.empty() ? std::string() : " ") + id.dump();
  EXPECT_EQ(plain.out, ids + "\n");
  const ToolResult lines =
      run_tool({"tokenize", model_, "--jsonl"},
               Json{{"text", text}}.dump() + "\n{\"bytes_hex\": \"4142\"}\n" +
                   "{\"text\": \"a<|eot_id|>\", \"add_special\": true, \"parse_special\": true}\n");
  ASSERT_EQ(lines.exit_code, 0) << lines.err;
  std::istringstream in(lines.out);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(Json::parse(line), json);
  std::getline(in, line);
  EXPECT_EQ(Json::parse(line)["detok"], "AB");
  std::getline(in, line);
  EXPECT_EQ(Json::parse(line)["detok"], "<|begin_of_text|>a<|eot_id|>");
  EXPECT_EQ(Json::parse(line)["ids"].size(), 3u);
}

TEST_F(Tool, LogitsDoNotDependOnTheBatch) {
  const std::string tokens = "1,5,77,500,9,9,30,31,32,33,34";
  for (const char* batch : {"0", "1", "4"}) {
    const std::vector<std::string> args = {"logits",  model_, "--tokens", tokens, "-o", path(std::string("l") + batch),
                                           "--batch", batch,  "--kv",     "f32"};
    ASSERT_EQ(run_tool(args).exit_code, 0);
    EXPECT_EQ(read(path(std::string("l") + batch)).size(), 11 * 1024 * sizeof(float));
  }
}

TEST_F(Tool, MakeModelIsReproducible) {
  const std::string again = path("again.gguf"), other = path("other.gguf");
  ASSERT_EQ(run_tool({"make-model", "tiny-llama-test", "-o", again}).exit_code, 0);
  ASSERT_EQ(run_tool({"make-model", "tiny-llama-test", "-o", other, "--seed", "2"}).exit_code, 0);
  EXPECT_EQ(read(again), read(model_));
  EXPECT_NE(read(other), read(model_));
  const std::string copied = path("copied.gguf");
  ASSERT_EQ(run_tool({"make-model", "tiny-llama-test", "-o", copied, "--vocab", other}).exit_code, 0);
  EXPECT_EQ(run_tool({"tokenize", copied, "hello"}).out, run_tool({"tokenize", model_, "hello"}).out);
}

TEST_F(Tool, MakeModelMixesTypesAsNamed) {
  const Json tensors = run_json({"inspect", model_, "--json", "--tensors"})["tensors"];
  const auto type_of = [&](const std::string& name) {
    for (const Json& t : tensors) {
      if (t["name"] == name) return t["type"].get<std::string>();
    }
    return std::string("none");
  };
  // Three layers: none in the first eighth, the last in the last eighth (2 >= 21 / 8) and third.
  EXPECT_EQ(type_of("token_embd.weight"), "Q6_K");
  EXPECT_EQ(type_of("blk.0.attn_v.weight"), "Q4_K");
  EXPECT_EQ(type_of("blk.1.ffn_down.weight"), "Q4_K");
  EXPECT_EQ(type_of("blk.2.attn_v.weight"), "Q6_K");
  EXPECT_EQ(type_of("blk.2.ffn_down.weight"), "Q6_K");
  EXPECT_EQ(type_of("blk.2.ffn_up.weight"), "Q4_K");
  EXPECT_EQ(type_of("blk.0.attn_norm.weight"), "F32");
}

TEST_F(Tool, EveryTypeRuns) {
  for (const char* type : {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k_s", "q3_k_m",
                           "q3_k_l", "q4_k_s", "q5_k_s", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs", "mxfp4"}) {
    const std::string model = make_model("tiny-llama-test", type);
    const Json json = run_json({"run", model, "-p", "hello", "-n", "3", "--ignore-eos", "--json"});
    EXPECT_EQ(json["ids"].size(), 3u) << type;
    std::filesystem::remove(model);
  }
}

TEST_F(Tool, SentencePieceModelsRun) {
  const std::string model = make_model("tiny-spm-test", "q8_0");
  const ToolResult bytes = run_tool({"tokenize", model, "--jsonl"}, "{\"bytes_hex\": \"ff41\"}\n");
  EXPECT_EQ(Json::parse(bytes.out)["detok_hex"], "ff41");
  EXPECT_EQ(run_json({"tokenize", model, "hello there", "--json"})["detok"], "hello there");
  EXPECT_EQ(run_json({"run", model, "-p", "hello", "-n", "5", "--ignore-eos", "--json"})["ids"].size(), 5u);
}

TEST_F(Tool, EveryFamilyRuns) {
  for (const char* shape : {"tiny-qwen3-test", "tiny-qwen3moe-test", "tiny-gemma3-test", "tiny-gpt-oss-test"}) {
    const std::string model = make_model(shape, "q8_0");
    EXPECT_EQ(run_json({"tokenize", model, "hello there", "--json"})["detok"], "hello there") << shape;
    const Json json = run_json({"run", model, "-p", "hello", "-n", "3", "--ignore-eos", "--json"});
    EXPECT_EQ(json["ids"].size(), 3u) << shape;
  }
}

TEST_F(Tool, BenchReportsEveryTest) {
  const Json report =
      run_json({"bench", model_, "-p", "32", "-n", "4", "-d", "0,70", "-b", "2,3", "-t", "1,2", "-r", "2", "--json"});
  ASSERT_EQ(report["runs"].size(), 2u);
  for (const Json& run : report["runs"]) {
    EXPECT_GT(run["limits"]["read_gb_per_second"], 0);
    ASSERT_EQ(run["tests"].size(), 6u);
    for (const Json& test : run["tests"]) {
      EXPECT_EQ(test["seconds"].size(), 2u);
      EXPECT_GT(test["tokens_per_second"]["median"], 0);
      EXPECT_GT(test["gb_per_second"], 0);
    }
  }
  EXPECT_EQ(report["runs"][0]["tests"][2]["test"], "pp32 @ 70");
  EXPECT_EQ(report["runs"][0]["tests"][5]["sequences"], 3);
}

TEST_F(Tool, BenchOfSequencesAloneGeneratesSomething) {
  const Json tests =
      run_json({"bench", model_, "-p", "0", "-n", "0", "-b", "2", "-r", "1", "--json"})["runs"][0]["tests"];
  ASSERT_EQ(tests.size(), 1u);
  EXPECT_EQ(tests[0]["test"], "tg32 x 2");
  EXPECT_GT(tests[0]["tokens_per_second"]["median"], 0);
}

TEST_F(Tool, BenchCountsWhatIsComputed) {
  // small-world: of each layer q, k and v, then the output of attention and the feed-forward network.
  constexpr double kQkv = 256.0 * (256 + 128 + 128), kRest = 256.0 * 256 + 3 * 256.0 * 512, kOutput = 1925.0 * 256;
  const std::string file = source_dir() + "/examples/models/small-world-q8_0.gguf";
  const Json tests =
      run_json({"bench", file, "-p", "32", "-n", "4", "-t", "1", "-r", "1", "--json"})["runs"][0]["tests"];
  const auto macs = [&](size_t i) {
    return tests[i]["gmac_per_second"].get<double>() * 1e9 * tests[i]["seconds"][0].get<double>();
  };
  const double prompt = 32 * (6 * kQkv + 5 * kRest) + kRest + kOutput;  // one token of the prompt has logits
  EXPECT_NEAR(prompt, macs(0), 1e-6 * prompt);
  const double text = 4 * (6 * (kQkv + kRest) + kOutput);
  EXPECT_NEAR(text, macs(1), 1e-6 * text);
}

TEST_F(Tool, IsaCanBeForced) {
  EXPECT_EQ(run_json({"bench", model_, "-p", "8", "-n", "0", "-r", "1", "--isa", "scalar", "--json"})["isa"], "scalar");
}

class SlowTool : public Tool {};

TEST_F(SlowTool, SelftestPasses) {
  const Json report = run_json({"selftest", "--json"});
  EXPECT_EQ(report["passed"], true);
  EXPECT_FALSE(report["checks"].empty());
}

TEST(GoldenTool, GreedyTextOfTheStoryModel) {
  const auto model = golden_dir() / "models" / "stories260K.gguf";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no golden data at " << golden_dir();
  const Json golden = Json::parse(read_file(golden_dir() / "models" / "stories260K.json"))["greedy"];
  const ToolResult result = run_tool({"run", model.string(), "-p", golden["prompt"], "--greedy", "-n", "64"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, golden["text"].get<std::string>() + "\n");
}

}  // namespace
}  // namespace hearth::testing
