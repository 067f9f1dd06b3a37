// Many texts at once through the C interface: vectors of them, and answers of an engine.
#include "c/c_world.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

TEST_F(CInterfaceTest, EmbedsTexts) {
  HearthEmbedder* embedder = nullptr;
  ASSERT_EQ(hearth_embedder_create(model_, nullptr, &embedder, &error_), HEARTH_OK) << error_.message;
  const HearthText texts[] = {{"the cat sat", HEARTH_NUL}, {"a kite", 6}, {"the cat sat", 11}};
  float* values = nullptr;
  int32_t* counts = nullptr;
  size_t dimensions = 0;
  ASSERT_EQ(hearth_embedder_embed(embedder, texts, 3, &values, &dimensions, &counts, &error_), HEARTH_OK);
  EXPECT_EQ(dimensions, static_cast<size_t>(hearth_embedder_dimensions(embedder)));
  EXPECT_EQ(counts[0], counts[2]);
  EXPECT_NEAR(hearth_cosine_similarity(values, values + 2 * dimensions, dimensions), 1.0f, 1e-5f);
  EXPECT_LT(hearth_cosine_similarity(values, values + dimensions, dimensions), 0.999f);
  hearth_free(values);
  hearth_free(counts);
  hearth_embedder_free(embedder);
}

TEST_F(CInterfaceTest, AnswersManyRequestsAtOnce) {
  HearthEngine* engine = nullptr;
  auto session = with_defaults(hearth_session_options_init);
  session.n_seqs = 2;
  session.n_ctx = 256;
  auto options = with_defaults(hearth_engine_options_init);
  options.session = &session;
  ASSERT_EQ(hearth_engine_create(model_, &options, &engine, &error_), HEARTH_OK) << error_.message;
  const std::vector<int32_t> prompt = encode("Once upon a time");
  auto generate = with_defaults(hearth_generate_options_init);
  generate.max_tokens = 5;
  auto request = with_defaults(hearth_engine_request_init);
  request.prompt = prompt.data();
  request.n_prompt = prompt.size();
  request.generate = &generate;
  request.n_alternatives = 2;
  HearthTicket *events = nullptr, *whole = nullptr;
  ASSERT_EQ(hearth_engine_submit(engine, &request, &events, &error_), HEARTH_OK) << error_.message;
  request.n = 2;
  ASSERT_EQ(hearth_engine_submit(engine, &request, &whole, &error_), HEARTH_OK) << error_.message;
  HearthEngineEvent event{};
  event.size = sizeof event;
  int n_tokens = 0;
  std::string text;
  while (hearth_ticket_next(events, &event)) {
    n_tokens += event.kind == HEARTH_ENGINE_EVENT_TOKEN ? 1 : 0;
    if (event.kind == HEARTH_ENGINE_EVENT_TOKEN) {
      EXPECT_EQ(event.n_alternatives, 2u);
    }
    text += text_of(event.text);
    if (event.kind == HEARTH_ENGINE_EVENT_DONE) {
      EXPECT_EQ(event.timings->generated_tokens, 5);
    }
  }
  EXPECT_EQ(n_tokens, 5);
  HearthGeneration** made = nullptr;
  size_t n = 0;
  ASSERT_EQ(hearth_ticket_wait(whole, &made, &n, &error_), HEARTH_OK) << error_.message;
  ASSERT_EQ(n, 2u);
  EXPECT_EQ(text_of(hearth_generation_text(made[0])), text) << "equal seeds";
  for (size_t i = 0; i < n; ++i) hearth_generation_free(made[i]);
  hearth_free(made);
  HearthKVCacheStats cache{};
  cache.size = sizeof cache;
  HearthEngineStats stats{};
  stats.size = sizeof stats;
  stats.cache = &cache;
  hearth_engine_stats(engine, &stats);
  EXPECT_EQ(stats.finished, 2u);
  EXPECT_GT(cache.pages_total, 0);
  hearth_ticket_free(events);
  hearth_ticket_free(whole);
  hearth_engine_free(engine);
}

TEST_F(CInterfaceTest, SequencesOfAnEngineGoToFiles) {
  const TempDir dir;
  const std::string path = dir.file("held");
  HearthEngine* engine = nullptr;
  auto options = with_defaults(hearth_engine_options_init);
  ASSERT_EQ(hearth_engine_create(model_, &options, &engine, &error_), HEARTH_OK) << error_.message;
  const std::vector<int32_t> prompt = encode("Once upon a time");
  auto generate = with_defaults(hearth_generate_options_init);
  generate.max_tokens = 5;
  auto request = with_defaults(hearth_engine_request_init);
  EXPECT_EQ(request.seq, -1);
  request.prompt = prompt.data();
  request.n_prompt = prompt.size();
  request.generate = &generate;
  request.seq = 2;
  HearthTicket* ticket = nullptr;
  ASSERT_EQ(hearth_engine_submit(engine, &request, &ticket, &error_), HEARTH_OK) << error_.message;
  HearthEngineEvent event{};
  event.size = sizeof event;
  while (hearth_ticket_next(ticket, &event)) {
  }
  EXPECT_EQ(event.seq, 2);
  EXPECT_FALSE(hearth_engine_is_busy(engine, 2));
  EXPECT_FALSE(hearth_engine_is_busy(nullptr, 2));
  hearth_ticket_free(ticket);
  auto held = HearthHeldSequence{};
  held.size = sizeof held;
  ASSERT_EQ(hearth_engine_save(engine, 2, path.c_str(), &held, &error_), HEARTH_OK) << error_.message;
  const auto n_held = static_cast<int32_t>(prompt.size()) + 4;
  EXPECT_EQ(held.n_tokens, n_held);
  int32_t n_erased = 0;
  ASSERT_EQ(hearth_engine_erase(engine, 2, &n_erased, &error_), HEARTH_OK);
  EXPECT_EQ(n_erased, n_held);
  ASSERT_EQ(hearth_engine_restore(engine, 1, path.c_str(), false, nullptr, 0, nullptr, &error_), HEARTH_OK);
  ASSERT_EQ(hearth_engine_erase(engine, 1, &n_erased, &error_), HEARTH_OK);
  EXPECT_EQ(n_erased, n_held);
  EXPECT_EQ(hearth_engine_erase(engine, 4, nullptr, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(hearth_engine_save(engine, 0, nullptr, nullptr, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(hearth_engine_set_embedding_adapters(engine, nullptr, 0, &error_), HEARTH_UNSUPPORTED);
  hearth_engine_free(engine);
}

}  // namespace
}  // namespace hearth::testing
