// The chat format of the corpus, which the chat template in metadata.cpp also writes.
#pragma once

#include <string>
#include <string_view>

namespace train {

/// <|im_start|>role\ncontent<|im_end|>\n
inline std::string message(std::string_view role, std::string_view content) {
  std::string out("<|im_start|>");
  return out.append(role).append("\n").append(content).append("<|im_end|>\n");
}

inline std::string user(std::string_view content) {
  return message("user", content);
}

inline std::string assistant(std::string_view content) {
  return message("assistant", content);
}

/// Where the assistant begins to write.
constexpr std::string_view kAnswerStart = "<|im_start|>assistant\n";

}  // namespace train
