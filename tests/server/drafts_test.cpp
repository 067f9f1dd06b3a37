// Servers that guess ahead, and prompts that changed in the middle: answers stay what they are, and say what it
// brought.
#include <functional>

#include "tests/server/server_world.h"

namespace hearth_server {
namespace {

const std::string kSmallerWorld = hearth::testing::source_dir() + "/examples/models/small-world-draft-q8_0.gguf";

/// A server of its own, as `change` wants it.
class World {
 public:
  explicit World(const std::function<void(ServerOptions&)>& change) {
    EXPECT_TRUE(store_.add_file(kSmallWorld));
    ServerOptions options = ServerTest::options();
    change(options);
    server_ = std::make_unique<Server>(store_, options);
    const auto started = server_->start();
    EXPECT_TRUE(started) << started.error().message;
  }
  Json complete(const std::string& prompt, Json more = Json::object()) {
    Json body = {{"prompt", prompt}, {"temperature", 0}, {"n_predict", 60}, {"ignore_eos", true}};
    body.update(more);
    Client client(server_->port());
    client.send(request_text("POST", "/completion", body.dump()));
    const Answer answer = client.receive();
    EXPECT_EQ(200, answer.status) << answer.body;
    return answer.json();
  }

 private:
  hearth::testing::TempDir own_;
  ModelStore store_{hearth_store::Store(own_.file("models"))};
  std::unique_ptr<Server> server_;
};

const std::string kRepeated = "Tom has a red ball. Tom has a red ball. Tom has a red ball. Tom has a red";

TEST(ServerDrafts, ChangeNoAnswerAndAreCounted) {
  World plain([](ServerOptions&) {});
  const Json expected = plain.complete(kRepeated);
  EXPECT_FALSE(expected["timings"].contains("draft_n")) << expected;
  World lookup([](ServerOptions& o) { o.models.lookup = true; });
  World smaller([](ServerOptions& o) { o.models.draft = kSmallerWorld; });
  World without([](ServerOptions& o) { o.models.mtp = true; });  // the model has no such layer
  for (World* world : {&lookup, &smaller, &without}) {
    const Json got = world->complete(kRepeated);
    EXPECT_EQ(expected["content"], got["content"]);
    if (world == &without) continue;
    ASSERT_TRUE(got["timings"].contains("draft_n")) << got;
    EXPECT_GT(got["timings"]["draft_n"], 0);
    EXPECT_LE(got["timings"]["draft_n_accepted"], got["timings"]["draft_n"]);
  }
  EXPECT_GT(lookup.complete(kRepeated)["timings"]["draft_n_accepted"], 0);
}

TEST(ServerDrafts, PromptsThatChangedInTheMiddleKeepWhatStays) {
  World world([](ServerOptions&) {});
  const auto cached = [](const Json& answer) { return answer["timings"]["cache_n"].get<int>(); };
  for (const int least : {0, 16}) {
    std::string rest;
    for (int i = 0; i < 24; ++i) rest += "The number " + std::to_string(least + i) + " is on the door. ";
    const std::string first = "A story of old times. ", dropped = "There was a fox that nobody had seen before. ";
    world.complete(first + dropped + rest, {{"n_predict", 2}});
    const Json kept = world.complete(first + rest, {{"n_predict", 2}, {"n_cache_reuse", least}});
    if (least == 0) {
      EXPECT_LT(cached(kept), 70) << kept;
    } else {
      EXPECT_GT(cached(kept), 150) << kept;
    }
  }
}

}  // namespace
}  // namespace hearth_server
