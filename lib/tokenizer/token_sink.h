// TokenSink: where encoders put tokens, or only count them.
#pragma once

#include <cstddef>
#include <vector>

#include "hearth/tokenizer.h"

namespace hearth {

class TokenSink {
 public:
  /// `out` may be null: then tokens are counted only.
  explicit TokenSink(std::vector<Token>* out) : out_(out) {}
  void push(Token id) {
    ++size_;
    if (out_ != nullptr) out_->push_back(id);
  }
  void push(const Token* ids, size_t n) {
    size_ += n;
    if (out_ != nullptr) out_->insert(out_->end(), ids, ids + n);
  }
  size_t size() const { return size_; }

 private:
  std::vector<Token>* out_;
  size_t size_ = 0;
};

}  // namespace hearth
