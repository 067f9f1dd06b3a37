// Every allocation of every public call fails once, and from then on: an error, nothing leaked, everything usable.
#include "out_of_memory/sweep.h"

#include <filesystem>
#include <functional>
#include <optional>

#include "convert/folder_builder.h"
#include "hearth/c.h"
#include "hearth/hearth.h"
#include "out_of_memory/failing_operators.h"
#include "support/adapter_file.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"
#include "tokenizer/tiny_vocab.h"

namespace hearth::testing {
namespace {

constexpr const char* kTemplate =
    "{% macro say(m) %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endmacro %}"
    "{% set ns = namespace(n=0) %}{% for m in messages %}{{ say(m) }}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{{ messages | map(attribute='role') | join(', ') }}"
    "{{ '%s of %d' | format('n', ns.n) }}{{ 2 ** 100 }}<|assistant|>";

/// A small model's file, with a template.
const std::vector<std::byte>& tiny_file() {
  static const std::vector<std::byte> bytes = [] {
    TinyModel tiny;
    tiny.texts["tokenizer.chat_template"] = kTemplate;
    tiny.texts["general.name"] = "a tiny model of this test";
    return tiny.gguf();
  }();
  return bytes;
}

const Model& tiny_model() {
  static const Model model = *Model::from_memory(tiny_file());
  return model;
}

Session make_session(const SessionOptions& more = {}) {
  SessionOptions options = more;
  options.n_ctx = 256;
  options.n_threads = 2;
  return *Session::create(tiny_model(), options);
}

std::string describe(const Model& model) {
  return model.info().name + " " + std::to_string(model.info().n_parameters) + " " +
         std::to_string(model.tokenizer().n_vocab()) + model.info().quantization;
}

std::string joined(std::span<const Token> ids) {
  std::string text;
  for (const Token id : ids) text += std::to_string(id) + " ";
  return text;
}

/// A call, and what there is to try of it.
struct Case {
  const char* name;
  void (*run)();
};

void open_a_path() {
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

void open_from_memory() {
  sweep([] { return Model::from_memory(tiny_file()); }, describe);
}

void create_a_session() {
  for (const int n_threads : {1, 2}) {
    const SessionOptions options{.n_ctx = 256, .n_threads = n_threads};
    sweep([&] { return Session::create(tiny_model(), options); },
          [](const Session& session) { return std::to_string(session.plan().total()); });
  }
}

void adapters() {
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

void decode() {
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

void trace() {
  Session session = make_session();
  const std::vector<Token> ids = {3, 5, 7, 9};
  const auto call = [&] {
    session.cache().clear();
    return trace_attention(session, ids);
  };
  sweep(call, [](const AttentionWeights& seen) { return std::to_string(seen.values.back()); });
  sweep([&] { return trace_attention(session, ids, {.layer = 99}); }, [](const AttentionWeights&) { return ""; });
}

void generate() {
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

void chat() {
  Session session = make_session();
  ChatSettings settings;
  settings.generate.max_tokens = 3;
  settings.generate.sampler.greedy = true;
  const auto create = [&] {
    std::optional<ChatSettings> own;
    {
      const FailingAllocator::Pause pause;
      own = settings;
    }
    return Chat::create(session, std::move(*own));
  };
  sweep(create, [](const Chat& made) { return std::string(made.chat_template().source()); });
  Chat chat = *Chat::create(session, settings);
  const auto say = [&] {
    chat.messages().clear();
    return chat.say("hello there");
  };
  sweep(say, [&](const ChatAnswer& answer) { return answer.text + std::to_string(chat.messages().size()); });
  const auto once = chat.say("and more");
  ASSERT_TRUE(once) << once.error().message;
  EXPECT_EQ(chat.messages().size(), 4u);
}

void compile_and_render() {
  sweep([] { return ChatTemplate::compile(kTemplate, "<s>", "</s>"); },
        [](const ChatTemplate& made) { return std::string(made.source()); });
  const ChatTemplate made = *ChatTemplate::compile(kTemplate, "<s>", "</s>");
  const std::vector<ChatMessage> messages = {
      {.role = "system", .content = "be brief"},
      {.role = "user", .content_parts_json = R"([{"type": "text", "text": "a question that is long"}])"},
      {.role = "assistant", .tool_calls = {{.id = "1", .name = "f", .arguments_json = R"({"x": [1, 2.5, null]})"}}}};
  ChatOptions options;
  options.tools_json = R"([{"type": "function", "function": {"name": "f", "parameters": {}}}])";
  const auto text = [](const ChatPrompt& prompt) { return prompt.text(); };
  sweep([&] { return made.render(messages, options); }, text);
  const std::string variables = R"({"messages": [{"role": "user", "content": "x"}]})";
  sweep([&] { return made.render_json(variables, 0); }, [](const std::string& out) { return out; });
  const ChatPrompt prompt = *made.render(messages, options);
  sweep([&] { return ChatTemplate::encode(prompt, tiny_model().tokenizer()); },
        [](const std::vector<Token>& ids) { return joined(ids); });
}

void make_grammars() {
  const auto made = [](const Grammar& grammar) {
    const auto match = grammar.match("{\"a\":1}");
    return match ? match->expected : match.error().message;
  };
  const std::string schema = R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 0},
    "b": {"enum": ["x", "y"]}}, "required": ["a"], "additionalProperties": false})";
  sweep([] { return Grammar::from_gbnf("root ::= \"{\" [a-z\"]+ \":\" x* \"}\"\nx ::= [0-9] | \"(\" x \")\""); }, made);
  sweep([] { return Grammar::from_regex("\\{(\\w|\")+:[^a-c]{1,3}"); }, made);
  sweep([&] { return Grammar::from_json_schema(schema); }, made);
  const Grammar grammar = *Grammar::from_json_schema(schema);
  const Tokenizer& tokenizer = tiny_model().tokenizer();
  const auto first = GrammarMatcher::create(grammar, tokenizer);
  ASSERT_TRUE(first) << first.error().message;
  sweep([&] { return first->clone(); }, [](const GrammarMatcher& m) { return std::to_string(m.n_accepted()); });
  sweep(
      [&]() -> Result<uint64_t> {  // nothing here allocates beside the library
        auto matcher = first->clone();
        if (!matcher) return matcher.error();
        const auto mask = matcher->mask();
        if (!mask) return mask.error();
        uint64_t sum = 0;
        for (const uint64_t word : *mask) sum = 31 * sum + word;
        if (Status status = matcher->accept("{\"a\":1"); !status) return status.error();
        auto forced = matcher->forced();
        if (!forced) return forced.error();
        return sum + forced->size();
      },
      [](uint64_t sum) { return std::to_string(sum); });
}

constexpr const char* kToolTemplate =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}<call>{\"name\": \"{{ "
    "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

void use_tools() {
  const ChatTemplate tmpl = *ChatTemplate::compile(kToolTemplate, "", "");
  const ChatOptions options{.tools_json = R"([{"function": {"name": "f", "parameters": {"properties": {"a": {}}}}}])"};
  sweep([&] { return ToolUse::create(tmpl, options); },
        [](const ToolUse& use) { return std::to_string(use.is_generic()) + std::to_string(use.has_tools()); });
  const ToolUse use = *ToolUse::create(tmpl, options);
  EXPECT_FALSE(use.is_generic());
  sweep([&] { return use.grammar(); }, [](const ToolGrammar& rules) { return rules.after; });
  const std::vector<ChatMessage> messages = {{.role = "user", .content = "hello"}};
  sweep([&] { return use.render(messages); }, [](const ChatPrompt& prompt) { return prompt.text(); });
  sweep(
      [&]() -> Result<size_t> {
        auto parser = use.parser();
        if (!parser) return parser.error();
        const auto part = parser->push("yes<call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</call>");
        if (!part) return part.error();
        const auto rest = parser->finish();
        if (!rest) return rest.error();
        return part->content.size() + (part->tool_calls.empty() ? 0 : part->tool_calls[0].arguments_json.size());
      },
      [](size_t n) { return std::to_string(n); });
}

void tokenize() {
  const std::string text = "hello world, hello  w\xc3\xb6rld 123 <user> <|tool|>!!\n ab abab";
  for (const TinyVocab& vocab : {sentence_piece_vocab(), byte_pair_vocab("llama-bpe"), plain_pair_vocab(),
                                 word_piece_vocab(), unigram_vocab()}) {
    const std::string bytes = vocab.file();
    const auto file = GgufFile::from_memory(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(file) << file.error().message;
    sweep([&] { return Tokenizer::from_gguf(*file); },
          [](const Tokenizer& made) { return std::to_string(made.n_vocab()) + std::string(made.warning()); });
    const Tokenizer tokenizer = *Tokenizer::from_gguf(*file);
    const EncodeOptions options{.add_special = true, .parse_special = true};
    sweep([&] { return tokenizer.encode(text, options); }, [](const std::vector<Token>& ids) { return joined(ids); });
    sweep([&] { return tokenizer.count(text, options); }, [](size_t n) { return std::to_string(n); });
    const std::vector<Token> ids = *tokenizer.encode(text, options);
    sweep([&] { return tokenizer.decode(ids); }, [](const std::string& out) { return out; });
  }
}

void embed() {
  const EmbedderOptions options{.batch_tokens = 8, .n_threads = 1};
  sweep([&] { return Embedder::create(tiny_model(), options); },
        [](const Embedder& made) { return std::to_string(made.dimensions()); });
  Embedder embedder = *Embedder::create(tiny_model(), options);
  const std::vector<std::string> texts = {"one text", "another, that is longer than the batch", "third"};
  sweep([&] { return embedder.embed(texts); },
        [](const std::vector<Embedding>& all) { return std::to_string(all[2].values[0]); });
}

Result<std::string> write_a_file(const std::string& path, const GgufFile& from) {
  Result<GgufWriter> writer = GgufWriter::create(path);
  if (!writer) return writer.error();
  for (const GgufEntry& entry : from.entries()) {
    if (Status s = writer->add_value(entry.key, entry.value); !s) return s.error();
  }
  if (Status s = writer->add_string("a.string.of.the.test", "with a value that does not fit"); !s) return s.error();
  for (const GgufTensor& tensor : from.tensors()) {
    if (Status s = writer->add_tensor(tensor.name, tensor.type, {tensor.dims.data(), tensor.n_dims}); !s)
      return s.error();
  }
  for (const GgufTensor& tensor : from.tensors()) {
    if (Status s = writer->write_data({tensor.data, tensor.size_bytes}); !s) return s.error();
  }
  if (Status s = writer->finish(); !s) return s.error();
  return std::string();
}

void write() {
  const TempDir dir;
  const std::string path = dir.file("written.gguf");
  const GgufFile from = *GgufFile::from_memory(tiny_file());
  const auto call = [&] { return write_a_file(path, from); };
  const auto show = [&](const std::string&) {
    std::error_code ignored;
    const std::string bytes = read_file(path);
    std::filesystem::remove(path, ignored);
    return std::to_string(std::hash<std::string>()(bytes)) + " " + std::to_string(dir.count());
  };
  sweep(call, show);
  EXPECT_EQ(dir.count(), 0u) << "a temporary is left";
}

void sample() {
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

/// The C interface: handles, arrays and texts that are handed out.
void c_interface() {
  const auto& bytes = tiny_file();
  HearthError error;
  const auto as_result = [&](HearthCode code, size_t value) -> Result<size_t> {
    const FailingAllocator::Pause pause;
    if (code == HEARTH_OK) return value;
    return Error{static_cast<ErrorCode>(code - 1), error.message};
  };
  const auto show = [](size_t value) { return std::to_string(value); };
  sweep(
      [&] {
        HearthModel* model = nullptr;
        const HearthCode code = hearth_model_from_memory(bytes.data(), bytes.size(), nullptr, &model, &error);
        const size_t n = static_cast<size_t>(hearth_tokenizer_n_vocab(hearth_model_tokenizer(model)));
        hearth_model_free(model);
        return as_result(code, n);
      },
      show);
  HearthModel* model = nullptr;
  ASSERT_EQ(hearth_model_from_memory(bytes.data(), bytes.size(), nullptr, &model, &error), HEARTH_OK);
  HearthSessionOptions options{};
  options.size = sizeof options;
  hearth_session_options_init(&options);
  options.n_ctx = 128;
  options.n_threads = 1;
  sweep(
      [&] {
        HearthSession* session = nullptr;
        const HearthCode code = hearth_session_create(model, &options, &session, &error);
        hearth_session_free(session);
        return as_result(code, session != nullptr);
      },
      show);
  HearthSession* session = nullptr;
  ASSERT_EQ(hearth_session_create(model, &options, &session, &error), HEARTH_OK) << error.message;
  HearthGenerateOptions how{};
  how.size = sizeof how;
  hearth_generate_options_init(&how);
  how.max_tokens = 3;
  const char* stops[] = {"a text that never comes and does not fit into the string itself"};
  how.stop_texts = stops;
  how.n_stop_texts = 1;
  sweep(
      [&] {
        HearthGeneration* made = nullptr;
        const HearthCode code =
            hearth_session_generate(session, "ab cd", HEARTH_NUL, &how, nullptr, nullptr, &made, &error);
        size_t n = 0;
        hearth_generation_ids(made, &n);
        hearth_generation_free(made);
        return as_result(code, n);
      },
      show);
  sweep(
      [&] {
        int32_t* ids = nullptr;
        size_t n = 0;
        const HearthCode code = hearth_tokenizer_encode(hearth_model_tokenizer(model), "hello world", HEARTH_NUL,
                                                        nullptr, &ids, &n, &error);
        hearth_free(ids);
        return as_result(code, n);
      },
      show);
  const HearthGgufValue* tokens = hearth_gguf_file_find(hearth_model_file(model), "tokenizer.ggml.tokens");
  sweep(
      [&] {
        const HearthGgufValue** values = nullptr;
        size_t n = 0;
        const HearthCode code = hearth_gguf_value_as_array(tokens, &values, &n, &error);
        hearth_free(values);
        return as_result(code, n);
      },
      show);
  sweep(
      [&] {
        HearthGrammar* grammar = nullptr;
        HearthGrammarMatch match{};
        match.size = sizeof match;
        HearthCode code = hearth_grammar_from_regex("[a-z]{2,5}", HEARTH_NUL, &grammar, &error);
        if (code == HEARTH_OK) code = hearth_grammar_match(grammar, "ab1", HEARTH_NUL, &match, &error);
        hearth_free(match.expected);
        hearth_grammar_free(grammar);
        return as_result(code, match.taken);
      },
      show);
  const HearthText texts[] = {{"one text", HEARTH_NUL}, {"another text", HEARTH_NUL}};
  sweep(
      [&] {
        HearthEmbedder* embedder = nullptr;
        float* values = nullptr;
        int32_t* counts = nullptr;
        size_t width = 0;
        HearthCode code = hearth_embedder_create(model, nullptr, &embedder, &error);
        if (code == HEARTH_OK) code = hearth_embedder_embed(embedder, texts, 2, &values, &width, &counts, &error);
        hearth_free(values);
        hearth_free(counts);
        hearth_embedder_free(embedder);
        return as_result(code, width);
      },
      show);
  hearth_session_free(session);
  hearth_model_free(model);
}

/// What a text says of itself is lost, and nothing else.
void describe_errors() {
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
void without_a_result() {
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

void decode_a_stream() {
  TinyVocab vocab = sentence_piece_vocab();
  vocab.add(std::string(100, 'x'));
  const auto long_token = static_cast<Token>(vocab.tokens.size() - 1);
  const TinyTokenizer tokenizer(vocab);
  TokenDecoder decoder(*tokenizer);
  {
    const FailingAllocator failing(1);
    EXPECT_EQ(decoder.push(long_token), "");
  }
  EXPECT_TRUE(decoder.lost_text());
  EXPECT_EQ(decoder.push(long_token), std::string(100, 'x'));
}

std::string describe(const ConvertReport& report) {
  return report.architecture + " " + std::to_string(report.n_tensors);
}

void convert_a_folder() {
  const TempDir dir;
  std::vector<FolderTensor> tensors = {{"model.embed_tokens.weight", {kByteLevelTokens, 8}},
                                       {"model.norm.weight", {8}}};
  for (const char* name : {"self_attn.q_proj", "mlp.experts.0.up_proj", "mlp.experts.1.up_proj", "input_layernorm"}) {
    tensors.push_back({"model.layers.0." + std::string(name) + ".weight", {8, 8}, "BF16"});
  }
  dir.write("config.json",
            "{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
            "\"max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}");
  dir.write("tokenizer.json", byte_level_tokenizer());
  dir.write("tokenizer_config.json", "{\"bos_token\":\"<s>\",\"chat_template\":\"{{ 1 }}\"}");
  dir.write("model.safetensors", safetensors_file(tensors));
  const std::string folder = dir.path().string(), out = dir.file("out.gguf");
  sweep([&] { return convert_model(folder, out); }, [](const ConvertReport& report) { return describe(report); });
  dir.write("adapter_config.json", "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":8}");
  const std::string layer = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  dir.write("adapter_model.safetensors",
            safetensors_file({{layer + "A.weight", {2, 8}}, {layer + "B.weight", {8, 2}}}));
  sweep([&] { return convert_adapter(folder, folder, out); },
        [](const ConvertReport& report) { return describe(report); });
}

void measure() {
  const std::string text(300, 'a');
  const MeasureOptions run{.chunk_size = 16, .max_chunks = 2, .n_threads = 2};
  const TempDir dir;
  const std::string saved = dir.file("saved");
  const PerplexityOptions saving{.run = run, .save_logits = saved}, comparing{.run = run, .base_logits = saved};
  sweep([&] { return measure_perplexity(tiny_model(), text, saving); },
        [](const PerplexityReport& report) { return std::to_string(report.perplexity.value); });
  sweep([&] { return measure_perplexity(tiny_model(), "", comparing); },
        [](const PerplexityReport& report) { return std::to_string(report.divergence->kld.value); });
  sweep([&] { return measure_importance(tiny_model(), text, {.run = run}); },
        [](const ImportanceMatrix& matrix) { return std::to_string(matrix.entries().size()); });
  sweep([&] { return compare_files(tiny_model().file(), tiny_model().file(), {.n_threads = 1}); },
        [](const FileComparison& comparison) { return std::to_string(comparison.tensors.size()); });
}

void quantize() {
  const TempDir dir;
  const auto& bytes = tiny_file();
  const std::string from = dir.write("model.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  QuantizeOptions options{.type = "Q4_K_M", .n_threads = 1};
  options.overrides.push_back({"attn_(q|k)", TensorType::kQ8_0});
  const std::string to = dir.file("out.gguf");
  const auto make = [&] { return Quantizer::open(from, options); };
  sweep(make, [](const Quantizer& made) { return std::to_string(made.target_bytes()); });
  Quantizer quantizer = *make();
  sweep([&] { return quantizer.run(to); },
        [](const QuantizeReport& report) { return std::to_string(report.file_bytes); });
  sweep([] { return parse_tensor_type("no such type of tensors"); }, [](TensorType) { return "a success"; });
}

const Case kCases[] = {
    {"OpenAPath", open_a_path},
    {"OpenFromMemory", open_from_memory},
    {"CreateASession", create_a_session},
    {"Adapters", adapters},
    {"Decode", decode},
    {"Trace", trace},
    {"Generate", generate},
    {"Chat", chat},
    {"CompileAndRender", compile_and_render},
    {"MakeGrammars", make_grammars},
    {"UseTools", use_tools},
    {"Tokenize", tokenize},
    {"Embed", embed},
    {"Write", write},
    {"Sample", sample},
    {"Quantize", quantize},
    {"CInterface", c_interface},
    {"DescribeErrors", describe_errors},
    {"ConvertAFolder", convert_a_folder},
    {"Measure", measure},
    {"WithoutAResult", without_a_result},
    {"DecodeAStream", decode_a_stream},
};

class OutOfMemory : public ::testing::TestWithParam<Case> {};
TEST(OutOfMemoryOfCallers, OptionsAsTheyAreByDefaultAllocateNothing) {
  const FailingAllocator counting(0);
  const GenerateOptions generate;
  const SessionOptions session;
  const EmbedderOptions embedder;
  const ModelOptions model;
  EXPECT_EQ(FailingAllocator::tried(), 0);
  EXPECT_FALSE(generate.sampler.dry_breakers || session.pool || embedder.pool || model.progress);
}

TEST_P(OutOfMemory, IsAnError) {
  GetParam().run();
}

INSTANTIATE_TEST_SUITE_P(, OutOfMemory, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace hearth::testing
