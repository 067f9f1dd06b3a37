// Byte pair encoding: learns a vocabulary from text (Sennrich et al. 2016; over bytes as in GPT-2). Only the learning
// lives here; encoding is the library's work, so that training and inference agree.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace train {

/// Token ids are those of `tokens`, then of `special`.
struct Vocabulary {
  std::vector<std::string> tokens;  ///< raw bytes: the 256 bytes, then what merges gave; none twice
  std::vector<std::pair<std::string, std::string>> merges;  ///< raw bytes of the two halves, in the order learned
  std::vector<std::string> special;
  size_t size() const { return tokens.size() + special.size(); }
};

/// Pieces that merges never cross: the split rule called "qwen2" in GGUF files, for ASCII text. A digit stands alone.
std::vector<std::string_view> split_words(std::string_view text);

/// Learns merges until there are `n_vocab` tokens or no pair occurs twice. Special tokens in `text` are cut out.
Vocabulary learn_vocabulary(std::string_view text, size_t n_vocab, std::vector<std::string> special);

/// Printable form of raw bytes in vocabulary files (GPT-2): bytes that print stand for themselves, the others for
/// the code points from 256 on, in order.
std::string byte_letters(std::string_view bytes);

}  // namespace train
