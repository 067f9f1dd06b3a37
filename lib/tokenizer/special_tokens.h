// The tokens that are found in text as they are written.
#pragma once

#include <vector>

#include "hearth/gguf.h"
#include "lib/tokenizer/special_splitter.h"
#include "lib/tokenizer/vocab.h"

namespace hearth {

struct SpecialTokens {
  std::vector<SpecialToken> all;
  std::vector<SpecialToken> user_defined;
};

Result<SpecialTokens> find_special_tokens(const GgufFile& file, const Vocab& vocab);

}  // namespace hearth
