// Three passes over the text, each over the result of the one before.
#include "lib/tokenizer/clean_spaces.h"

#include <string_view>

namespace hearth {
namespace {

/// Copies `text` without the space before every byte for which `joins(rest)` is true, `rest` beginning at that byte.
template <typename Joins>
void remove_spaces_before(std::string& text, Joins joins) {
  const std::string_view whole(text);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    if (i > 0 && whole[i - 1] == ' ' && joins(whole.substr(i))) out.pop_back();
    out += whole[i];
  }
  text = std::move(out);
}

bool is_joined_suffix(std::string_view rest) {
  return rest.starts_with("'s") || rest.starts_with("'m") || rest.starts_with("'re") || rest.starts_with("'ve");
}

/// "a ' b" becomes "a'b".
void join_lone_apostrophes(std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool lone = text[i] == '\'' && i > 0 && i + 1 < text.size() && text[i - 1] == ' ' && text[i + 1] == ' ';
    if (lone) out.pop_back();
    out += text[i];
    if (lone) text[++i] = '\0';  // no space for what follows to see
  }
  text = std::move(out);
}

}  // namespace

void clean_spaces(std::string& text) {
  remove_spaces_before(
      text, [](std::string_view rest) { return rest[0] == '?' || rest[0] == '!' || rest[0] == '.' || rest[0] == ','; });
  join_lone_apostrophes(text);
  remove_spaces_before(text, is_joined_suffix);
}

}  // namespace hearth
