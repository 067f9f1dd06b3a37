// Which tokens are found in text as they are written, and which of them swallow the blanks beside them.
#include "lib/tokenizer/special_tokens.h"

#include <initializer_list>
#include <string>

#include "lib/tokenizer/gguf_keys.h"

namespace hearth {
namespace {

/// Families whose added tokens strip blanks; files do not say so.
struct Stripping {
  std::string_view left;  ///< this token takes the blanks before it
  bool right = false;     ///< all special tokens but kKeepRight take the blanks after them
};
constexpr std::string_view kKeepRight[] = {"<unk>", "<s>", "<|endoftext|>"};

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) {
    if (text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

Result<Stripping> find_stripping(const GgufFile& file, const Vocab& vocab) {
  std::string_view arch, name;
  if (Status s = read_optional_string(file, "general.architecture", arch); !s) return s.error();
  if (Status s = read_optional_string(file, "general.name", name); !s) return s.error();
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (contains_any(vocab.pre_name, {"jina-v2-de", "jina-v2-es", "jina-v2-code"}) ||
      contains_any(arch, {"nomic-bert-moe", "jina-bert-v3"})) {
    return Stripping{.left = "<mask>"};
  }
  if (contains_any(lower, {"phi-3", "phi3"})) return Stripping{.left = {}, .right = true};
  if (contains_any(lower, {"modern-bert"})) return Stripping{.left = "[MASK]"};
  return Stripping{};
}

}  // namespace

Result<SpecialTokens> find_special_tokens(const GgufFile& file, const Vocab& vocab) {
  const Result<Stripping> stripping = find_stripping(file, vocab);
  if (!stripping) return stripping.error();
  SpecialTokens found;
  for (Token id = 0; id < vocab.size(); ++id) {
    if (!vocab.has(id, kAttrControl | kAttrUnknown | kAttrUserDefined)) continue;
    SpecialToken token{.text = vocab.raw[static_cast<size_t>(id)], .id = id};
    token.eats_space_left = token.text == stripping->left;
    token.eats_space_right = stripping->right;
    for (const std::string_view kept : kKeepRight) token.eats_space_right &= token.text != kept;
    token.anywhere = !vocab.has(id, kAttrControl | kAttrUnknown);
    found.all.push_back(token);
    if (token.anywhere) found.user_defined.push_back(token);
  }
  return found;
}

}  // namespace hearth
