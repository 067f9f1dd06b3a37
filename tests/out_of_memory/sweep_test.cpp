// Every allocation of every public call fails once, and from then on: an error, nothing leaked, everything usable.
// Here: models, sessions, samplers, embedders; beside this file texts, files, the C interface, prompts that are reused.
#include <vector>

#include "out_of_memory/failing_operators.h"
#include "out_of_memory/sweep_world.h"
#include "support/adapter_file.h"
#if !defined(__wasi__)
#include "support/temp_dir.h"
#endif

namespace hearth::testing {
namespace {

#if !defined(__wasi__)  // has no files
TEST(OutOfMemory, OpenAPath) {
  const TempDir dir;
  const auto& bytes = tiny_file();
  const std::string path = dir.write("model.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const bool use_mmap : {true, false}) {
    const ModelOptions options{.use_mmap = use_mmap, .prefetch = true};
    sweep([&] { return Model::open(path, options); }, describe);
  }
  const SessionOptions options{.n_ctx = 128, .n_threads = 1};
  sweep([&] { return Model::plan(path, options); },
        [](const MemoryPlan& plan) { return std::to_string(plan.total()); });
}
#endif

TEST(OutOfMemory, OpenFromMemory) {
  sweep([] { return Model::from_memory(tiny_file()); }, describe);
}

TEST(OutOfMemory, CreateASession) {
  for (const int n_threads : {1, 2}) {
    const SessionOptions options{.n_ctx = 256, .n_threads = n_threads};
    sweep([&] { return Session::create(tiny_model(), options); },
          [](const Session& session) { return std::to_string(session.plan().total()); });
  }
}

TEST(OutOfMemory, Adapters) {
  const auto bytes = AdapterFile(TinyModel(), 4).gguf();
  sweep([&] { return Adapter::from_memory(bytes, tiny_model()); },
        [](const Adapter& made) { return std::to_string(made.content_hash()); });
  Session session = make_session();
  const std::vector<AdapterScale> list = {{*Adapter::from_memory(bytes, tiny_model()), 0.5f}};
  ASSERT_TRUE(session.set_adapters(0, list));
  sweep([&] { return session.set_adapters(0, list); },
        [&] { return std::to_string(session.adapters(0).size()) + " " + std::to_string(session.adapter_key(0, 0)); });
  Embedder embedder = *Embedder::create(tiny_model(), {.batch_tokens = 8, .n_threads = 1});
  sweep([&] { return embedder.set_adapters(list); }, [&] { return std::to_string(embedder.adapters().size()); });
}

TEST(OutOfMemory, Decode) {
  Session session = make_session();
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < 8; ++i) batch.push_back({40 + i, i, 0, i == 7});
  ASSERT_TRUE(session.decode(batch));
  // Only errors allocate: of a position that is taken, a sequence, a position and a token that do not exist.
  for (const BatchToken& token : {BatchToken{1, 3, 0}, {1, 8, 7}, {1, 9999, 0}, {-1, 8, 0}}) {
    sweep([&] { return session.decode({&token, 1}); }, [] { return ""; });
    EXPECT_EQ(session.cache().length(0), 8);
  }
}

TEST(OutOfMemory, Trace) {
  Session session = make_session();
  const std::vector<Token> ids = {3, 5, 7, 9};
  const auto call = [&] {
    session.cache().clear();
    return trace_attention(session, ids);
  };
  sweep(call, [](const AttentionWeights& seen) { return std::to_string(seen.values.back()); });
  sweep([&] { return trace_attention(session, ids, {.layer = 99}); }, [](const AttentionWeights&) { return ""; });
}

TEST(OutOfMemory, Generate) {
  Session session = make_session();
  GenerateOptions options{.max_tokens = 6};
  options.sampler = {.seed = 7, .repeat_penalty = 1.1f, .dry_multiplier = 0.8f, .top_n_sigma = 2, .typical_p = 0.9f};
  options.stop_texts = {"zzzz"};
  options.probabilities = true;
  const TextCallback on_text = [](std::string_view) { return true; };
  sweep([&] { return session.generate("ab cd ef gh", options, on_text); },
        [](const Generation& made) { return made.text + joined(made.ids); });
  EXPECT_TRUE(session.generate("ab", options));
}

TEST(OutOfMemory, Sample) {
  SamplerOptions options{.seed = 3, .logit_bias = {{5, 1.0f}}, .repeat_penalty = 1.2f, .dry_multiplier = 0.5f};
  options.typical_p = 0.8f;
  const int32_t n = tiny_model().info().n_vocab;
  const Tokenizer& tokenizer = tiny_model().tokenizer();
  sweep([&] { return Sampler::create(n, options, &tokenizer); }, [](const Sampler&) { return std::string(); });
  const Sampler sampler = *Sampler::create(n, options, &tokenizer);
  std::vector<float> logits(static_cast<size_t>(n));
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i * 37 % 101) / 25;
  const auto some_tokens = [&]() -> Result<Token> {
    Result<Sampler> own = sampler.clone();
    if (!own) return own.error();
    own->add_stage(StagePosition::kLast, [&](Candidates& candidates) { candidates.sort(); });
    for (Token id = 0; id < 20; ++id) own->accept(id % 7);
    Result<Token> token = own->sample(logits);
    for (int i = 0; i < 5 && token; ++i) {
      own->accept(*token);
      token = own->sample(logits);
    }
    return token;
  };
  sweep(some_tokens, [](Token id) { return std::to_string(id); });
}

TEST(OutOfMemory, Embed) {
  const EmbedderOptions options{.batch_tokens = 8, .n_threads = 1};
  sweep([&] { return Embedder::create(tiny_model(), options); },
        [](const Embedder& made) { return std::to_string(made.dimensions()); });
  Embedder embedder = *Embedder::create(tiny_model(), options);
  const std::vector<std::string> texts = {"one text", "another, that is longer than the batch", "third"};
  sweep([&] { return embedder.embed(texts); },
        [](const std::vector<Embedding>& all) { return std::to_string(all[2].values[0]); });
}

/// What a text says of itself is lost, and nothing else.
TEST(OutOfMemory, DescribeErrors) {
  const auto never = [](const auto&...) { return "a success"; };
  const GgufFile file = *GgufFile::from_memory(tiny_file());
  const std::string path = "/no/such/folder/with/a/model.gguf";
  sweep([&] { return Model::open(path); }, never);
  sweep([&] { return file.get_int("a.key.that.is.not.there"); }, never);
  sweep([&] { return file.get_int("general.architecture"); }, never);
  sweep([] { return force_isa("no such instruction set"); }, never);
  sweep([] { return parse_kv_type("no such type of the cache"); }, never);
  sweep([] { return Session::create(tiny_model(), {.n_ctx = -5}); }, never);
}

/// Calls that cannot report an error.
TEST(OutOfMemory, WithoutAResult) {
  using Mode = FailingAllocator::Mode;
  const auto with_none = [](const auto& call) {
    const FailingAllocator failing(1, Mode::kFromThenOn);
    return call();
  };
  EXPECT_TRUE(with_none([] { return list_isas(); }).empty());
  EXPECT_TRUE(with_none([] { return self_test(); }).empty());
  EXPECT_TRUE(with_none([] { return Model::architectures(); }).empty());
  EXPECT_TRUE(with_none([] { return list_kv_types(); }).empty());
  EXPECT_EQ(with_none([] { return default_thread_count(); }), 1);
  Session session = make_session();
  EXPECT_EQ(with_none([&] { return session.plan(); }).total(), session.plan().total());
  EXPECT_EQ(with_none([&] { return session.cache().length(99); }), 0);
  EXPECT_FALSE(with_none([&] { return session.cache().room(99, 1); }));
  const ChatPrompt prompt{{{.text = std::string(100, 'x'), .trusted = true}}};
  EXPECT_TRUE(with_none([&] { return prompt.text(); }).empty());
}

TEST(OutOfMemoryOfCallers, OptionsAsTheyAreByDefaultAllocateNothing) {
  const FailingAllocator counting(0);
  const GenerateOptions generate;
  const SessionOptions session;
  const EmbedderOptions embedder;
  const ModelOptions model;
  EXPECT_EQ(FailingAllocator::tried(), 0);
  EXPECT_FALSE(generate.sampler.dry_breakers || session.pool || embedder.pool || model.progress);
}

}  // namespace
}  // namespace hearth::testing
