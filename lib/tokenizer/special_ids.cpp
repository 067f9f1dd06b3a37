// Special ids: what the file names, and what is known by its spelling.
#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/tokenizer/vocab.h"

namespace hearth {
namespace {

/// What to do with an id that lies outside the vocabulary.
enum class WhenBad : uint8_t { kWarn, kIgnore };

constexpr struct {
  std::string_view key;
  SpecialId id;
  WhenBad when_bad;
} kSpecialKeys[] = {
    {"tokenizer.ggml.bos_token_id", SpecialId::kBos, WhenBad::kWarn},
    {"tokenizer.ggml.eos_token_id", SpecialId::kEos, WhenBad::kWarn},
    {"tokenizer.ggml.eot_token_id", SpecialId::kEot, WhenBad::kWarn},
    {"tokenizer.ggml.eom_token_id", SpecialId::kEom, WhenBad::kWarn},
    {"tokenizer.ggml.unknown_token_id", SpecialId::kUnk, WhenBad::kWarn},
    {"tokenizer.ggml.seperator_token_id", SpecialId::kSep, WhenBad::kWarn},  // spelled so in the format
    {"tokenizer.ggml.padding_token_id", SpecialId::kPad, WhenBad::kIgnore},  // seen in published files
    {"tokenizer.ggml.mask_token_id", SpecialId::kMask, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_pre_token_id", SpecialId::kFimPre, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_suf_token_id", SpecialId::kFimSuf, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_mid_token_id", SpecialId::kFimMid, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_pad_token_id", SpecialId::kFimPad, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_rep_token_id", SpecialId::kFimRep, WhenBad::kIgnore},
    {"tokenizer.ggml.fim_sep_token_id", SpecialId::kFimSep, WhenBad::kIgnore},
    {"tokenizer.ggml.prefix_token_id", SpecialId::kFimPre, WhenBad::kIgnore},
    {"tokenizer.ggml.suffix_token_id", SpecialId::kFimSuf, WhenBad::kIgnore},
    {"tokenizer.ggml.middle_token_id", SpecialId::kFimMid, WhenBad::kIgnore},
};

/// Spellings that mean a special id when no key names it; the first one that exists is taken.
constexpr struct {
  SpecialId id;
  std::string_view spelling;
} kSpellings[] = {
    {SpecialId::kEot, "<|eot_id|>"},
    {SpecialId::kEot, "<|im_end|>"},
    {SpecialId::kEot, "<|end|>"},
    {SpecialId::kEot, "<end_of_turn>"},
    {SpecialId::kEot, "<|endoftext|>"},
    {SpecialId::kEot, "<|end_of_text|>"},
    {SpecialId::kEot, "<EOT>"},
    {SpecialId::kEot, "_<EOT>"},
    {SpecialId::kEot, "[EOT]"},
    {SpecialId::kEot, "<\uff5cend\u2581of\u2581sentence\uff5c>"},
    {SpecialId::kEot, "<end_of_utterance>"},
    {SpecialId::kEom, "<|eom_id|>"},
    {SpecialId::kFimPre, "<|fim_prefix|>"},
    {SpecialId::kFimPre, "<fim-prefix>"},
    {SpecialId::kFimPre, "<fim_prefix>"},
    {SpecialId::kFimPre, "<\uff5cfim\u2581begin\uff5c>"},
    {SpecialId::kFimPre, "<PRE>"},
    {SpecialId::kFimPre, "\u2581<PRE>"},
    {SpecialId::kFimPre, "<|code_prefix|>"},
    {SpecialId::kFimPre, "<|prefix|>"},
    {SpecialId::kFimSuf, "<|fim_suffix|>"},
    {SpecialId::kFimSuf, "<fim-suffix>"},
    {SpecialId::kFimSuf, "<fim_suffix>"},
    {SpecialId::kFimSuf, "<\uff5cfim\u2581hole\uff5c>"},
    {SpecialId::kFimSuf, "<SUF>"},
    {SpecialId::kFimSuf, "\u2581<SUF>"},
    {SpecialId::kFimSuf, "<|code_suffix|>"},
    {SpecialId::kFimSuf, "<|suffix|>"},
    {SpecialId::kFimMid, "<|fim_middle|>"},
    {SpecialId::kFimMid, "<fim-middle>"},
    {SpecialId::kFimMid, "<fim_middle>"},
    {SpecialId::kFimMid, "<\uff5cfim\u2581end\uff5c>"},
    {SpecialId::kFimMid, "<MID>"},
    {SpecialId::kFimMid, "\u2581<MID>"},
    {SpecialId::kFimMid, "<|code_middle|>"},
    {SpecialId::kFimMid, "<|middle|>"},
    {SpecialId::kFimPad, "<|fim_pad|>"},
    {SpecialId::kFimPad, "<fim-pad>"},
    {SpecialId::kFimPad, "<fim_pad>"},
    {SpecialId::kFimPad, "<PAD>"},
    {SpecialId::kFimPad, "[PAD]"},
    {SpecialId::kFimRep, "<|fim_repo|>"},
    {SpecialId::kFimRep, "<|repo_name|>"},
    {SpecialId::kFimRep, "<fim-repo>"},
    {SpecialId::kFimRep, "<REPO>"},
    {SpecialId::kFimRep, "<reponame>"},
    {SpecialId::kFimSep, "<|file_sep|>"},
};

/// Spellings that end generation wherever they occur in a vocabulary.
constexpr std::string_view kEndSpellings[] = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "[e~[",
};

/// Markers of OpenAI's harmony format that models are expected to show.
constexpr std::string_view kShownMarkers[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

Token& id_of(Vocab& v, SpecialId which) {
  return v.special[static_cast<size_t>(which)];
}

void set_default_ids(Vocab& v) {
  v.special.fill(-1);
  const auto set = [&](SpecialId which, Token id) {
    if (id < v.size()) id_of(v, which) = id;
  };
  switch (v.model) {
    case VocabModel::kSentencePiece:
      set(SpecialId::kBos, 1);
      set(SpecialId::kEos, 2);
      set(SpecialId::kUnk, 0);
      break;
    case VocabModel::kWordPiece:
      set(SpecialId::kBos, 101);
      set(SpecialId::kUnk, 100);
      set(SpecialId::kSep, 102);
      set(SpecialId::kPad, 0);
      set(SpecialId::kMask, 103);
      break;
    case VocabModel::kUnigram:
      set(SpecialId::kEos, 1);
      set(SpecialId::kUnk, 2);
      set(SpecialId::kPad, 0);
      break;
    case VocabModel::kNone: break;
    case VocabModel::kBytePair:
      if (v.model_name == "gemma4") break;
      if (!(v.pre->flags & PreRule::kNoDefaultBos)) set(SpecialId::kBos, 11);
      set(SpecialId::kEos, 11);
      break;
  }
}

Status read_keys(const GgufFile& file, Vocab& v) {
  for (const auto& entry : kSpecialKeys) {
    if (file.find(entry.key) == nullptr) continue;
    const Result<int64_t> id = file.get_int(entry.key);
    if (!id) return id.error();
    if (*id >= 0 && *id < v.size()) {
      id_of(v, entry.id) = static_cast<Token>(*id);
    } else if (*id >= 0 && *id < 0xFFFFFFFF && entry.when_bad == WhenBad::kWarn) {  // -1 of either sign: none
      v.warn(concat(entry.key, ": ", *id, " is outside the ", v.size(),
                    " tokens of the vocabulary; the usual id of its kind is taken"));
    }
  }
  return {};
}

/// What has the spelling of a control token is one, whatever the file says.
void find_spellings(Vocab& v) {
  for (const auto& entry : kSpellings) {
    Token& id = id_of(v, entry.id);
    const Token found = v.by_raw.find(entry.spelling);
    if (id >= 0 || found < 0) continue;
    id = found;
    v.attributes[static_cast<size_t>(found)] |= kAttrControl;
  }
  for (size_t i = 0; i < v.raw.size(); ++i) {
    const bool control = (v.attributes[i] & kAttrControl) != 0;
    if (control && v.raw[i].find("unused") != std::string_view::npos) v.attributes[i] |= kAttrUnused;
  }
}

void find_ends(Vocab& v) {
  const auto add = [&](Token id) {
    if (id >= 0) v.ends.push_back(id);
  };
  for (const SpecialId which : {SpecialId::kFimPad, SpecialId::kFimRep, SpecialId::kFimSep, SpecialId::kEos,
                                SpecialId::kEot, SpecialId::kEom}) {
    add(v.special_id(which));
  }
  for (const std::string_view spelling : kEndSpellings) {
    const Token id = v.by_raw.find(spelling);
    add(id);
    if (id >= 0) v.attributes[static_cast<size_t>(id)] |= kAttrControl;
  }
  std::sort(v.ends.begin(), v.ends.end());
  v.ends.erase(std::unique(v.ends.begin(), v.ends.end()), v.ends.end());
}

bool is_end(const Vocab& v, std::string_view spelling) {
  const Token id = v.by_raw.find(spelling);
  return id >= 0 && std::binary_search(v.ends.begin(), v.ends.end(), id);
}

void drop_end(Vocab& v, std::string_view spelling, uint8_t attributes) {
  const Token id = v.by_raw.find(spelling);
  v.ends.erase(std::lower_bound(v.ends.begin(), v.ends.end(), id));
  v.attributes[static_cast<size_t>(id)] = attributes;
}

/// Families where a known spelling means something else.
void apply_exceptions(Vocab& v) {
  for (const std::string_view marker : kShownMarkers) {
    const Token id = v.by_raw.find(marker);
    if (id >= 0) v.attributes[static_cast<size_t>(id)] = kAttrUserDefined;
  }
  const bool calls = is_end(v, "<|call|>") || is_end(v, "<|calls|>");
  if (calls && (is_end(v, "<|return|>") || is_end(v, "<|flush|>")) && is_end(v, "<|end|>")) {
    drop_end(v, "<|end|>", kAttrUserDefined);
  }
  if (is_end(v, "<|tool_response>") && is_end(v, "</s>")) drop_end(v, "</s>", kAttrNormal);
}

/// Tokens that the vocabulary wants to add must exist; others are not added.
void check_added(const GgufFile& file, Vocab& v) {
  const struct {
    std::string_view key;
    bool& add;
    SpecialId id;
  } added[] = {
      {"tokenizer.ggml.add_bos_token", v.add_bos, SpecialId::kBos},
      {"tokenizer.ggml.add_eos_token", v.add_eos, SpecialId::kEos},
      {"tokenizer.ggml.add_sep_token", v.add_sep, SpecialId::kSep},
  };
  for (const auto& entry : added) {
    if (!entry.add || v.special_id(entry.id) >= 0) continue;
    if (file.find(entry.key) != nullptr) {
      v.warn(concat(entry.key, ": true, but the vocabulary has no such token"));
    }
    entry.add = false;
  }
}

}  // namespace

Status read_special_ids(const GgufFile& file, Vocab& v) {
  set_default_ids(v);
  if (Status s = read_keys(file, v); !s) return s;
  check_added(file, v);
  find_spellings(v);
  find_ends(v);
  apply_exceptions(v);
  return {};
}

}  // namespace hearth
