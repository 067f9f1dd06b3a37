// Vocabularies of letters: byte-level BPE whose merges build exactly its tokens, and SentencePiece with scores.
#include "synthetic_vocab.h"

#include <array>
#include <string>
#include <vector>

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::GgufWriter;
using hearth::Status;

enum TokenKind : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUnused = 5, kByte = 6 };

std::string utf8(int code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

/// The printable characters that GPT-2's byte-level BPE writes bytes with, in the order of its vocabulary: bytes that
/// print stand for themselves, the others follow from U+0100 on (Radford et al. 2019, bytes_to_unicode of encoder.py).
std::vector<std::string> byte_characters() {
  std::vector<std::string> characters, others;
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    if (prints) {
      characters.push_back(utf8(byte));
    } else {
      others.push_back(utf8(0x100 + static_cast<int>(others.size())));
    }
  }
  characters.insert(characters.end(), others.begin(), others.end());
  return characters;
}

const char kLetters[] = "etaoinshrdlucmfwypvbgkjqxz";  // by frequency in English

/// Words of 1 to 5 letters, short ones first, each with how it splits into two earlier ones.
class WordList {
 public:
  struct Word {
    std::string text, left, right;
  };
  /// `space` begins the words that follow a space. n_words words of at least two characters.
  WordList(const std::string& space, size_t n_words) : space_(space), n_(n_words) { build(); }
  const std::vector<Word>& words() const { return words_; }

 private:
  bool is_full() const { return words_.size() >= n_; }
  void add(const std::string& left, const std::string& right) {
    if (!is_full()) words_.push_back({left + right, left, right});
  }
  /// Every word of `left` followed by every one of `right`, and the same after a space.
  void join(const std::vector<std::string>& left, const std::vector<std::string>& right) {
    for (const std::string& a : left) {
      for (const std::string& b : right) {
        add(space_ + a, b);
        add(a, b);
        if (is_full()) return;
      }
    }
  }
  void build() {
    std::vector<std::string> letters, pairs;
    for (const char* c = kLetters; *c; ++c) letters.push_back(std::string(1, *c));
    for (const std::string& a : letters) {
      add(space_, a);
      for (const std::string& b : letters) pairs.push_back(a + b);
    }
    join(letters, letters);
    join(pairs, letters);
    join(pairs, pairs);
  }

  std::string space_;
  size_t n_;
  std::vector<Word> words_;
};

/// The special tokens of a family: their spellings, and which plays which part.
struct Specials {
  std::vector<std::string> names;
  int n_trailing_unused = 0;                   ///< padding of the matrix beyond the last special token
  int bos = -1, eos = -1, eot = -1, pad = -1;  ///< indices in names
  bool add_bos = false;
};

Specials llama3_specials() {
  Specials s{{"<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
              "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
              "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"},
             0,
             0,
             9,
             9,
             4,
             true};
  for (int i = 3; s.names.size() < 256; ++i) s.names.push_back("<|reserved_special_token_" + std::to_string(i) + "|>");
  return s;
}

Specials specials_of(const ModelShape& shape) {
  switch (shape.vocab) {
    case VocabKind::kLlama3: return llama3_specials();
    case VocabKind::kQwen:
      return {{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, shape.n_vocab > 100000 ? 290 : 0, 0, 2, -1, 0, false};
    case VocabKind::kSmolLm: return {{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, 0, 1, 2, -1, 2, false};
    default:
      return {{"<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>",
               "<|message|>", "<|call|>"},
              1068,
              0,
              2,
              -1,
              1,
              false};  // gpt-4o's
  }
}

const char* pre_tokenizer_of(VocabKind kind) {
  switch (kind) {
    case VocabKind::kLlama3: return "llama-bpe";
    case VocabKind::kQwen: return "qwen2";
    case VocabKind::kSmolLm: return "smollm";
    default: return "gpt-4o";
  }
}

/// Runs declarations in turn and keeps the first failure.
class Declare {
 public:
  explicit Declare(GgufWriter& writer) : writer_(writer) {}
  void strings(const char* key, const std::vector<std::string>& values) {
    const std::vector<std::string_view> views(values.begin(), values.end());
    keep(writer_.add_string_array(key, views));
  }
  void id(const char* key, int64_t value) {
    if (value >= 0) keep(writer_.add_uint32(key, static_cast<uint32_t>(value)));
  }
  void keep(Status status) {
    if (status_ && !status) status_ = std::move(status);
  }
  Status take() { return std::move(status_); }

 private:
  GgufWriter& writer_;
  Status status_;
};

Status write_byte_level_bpe(GgufWriter& writer, const ModelShape& shape) {
  const Specials specials = specials_of(shape);
  std::vector<std::string> tokens = byte_characters(), merges;
  const int64_t n_words =
      shape.n_vocab - static_cast<int64_t>(tokens.size() + specials.names.size()) - specials.n_trailing_unused;
  if (n_words < 0) return Error{ErrorCode::kInvalidArgument, "make-model: the vocabulary is too small for its family"};
  const WordList list("\xC4\xA0", static_cast<size_t>(n_words));  // U+0120 stands for the space
  for (const WordList::Word& word : list.words()) {
    tokens.push_back(word.text);
    merges.push_back(word.left + " " + word.right);
  }
  std::vector<int32_t> kinds(tokens.size(), kNormal);
  const int64_t first_special = static_cast<int64_t>(tokens.size());
  tokens.insert(tokens.end(), specials.names.begin(), specials.names.end());
  kinds.resize(tokens.size(), kControl);
  while (tokens.size() < static_cast<size_t>(shape.n_vocab)) {
    tokens.push_back("[PAD" + std::to_string(tokens.size()) + "]");
    kinds.push_back(kUnused);
  }
  const auto id_of = [&](int index) { return index < 0 ? -1 : first_special + index; };
  Declare declare(writer);
  declare.keep(writer.add_string("tokenizer.ggml.model", "gpt2"));
  declare.keep(writer.add_string("tokenizer.ggml.pre", pre_tokenizer_of(shape.vocab)));
  declare.strings("tokenizer.ggml.tokens", tokens);
  declare.keep(writer.add_int32_array("tokenizer.ggml.token_type", kinds));
  declare.strings("tokenizer.ggml.merges", merges);
  declare.id("tokenizer.ggml.bos_token_id", id_of(specials.bos));
  declare.id("tokenizer.ggml.eos_token_id", id_of(specials.eos));
  declare.id("tokenizer.ggml.eot_token_id", id_of(specials.eot));
  declare.id("tokenizer.ggml.padding_token_id", id_of(specials.pad));
  declare.keep(writer.add_bool("tokenizer.ggml.add_bos_token", specials.add_bos));
  return declare.take();
}

Status write_sentencepiece(GgufWriter& writer, const ModelShape& shape) {
  const bool is_gemma = shape.vocab == VocabKind::kGemma;
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> kinds = {kUnknown, kControl, kControl};
  if (is_gemma) {
    tokens = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"};
    kinds = {kControl, kControl, kControl, kUnknown, kControl, kControl};
  }
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kHex[] = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
    kinds.push_back(kByte);
  }
  const std::string space = "\xE2\x96\x81";  // U+2581
  std::vector<std::string> pieces = {space};
  for (const char* c = kLetters; *c; ++c) pieces.push_back(std::string(1, *c));
  for (int c = '!'; c < 'a'; ++c) pieces.push_back(std::string(1, static_cast<char>(c)));
  const WordList list(space, static_cast<size_t>(shape.n_vocab) - tokens.size() - pieces.size());
  std::vector<float> scores(tokens.size(), 0.0f);
  // The merge with the higher score comes first; single characters need no merge.
  for (size_t i = 0; i < list.words().size(); ++i) {
    tokens.push_back(list.words()[i].text);
    scores.push_back(-static_cast<float>(i));
  }
  for (const std::string& piece : pieces) {
    tokens.push_back(piece);
    scores.push_back(-1e6f);
  }
  kinds.resize(tokens.size(), kNormal);
  Declare declare(writer);
  declare.keep(writer.add_string("tokenizer.ggml.model", "llama"));
  declare.keep(writer.add_string("tokenizer.ggml.pre", "default"));
  declare.strings("tokenizer.ggml.tokens", tokens);
  declare.keep(writer.add_float32_array("tokenizer.ggml.scores", scores));
  declare.keep(writer.add_int32_array("tokenizer.ggml.token_type", kinds));
  declare.id("tokenizer.ggml.bos_token_id", is_gemma ? 2 : 1);
  declare.id("tokenizer.ggml.eos_token_id", is_gemma ? 1 : 2);
  declare.id("tokenizer.ggml.unknown_token_id", is_gemma ? 3 : 0);
  declare.id("tokenizer.ggml.padding_token_id", is_gemma ? 0 : -1);
  declare.id("tokenizer.ggml.eot_token_id", is_gemma ? 5 : -1);
  declare.keep(writer.add_bool("tokenizer.ggml.add_bos_token", true));
  if (is_gemma) declare.keep(writer.add_bool("tokenizer.ggml.add_space_prefix", false));
  return declare.take();
}

}  // namespace

Status write_synthetic_vocab(GgufWriter& writer, const ModelShape& shape) {
  const bool is_spm = shape.vocab == VocabKind::kSentencePiece || shape.vocab == VocabKind::kGemma;
  return is_spm ? write_sentencepiece(writer, shape) : write_byte_level_bpe(writer, shape);
}

Status copy_vocab(GgufWriter& writer, const hearth::GgufFile& from, int64_t n_vocab) {
  const hearth::GgufValue* tokens = from.find("tokenizer.ggml.tokens");
  const std::string path = from.shard_paths().empty() ? std::string() : from.shard_paths().front();
  if (!tokens) return Error{ErrorCode::kInvalidArgument, path + ": has no tokenizer.ggml.tokens"};
  if (static_cast<int64_t>(tokens->size()) != n_vocab) {
    return Error{ErrorCode::kInvalidArgument, path + ": has " + std::to_string(tokens->size()) +
                                                  " tokens, the shape needs " + std::to_string(n_vocab)};
  }
  for (const hearth::GgufEntry& entry : from.entries()) {
    if (!entry.key.starts_with("tokenizer.")) continue;
    if (Status status = writer.add_value(entry.key, entry.value); !status) return status;
  }
  return {};
}

}  // namespace hearth_tool
