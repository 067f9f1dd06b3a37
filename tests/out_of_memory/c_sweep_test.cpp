// Memory that runs out behind the C interface.
#include "hearth/c.h"
#include "out_of_memory/sweep_world.h"

namespace hearth::testing {
namespace {

/// The C interface: handles, arrays and texts that are handed out.
TEST(OutOfMemory, CInterface) {
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

}  // namespace
}  // namespace hearth::testing
