// Texts through the C interface: generated, decoded by hand, sampled, drafted, cancelled, traced.
#include "c/c_world.h"

namespace hearth::testing {
namespace {

TEST_F(CInterfaceTest, GeneratesWhatCppGenerates) {
  auto sampler = with_defaults(hearth_sampler_options_init);
  sampler.greedy = true;
  auto options = with_defaults(hearth_generate_options_init);
  options.max_tokens = 12;
  options.sampler = &sampler;
  int n_tokens = 0;
  options.on_token_user = &n_tokens;
  options.on_token = [](void* user, const HearthGeneratedToken* token) {
    *static_cast<int*>(user) += token->size == sizeof(HearthGeneratedToken) ? 1 : 0;
    return true;
  };
  std::string streamed;
  HearthGeneration* made = nullptr;
  const auto on_text = [](void* user, const char* text, size_t size) {
    static_cast<std::string*>(user)->append(text, size);
    return true;
  };
  ASSERT_EQ(
      hearth_session_generate(session_, "Once upon a time", HEARTH_NUL, &options, on_text, &streamed, &made, &error_),
      HEARTH_OK)
      << error_.message;
  EXPECT_EQ(text_of(hearth_generation_text(made)), expected("Once upon a time", 12));
  EXPECT_EQ(streamed, text_of(hearth_generation_text(made)));
  EXPECT_EQ(n_tokens, 12);
  EXPECT_EQ(hearth_generation_stop_reason(made), HEARTH_STOP_REASON_LENGTH);
  size_t n = 0;
  hearth_generation_ids(made, &n);
  EXPECT_EQ(n, 12u);
  HearthTimings timings{};
  timings.size = sizeof timings;
  hearth_generation_timings(made, &timings);
  EXPECT_EQ(timings.generated_tokens, 12);
  hearth_generation_free(made);
}

TEST_F(CInterfaceTest, DecodesByHandAndRollsBack) {
  const std::vector<int32_t> prompt = encode("Once upon a time");
  ASSERT_EQ(hearth_session_prefill(session_, prompt.data(), prompt.size(), nullptr, &error_), HEARTH_OK);
  auto sampler = with_defaults(hearth_sampler_options_init);
  sampler.greedy = true;
  auto options = with_defaults(hearth_generate_options_init);
  options.sampler = &sampler;
  options.max_tokens = 8;
  HearthGenerator* generator = nullptr;
  ASSERT_EQ(hearth_generator_create(model_, prompt.data(), prompt.size(), &options, &generator, &error_), HEARTH_OK);
  while (!hearth_generator_finished(generator)) {
    size_t n = 0;
    const float* logits = hearth_session_logits(session_, 0, &n);
    HearthGeneratedToken token{};
    token.size = sizeof token;
    ASSERT_EQ(hearth_generator_accept(generator, logits, n, &token, &error_), HEARTH_OK) << error_.message;
    if (token.finished) break;
    const HearthBatchToken next = hearth_generator_next(generator, 0);
    ASSERT_EQ(hearth_session_decode(session_, &next, 1, nullptr, &error_), HEARTH_OK) << error_.message;
  }
  EXPECT_EQ(text_of(hearth_generator_text(generator)), expected("Once upon a time", 8));
  hearth_generator_free(generator);
  HearthKVCache* cache = hearth_session_cache(session_);
  const int32_t length = hearth_kv_cache_length(cache, 0);
  EXPECT_EQ(hearth_kv_cache_rollback(cache, 0, 3, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_kv_cache_length(cache, 0), length - 3);
  EXPECT_EQ(hearth_kv_cache_copy(cache, 0, 1, 0, -1, &error_), HEARTH_OK);
  HearthKVCacheStats stats{};
  stats.size = sizeof stats;
  hearth_kv_cache_stats(cache, &stats);
  EXPECT_GT(stats.pages_shared, 0);
  EXPECT_EQ(hearth_kv_cache_remove(cache, 5, 0, -1, &error_), HEARTH_INVALID_ARGUMENT);
  void* bytes = nullptr;
  size_t n_bytes = 0;
  ASSERT_EQ(hearth_session_save(session_, 0, &bytes, &n_bytes, &error_), HEARTH_OK);
  hearth_kv_cache_clear(cache);
  EXPECT_EQ(hearth_session_restore(session_, 1, bytes, n_bytes, &error_), HEARTH_OK) << error_.message;
  EXPECT_EQ(hearth_kv_cache_length(cache, 1), length - 3);
  hearth_free(bytes);
}

TEST_F(CInterfaceTest, SamplesWithAStageOfTheHosts) {
  int wanted = 2;
  HearthSampler* sampler = nullptr;
  ASSERT_EQ(hearth_sampler_create(4, nullptr, nullptr, &sampler, &error_), HEARTH_OK);
  hearth_sampler_add_stage(
      sampler, HEARTH_STAGE_POSITION_BEFORE_TRUNCATION,
      [](void* user, HearthCandidates* candidates) {
        size_t n = 0;
        HearthCandidate* items = hearth_candidates_items(candidates, &n);
        for (size_t i = 0; i < n; ++i) items[i].logit = items[i].id == *static_cast<int*>(user) ? 50.0f : -50.0f;
        hearth_candidates_set_sorted(candidates, false);
      },
      &wanted);
  const float logits[] = {1, 2, 3, 4};
  int32_t id = -1;
  ASSERT_EQ(hearth_sampler_sample(sampler, logits, 4, &id, &error_), HEARTH_OK);
  EXPECT_EQ(id, 2);
  EXPECT_EQ(hearth_sampler_sample(sampler, logits, 3, &id, &error_), HEARTH_INVALID_ARGUMENT);
  hearth_sampler_free(sampler);
  HearthRng rng;
  hearth_rng_init(&rng, 7);
  Rng same(7);
  EXPECT_EQ(hearth_rng_next(&rng), same.next());
  EXPECT_EQ(hearth_rng_uniform(&rng), same.uniform());
}

TEST_F(CInterfaceTest, SpeculatesWithASourceOfTheHosts) {
  struct Host {
    int n_calls = 0, n_destroyed = 0;
  } host;
  HearthDraftSource source{};
  source.size = sizeof source;
  source.name = "of the test";
  source.user = &host;
  source.propose = [](void* user, HearthDraftRequest* const* requests, size_t n) -> HearthCode {
    ++static_cast<Host*>(user)->n_calls;
    for (size_t i = 0; i < n; ++i) {
      requests[i]->n_tokens = requests[i]->n > 0 ? 1 : 0;
      if (requests[i]->n > 0) requests[i]->tokens[0] = requests[i]->text[requests[i]->n_text - 1];
    }
    return HEARTH_OK;
  };
  source.destroy = [](void* user) { ++static_cast<Host*>(user)->n_destroyed; };
  auto how = with_defaults(hearth_speculation_options_init);
  how.max_draft = 9999;
  HearthSpeculator* speculator = nullptr;
  EXPECT_EQ(hearth_speculator_create(&source, &how, &speculator, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(host.n_destroyed, 0);
  how.max_draft = 4;
  how.adaptive = false;
  ASSERT_EQ(hearth_speculator_create(&source, &how, &speculator, &error_), HEARTH_OK) << error_.message;
  EXPECT_STREQ(hearth_speculator_source_name(speculator), "of the test");
  auto sampler = with_defaults(hearth_sampler_options_init);
  sampler.greedy = true;
  auto options = with_defaults(hearth_generate_options_init);
  options.max_tokens = 12;
  options.sampler = &sampler;
  options.speculator = speculator;
  HearthGeneration* made = nullptr;
  ASSERT_EQ(
      hearth_session_generate(session_, "Once upon a time", HEARTH_NUL, &options, nullptr, nullptr, &made, &error_),
      HEARTH_OK)
      << error_.message;
  EXPECT_EQ(text_of(hearth_generation_text(made)), expected("Once upon a time", 12));
  hearth_generation_free(made);
  HearthSpeculationStats stats{};
  stats.size = sizeof stats;
  hearth_speculator_stats(speculator, &stats);
  EXPECT_GT(stats.drafted, 0);
  EXPECT_GT(host.n_calls, 0);
  hearth_speculator_free(speculator);
  EXPECT_EQ(host.n_destroyed, 1);
}

TEST_F(CInterfaceTest, CancelsFromACallbackAndByAFlag) {
  auto options = with_defaults(hearth_prefill_options_init);
  const std::vector<int32_t> prompt = encode("Once upon a time there was a cat");
  options.on_progress = [](void*, uint64_t, uint64_t) { return false; };
  const HearthCode stopped = hearth_session_prefill(session_, prompt.data(), prompt.size(), &options, &error_);
  EXPECT_TRUE(stopped == HEARTH_CANCELLED || stopped == HEARTH_OK) << error_.message;
  HearthCancel* cancel = nullptr;
  ASSERT_EQ(hearth_cancel_create(&cancel, &error_), HEARTH_OK);
  hearth_cancel_set(cancel, true);
  auto generate = with_defaults(hearth_generate_options_init);
  generate.cancel = cancel;
  EXPECT_EQ(hearth_session_generate(session_, "Anna", HEARTH_NUL, &generate, nullptr, nullptr, nullptr, &error_),
            HEARTH_CANCELLED);
  hearth_cancel_set(cancel, false);
  EXPECT_EQ(hearth_session_generate(session_, "Anna", HEARTH_NUL, &generate, nullptr, nullptr, nullptr, &error_),
            HEARTH_OK);
  hearth_cancel_free(cancel);
}

TEST_F(CInterfaceTest, TellsWhatATokenAttendsTo) {
  const auto ids = encode("Anna has a red kite");
  auto options = with_defaults(hearth_trace_options_init);
  EXPECT_EQ(options.layer, -1);
  options.seq = 1;
  options.layer = 2;
  HearthAttentionWeights shape{};
  shape.size = sizeof shape;
  float* values = nullptr;
  ASSERT_EQ(hearth_trace_attention(session_, ids.data(), ids.size(), &options, &shape, &values, &error_), HEARTH_OK)
      << error_.message;
  auto session = Session::create(*Model::open(kModel), {.n_ctx = 256, .n_threads = 1});
  const auto expected = trace_attention(*session, ids, {.layer = 2});
  ASSERT_TRUE(expected) << expected.error().message;
  EXPECT_EQ(shape.layer, 2);
  EXPECT_EQ(shape.n_heads, expected->n_heads);
  EXPECT_EQ(shape.n_positions, static_cast<int32_t>(ids.size()));
  for (size_t i = 0; i < expected->values.size(); ++i) ASSERT_EQ(values[i], expected->values[i]) << i;
  hearth_free(values);
  options.layer = 99;
  EXPECT_EQ(hearth_trace_attention(session_, ids.data(), ids.size(), &options, &shape, &values, &error_),
            HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(hearth_trace_attention(session_, ids.data(), ids.size(), nullptr, nullptr, nullptr, &error_),
            HEARTH_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace hearth::testing
