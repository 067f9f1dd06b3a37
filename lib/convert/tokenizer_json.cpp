// tokenizer.json: the format of Hugging Face's tokenizers library. What its pipeline does is recognized from its parts,
// since GGUF names pipelines instead of describing them.
#include <algorithm>
#include <unordered_map>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/vocabulary.h"

namespace hearth {
namespace {

/// Split expressions as published models write them, and what the pipeline is called: the first row that fits.
enum class Needs : uint8_t { kNothing, kWholeWords, kNfc };
constexpr struct {
  std::string_view expression;
  Needs needs;
  std::string_view name;
} kPipelines[] = {
    {R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kWholeWords, "llama-bpe"},
    {R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNothing, "dbrx"},
    {R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNfc, "qwen2"},
    {R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNothing, "deepseek-r1-qwen"},
    {R"~((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNothing, "qwen35"},
    {R"~([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNothing, "tekken"},
    {R"~([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~",
     Needs::kNothing, "gpt-4o"},
    {"single digits", Needs::kNothing, "smollm"},  // then the expression of GPT-2
    {"", Needs::kNothing, "gpt-2"},                // that alone
};

/// Steps of a kind inside a step or a sequence of them.
template <typename Use>
void for_steps(json::Value step, Use use) {
  if (!step.is_object()) return;
  for (const char* list : {"pretokenizers", "normalizers", "processors"}) {
    for (json::Value v = step[list].first(); v; v = v.next()) use(v);
  }
  use(step);
}

struct Pipeline {
  std::string expression;
  bool byte_level = false, nfc = false, prepends_space = false, ignores_merges = false, joins_spaces = false;
  std::string_view charsmap;  ///< base64
  std::optional<bool> adds_bos, adds_eos;
};

Pipeline read_pipeline(json::Value root) {
  Pipeline p;
  p.ignores_merges = root["model"]["ignore_merges"].boolean().value_or(false);
  for_steps(root["pre_tokenizer"], [&](json::Value step) {
    const std::string_view type = step["type"].text();
    if (type == "ByteLevel") p.byte_level = true;
    if (type == "WhitespaceSplit") p.joins_spaces = true;
    if (type == "Digits") {
      p.expression = step["individual_digits"].boolean().value_or(false) ? "single digits" : "groups of digits";
    }
    if (type == "Split" && !step["pattern"]["Regex"].text().empty()) p.expression = step["pattern"]["Regex"].text();
    if (type == "Metaspace") {
      const std::string_view scheme = step["prepend_scheme"].text();
      p.prepends_space = scheme.empty() ? step["add_prefix_space"].boolean().value_or(true) : scheme != "never";
    }
  });
  for_steps(root["normalizer"], [&](json::Value step) {
    if (step["type"].text() == "NFC") p.nfc = true;
    if (step["type"].text() == "Prepend") p.prepends_space = true;
    if (step["type"].text() == "Replace" && step["pattern"]["Regex"].text() == " {2,}") p.joins_spaces = true;
    if (step["type"].text() == "Precompiled") p.charsmap = step["precompiled_charsmap"].text();
  });
  for_steps(root["post_processor"], [&](json::Value step) {
    if (step["type"].text() == "RobertaProcessing") p.adds_bos = p.adds_eos = true;
    if (step["type"].text() != "TemplateProcessing") return;
    bool before = true;
    p.adds_bos = p.adds_eos = false;
    for (json::Value v = step["single"].first(); v; v = v.next()) {
      if (v["Sequence"].is_object()) before = false;
      if (v["SpecialToken"].is_object()) (before ? p.adds_bos : p.adds_eos) = true;
    }
  });
  return p;
}

Result<std::string> name_of(const Pipeline& p) {
  for (const auto& row : kPipelines) {
    const bool fits = row.needs == Needs::kNothing || (row.needs == Needs::kWholeWords ? p.ignores_merges : p.nfc);
    if (fits && p.expression == row.expression) return std::string(row.name);
  }
  return Error{ErrorCode::kUnsupported, "an unknown pre-tokenizer; name one that splits by " + quote(p.expression)};
}

Status read_vocab(json::Value model, Vocabulary& v) {
  for (json::Value entry = model["vocab"].first(); entry; entry = entry.next()) {
    const auto id = entry.integer();
    if (!id) return Error{ErrorCode::kFormat, concat("token ", quoted(entry.key()), " has no id")};
    if (Status s = v.set(*id, entry.key(), TokenKind::kNormal); !s) return s;
  }
  if (v.tokens.empty()) return Error{ErrorCode::kFormat, "the vocabulary is empty"};
  return {};
}

/// "left right", or a pair of strings.
Status read_merges(json::Value model, Vocabulary& v) {
  for (json::Value entry = model["merges"].first(); entry; entry = entry.next()) {
    const std::string_view left = entry.first().text(), right = entry.first().next().text();
    std::string merge = entry.is_array() ? concat(left, " ", right) : std::string(entry.text());
    const size_t space = merge.find(' ');
    if (space == 0 || space == std::string::npos || space + 1 == merge.size()) {
      return Error{ErrorCode::kFormat, concat("merge ", v.merges.size(), " is none: ", quoted(merge))};
    }
    v.merges.push_back(std::move(merge));
  }
  return {};
}

Status read_added(json::Value root, Vocabulary& v) {
  for (json::Value entry = root["added_tokens"].first(); entry; entry = entry.next()) {
    const bool special = entry["special"].boolean().value_or(false);
    const auto id = entry["id"].integer();
    if (!id) return Error{ErrorCode::kFormat, "an added token has no id"};
    const TokenKind kind = special ? TokenKind::kControl : TokenKind::kUserDefined;
    if (Status s = v.set(*id, entry["content"].text(), kind); !s) return s;
  }
  return {};
}

bool is_byte_token(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.back() == '>';
}

/// SentencePiece merges by scores: that of a piece is the place of the first merge that makes it.
void scores_from_merges(Vocabulary& v) {
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < v.merges.size(); ++i) {
    std::string made = v.merges[i];
    made.erase(made.find(' '), 1);
    places.emplace(std::move(made), i);
  }
  v.scores.resize(v.tokens.size());
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const auto found = places.find(v.tokens[i]);
    v.scores[i] = found != places.end() ? -static_cast<float>(found->second) : -1e6f;
    if (is_byte_token(v.tokens[i])) v.types[i] = static_cast<int32_t>(TokenKind::kByte);
  }
  v.merges.clear();
}

Result<Vocabulary> read_bpe(json::Value root, const std::string& pre) {
  Vocabulary v;
  const json::Value model = root["model"];
  if (Status s = read_vocab(model, v); !s) return s.error();
  if (Status s = read_merges(model, v); !s) return s.error();
  const Pipeline pipeline = read_pipeline(root);
  v.add_bos = pipeline.adds_bos;
  v.add_eos = pipeline.adds_eos;
  if (pipeline.byte_level) {
    v.model = "gpt2";
    Result<std::string> name = pre.empty() ? name_of(pipeline) : pre;
    if (!name) return name.error();
    v.pre = *std::move(name);
  } else if (model["byte_fallback"].boolean().value_or(false)) {
    v.model = "llama";
    v.add_space_prefix = pipeline.prepends_space;
    scores_from_merges(v);
    const int64_t unknown = v.find(model["unk_token"].text());
    if (unknown >= 0) v.types[static_cast<size_t>(unknown)] = static_cast<int32_t>(TokenKind::kUnknown);
  } else {
    return Error{ErrorCode::kUnsupported, "a BPE vocabulary that is neither byte-level nor falls back to bytes"};
  }
  if (Status s = read_added(root, v); !s) return s.error();
  if (!v.scores.empty()) v.scores.resize(v.tokens.size(), 0.0f);
  return v;
}

/// GGUF marks the beginnings of words instead of what continues them.
std::string word_piece(std::string_view token) {
  if (token.starts_with("##")) return std::string(token.substr(2));
  return concat("\u2581", token);
}

Result<Vocabulary> read_word_pieces(json::Value root) {
  Vocabulary v;
  v.model = "bert";
  const json::Value model = root["model"], normalizer = root["normalizer"];
  const std::string_view prefix = model["continuing_subword_prefix"].text();
  if (!prefix.empty() && prefix != "##") {
    return Error{ErrorCode::kUnsupported, "continuing_subword_prefix " + quote(prefix)};
  }
  if (Status s = read_vocab(model, v); !s) return s.error();
  for (std::string& token : v.tokens) token = word_piece(token);
  if (Status s = read_added(root, v); !s) return s.error();
  const int64_t unknown = v.find(model["unk_token"].text());
  if (unknown >= 0) v.types[static_cast<size_t>(unknown)] = static_cast<int32_t>(TokenKind::kUnknown);
  const bool lowercase = normalizer["lowercase"].boolean().value_or(false);
  v.lowercase = lowercase;
  v.strip_accents = normalizer["strip_accents"].boolean().value_or(lowercase);
  return v;
}

/// Bytes of base64 (RFC 4648, section 4); nullopt when it is none.
std::optional<std::string> bytes_of_base64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int n_bits = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const size_t digit = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    bytes += static_cast<char>(bits >> n_bits & 0xff);
  }
  return bytes;
}

/// Pieces and scores, as SentencePiece trains them; what GGUF calls "t5".
Result<Vocabulary> read_unigram(json::Value root) {
  Vocabulary v;
  v.model = "t5";
  const json::Value model = root["model"];
  for (json::Value entry = model["vocab"].first(); entry; entry = entry.next()) {
    const json::Value piece = entry.first(), score = piece.next();
    const auto id = static_cast<int64_t>(v.tokens.size());
    if (!entry.is_array() || !score.number()) {
      return Error{ErrorCode::kFormat, concat("piece ", id, " has no text and score")};
    }
    const bool is_byte = model["byte_fallback"].boolean().value_or(false) && is_byte_token(piece.text());
    if (Status s = v.set(id, piece.text(), is_byte ? TokenKind::kByte : TokenKind::kNormal); !s) return s.error();
    v.scores.push_back(static_cast<float>(*score.number()));
  }
  if (v.tokens.empty()) return Error{ErrorCode::kFormat, "the vocabulary is empty"};
  if (Status s = read_added(root, v); !s) return s.error();
  v.scores.resize(v.tokens.size(), 0.0f);
  const auto unknown = model["unk_id"].integer();
  if (unknown && (*unknown < 0 || *unknown >= static_cast<int64_t>(v.tokens.size()))) {
    return Error{ErrorCode::kFormat, concat("unk_id ", *unknown, " is no token")};
  }
  if (unknown) {
    v.types[static_cast<size_t>(*unknown)] = static_cast<int32_t>(TokenKind::kUnknown);
    v.special.push_back({"unknown", *unknown});
  }
  const Pipeline pipeline = read_pipeline(root);
  v.add_bos = pipeline.adds_bos;
  v.add_eos = pipeline.adds_eos;
  v.add_space_prefix = pipeline.prepends_space;
  v.remove_extra_spaces = pipeline.joins_spaces;
  auto charsmap = bytes_of_base64(pipeline.charsmap);
  if (!charsmap) return Error{ErrorCode::kFormat, "precompiled_charsmap is not base64"};
  v.charsmap = *std::move(charsmap);
  return v;
}

}  // namespace

Result<Vocabulary> read_tokenizer_json(std::string_view text, const std::string& pre) {
  const auto document = json::Document::parse(text);
  if (!document) return document.error();
  const json::Value root = document->root(), model = root["model"];
  std::string_view type = model["type"].text();
  if (type.empty() && model["merges"].is_array()) type = "BPE";  // older files leave it out
  if (type == "BPE") return read_bpe(root, pre);
  if (type == "WordPiece") return read_word_pieces(root);
  if (type == "Unigram" || (type.empty() && model["vocab"].is_array())) return read_unigram(root);
  return Error{ErrorCode::kUnsupported, "a vocabulary of the kind " + quote(type)};
}

Result<Vocabulary> read_vocab_txt(std::string_view text, bool lowercase) {
  Vocabulary v;
  v.model = "bert";
  v.lowercase = v.strip_accents = lowercase;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool special = line.size() > 2 && line.front() == '[' && line.back() == ']' && !line.starts_with("[unused");
    const auto id = static_cast<int64_t>(v.tokens.size());
    const TokenKind kind = line == "[UNK]" ? TokenKind::kUnknown : special ? TokenKind::kControl : TokenKind::kNormal;
    if (Status s = v.set(id, special ? std::string(line) : word_piece(line), kind); !s) return s.error();
    at = end + 1;
  }
  if (v.tokens.empty()) return Error{ErrorCode::kFormat, "the vocabulary is empty"};
  return v;
}

}  // namespace hearth
