// The C interface at work: every kind of handle, errors as values, structs of older versions, callbacks.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "hearth/c.h"
#include "hearth/hearth.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

const std::string kModel = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

template <typename Options>
Options with_defaults(void (*init)(Options*)) {
  Options options{};
  options.size = sizeof options;
  init(&options);
  return options;
}

std::string text_of(HearthText text) {
  return {text.data, text.size};
}

class CInterfaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(hearth_model_open(kModel.c_str(), nullptr, &model_, &error_), HEARTH_OK) << error_.message;
    auto options = with_defaults(hearth_session_options_init);
    options.n_ctx = 256;
    options.n_seqs = 2;
    options.n_logits = 17;
    options.n_threads = 1;
    ASSERT_EQ(hearth_session_create(model_, &options, &session_, &error_), HEARTH_OK) << error_.message;
  }
  void TearDown() override {
    hearth_session_free(session_);
    hearth_model_free(model_);
  }
  std::vector<int32_t> encode(const char* text) {
    int32_t* ids = nullptr;
    size_t n = 0;
    EXPECT_EQ(hearth_tokenizer_encode(hearth_model_tokenizer(model_), text, HEARTH_NUL, nullptr, &ids, &n, &error_),
              HEARTH_OK);
    std::vector<int32_t> made(ids, ids + n);
    hearth_free(ids);
    return made;
  }
  /// What greedy sampling writes, by the C++ interface.
  std::string expected(const char* prompt, int32_t n) {
    auto model = Model::open(kModel);
    auto session = Session::create(*model, {.n_ctx = 256, .n_threads = 1});
    return session->generate(prompt, {.max_tokens = n, .sampler = {.greedy = true}})->text;
  }

  HearthError error_{};
  HearthModel* model_ = nullptr;
  HearthSession* session_ = nullptr;
};

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

TEST_F(CInterfaceTest, ErrorsAreValuesWithMessages) {
  HearthModel* other = nullptr;
  EXPECT_EQ(hearth_model_open("no-such-file.gguf", nullptr, &other, &error_), HEARTH_NOT_FOUND);
  EXPECT_EQ(error_.code, HEARTH_NOT_FOUND);
  EXPECT_NE(std::strstr(error_.message, "no-such-file.gguf"), nullptr) << error_.message;
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(hearth_model_open("no-such-file.gguf", nullptr, &other, nullptr), HEARTH_NOT_FOUND);
  EXPECT_EQ(hearth_model_open(nullptr, nullptr, &other, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_STREQ(error_.message, "path is NULL");
  EXPECT_EQ(hearth_session_generate(nullptr, "x", HEARTH_NUL, nullptr, nullptr, nullptr, nullptr, &error_),
            HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(hearth_session_decode(session_, nullptr, 3, nullptr, &error_), HEARTH_INVALID_ARGUMENT);
  auto options = with_defaults(hearth_session_options_init);
  options.k_type = 77;
  HearthSession* session = nullptr;
  EXPECT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error_.message, "k_type has no value 77"), nullptr) << error_.message;
  options.size = 0;
  EXPECT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error_.message, "0 bytes"), nullptr) << error_.message;
  EXPECT_STREQ(hearth_error_code_name(HEARTH_CONTEXT_FULL), "context_full");
  EXPECT_STREQ(hearth_error_code_name(HEARTH_OK), "ok");
  EXPECT_STREQ(hearth_error_code_name(99), "unknown");
}

/// A program that was compiled when structs were shorter.
TEST_F(CInterfaceTest, StructsOfAnOlderVersionAreTaken) {
  HearthSessionOptions options{};
  std::memset(&options, 0x7f, sizeof options);
  options.size = offsetof(HearthSessionOptions, n_logits);
  hearth_session_options_init(&options);
  EXPECT_EQ(options.n_seqs, 1);
  EXPECT_EQ(options.n_logits, 0x7f7f7f7f) << "beyond the struct of the caller";
  options.n_ctx = 128;
  HearthSession* session = nullptr;
  ASSERT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_OK) << error_.message;
  HearthSessionOptions got{};
  got.size = sizeof got;
  hearth_session_options(session, &got);
  EXPECT_EQ(got.n_ctx, 128);
  EXPECT_EQ(got.size, sizeof got);
  hearth_session_free(session);
  HearthModelInfo info{};
  info.size = offsetof(HearthModelInfo, n_layers);
  info.n_layers = -7;
  hearth_model_info(model_, &info);
  EXPECT_STREQ(info.architecture, "llama");
  EXPECT_EQ(info.n_layers, -7);
}

TEST_F(CInterfaceTest, HandlesKeepTheirModelAlive) {
  hearth_model_free(model_);
  model_ = nullptr;
  HearthGeneration* made = nullptr;
  EXPECT_EQ(hearth_session_generate(session_, "Anna", HEARTH_NUL, nullptr, nullptr, nullptr, &made, &error_),
            HEARTH_OK);
  hearth_generation_free(made);
  HearthModelInfo info{};
  info.size = sizeof info;
  hearth_model_info(hearth_session_model(session_), &info);
  EXPECT_EQ(info.has_logits, true);
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

TEST_F(CInterfaceTest, KeepsToAGrammar) {
  HearthGrammar* grammar = nullptr;
  EXPECT_EQ(hearth_grammar_from_gbnf("root ::= (", HEARTH_NUL, nullptr, &grammar, &error_), HEARTH_FORMAT);
  ASSERT_EQ(hearth_grammar_from_regex("[0-9]{3}", HEARTH_NUL, &grammar, &error_), HEARTH_OK);
  HearthGrammarMatch match{};
  match.size = sizeof match;
  ASSERT_EQ(hearth_grammar_match(grammar, "12x", HEARTH_NUL, &match, &error_), HEARTH_OK);
  EXPECT_EQ(match.taken, 2u);
  EXPECT_STREQ(match.expected, "'0' to '9'");
  hearth_free(match.expected);
  auto options = with_defaults(hearth_generate_options_init);
  options.grammar = grammar;
  HearthGeneration* made = nullptr;
  ASSERT_EQ(hearth_session_generate(session_, "A number: ", HEARTH_NUL, &options, nullptr, nullptr, &made, &error_),
            HEARTH_OK);
  const std::string text = text_of(hearth_generation_text(made));
  EXPECT_EQ(text.size(), 3u) << text;
  EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
  hearth_generation_free(made);
  HearthGrammarMatcher* matcher = nullptr;
  ASSERT_EQ(hearth_grammar_matcher_create(grammar, hearth_model_tokenizer(model_), &matcher, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_grammar_matcher_accept_text(matcher, "12", HEARTH_NUL, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_grammar_matcher_accept_text(matcher, "x", HEARTH_NUL, &error_), HEARTH_INVALID_ARGUMENT);
  const uint64_t* mask = nullptr;
  size_t n_words = 0;
  ASSERT_EQ(hearth_grammar_matcher_mask(matcher, &mask, &n_words, &error_), HEARTH_OK);
  EXPECT_EQ(n_words, (static_cast<size_t>(hearth_tokenizer_n_vocab(hearth_model_tokenizer(model_))) + 63) / 64);
  hearth_grammar_matcher_free(matcher);
  hearth_grammar_free(grammar);
}

TEST_F(CInterfaceTest, ChatsAndKeepsItsHistory) {
  HearthChat* chat = nullptr;
  ASSERT_EQ(hearth_chat_create(session_, nullptr, nullptr, &chat, &error_), HEARTH_OK) << error_.message;
  HearthChatAnswer* answer = nullptr;
  ASSERT_EQ(hearth_chat_say(chat, "Hello", HEARTH_NUL, nullptr, nullptr, &answer, &error_), HEARTH_OK);
  EXPECT_GT(hearth_chat_answer_text(answer).size, 0u);
  HearthChatMessage message{};
  message.size = sizeof message;
  hearth_chat_answer_message(answer, &message);
  EXPECT_STREQ(message.role, "assistant");
  ASSERT_TRUE(hearth_chat_messages(chat, 0, &message));
  EXPECT_STREQ(message.content, "Hello");
  EXPECT_FALSE(hearth_chat_messages(chat, 2, &message));
  HearthChatMessage history[2] = {with_defaults(hearth_chat_message_init), with_defaults(hearth_chat_message_init)};
  history[0].role = "system", history[0].content = "be brief";
  history[1].role = "user", history[1].content = "Tell me a story.";
  ASSERT_EQ(hearth_chat_set_messages(chat, history, 2, &error_), HEARTH_OK);
  hearth_chat_answer_free(answer);
  ASSERT_EQ(hearth_chat_answer(chat, nullptr, nullptr, &answer, &error_), HEARTH_OK) << error_.message;
  EXPECT_TRUE(hearth_chat_messages(chat, 2, &message));
  hearth_chat_answer_free(answer);
  hearth_chat_free(chat);
}

TEST_F(CInterfaceTest, ReadsCallsOfTools) {
  const char* source =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}<call>{\"name\": \"{{ "
      "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}";
  HearthChatTemplate* compiled = nullptr;
  ASSERT_EQ(hearth_chat_template_compile(source, HEARTH_NUL, nullptr, nullptr, &compiled, &error_), HEARTH_OK);
  auto options = with_defaults(hearth_chat_options_init);
  options.tools_json = R"([{"function": {"name": "f", "parameters": {"properties": {"a": {}}}}}])";
  HearthToolUse* use = nullptr;
  ASSERT_EQ(hearth_tool_use_create(compiled, &options, nullptr, &use, &error_), HEARTH_OK) << error_.message;
  HearthChatParser* parser = nullptr;
  ASSERT_EQ(hearth_tool_use_parser(use, &parser, &error_), HEARTH_OK);
  HearthChatDelta delta{};
  delta.size = sizeof delta;
  ASSERT_EQ(hearth_chat_parser_push(parser, "yes<call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</call>", HEARTH_NUL,
                                    &delta, &error_),
            HEARTH_OK);
  EXPECT_EQ(text_of(delta.content), "yes");
  if (delta.n_tool_calls == 0) {
    ASSERT_EQ(hearth_chat_parser_finish(parser, &delta, &error_), HEARTH_OK);
  }
  ASSERT_EQ(delta.n_tool_calls, 1u);
  EXPECT_STREQ(delta.tool_calls[0].name, "f");
  EXPECT_STREQ(delta.tool_calls[0].arguments_json, "{\"a\": 1}");
  HearthGrammar* grammar = nullptr;
  char* after = nullptr;
  ASSERT_EQ(hearth_tool_use_grammar(use, nullptr, &grammar, &after, &error_), HEARTH_OK) << error_.message;
  EXPECT_NE(grammar, nullptr);
  hearth_free(after);
  hearth_grammar_free(grammar);
  hearth_chat_parser_free(parser);
  hearth_tool_use_free(use);
  hearth_chat_template_free(compiled);
}

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

TEST_F(CInterfaceTest, RunsOnAPoolOfTheHosts) {
  static int n_tasks = 0;
  HearthThreadPool* pool = nullptr;
  const auto run = [](void*, int32_t n, HearthTask task, void* context) {
    for (int32_t i = 0; i < n; ++i) task(context, i);
    n_tasks += n;
  };
  ASSERT_EQ(hearth_thread_pool_create(2, run, nullptr, &pool, &error_), HEARTH_OK);
  auto options = with_defaults(hearth_session_options_init);
  options.pool = pool;
  options.n_ctx = 128;
  HearthSession* session = nullptr;
  ASSERT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_OK) << error_.message;
  EXPECT_EQ(hearth_session_generate(session, "Anna", HEARTH_NUL, nullptr, nullptr, nullptr, nullptr, &error_),
            HEARTH_OK);
  EXPECT_GT(n_tasks, 10);
  hearth_session_free(session);
  hearth_thread_pool_free(pool);
}

TEST_F(CInterfaceTest, QuantizesComparesAndReadsFiles) {
  const TempDir dir;
  const std::string path = dir.file("small.gguf");
  auto options = with_defaults(hearth_quantize_options_init);
  options.type = "Q4_0";
  options.requantize = true;
  HearthQuantizer* quantizer = nullptr;
  ASSERT_EQ(hearth_quantizer_open(kModel.c_str(), &options, &quantizer, &error_), HEARTH_OK) << error_.message;
  HearthTensorPlan plan{};
  plan.size = sizeof plan;
  size_t n = 0;
  while (hearth_quantizer_plan(quantizer, n, &plan)) ++n;
  EXPECT_GT(n, 10u);
  HearthQuantizeReport report{};
  report.size = sizeof report;
  ASSERT_EQ(hearth_quantizer_run(quantizer, path.c_str(), &report, &error_), HEARTH_OK) << error_.message;
  ASSERT_EQ(report.n_paths, 1u);
  EXPECT_EQ(report.paths[0], path);
  hearth_quantizer_free(quantizer);

  HearthGgufFile *a = nullptr, *b = nullptr;
  ASSERT_EQ(hearth_gguf_file_open(kModel.c_str(), nullptr, &a, &error_), HEARTH_OK);
  ASSERT_EQ(hearth_gguf_file_open(path.c_str(), nullptr, &b, &error_), HEARTH_OK);
  HearthText name{};
  EXPECT_EQ(hearth_gguf_file_get_string(a, "general.architecture", &name, &error_), HEARTH_OK);
  EXPECT_EQ(text_of(name), "llama");
  int64_t none = 0;
  EXPECT_EQ(hearth_gguf_file_get_int(a, "no.such.key", &none, &error_), HEARTH_NOT_FOUND);
  const HearthGgufValue* tokens = hearth_gguf_file_find(a, "tokenizer.ggml.tokens");
  HearthText* texts = nullptr;
  size_t n_texts = 0;
  ASSERT_EQ(hearth_gguf_value_as_string_array(tokens, &texts, &n_texts, &error_), HEARTH_OK);
  EXPECT_EQ(n_texts, hearth_gguf_value_size(tokens));
  hearth_free(texts);
  const HearthGgufValue** values = nullptr;
  ASSERT_EQ(hearth_gguf_value_as_array(tokens, &values, &n_texts, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_gguf_value_as_string(values[n_texts - 1], &name, &error_), HEARTH_OK);
  hearth_free(values);

  HearthFileComparison* comparison = nullptr;
  ASSERT_EQ(hearth_compare_files(a, b, nullptr, &comparison, &error_), HEARTH_OK) << error_.message;
  HearthTensorDifference difference{};
  difference.size = sizeof difference;
  ASSERT_TRUE(hearth_file_comparison_tensors(comparison, 0, &difference));
  EXPECT_GT(difference.n_elements, 0);
  hearth_file_comparison_free(comparison);
  hearth_gguf_file_free(a);
  hearth_gguf_file_free(b);
}

TEST_F(CInterfaceTest, MeasuresAText) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Anna had a kite. The kite was red. ";
  auto run = with_defaults(hearth_measure_options_init);
  run.chunk_size = 64;
  run.max_chunks = 2;
  auto options = with_defaults(hearth_perplexity_options_init);
  options.run = &run;
  options.base = model_;
  HearthPerplexityReport report{};
  report.size = sizeof report;
  HearthDivergence divergence{};
  divergence.size = sizeof divergence;
  ASSERT_EQ(hearth_measure_perplexity(model_, text.data(), text.size(), &options, &report, &divergence, &error_),
            HEARTH_OK)
      << error_.message;
  EXPECT_EQ(report.n_chunks, 2);
  EXPECT_TRUE(report.has_divergence);
  EXPECT_GT(divergence.n_kld_percentiles, 2u);
  EXPECT_LT(divergence.kld.value, 1e-3);
  hearth_free(divergence.kld_percentiles);
  hearth_free(divergence.dp_percentiles);
  HearthImportanceMatrix* matrix = nullptr;
  auto how = with_defaults(hearth_importance_options_init);
  how.run = &run;
  ASSERT_EQ(hearth_measure_importance(model_, text.data(), text.size(), &how, &matrix, &error_), HEARTH_OK);
  HearthImportanceEntry entry{};
  entry.size = sizeof entry;
  ASSERT_TRUE(hearth_importance_matrix_entries(matrix, 0, &entry));
  EXPECT_EQ(hearth_importance_matrix_add(matrix, &entry, &error_), HEARTH_OK) << error_.message;
  EXPECT_EQ(hearth_importance_matrix_n_chunks(matrix), 2);
  hearth_importance_matrix_free(matrix);
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

TEST(CInterfaceAlone, ListsWhatThereIs) {
  HearthIsaInfo isa{};
  isa.size = sizeof isa;
  ASSERT_TRUE(hearth_list_isas(0, &isa));
  EXPECT_STREQ(isa.name, "scalar");
  EXPECT_STREQ(hearth_version(), hearth::version());
  EXPECT_STREQ(hearth_kv_type_name(HEARTH_KV_TYPE_Q8_0), "q8_0");
  EXPECT_EQ(hearth_list_kv_types(1), HEARTH_KV_TYPE_F16);
  EXPECT_EQ(hearth_list_kv_types(99), -1);
  size_t n_types = 0;
  while (hearth_list_kv_types(n_types) >= 0) ++n_types;
  EXPECT_EQ(n_types, hearth::list_kv_types().size());
  char* name = nullptr;
  ASSERT_EQ(hearth_model_architectures(0, &name, nullptr), HEARTH_OK);
  EXPECT_EQ(Model::architectures()[0], name);
  hearth_free(name);
  EXPECT_EQ(hearth_model_architectures(9999, &name, nullptr), HEARTH_NOT_FOUND);
  EXPECT_NE(hearth_mix_names(0), nullptr);
  int32_t type = 0;
  EXPECT_EQ(hearth_parse_tensor_type("q4_k", &type, nullptr), HEARTH_OK);
  EXPECT_EQ(type, HEARTH_TENSOR_TYPE_Q4_K);
}

/// Null handles give nothing and harm nobody.
TEST(CInterfaceAlone, NullIsNoCrash) {
  hearth_model_free(nullptr);
  hearth_session_free(nullptr);
  hearth_free(nullptr);
  hearth_sampler_accept(nullptr, 1);
  EXPECT_EQ(hearth_tokenizer_n_vocab(nullptr), 0);
  EXPECT_EQ(hearth_session_logits(nullptr, 0, nullptr), nullptr);
  EXPECT_EQ(hearth_model_tokenizer(nullptr), nullptr);
  EXPECT_FALSE(hearth_ticket_next(nullptr, nullptr));
  EXPECT_EQ(hearth_gguf_file_find(nullptr, "x"), nullptr);
  HearthError error;
  EXPECT_EQ(hearth_grammar_matcher_accept(nullptr, 1, &error), HEARTH_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "matcher is NULL");
}

}  // namespace
}  // namespace hearth::testing
