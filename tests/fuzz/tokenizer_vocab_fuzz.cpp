// Fuzz entry of loading vocabularies: bytes that begin with "GGUF" are a file; any other input is a recipe for one,
// so that mutations reach past the reader. What loads must encode and decode.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/tokenizer/tiny_vocab.h"

namespace {

using hearth::testing::TinyTokenizer;
using hearth::testing::TinyVocab;

/// Takes values off the front of the input; zeros when it is used up.
class Recipe {
 public:
  Recipe(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  /// Up to 15 bytes, or one of the strings that loaders look for.
  std::string text() {
    constexpr const char* kKnown[] = {"\u2581", "<0x41>",  "</s>",   "<|end|>", "<|return|>", "<|call|>", "a", "b",
                                      "ab",     "\u2581a", "\u0120", "\u0120a", "<s>",        "<unk>",    " ", "\n"};
    const uint8_t head = byte();
    if (head >= 0xF0) return kKnown[head & 15];
    std::string out;
    for (int i = 0; i < (head & 15); ++i) out += static_cast<char>(byte());
    return out;
  }
  bool more() const { return left_ > 0; }

 private:
  const uint8_t* data_;
  size_t left_;
};

TinyVocab cook(Recipe& in) {
  constexpr const char* kModels[] = {"llama", "gpt2", "gemma4", "bert", "t5", "whitespace"};
  constexpr const char* kPres[] = {"",           "gpt-2",  "llama-bpe", "qwen2",
                                   "whitespace", "gemma4", "kimi-k2",   "jina-v2-code"};
  constexpr const char* kSwitches[] = {
      "add_bos_token",       "add_eos_token", "add_sep_token", "add_space_prefix", "remove_extra_whitespaces",
      "normalizer.lowercase"};
  constexpr const char* kIds[] = {"bos_token_id",     "eos_token_id", "unknown_token_id", "seperator_token_id",
                                  "padding_token_id", "eot_token_id", "fim_pad_token_id"};
  TinyVocab v{.model = kModels[in.byte() % 6], .pre = kPres[in.byte() % 8]};
  const uint8_t shape = in.byte();
  for (int n = in.byte() % 64; n > 0 && in.more(); --n) {
    const uint8_t head = in.byte();
    v.add(in.text(), head % 8, static_cast<float>(static_cast<int8_t>(in.byte())));
  }
  if (shape & 1) v.scores.clear();
  if (shape & 2) v.types.clear();
  v.write_merges = true;
  for (int n = in.byte() % 64; n > 0 && in.more(); --n) v.merges.push_back(in.text() + " " + in.text());
  if (shape & 4) {
    for (int n = in.byte(); n > 0 && in.more(); --n) v.char_map += static_cast<char>(in.byte());
  }
  const uint8_t switches = in.byte();
  for (int i = 0; i < 6; ++i) {
    if (switches >> i & 1) v.switches.emplace_back(kSwitches[i], (in.byte() & 1) != 0);
  }
  const uint8_t ids = in.byte();
  for (int i = 0; i < 7; ++i) {
    if (ids >> i & 1) v.ids.emplace_back(kIds[i], in.byte());
  }
  if (shape & 8) v.texts = {{"general.name", "phi-3"}};
  return v;
}

void use(const hearth::Tokenizer& t, std::string_view text) {
  uint64_t sum = 0;
  for (const bool special : {false, true}) {
    const hearth::EncodeOptions options{.add_special = special, .parse_special = special};
    const auto ids = t.encode(text, options);
    const auto count = t.count(text, options);
    if (ids.ok() != count.ok()) __builtin_trap();
    if (!ids) continue;
    if (*count != ids->size() || !t.decode(*ids).ok()) __builtin_trap();
  }
  for (hearth::Token id = -1; id <= t.n_vocab(); ++id) {
    sum += t.piece(id).size() + t.raw_token(id).size() + static_cast<size_t>(t.kind(id)) + t.is_end(id);
  }
  static volatile uint64_t sink;
  sink = sink + sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  std::string file(all);
  std::string_view text = all.substr(0, 300);
  if (!all.starts_with("GGUF")) {
    Recipe recipe(data, size);
    file = cook(recipe).file();
    text = all.substr(size - (size < 40 ? size : 40));
  }
  const TinyTokenizer t(file);
  if (t.ok()) {
    use(*t, text);
    use(*t, " ab\u2581a\n\n <s>a</s> ab\u0120\u20ac");
  } else if (t.error().message.find('\n') != std::string::npos || t.error().message.empty()) {
    __builtin_trap();
  }
  return 0;
}
