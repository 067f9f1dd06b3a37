// Vocab: the entries of a vocabulary, their attributes and pieces, and the special ids; knows no algorithm.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/tokenizer.h"
#include "lib/base/heap_bytes.h"
#include "lib/tokenizer/pre_rules.h"
#include "lib/tokenizer/string_table.h"

namespace hearth {

/// The algorithm that tokenizer.ggml.model names.
enum class VocabModel : uint8_t { kSentencePiece, kBytePair, kWordPiece, kUnigram, kNone };

/// Attributes of an entry; an entry may have several.
enum TokenAttribute : uint8_t {
  kAttrUnknown = 1,
  kAttrUnused = 2,
  kAttrNormal = 4,
  kAttrControl = 8,
  kAttrUserDefined = 16,
  kAttrByte = 32,
};

/// Keys of special ids, in the order of kSpecialKeys (special_ids.cpp).
enum class SpecialId : uint8_t {
  kBos,
  kEos,
  kEot,
  kEom,
  kUnk,
  kSep,
  kPad,
  kMask,
  kFimPre,
  kFimSuf,
  kFimMid,
  kFimPad,
  kFimRep,
  kFimSep,
  kCount,
};

/// The piece of every token in one buffer.
class PieceTable {
 public:
  void reserve(size_t n_tokens, size_t n_bytes) {
    ends_.reserve(n_tokens);
    bytes_.reserve(n_bytes);
  }
  std::string& bytes() { return bytes_; }
  /// Ends the piece whose bytes were appended to bytes().
  void finish_piece() { ends_.push_back(static_cast<uint32_t>(bytes_.size())); }
  std::string_view operator[](size_t i) const {
    const uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }
  uint64_t memory_bytes() const { return heap_bytes(ends_) + heap_bytes(bytes_); }

 private:
  std::vector<uint32_t> ends_;
  std::string bytes_;
};

struct Vocab {
  VocabModel model = VocabModel::kBytePair;
  std::string model_name;
  std::string pre_name;
  const PreRule* pre = nullptr;  ///< byte-pair vocabularies only

  std::vector<std::string_view> raw;  ///< views into the file, or into `invented`
  std::vector<std::string> invented;  ///< spellings of entries that are empty in the file
  std::vector<float> scores;          ///< empty: all 0
  std::vector<uint8_t> attributes;    ///< TokenAttribute bits
  StringTable by_raw;
  PieceTable pieces;
  size_t longest_raw = 0;  ///< bytes

  std::array<Token, static_cast<size_t>(SpecialId::kCount)> special;  ///< -1: none
  std::vector<Token> ends;                                            ///< ids that end generation, ascending

  std::string warning;  ///< what is odd about the file, in one line; empty: nothing

  bool add_bos = false;
  bool add_eos = false;
  bool add_sep = false;
  bool add_space_prefix = false;
  bool remove_extra_spaces = false;
  bool escape_spaces = true;  ///< "▁" in entries stands for a space
  bool drop_spaces = false;   ///< white space only separates (and case is normalized) before byte-pair merging
  bool clean_spaces = false;
  bool lowercase = true;
  bool strip_accents = true;

  int32_t size() const { return static_cast<int32_t>(raw.size()); }
  uint64_t memory_bytes() const {
    return heap_bytes(raw) + heap_bytes(invented) + heap_bytes(scores) + heap_bytes(attributes) + heap_bytes(ends) +
           by_raw.memory_bytes() + pieces.memory_bytes();
  }
  bool has(Token id, uint8_t attribute) const { return (attributes[static_cast<size_t>(id)] & attribute) != 0; }
  float score(Token id) const { return scores.empty() ? 0.0f : scores[static_cast<size_t>(id)]; }
  /// Adds to `warning`.
  void warn(const std::string& what);
  Token special_id(SpecialId which) const { return special[static_cast<size_t>(which)]; }
};

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // "▁", U+2581

/// Reads every tokenizer key except merges and the character map. Views point into `file`.
Result<Vocab> read_vocab(const GgufFile& file);

/// special_ids.cpp: ids from keys and from well-known spellings; adjusts attributes to them.
Status read_special_ids(const GgufFile& file, Vocab& vocab);

/// pieces.cpp: what each token stands for in text.
Status build_pieces(Vocab& vocab);

/// Value of "<0xHH>", or -1.
int byte_token_value(std::string_view raw);

}  // namespace hearth
