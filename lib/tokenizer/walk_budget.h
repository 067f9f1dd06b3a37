// WalkBudget: bounds the search for tokens in a text, which tries every beginning and goes on as far as some token
// begins so. Vocabularies with very long tokens would make that the square of the text's length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hearth/result.h"

namespace hearth {

class WalkBudget {
 public:
  explicit WalkBudget(std::string_view text) : left_(kFree + kPerByte * static_cast<int64_t>(text.size())) {}
  /// Counts bytes that were looked at; false once there were too many.
  bool spend(size_t n_bytes) {
    left_ -= static_cast<int64_t>(n_bytes);
    return left_ >= 0;
  }
  bool is_spent() const { return left_ < 0; }
  static Error error() {
    return {ErrorCode::kLimit, "text: it begins long tokens of the vocabulary in too many places"};
  }

 private:
  static constexpr int64_t kPerByte = 512;  ///< on average; the longest tokens of real vocabularies are shorter
  static constexpr int64_t kFree = 1 << 20;
  int64_t left_;
};

}  // namespace hearth
