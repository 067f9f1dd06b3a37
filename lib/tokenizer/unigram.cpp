#include "lib/tokenizer/text_encoder.h"
namespace hearth {
Result<std::unique_ptr<TextEncoder>> make_unigram_encoder(const GgufFile&, const Vocab&) {
  return Error{ErrorCode::kUnsupported, "unigram"};
}
}  // namespace hearth
