// tokenizer.model: a ModelProto of SentencePiece (sentencepiece_model.proto), read field by field from the protobuf
// encoding.
#include <cstring>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/vocabulary.h"

namespace hearth {
namespace {

/// Fields of one message. Errors are sticky: next() is false then, too.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  /// Goes to the next field.
  bool next() {
    uint64_t tag = 0;
    if (bytes_.empty() || !read_varint(tag)) return false;
    field_ = tag >> 3;
    switch (tag & 7) {
      case 0: return read_varint(number_);
      case 1: return read_bytes(8, text_);
      case 2: return read_varint(number_) && read_bytes(number_, text_);
      case 5: return read_bytes(4, text_);
      default: return fail();
    }
  }
  bool failed() const { return failed_; }
  uint64_t field() const { return field_; }
  uint64_t number() const { return number_; }      ///< of a varint
  std::string_view text() const { return text_; }  ///< of what has a length
  float float32() const {                          ///< of 4 bytes
    float value = 0;
    if (text_.size() == sizeof(value)) std::memcpy(&value, text_.data(), sizeof(value));
    return value;
  }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  bool read_varint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      const auto byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return fail();
  }
  bool read_bytes(uint64_t n, std::string_view& out) {
    if (n > bytes_.size()) return fail();
    out = bytes_.substr(0, static_cast<size_t>(n));
    bytes_.remove_prefix(static_cast<size_t>(n));
    return true;
  }

  std::string_view bytes_, text_;
  uint64_t field_ = 0, number_ = 0;
  bool failed_ = false;
};

/// SentencePiece { 1: piece, 2: score, 3: type, whose numbers are those of TokenKind }.
Status read_piece(std::string_view message, Vocabulary& v) {
  std::string_view text;
  float score = 0;
  uint64_t type = 1;
  ProtoReader reader(message);
  while (reader.next()) {
    if (reader.field() == 1) text = reader.text();
    if (reader.field() == 2) score = reader.float32();
    if (reader.field() == 3) type = reader.number();
  }
  const auto id = static_cast<int64_t>(v.tokens.size());
  if (reader.failed() || type < 1 || type > 6 || score != score) {
    return Error{ErrorCode::kFormat, concat("piece ", id, " is damaged")};
  }
  v.scores.push_back(score);
  return v.set(id, text, static_cast<TokenKind>(type));
}

}  // namespace

/// ModelProto { 1: pieces, 2: trainer { 3: model type, 1: unigram, 2: BPE }, 3: normalizer { 3: add_dummy_prefix, 4:
/// remove_extra_whitespaces } }.
Result<Vocabulary> read_sentence_piece(std::string_view bytes) {
  Vocabulary v;
  v.model = "llama";
  v.add_space_prefix = true;
  uint64_t kind = 1;
  ProtoReader model(bytes);
  while (model.next()) {
    if (model.field() == 1) {
      if (Status s = read_piece(model.text(), v); !s) return s.error();
    } else if (model.field() == 2) {
      ProtoReader trainer(model.text());
      while (trainer.next()) kind = trainer.field() == 3 ? trainer.number() : kind;
    } else if (model.field() == 3) {
      ProtoReader normalizer(model.text());
      while (normalizer.next()) {
        if (normalizer.field() == 3) v.add_space_prefix = normalizer.number() != 0;
        if (normalizer.field() == 4) v.remove_extra_spaces = normalizer.number() != 0;
      }
    }
  }
  if (model.failed() || v.tokens.empty()) return Error{ErrorCode::kFormat, "is no SentencePiece model"};
  if (kind != 2) return Error{ErrorCode::kUnsupported, concat("a SentencePiece model of kind ", kind, ", not BPE")};
  v.remove_extra_spaces.reset();  // BPE models are read without it
  return v;
}

}  // namespace hearth
