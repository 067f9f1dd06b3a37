// Fuzz entry of encoding and decoding: any text through small vocabularies of every kind and every split rule. The
// first byte picks the vocabulary, the second the options.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokenizer/tiny_vocab.h"

namespace {

using hearth::testing::TinyTokenizer;
using hearth::testing::TinyVocab;

/// One name a row of the table of split rules.
constexpr const char* kPres[] = {"default",      "llama-bpe",
                                 "minicpm5",     "dbrx",
                                 "chatglm-bpe",  "jais-2",
                                 "gpt-2",        "trillion",
                                 "starcoder",    "smollm",
                                 "qwen2",        "megrez",
                                 "qwen35",       "laguna",
                                 "ufakzeka",     "seed-coder",
                                 "bailingmoe",   "exaone-moe",
                                 "kimi-k2",      "tekken",
                                 "gpt-4o",       "granite-embed-multi-97m",
                                 "tiny_aya",     "youtu",
                                 "deepseek-llm", "deepseek-coder",
                                 "deepseek-v3",  "spark2_5",
                                 "afmoe",        "falcon",
                                 "bloom",        "viking",
                                 "superbpe",     "chameleon",
                                 "sarvam-moe",   "whitespace"};

std::vector<TinyTokenizer> make_tokenizers() {
  std::vector<TinyTokenizer> made;
  std::vector<TinyVocab> vocabs = {hearth::testing::sentence_piece_vocab(), hearth::testing::plain_pair_vocab(),
                                   hearth::testing::word_piece_vocab(), hearth::testing::unigram_vocab()};
  for (const char* pre : kPres) vocabs.push_back(hearth::testing::byte_pair_vocab(pre));
  TinyVocab phi = hearth::testing::sentence_piece_vocab();
  phi.texts = {{"general.name", "phi3"}};
  phi.add("  ", 4);
  phi.add("    ", 4);
  vocabs.push_back(phi);
  for (const TinyVocab& vocab : vocabs) made.emplace_back(vocab);
  return made;
}

void check(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<TinyTokenizer> tokenizers = make_tokenizers();
  if (size < 2) return 0;
  const TinyTokenizer& t = tokenizers[data[0] % tokenizers.size()];
  check(t.ok());
  const hearth::EncodeOptions options{.add_special = (data[1] & 1) != 0, .parse_special = (data[1] & 2) != 0};
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);

  const auto ids = t->encode(text, options);
  const auto count = t->count(text, options);
  check(ids.ok() && count.ok() && *count == ids->size());
  check(ids->size() <= 4 * size + 4);
  const auto decoded = t->decode(*ids, {.skip_special = (data[1] & 4) != 0});
  check(decoded.ok());
  hearth::TokenDecoder stream(*t);
  size_t streamed = 0;
  for (const hearth::Token id : *ids) {
    check(id >= 0 && id < t->n_vocab());
    streamed += stream.push(id).size();
  }
  streamed += stream.finish().size();
  check(streamed <= 64 * ids->size() + 3);
  return 0;
}
