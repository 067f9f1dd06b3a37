// The flags of the KV cache: types, full contexts, saved sequences, stretched positions.
#include <nlohmann/json.hpp>

#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

class CacheFlags : public ToolTest {
 protected:
  ToolResult run(std::vector<std::string> more) const {
    std::vector<std::string> args = {"run",      model_,   "-p", "some text that is continued",
                                     "--greedy", "--json", "-t", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return run_tool(args);
  }
  Json json(const std::vector<std::string>& more) const {
    const ToolResult result = run(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    Json parsed = Json::parse(result.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << result.out;
    return parsed;
  }
  void expect_refused(const std::vector<std::string>& more, const std::string& what, int exit_code = 2) const {
    const ToolResult result = run(more);
    EXPECT_EQ(result.exit_code, exit_code) << what;
    EXPECT_NE(result.err.find(what), std::string::npos) << result.err;
    EXPECT_TRUE(result.out.empty()) << result.out;
  }
};

TEST_F(CacheFlags, AFullContextStopsOrGoesOn) {
  const std::vector<std::string> flags = {"-c", "64", "-n", "300", "--ignore-eos", "--on-full"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return json(more);
  };
  const Json stops = with({"stop"}), shifts = with({"shift"}), slides = with({"window"});
  EXPECT_EQ(stops["stop"], "context_full");
  EXPECT_LT(stops["ids"].size(), 64u);
  for (const Json& goes_on : {shifts, slides}) {
    EXPECT_EQ(goes_on["stop"], "length");
    EXPECT_EQ(goes_on["ids"].size(), 300u);
    for (size_t i = 0; i < stops["ids"].size(); ++i) EXPECT_EQ(goes_on["ids"][i], stops["ids"][i]) << i;
  }
  EXPECT_NE(with({"shift", "--keep", "0"})["ids"], with({"shift", "--keep", "40"})["ids"]);
  expect_refused({"--on-full", "explode"}, "--on-full");
}

TEST_F(CacheFlags, TypesOfKeysAndValues) {
  const Json plain = json({"-n", "20", "-ctk", "f32", "-ctv", "f32"});
  EXPECT_EQ(json({"-n", "20", "--kv", "f32"})["ids"], plain["ids"]);
  for (const char* type : {"f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"}) {
    EXPECT_EQ(json({"-n", "5", "-ctk", type, "-ctv", "q8_0"})["ids"].size(), 5u) << type;
    EXPECT_EQ(json({"-n", "5", "-ctk", "f16", "-ctv", type})["ids"].size(), 5u) << type;
  }
  expect_refused({"-ctk", "q9"}, "-ctk");
  expect_refused({"-ctv", "q9"}, "-ctv");
  const auto cache_bytes = [&](const char* type) {
    const ToolResult plan = run_tool({"inspect", model_, "--plan", "-c", "256", "-ctk", type, "-ctv", type, "--json"});
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    return Json::parse(plan.out)["plan"]["kv_cache_bytes"].get<uint64_t>();
  };
  EXPECT_GT(cache_bytes("f16"), cache_bytes("q8_0"));
  EXPECT_GT(cache_bytes("q8_0"), cache_bytes("q4_0"));
}

TEST_F(CacheFlags, ASessionIsSavedAndRestored) {
  const std::string file = path("a.session");
  const Json first = json({"-n", "12", "--ignore-eos", "--session", file});
  EXPECT_EQ(first["timings"]["reused_tokens"], 0);
  const Json again = json({"-n", "12", "--ignore-eos", "--session", file});
  EXPECT_EQ(again["ids"], first["ids"]);
  EXPECT_EQ(again["timings"]["reused_tokens"], first["prompt_ids"].size() - 1);
  expect_refused({"-n", "2", "--session", file, "-ctk", "q8_0"}, "q8_0", 1);
  std::string bytes = read(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write(file, bytes);
  expect_refused({"-n", "2", "--session", file}, "checksum", 1);
}

TEST_F(CacheFlags, PositionsAreStretched) {
  const auto ids = json({"-n", "30", "--ignore-eos"})["ids"];
  EXPECT_EQ(json({"-n", "30", "--ignore-eos", "--rope-freq-scale", "1"})["ids"], ids);
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--rope-freq-base", "100"},
        {"--rope-freq-scale", "0.1"},
        {"--rope-scaling", "linear", "--rope-freq-scale", "0.1"},
        {"--rope-scaling", "yarn", "--rope-freq-scale", "0.05", "--yarn-orig-ctx", "16", "--yarn-beta-fast", "8",
         "--yarn-beta-slow", "2", "--yarn-ext-factor", "1", "--yarn-attn-factor", "1.5"}}) {
    std::vector<std::string> more = {"-n", "30", "--ignore-eos"};
    more.insert(more.end(), flags.begin(), flags.end());
    EXPECT_NE(json(more)["ids"], ids) << flags[0] << " " << flags[1];
  }
  expect_refused({"--rope-scaling", "rubber"}, "--rope-scaling");
}

}  // namespace
}  // namespace hearth::testing
