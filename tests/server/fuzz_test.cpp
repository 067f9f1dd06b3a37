// Fuzzed requests: a short run of what programs/fuzz.cpp does for as long as one likes.
#include "fuzz_world.h"
#include "server_world.h"

namespace hearth_server {
namespace {

TEST(FuzzedRequests, NoFaultAndNoUnreadableAnswer) {
  FuzzWorld world;
  const auto bert = hearth::testing::golden_dir() / "models" / "bert.gguf";
  const auto started = world.start(kSmallWorld, std::filesystem::exists(bert) ? bert.string() : "");
  ASSERT_TRUE(started) << started.error().message;
  FuzzReport report;
  world.run(1, 0, 1500, 4, report);
  EXPECT_EQ(0u, report.n_faults);
  EXPECT_GT(report.n_good, 300u);
  EXPECT_GT(report.n_refused, 300u);
  EXPECT_TRUE(world.lives());
}

TEST(FuzzedRequests, TheJudgeComplains) {
  const auto judge = RequestFuzzer::judge;
  const std::string json = "application/json", sse = "text/event-stream", lines = "application/x-ndjson";
  EXPECT_EQ("", judge("/v1/models", 200, json, "{}", true));
  EXPECT_NE("", judge("/v1/models", 200, json, "{", true));
  EXPECT_NE("", judge("/v1/models", 500, json, R"({"error":{"message":"the server failed"}})", true));
  EXPECT_EQ("", judge("/v1/models", 503, json, R"({"error":{"message":"busy"}})", true));
  EXPECT_NE("", judge("/v1/models", 503, json, R"({"error":{"message":""}})", true));
  EXPECT_NE("", judge("/api/chat", 400, json, R"({"error":{"message":"a"}})", true));
  EXPECT_EQ("", judge("/api/chat", 400, json, R"({"error":"a"})", true));
  EXPECT_EQ("", judge("/v1/x", 200, sse, "event: a\ndata: {}\n\n:\n\ndata: [DONE]\n\n", true));
  EXPECT_NE("", judge("/v1/x", 200, sse, "data: {\n\n", true));
  EXPECT_NE("", judge("/v1/x", 200, sse, "data: {}", true));
  EXPECT_NE("", judge("/api/chat", 200, lines, "{}\n\n{}\n", true));
}

}  // namespace
}  // namespace hearth_server
