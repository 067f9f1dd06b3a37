// Reading of the vocabulary's arrays and switches.
#include "lib/tokenizer/vocab.h"

#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/tokenizer/gguf_keys.h"

namespace hearth {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 26;  // ten times the largest published
constexpr size_t kAhead = 16;                      // entries between asking the cache for a row and its use

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";

Error named(std::string_view key, const Error& error) {
  return Error{error.code, concat(key, ": ", error.message)};
}

Error format_error(std::string_view key, const std::string& what) {
  return Error{ErrorCode::kFormat, concat(key, ": ", what)};
}

Status set_defaults(Vocab& v) {
  switch (v.model) {
    case VocabModel::kSentencePiece:
      v.add_space_prefix = true;
      v.add_bos = true;
      return {};
    case VocabModel::kWordPiece:
      v.clean_spaces = true;
      v.add_bos = v.add_sep = true;
      return {};
    case VocabModel::kUnigram: v.add_eos = true; return {};
    case VocabModel::kNone: return {};
    case VocabModel::kBytePair: break;
  }
  v.pre = find_pre_rule(v.pre_name);
  if (v.pre == nullptr) {
    return Error{ErrorCode::kUnsupported, concat("tokenizer.ggml.pre: unknown pre-tokenizer '", v.pre_name, "'")};
  }
  v.add_bos = (v.pre->flags & PreRule::kAddBos) != 0;
  v.add_sep = (v.pre->flags & PreRule::kAddSep) != 0;
  v.clean_spaces = (v.pre->flags & PreRule::kCleanSpaces) != 0;
  v.escape_spaces = (v.pre->flags & PreRule::kPlainSpaces) != 0;
  v.lowercase = (v.pre->flags & PreRule::kKeepCase) == 0;
  return {};
}

/// tokenizer.ggml.model and .pre.
Status read_model(const GgufFile& file, Vocab& v) {
  const Result<std::string_view> model = file.get_string("tokenizer.ggml.model");
  if (!model) return model.error();
  v.model_name = *model;
  std::string_view pre;
  if (Status s = read_optional_string(file, "tokenizer.ggml.pre", pre); !s) return s;
  if (*model == "gpt2" && pre.empty()) {
    v.warn("tokenizer.ggml.pre is missing: text is split by the usual rules, which may not be the model's");
  }
  if (*model == "llama") {
    v.model = VocabModel::kSentencePiece;
  } else if (*model == "bert") {
    v.model = VocabModel::kWordPiece;
  } else if (*model == "t5") {
    v.model = VocabModel::kUnigram;
  } else if (*model == "gpt2" || *model == "whitespace") {
    v.model = VocabModel::kBytePair;
    v.drop_spaces = *model == "whitespace";
  } else if (*model == "gemma4") {
    v.model = VocabModel::kBytePair;
    pre = "gemma4";
  } else if (*model == "none" || *model == "no_vocab") {
    v.model = VocabModel::kNone;
  } else {
    return Error{ErrorCode::kUnsupported, concat("tokenizer.ggml.model: unknown tokenizer '", v.model_name, "'")};
  }
  v.pre_name = pre;
  return set_defaults(v);
}

Status read_tokens(const GgufFile& file, Vocab& v) {
  if (v.model == VocabModel::kNone) return {};
  const GgufValue* tokens = file.find(kTokensKey);
  if (tokens == nullptr) return Error{ErrorCode::kNotFound, concat(kTokensKey, ": missing")};
  Result<std::vector<std::string_view>> raw = tokens->as_string_array();
  if (!raw) return named(kTokensKey, raw.error());
  if (raw->empty()) return format_error(kTokensKey, "no entries");
  if (raw->size() > static_cast<size_t>(INT32_MAX)) return format_error(kTokensKey, "too many entries");
  v.raw = std::move(*raw);
  size_t total = 0, empty = 0;
  for (const std::string_view text : v.raw) {
    total += text.size();
    empty += text.empty();
    v.longest_raw = std::max(v.longest_raw, text.size());
  }
  if (total > kMaxTextBytes) return Error{ErrorCode::kLimit, concat(kTokensKey, ": more than 64 MiB of text")};
  v.invented.reserve(empty);  // views into its strings stay valid
  v.by_raw.reserve(v.raw.size());
  size_t repeated = 0;
  for (size_t i = 0; i < v.raw.size(); ++i) {
    if (v.raw[i].empty()) v.raw[i] = v.invented.emplace_back(concat("[EMPTY_", i, "]"));
    if (i + kAhead < v.raw.size()) v.by_raw.prefetch(StringKey(v.raw[i + kAhead]));
    const int32_t before = v.by_raw.insert(v.raw[i], static_cast<int32_t>(i));  // text becomes the last of equals
    if (before >= 0 && repeated++ == 0) {
      v.warn(concat(kTokensKey, ": entry ", i, " repeats entry ", before));
    }
  }
  if (repeated > 1) v.warn(concat(repeated, " entries repeat others"));
  return {};
}

Status read_scores(const GgufFile& file, Vocab& v) {
  const GgufValue* scores = file.find(kScoresKey);
  if (scores == nullptr) return {};
  Result<std::vector<float>> values = scores->as_float_array();
  if (!values) return named(kScoresKey, values.error());
  if (values->size() < v.raw.size()) return format_error(kScoresKey, "fewer scores than tokens");
  for (size_t i = 0; i < v.raw.size(); ++i) {
    if ((*values)[i] != (*values)[i]) return format_error(kScoresKey, concat("entry ", i, " is not a number"));
  }
  v.scores = std::move(*values);
  return {};
}

Status read_types(const GgufFile& file, Vocab& v) {
  v.attributes.assign(v.raw.size(), kAttrNormal);
  const GgufValue* types = file.find(kTypesKey);
  if (types == nullptr) return {};
  const Result<std::vector<int64_t>> values = types->as_int_array();
  if (!values) return named(kTypesKey, values.error());
  if (values->size() < v.raw.size()) return format_error(kTypesKey, "fewer types than tokens");
  constexpr uint8_t kByType[] = {0, kAttrNormal, kAttrUnknown, kAttrControl, kAttrUserDefined, kAttrUnused, kAttrByte};
  size_t unknown = 0;
  for (size_t i = 0; i < v.raw.size(); ++i) {
    const int64_t type = (*values)[i];
    const bool known = type >= 0 && type <= 6;
    v.attributes[i] = known ? kByType[type] : uint8_t{0};
    unknown += !known;
  }
  if (unknown > 0) v.warn(concat(kTypesKey, ": ", unknown, " entries are no token types"));
  return {};
}

Status read_switches(const GgufFile& file, Vocab& v) {
  const struct {
    std::string_view key;
    bool& value;
  } switches[] = {
      {"tokenizer.ggml.add_bos_token", v.add_bos},
      {"tokenizer.ggml.add_eos_token", v.add_eos},
      {"tokenizer.ggml.add_sep_token", v.add_sep},
      {"tokenizer.ggml.add_space_prefix", v.add_space_prefix},
      {"tokenizer.ggml.remove_extra_whitespaces", v.remove_extra_spaces},
  };
  for (const auto& entry : switches) {
    if (Status s = read_optional_bool(file, entry.key, entry.value); !s) return s;
  }
  if (v.pre != nullptr && (v.pre->flags & PreRule::kForceBos)) v.add_bos = true;
  if (Status s = read_optional_bool(file, "tokenizer.ggml.normalizer.lowercase", v.lowercase); !s) return s;
  v.strip_accents = v.lowercase;
  return read_optional_bool(file, "tokenizer.ggml.normalizer.strip_accents", v.strip_accents);
}

}  // namespace

void Vocab::warn(const std::string& what) {
  constexpr size_t kMostBytes = 400;  // of one line
  if (warning.size() + what.size() > kMostBytes) return;
  warning += (warning.empty() ? "" : "; ") + what;
}

Result<Vocab> read_vocab(const GgufFile& file) {
  Vocab v;
  for (const auto read : {read_model, read_tokens, read_scores, read_types, read_switches, read_special_ids}) {
    if (Status s = read(file, v); !s) return s.error();
  }
  if (Status s = build_pieces(v); !s) return s.error();
  return v;
}

int byte_token_value(std::string_view raw) {
  if (raw.size() != 6 || !raw.starts_with("<0x") || raw[5] != '>') return -1;
  int value = 0;
  for (const char c : raw.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace hearth
