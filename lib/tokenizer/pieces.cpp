// Pieces: the bytes that a token adds to the text.
#include <string>

#include "lib/base/concat.h"
#include "lib/tokenizer/byte_letters.h"
#include "lib/tokenizer/vocab.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

void append_with_spaces(std::string& out, std::string_view raw) {
  for (size_t at; (at = raw.find(kSpaceMark)) != std::string_view::npos; raw.remove_prefix(at + kSpaceMark.size())) {
    out += raw.substr(0, at);
    out += ' ';
  }
  out += raw;
}

/// A letter that stands for no byte shows up as a mark with its bytes in hex and the whole entry, so that it is seen.
void append_foreign_letter(std::string& out, uint32_t code_point, std::string_view raw) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string bytes;
  utf8::append(bytes, code_point);
  out += "[UNK_BYTE_0x";
  for (const char c : bytes) {
    out += kHex[static_cast<uint8_t>(c) >> 4];
    out += kHex[static_cast<uint8_t>(c) & 15];
  }
  out += raw;
  out += ']';
}

/// Marks repeat the entry once a letter; past this many bytes further ones are left out.
constexpr size_t kMaxPieceWithMarks = 4096;

void append_from_letters(std::string& out, std::string_view raw) {
  const char* end = raw.data() + raw.size();
  const size_t begin = out.size();
  for (const char* p = raw.data(); p < end;) {
    const utf8::CodePoint c = utf8::decode(p, end);
    p += c.n_bytes;
    const int byte = byte_of_letter(c.value);
    if (byte >= 0) {
      out += static_cast<char>(byte);
    } else if (out.size() - begin < kMaxPieceWithMarks) {
      append_foreign_letter(out, c.value, raw);
    }
  }
}

}  // namespace

Status build_pieces(Vocab& v) {
  size_t total = 0;
  for (const std::string_view raw : v.raw) total += raw.size();
  v.pieces.reserve(v.raw.size(), total);
  std::string& bytes = v.pieces.bytes();
  const bool letters = v.model == VocabModel::kBytePair && !v.escape_spaces;
  for (size_t i = 0; i < v.raw.size(); ++i) {
    const uint8_t attributes = v.attributes[i];
    if (attributes & (kAttrControl | kAttrUnknown | kAttrUserDefined)) {
      bytes += v.raw[i];
    } else if (attributes & kAttrNormal) {
      letters ? append_from_letters(bytes, v.raw[i]) : append_with_spaces(bytes, v.raw[i]);
    } else if (attributes & kAttrByte) {
      const int value = byte_token_value(v.raw[i]);
      if (value < 0) {
        return Error{ErrorCode::kFormat,
                     concat("tokenizer.ggml.tokens: entry ", i, " is a byte but not spelled <0xHH>")};
      }
      bytes += static_cast<char>(value);
    }
    if (bytes.size() > UINT32_MAX) return Error{ErrorCode::kLimit, "tokenizer.ggml.tokens: pieces above 4 GiB"};
    v.pieces.finish_piece();
  }
  return {};
}

}  // namespace hearth
