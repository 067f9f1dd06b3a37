// The examples at the top of the public headers, compiled, and a check that this file has them word for word.
#include <gtest/gtest.h>
#include <hearth/hearth.h>

#include <cstdio>
#include <iostream>
#include <regex>
#include <string>
#include <string_view>

#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

// Each function holds one header's example, in the place that its comment imagines.
namespace {

template <typename... T>
void show(const T&...) {}
template <typename... T>
void use(const T&...) {}
int fail(const hearth::Error& error) {
  return static_cast<int>(error.code) + 1;
}

int result_h() {
  hearth::Result<hearth::Model> model = hearth::Model::open("model.gguf");
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  use(*model);
  return 0;
}

int gguf_h() {
  auto file = hearth::GgufFile::open("model.gguf");
  if (!file) return fail(file.error());
  auto arch = file->get_string("general.architecture");
  for (const hearth::GgufTensor& t : file->tensors()) show(t.name, t.dims, t.size_bytes);
  return 0;
}

int model_h() {
  auto model = hearth::Model::open("model.gguf");
  if (!model) return fail(model.error());
  std::printf("%s, %lld parameters\n", model->info().name.c_str(), (long long)model->info().n_parameters);
  return 0;
}

void tokenizer_h() {
  auto file = hearth::GgufFile::open("model.gguf");
  auto tok = hearth::Tokenizer::from_gguf(*file);
  auto ids = tok->encode("Once upon a time", {.add_special = true});
  hearth::TokenDecoder stream(*tok);
  for (hearth::Token id : *ids) std::fputs(std::string(stream.push(id)).c_str(), stdout);
}

int engine_h(const hearth::Result<hearth::Model>& model, const hearth::Result<std::vector<hearth::Token>>& ids) {
  auto engine = hearth::Engine::create(*model, {.session = {.n_ctx = 1024, .n_seqs = 4}});
  if (!engine) return fail(engine.error());
  auto ticket = engine->submit({.prompt = *ids, .generate = {.max_tokens = 16}});
  if (!ticket) return fail(ticket.error());
  while (auto event = ticket->next()) std::cout << event->text << std::flush;
  return 0;
}

int adapter_h(const hearth::Result<hearth::Model>& model) {
  auto adapter = hearth::Adapter::load("style.gguf", *model);
  if (!adapter) return fail(adapter.error());
  auto session = hearth::Session::create(*model, {.adapters = {{*adapter, 0.8f}}});  // for every sequence, or ...
  hearth::Status set = session->set_adapters(0, {{*adapter, 1.0f}});                 // ... for one, at any time
  return set ? 0 : fail(set.error());
}

int merge_h(const hearth::Result<hearth::Model>& model, const std::vector<hearth::AdapterScale>& adapters) {
  hearth::Status merged = hearth::merge_adapters(*model, adapters, "merged.gguf", {.type = hearth::TensorType::kF16});
  return merged ? 0 : fail(merged.error());
}

int quantizer_h() {
  hearth::QuantizeOptions options{.type = "Q4_K_M"};
  auto quantizer = hearth::Quantizer::open("model-f16.gguf", options);
  if (!quantizer) return fail(quantizer.error());
  for (const hearth::TensorPlan& t : quantizer->plan()) show(t.name, t.source, t.target);  // what would happen
  auto report = quantizer->run("model-q4_k_m.gguf");
  return report ? 0 : fail(report.error());
}

int importance_matrix_h() {
  auto importance = hearth::ImportanceMatrix::read("model.imatrix.gguf");
  if (!importance) return fail(importance.error());
  std::span<const float> weights = importance->weights("blk.0.ffn_up.weight", 0, 2048);
  show(weights);
  return 0;
}

int convert_h() {
  auto report = hearth::convert_model("SmolLM2-135M", "smollm2.gguf", {.type = hearth::TensorType::kBF16});
  if (!report) return fail(report.error());
  for (const std::string& warning : report->warnings) show(warning);
  return 0;
}

int compare_h() {
  auto a = hearth::GgufFile::open("model-f16.gguf"), b = hearth::GgufFile::open("model-q4_k_m.gguf");
  auto comparison = hearth::compare_files(*a, *b);
  if (!comparison) return fail(comparison.error());
  for (const hearth::TensorDifference& t : comparison->tensors) show(t.name, t.relative_error());
  return 0;
}

int quality_h(const hearth::Result<hearth::Model>& model, const hearth::Result<hearth::Model>& original,
              std::string_view text) {
  auto report = hearth::measure_perplexity(*model, text, {.base = &*original});
  if (!report) return fail(report.error());
  std::printf("perplexity %.4f +- %.4f", report->perplexity.value, report->perplexity.error);
  std::printf(", divergence %.6f\n", report->divergence->kld.value);
  return 0;
}

void batch_h(hearth::Session& session) {
  std::vector<hearth::BatchToken> batch{{.id = 17, .pos = 0, .seq = 0}, {.id = 4, .pos = 1, .seq = 0, .logits = true}};
  hearth::Status done = session.decode(batch);
}

struct MyPool {
  void run(int n, const std::function<void(int)>& task) {
    for (int i = 0; i < n; ++i) task(i);
  }
};

void threads_h(const hearth::Result<hearth::Model>& model, MyPool& mine) {
  auto run = [&](int n, const std::function<void(int)>& task) { mine.run(n, task); };
  hearth::ThreadPool pool{.n_threads = 4, .run = run};
  auto session = hearth::Session::create(*model, {.pool = &pool});
}

void kv_cache_h(hearth::Session& session) {
  hearth::Status shared = session.cache().copy(0, 1);
  hearth::Status removed = session.cache().remove(1, 10, -1);
}

bool tool_use_h(const hearth::Result<hearth::Model>& model, const hearth::ChatTemplate& chat_template,
                const std::string& tools, const std::vector<hearth::ChatMessage>& messages) {
  hearth::GenerateOptions options;
  auto use = hearth::ToolUse::create(chat_template, {.tools_json = tools}, {.choice = hearth::ToolChoice::kRequired});
  auto prompt = use->render(messages);
  auto rules = use->grammar(&model->tokenizer());
  options.grammar = rules->grammar, options.grammar_after = rules->after;
  auto parser = use->parser();  // reads what is generated
  return prompt.ok() && parser.ok() && options.grammar.has_value();
}

size_t chat_parser_h(const hearth::ChatTemplate& chat_template, const std::string& tools, std::string_view piece) {
  auto parser = hearth::ChatParser::create(chat_template, {.tools_json = tools});
  auto part = parser->push(piece);  // again and again; what may be a marker is held back
  for (const hearth::ToolCall& call : part->tool_calls) show(call.name, call.arguments_json);
  auto rest = parser->finish();
  return part->content.size() + rest->content.size();
}

void grammar_h(const hearth::Result<hearth::Model>& model, hearth::Token token) {
  auto grammar = hearth::Grammar::from_json_schema(R"({"type": "integer", "minimum": 1})");
  auto matcher = hearth::GrammarMatcher::create(*grammar, model->tokenizer());
  auto mask = matcher->mask();  // a bit per token
  if (hearth::mask_has(*mask, token)) hearth::Status taken = matcher->accept(token);
}

void sampler_h(const hearth::Model& model, const hearth::Session& session) {
  hearth::SamplerOptions options;
  options.temperature = 0.7f;
  auto sampler = hearth::Sampler::create(model.info().n_vocab, options, &model.tokenizer());
  auto next = sampler->sample(session.logits(0));
  sampler->accept(*next);
}

int generator_h(const hearth::Model& model, hearth::Session& session, const std::vector<hearth::Token>& prompt) {
  auto generator = hearth::Generator::create(model, prompt, {.max_tokens = 64});
  if (!generator) return fail(generator.error());
  auto status = session.prefill(prompt);
  while (status && !generator->finished()) {
    auto token = generator->accept(session.logits(0));
    if (!token) return fail(token.error());
    std::cout << token->text;
    hearth::BatchToken next = generator->next(0);
    if (!token->finished) status = session.decode({&next, 1});
  }
  return status ? 0 : fail(status.error());
}

void session_h(const hearth::Result<hearth::Model>& model) {
  auto session = hearth::Session::create(*model, {.n_ctx = 2048});
  auto text = session->generate("Once upon a time", {.max_tokens = 64}, [](std::string_view piece) {
    std::cout << piece << std::flush;
    return true;
  });
}

int trace_h(hearth::Session& session, const hearth::Result<std::vector<hearth::Token>>& ids) {
  auto seen = hearth::trace_attention(session, *ids);
  if (!seen) return fail(seen.error());
  for (int32_t pos = 0; pos < seen->n_positions; ++pos) show(pos, seen->values[pos]);  // of the first head
  return seen->n_positions;
}

bool speculation_h(const hearth::Result<hearth::Model>& model) {
  auto session = hearth::Session::create(*model, {.n_logits = 17});  // room for drafts of 16 tokens
  auto lookup = hearth::Speculator::lookup();
  if (!session || !lookup) return false;
  auto text = session->generate("Once upon a time", {.max_tokens = 64, .speculator = &*lookup});
  std::cout << lookup->stats().accepted << " of " << lookup->stats().drafted << " guesses were right\n";
  return text.ok();
}

size_t chat_template_h(const hearth::Result<hearth::Model>& model) {
  auto chat = hearth::ChatTemplate::from_gguf(model->file(), model->tokenizer());
  auto prompt = chat->render({{.role = "user", .content = "Hello"}}, {});
  auto ids = chat->encode(*prompt, model->tokenizer());
  return ids->size();
}

int chat_h(hearth::Session& session) {
  auto chat = hearth::Chat::create(session);
  if (!chat) return fail(chat.error());
  const hearth::TextCallback print = [](std::string_view piece) { return bool(std::cout << piece << std::flush); };
  auto answer = chat->say("Tell me a story about Anna and a kite.", print);
  if (answer) answer = chat->say("What colour was the kite?", print);
  return answer ? static_cast<int>(chat->messages().size()) : -fail(answer.error());
}

float embedder_h(const hearth::Result<hearth::Model>& model) {
  auto embedder = hearth::Embedder::create(*model);
  auto vectors = embedder->embed({"a cat on a mat", "ein Hund im Garten"});
  float alike = hearth::cosine_similarity((*vectors)[0].values, (*vectors)[1].values);
  return alike;
}

void cpu_h() {
  for (const hearth::IsaInfo& isa : hearth::list_isas()) std::printf("%s %d\n", isa.name, isa.usable);
  hearth::Status forced = hearth::force_isa("avx2");
}

}  // namespace

namespace hearth::testing {
namespace {

std::filesystem::path source_dir() {
  return hearth::testing::source_dir();
}

/// The code without comments and white space, so that layout does not count.
std::string squeezed(const std::string& code) {
  return std::regex_replace(code, std::regex("//[^\n]*|\\s+"), "");
}

/// Lines "//   code" of the comment at the head of a header.
std::string example_of(const std::string& header) {
  std::string example;
  std::istringstream lines(header.substr(0, header.find("#pragma once")));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("//   ")) example += line.substr(5) + "\n";
  }
  return example;
}

TEST(HeaderExamples, AreCompiledHere) {
  const std::string here = squeezed(read_file(source_dir() / "tests/api/header_examples_test.cpp"));
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "include/hearth")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "c.h" || name == "api.h") continue;  // that for C: examples/c, tests/c
    const std::string example = squeezed(example_of(read_file(entry.path())));
    EXPECT_EQ(example.empty(), name == "hearth.h" || name == "version.h") << name;
    EXPECT_NE(here.find(example), std::string::npos) << name << ": its example is not compiled in this file";
  }
}

// Those that need nothing but a file run as well: without the file they end with an error.
TEST(HeaderExamples, ReportAMissingFile) {
  EXPECT_EQ(result_h(), 1);
  EXPECT_EQ(gguf_h(), fail({ErrorCode::kNotFound, ""}));
  EXPECT_EQ(importance_matrix_h(), fail({ErrorCode::kNotFound, ""}));
  EXPECT_EQ(quantizer_h(), fail({ErrorCode::kNotFound, ""}));
  EXPECT_EQ(convert_h(), fail({ErrorCode::kNotFound, ""}));
  EXPECT_EQ(model_h(), fail({ErrorCode::kNotFound, ""}));
}

// With a file "model.gguf" in the working directory they succeed.
TEST(HeaderExamples, OpenTheirFile) {
  namespace fs = std::filesystem;
  const TempDir folder;
  const fs::path before = fs::current_path();
  fs::create_symlink(source_dir() / "examples/models/small-world-q8_0.gguf", folder.path() / "model.gguf");
  fs::current_path(folder.path());
  ::testing::internal::CaptureStdout();
  fs::copy_file("model.gguf", "model-f16.gguf");
  fs::copy_file("model.gguf", "model-q4_k_m.gguf");
  const int failures = result_h() + gguf_h() + model_h() + compare_h();
  tokenizer_h();
  const std::string said = ::testing::internal::GetCapturedStdout();
  fs::current_path(before);
  EXPECT_EQ(failures, 0);
  EXPECT_NE(said.find("parameters"), std::string::npos) << said;
  EXPECT_NE(said.find("Once upon a time"), std::string::npos) << said;
}

// The others run with the trained model of examples/models; each must leave what its comment promises.
class HeaderExamplesRun : public ::testing::Test {
 protected:
  HeaderExamplesRun()
      : model(Model::open((source_dir() / "examples/models/small-world-q8_0.gguf").string())),
        session(Session::create(*model, {.n_ctx = 256, .n_seqs = 2, .n_threads = 1})) {}
  Result<Model> model;
  Result<Session> session;
};

TEST_F(HeaderExamplesRun, BatchAndCache) {
  ASSERT_TRUE(model && session);
  batch_h(*session);
  EXPECT_EQ(session->cache().length(0), 2);
  EXPECT_EQ(session->n_logits(), 1u);
  kv_cache_h(*session);
  EXPECT_EQ(session->cache().length(1), 2);
}

TEST_F(HeaderExamplesRun, SamplerAndGenerator) {
  const std::vector<Token> prompt = {1, 2, 3};
  EXPECT_EQ(generator_h(*model, *session, prompt), 0);
  EXPECT_GE(session->cache().length(0), 3);
  EXPECT_EQ(session->n_logits(), 1u);
  sampler_h(*model, *session);
  grammar_h(model, 1);
  const auto chat_template = ChatTemplate::from_gguf(model->file(), model->tokenizer());
  ASSERT_TRUE(chat_template.ok());
  EXPECT_EQ(chat_parser_h(*chat_template, "", "Yes."), 4u);
  const std::string tools = R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])";
  EXPECT_TRUE(tool_use_h(model, *chat_template, tools, {{.role = "user", .content = "Hi"}}));
}

TEST_F(HeaderExamplesRun, Trace) {
  EXPECT_EQ(trace_h(*session, std::vector<Token>{1, 2, 3}), 3);
}

TEST_F(HeaderExamplesRun, WithAModel) {
  ::testing::internal::CaptureStdout();
  session_h(model);
  EXPECT_TRUE(speculation_h(model));
  EXPECT_EQ(chat_h(*session), 4);
  EXPECT_NE(::testing::internal::GetCapturedStdout().find("The kite was"), std::string::npos);
  MyPool pool;
  threads_h(model, pool);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(engine_h(model, model->tokenizer().encode("Anna has a red", {.add_special = true})), 0);
  EXPECT_FALSE(::testing::internal::GetCapturedStdout().empty());
  EXPECT_GT(chat_template_h(model), 3u);
  EXPECT_GT(embedder_h(model), -1.0f);
  EXPECT_EQ(adapter_h(model), fail({ErrorCode::kNotFound, ""}));
  EXPECT_EQ(merge_h(model, {}), fail({ErrorCode::kInvalidArgument, ""}));  // nothing to merge
  std::string text;
  for (int i = 0; i < 300; ++i) text += "Mia has a red kite. ";
  EXPECT_EQ(quality_h(model, model, text), 0);
}

TEST(HeaderExamples, InstructionSets) {
  const std::string before = active_isa();
  ::testing::internal::CaptureStdout();
  cpu_h();
  EXPECT_EQ(::testing::internal::GetCapturedStdout().rfind("scalar 1\n", 0), 0u);
  EXPECT_TRUE(force_isa(before));
}

}  // namespace
}  // namespace hearth::testing
