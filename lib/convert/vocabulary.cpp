// A folder's vocabulary: which file holds it, its special tokens, padding, and writing.
#include "lib/convert/vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/safetensors.h"

namespace hearth {
namespace {

constexpr int64_t kMaxTokens = 1 << 20;

/// Names in tokenizer_config.json and config.json, and in GGUF.
constexpr struct {
  std::string_view token, id, key;
} kSpecialTokens[] = {
    {"bos_token", "bos_token_id", "bos"},       {"eos_token", "eos_token_id", "eos"},
    {"unk_token", "unk_token_id", "unknown"},   {"pad_token", "pad_token_id", "padding"},
    {"sep_token", "sep_token_id", "seperator"},  // spelled so in the format
    {"cls_token", "cls_token_id", "cls"},       {"mask_token", "mask_token_id", "mask"},
};

struct JsonFile {
  std::string text;
  std::optional<json::Document> document;
  json::Value root() const { return document ? document->root() : json::Value(); }
};

/// A file that may be missing.
Status read_json(const std::string& path, JsonFile& file) {
  Result<std::string> text = read_whole_file(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  if (!text) return text.error();
  file.text = *std::move(text);
  Result<json::Document> document = json::Document::parse(file.text, {.python_numbers = true});
  if (!document) return Error{document.error().code, concat(path, ": ", document.error().message)};
  file.document.emplace(*std::move(document));
  return {};
}

/// "<s>", or an object with the text in it.
std::string_view token_text(json::Value v) {
  return v.is_object() ? v["content"].text() : v.text();
}

/// config.json may list several; the first counts.
std::optional<int64_t> first_id(json::Value v) {
  return v.is_array() ? v.first().integer() : v.integer();
}

void add_special(Vocabulary& vocabulary, json::Value tokenizer, json::Value map, json::Value config,
                 json::Value generation) {
  const auto is = [](std::string_view key) {
    return [key](const Vocabulary::SpecialToken& token) { return token.key == key; };
  };
  for (const auto& row : kSpecialTokens) {
    int64_t id = -1;
    for (const json::Value source : {tokenizer, map}) {
      const std::string_view text = token_text(source[row.token]);
      if (id < 0 && !text.empty()) id = vocabulary.find(text);
    }
    for (const json::Value source : {config, generation}) {
      if (id < 0) id = first_id(source[row.id]).value_or(-1);
    }
    const bool is_known = std::any_of(vocabulary.special.begin(), vocabulary.special.end(), is(row.key));
    if (id >= 0 && id < static_cast<int64_t>(vocabulary.tokens.size()) && !is_known) {
      vocabulary.special.push_back({row.key, id});
    }
  }
  const auto cls = std::find_if(vocabulary.special.begin(), vocabulary.special.end(), is("cls"));
  const bool has_bos = std::any_of(vocabulary.special.begin(), vocabulary.special.end(), is("bos"));
  if (vocabulary.model == "bert" && !has_bos && cls != vocabulary.special.end()) {
    vocabulary.special.push_back({"bos", cls->id});  // WordPiece texts begin with it
  }
}

/// Tokens that were added after training, listed by id.
Status add_listed(Vocabulary& vocabulary, json::Value added_tokens_decoder) {
  for (json::Value v = added_tokens_decoder.first(); v; v = v.next()) {
    int64_t id = 0;
    for (const char c : v.key()) {
      if (c < '0' || c > '9' || id > kMaxTokens) return Error{ErrorCode::kFormat, "added token " + quote(v.key())};
      id = id * 10 + (c - '0');
    }
    const bool special = v["special"].boolean().value_or(false);
    const auto at = static_cast<size_t>(id);
    const bool known = at < vocabulary.tokens.size() && vocabulary.tokens[at] == v["content"].text();
    if (known && vocabulary.types[at] != static_cast<int32_t>(TokenKind::kNormal)) continue;
    const TokenKind kind = special ? TokenKind::kControl : TokenKind::kUserDefined;
    if (Status s = vocabulary.set(id, v["content"].text(), kind); !s) return s;
  }
  return {};
}

/// A template, or a list of named ones.
std::string_view template_of(json::Value v) {
  if (!v.is_array()) return v.text();
  for (json::Value item = v.first(); item; item = item.next()) {
    if (item["name"].text() == "default") return item["template"].text();
  }
  return {};
}

Result<Vocabulary> read_tokens(const std::string& folder, json::Value tokenizer, const std::string& pre) {
  const auto with_path = [&](const char* name, Result<Vocabulary> read) -> Result<Vocabulary> {
    if (read) return read;
    return Error{read.error().code, concat(folder, "/", name, ": ", read.error().message)};
  };
  Result<std::string> text = read_whole_file(folder + "/tokenizer.model");
  if (!text && text.error().code != ErrorCode::kNotFound) return text.error();
  if (text) {
    Result<Vocabulary> pieces = with_path("tokenizer.model", read_sentence_piece(*text));
    text = read_whole_file(folder + "/tokenizer.json");
    if (pieces || !text) return pieces;  // some folders have another format under that name
  } else {
    text = read_whole_file(folder + "/tokenizer.json");
  }
  if (text) return with_path("tokenizer.json", read_tokenizer_json(*text, pre));
  if (text.error().code != ErrorCode::kNotFound) return text.error();
  text = read_whole_file(folder + "/vocab.txt");
  if (text) return with_path("vocab.txt", read_vocab_txt(*text, tokenizer["do_lower_case"].boolean().value_or(true)));
  if (text.error().code != ErrorCode::kNotFound) return text.error();
  return Error{ErrorCode::kNotFound, folder + ": has neither tokenizer.json, tokenizer.model nor vocab.txt"};
}

}  // namespace

Status Vocabulary::set(int64_t id, std::string_view text, TokenKind kind) {
  if (id < 0 || id >= kMaxTokens) {
    return Error{ErrorCode::kFormat, concat("token ", quoted(text), " has the id ", id)};
  }
  if (id >= static_cast<int64_t>(tokens.size())) {
    if (Status s = pad_to(id + 1); !s) return s;
  }
  const auto at = static_cast<size_t>(id);
  tokens[at] = text;
  types[at] = static_cast<int32_t>(kind);
  return {};
}

int64_t Vocabulary::find(std::string_view text) const {
  const auto found = std::find(tokens.begin(), tokens.end(), text);
  return found == tokens.end() ? -1 : found - tokens.begin();
}

Status Vocabulary::pad_to(int64_t n) {
  if (n > kMaxTokens) return Error{ErrorCode::kFormat, concat("a vocabulary of ", n, " tokens")};
  for (auto i = static_cast<int64_t>(tokens.size()); i < n; ++i) {
    tokens.push_back(concat("[PAD", i, "]"));
    types.push_back(static_cast<int32_t>(TokenKind::kUnused));
  }
  return {};
}

Result<Vocabulary> read_vocabulary(const std::string& folder, json::Value config, int64_t n_vocab,
                                   const std::string& pre) {
  JsonFile tokenizer, generation, map;
  if (Status s = read_json(folder + "/tokenizer_config.json", tokenizer); !s) return s.error();
  if (Status s = read_json(folder + "/special_tokens_map.json", map); !s) return s.error();
  if (Status s = read_json(folder + "/generation_config.json", generation); !s) return s.error();
  Result<Vocabulary> read = read_tokens(folder, tokenizer.root(), pre);
  if (!read) return read.error();
  Vocabulary vocabulary = *std::move(read);
  if (Status s = add_listed(vocabulary, tokenizer.root()["added_tokens_decoder"]); !s) return s.error();
  const auto n = static_cast<int64_t>(vocabulary.tokens.size());
  if (n_vocab > 0 && n > n_vocab) {
    return Error{ErrorCode::kFormat, concat(folder, ": ", n, " tokens, but embeddings of ", n_vocab)};
  }
  if (Status s = vocabulary.pad_to(n_vocab); !s) return s.error();
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(vocabulary.tokens.size(), -1e4f);
  add_special(vocabulary, tokenizer.root(), map.root(), config, generation.root());
  for (const auto& [name, value] :
       {std::pair{"add_bos_token", &vocabulary.add_bos}, {"add_eos_token", &vocabulary.add_eos}}) {
    const auto given = tokenizer.root()[name].boolean();
    if (given && !value->value_or(false)) *value = *given;
  }
  vocabulary.chat_template = template_of(tokenizer.root()["chat_template"]);
  if (vocabulary.chat_template.empty()) {
    Result<std::string> text = read_whole_file(folder + "/chat_template.jinja");
    if (text) vocabulary.chat_template = *std::move(text);
  }
  return vocabulary;
}

namespace {

/// Arrays of bytes are rare in files: the value is taken from a file of this one key.
Status add_bytes(GgufWriter& out, std::string_view key, std::string_view bytes) {
  std::string file = "GGUF";
  const auto put = [&file](uint64_t value, int n) {
    for (int i = 0; i < n; ++i) file.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(3, 4);
  put(0, 8);  // tensors
  put(1, 8);  // keys
  put(1, 8);
  file += 'b';
  put(static_cast<uint64_t>(GgufType::kArray), 4);
  put(static_cast<uint64_t>(GgufType::kUint8), 4);
  put(bytes.size(), 8);
  file += bytes;
  const Result<GgufFile> read = GgufFile::from_memory(std::as_bytes(std::span(file)), {.metadata_only = true});
  return read ? out.add_value(key, read->entries()[0].value) : Status(read.error());
}

}  // namespace

Status add_vocabulary(GgufWriter& out, const Vocabulary& v) {
  const std::string base = "tokenizer.ggml.";
  const std::vector<std::string_view> tokens(v.tokens.begin(), v.tokens.end()),
      merges(v.merges.begin(), v.merges.end());
  Status s = out.add_string(base + "model", v.model);
  if (s && !v.pre.empty()) s = out.add_string(base + "pre", v.pre);
  if (s) s = out.add_string_array(base + "tokens", tokens);
  if (s && !v.scores.empty()) s = out.add_float32_array(base + "scores", v.scores);
  if (s) s = out.add_int32_array(base + "token_type", v.types);
  if (s && !v.charsmap.empty()) s = add_bytes(out, base + "precompiled_charsmap", v.charsmap);
  if (s && !merges.empty()) s = out.add_string_array(base + "merges", merges);
  for (const Vocabulary::SpecialToken& token : v.special) {
    if (s) s = out.add_uint32(concat(base, token.key, "_token_id"), static_cast<uint32_t>(token.id));
  }
  for (const auto& [name, value] : {std::pair{"add_bos_token", v.add_bos},
                                    {"add_eos_token", v.add_eos},
                                    {"add_space_prefix", v.add_space_prefix},
                                    {"remove_extra_whitespaces", v.remove_extra_spaces},
                                    {"normalizer.lowercase", v.lowercase},
                                    {"normalizer.strip_accents", v.strip_accents}}) {
    if (s && value) s = out.add_bool(base + name, *value);
  }
  if (s && !v.chat_template.empty()) s = out.add_string("tokenizer.chat_template", v.chat_template);
  return s;
}

}  // namespace hearth
