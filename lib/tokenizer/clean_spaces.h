// clean_up_tokenization_spaces of the Transformers library, as llama.cpp applies it.
#pragma once

#include <string>

namespace hearth {

/// Removes spaces before ? ! . , and around lone apostrophes, and before 's 'm 're 've.
void clean_spaces(std::string& text);

}  // namespace hearth
