// Tokens to text: whole sequences, and streams.
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/tokenizer/clean_spaces.h"
#include "lib/tokenizer/tokenizer_impl.h"
#include "lib/unicode/utf8.h"

namespace hearth {

Result<std::string> Tokenizer::decode(std::span<const Token> ids, const DecodeOptions& options) const {
  return guard([&]() -> Result<std::string> {
    const Vocab& v = impl_->vocab;
    std::string text;
    bool remove_space = v.add_space_prefix;  // the space that encoding added
    for (size_t i = 0; i < ids.size(); ++i) {
      const Token id = ids[i];
      if (id < 0 || id >= v.size()) {
        return Error{ErrorCode::kInvalidArgument,
                     concat("ids[", i, "]: ", id, " is outside the ", v.size(), " tokens of the vocabulary")};
      }
      if (options.skip_special && v.has(id, kAttrControl | kAttrUnknown)) continue;
      std::string_view piece = v.pieces[static_cast<size_t>(id)];
      if (remove_space && piece.starts_with(' ')) piece.remove_prefix(1);
      remove_space = false;
      text += piece;
    }
    if (v.clean_spaces) clean_spaces(text);
    return text;
  });
}

TokenDecoder::TokenDecoder(const Tokenizer& tokenizer, const DecodeOptions& options)
    : tokenizer_(tokenizer), options_(options) {}

std::string_view TokenDecoder::push(Token id) {
  const std::string_view lost(nullptr, 0);
  const std::string_view text = guard_or(lost, [&] { return add(id); });
  if (text.data() == nullptr) lost_text_ = true;
  return text;
}

std::string_view TokenDecoder::add(Token id) {
  const Vocab& v = tokenizer_.impl_->vocab;
  ready_.clear();
  if (id < 0 || id >= v.size()) return ready_;
  if (options_.skip_special && v.has(id, kAttrControl | kAttrUnknown)) {
    at_text_start_ = at_text_start_ || (!started_ && id == v.special_id(SpecialId::kBos));
    return ready_;
  }
  std::string_view piece = v.pieces[static_cast<size_t>(id)];
  if (at_text_start_ && v.add_space_prefix && piece.starts_with(' ')) piece.remove_prefix(1);
  started_ = true;
  at_text_start_ = false;
  pending_ += piece;
  const size_t held = utf8::incomplete_tail(pending_);
  ready_.assign(pending_, 0, pending_.size() - held);
  pending_.erase(0, pending_.size() - held);
  return ready_;
}

std::string_view TokenDecoder::finish() {
  ready_.clear();
  if (!pending_.empty()) utf8::append(ready_, utf8::kReplacement);  // three bytes, for which every string has room
  pending_.clear();
  return ready_;
}

}  // namespace hearth
