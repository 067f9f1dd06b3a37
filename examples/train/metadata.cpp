// The metadata of an exported model: the keys of the GGUF specification, the vocabulary, the chat template.
#include <filesystem>
#include <span>

#include "examples/train/corpus.h"
#include "examples/train/export.h"

namespace train {
namespace {

using hearth::GgufWriter;
using hearth::Status;

constexpr int32_t kNormalToken = 1, kControlToken = 3;
constexpr size_t kVocabularyBytes = size_t{3} << 20;  // of text to learn from
constexpr uint64_t kVocabularyStream = 0x766f636162ull;

/// The first error of several calls.
class Calls {
 public:
  Calls& operator<<(Status next) {
    if (status_.ok()) status_ = std::move(next);
    return *this;
  }
  Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace

Vocabulary make_vocabulary(uint64_t seed, int64_t n_vocab) {
  Dice dice(seed ^ kVocabularyStream, Split::kTraining);
  std::string text;
  while (text.size() < kVocabularyBytes) text += document(dice, Stage::kMixed).text;
  return learn_vocabulary(text, static_cast<size_t>(n_vocab),
                          {std::string(kEndOfText), std::string(kMessageStart), std::string(kMessageEnd)});
}

hearth::Result<hearth::Tokenizer> make_tokenizer(const Vocabulary& vocabulary, const std::string& scratch_path) {
  auto writer = GgufWriter::create(scratch_path);
  if (!writer) return writer.error();
  Calls calls;
  calls << writer->add_string("general.architecture", "llama") << add_tokenizer(*writer, vocabulary)
        << writer->finish();
  if (!calls.status()) return calls.status().error();
  auto file = hearth::GgufFile::open(scratch_path, {.use_mmap = false});
  std::error_code ignored;
  std::filesystem::remove(scratch_path, ignored);
  if (!file) return file.error();
  return hearth::Tokenizer::from_gguf(*file);
}

ModelCard card_of(const std::string& preset) {
  const std::string made =
      " Trained from nothing by the example program of hearth on text that the program makes itself.";
  if (preset == "draft") {
    return {"Small World Draft", "Guesses ahead for Small World: half its size, the same vocabulary." + made};
  }
  return {"Small World",
          "Knows a small world: tells stories, answers questions about them, adds, counts and spells." + made};
}

std::string chat_template() {
  return "{%- if tools %}{{- '<|im_start|>system\\n' }}"
         "{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n' }}{%- endif %}{{- 'Tools: ' }}"
         "{%- for tool in tools %}{%- if not loop.first %}{{- ', ' }}{%- endif %}{{- tool.function.name + '(' }}"
         "{%- for name in tool.function.parameters.properties %}{%- if not loop.first %}{{- ', ' }}{%- endif %}"
         "{{- name }}{%- endfor %}{{- ')' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}"
         "{%- for message in messages %}{%- if not (tools and loop.first and message.role == 'system') %}"
         "{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content %}{{- message.content }}{%- endif %}"
         "{%- if message.tool_calls %}{%- for call in message.tool_calls %}"
         "{{- '<tool_call>{\"name\": \"' + call.function.name + '\", \"arguments\": ' }}"
         "{%- if call.function.arguments is string %}{{- call.function.arguments }}"
         "{%- else %}{{- call.function.arguments | tojson }}{%- endif %}{{- '}</tool_call>' }}{%- endfor %}{%- endif %}"
         "{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
         "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";
}

Status add_tokenizer(GgufWriter& writer, const Vocabulary& vocabulary) {
  std::vector<std::string> tokens, merges;
  for (const std::string& token : vocabulary.tokens) tokens.push_back(byte_letters(token));
  for (const auto& [left, right] : vocabulary.merges) merges.push_back(byte_letters(left) + " " + byte_letters(right));
  std::vector<int32_t> kinds(tokens.size(), kNormalToken);
  for (const std::string& special : vocabulary.special) {
    tokens.push_back(special);
    kinds.push_back(kControlToken);
  }
  const std::vector<std::string_view> token_views(tokens.begin(), tokens.end()),
      merge_views(merges.begin(), merges.end());
  const auto first_special = static_cast<uint32_t>(vocabulary.tokens.size());  // <|endoftext|>
  Calls calls;
  calls << writer.add_string("tokenizer.ggml.model", "gpt2") << writer.add_string("tokenizer.ggml.pre", "qwen2")
        << writer.add_string_array("tokenizer.ggml.tokens", token_views)
        << writer.add_int32_array("tokenizer.ggml.token_type", kinds)
        << writer.add_string_array("tokenizer.ggml.merges", merge_views)
        << writer.add_uint32("tokenizer.ggml.bos_token_id", first_special)
        << writer.add_uint32("tokenizer.ggml.eos_token_id", first_special + 2)
        << writer.add_uint32("tokenizer.ggml.eot_token_id", first_special + 2)
        << writer.add_uint32("tokenizer.ggml.padding_token_id", first_special)
        << writer.add_bool("tokenizer.ggml.add_bos_token", false)
        << writer.add_bool("tokenizer.ggml.add_eos_token", false)
        << writer.add_string("tokenizer.chat_template", chat_template());
  return calls.status();
}

Status add_model(GgufWriter& writer, const ModelSizes& sizes, const ModelCard& card, hearth::TensorType type) {
  const uint32_t file_type = type == hearth::TensorType::kF32 ? 0 : type == hearth::TensorType::kF16 ? 1 : 7;
  const auto u32 = [](int64_t n) { return static_cast<uint32_t>(n); };
  const std::string_view tags[] = {"text-generation", "hearth"}, languages[] = {"en"};
  Calls calls;
  calls << writer.add_string("general.architecture", "llama") << writer.add_string("general.type", "model")
        << writer.add_string("general.name", card.name) << writer.add_string("general.author", "hearth")
        << writer.add_string("general.organization", "hearth") << writer.add_string("general.version", "1")
        << writer.add_string("general.license", "mit") << writer.add_string("general.description", card.description)
        << writer.add_string_array("general.tags", tags) << writer.add_string_array("general.languages", languages)
        << writer.add_uint32("general.file_type", file_type) << writer.add_uint32("general.quantization_version", 2)
        << writer.add_float32("general.sampling.temp", 0.7f) << writer.add_int32("general.sampling.top_k", 40)
        << writer.add_float32("general.sampling.top_p", 0.95f) << writer.add_float32("general.sampling.min_p", 0.05f)
        << writer.add_uint32("llama.vocab_size", u32(sizes.n_vocab))
        << writer.add_uint32("llama.context_length", u32(sizes.n_ctx))
        << writer.add_uint32("llama.embedding_length", u32(sizes.d_model))
        << writer.add_uint32("llama.block_count", u32(sizes.n_layers))
        << writer.add_uint32("llama.feed_forward_length", u32(sizes.d_ff))
        << writer.add_uint32("llama.attention.head_count", u32(sizes.n_heads))
        << writer.add_uint32("llama.attention.head_count_kv", u32(sizes.n_kv_heads))
        << writer.add_uint32("llama.attention.key_length", u32(sizes.head_dim))
        << writer.add_uint32("llama.attention.value_length", u32(sizes.head_dim))
        << writer.add_uint32("llama.rope.dimension_count", u32(sizes.head_dim))
        << writer.add_float32("llama.rope.freq_base", sizes.rope_base)
        << writer.add_float32("llama.attention.layer_norm_rms_epsilon", sizes.rms_eps);
  return calls.status();
}

}  // namespace train
