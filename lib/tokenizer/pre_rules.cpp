// Split rules and the names that use them. Names, regular expressions and flags are those under which the models were
// trained and published (their tokenizer.json) in the form that GGUF converters agreed on; a notation of the
// original that differs from its effect in practice (two-letter letter classes, look-ahead conjunctions) is
// written here as the effect.
#include "lib/tokenizer/pre_rules.h"

namespace hearth {
namespace {

constexpr std::string_view kGpt2 = R"~('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kLlama3 =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})~"
    R"~(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kQwen2 =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})~"
    R"~(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kQwen35 =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})~"
    R"~(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kNoContractions =
    R"~([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kLongNumbers =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+)~"
    R"~(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kSeedCoder =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1})~"
    R"~(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kBailing =
    R"~('(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)~"
    R"~(|\s*[\r\n]|\s+(?!\S)|\s+)~";
constexpr std::string_view kExaoneMoe =
    R"~((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))~"
    R"~(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S))~"
    R"~(|\s+)~";
constexpr std::string_view kTekken =
    R"~([^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*)~"
    R"~(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kGpt4o =
    R"~([^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL])~"
    R"~(|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM])~"
    R"~(|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kGraniteMulti =
    R"~([^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]*[\p{L}\p{M}&&[^A-Z]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM])~"
    R"~(|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^a-z]]+[\p{L}\p{M}&&[^A-Z]]*(?:'[sS]|'[tT]|'[rR][eE])~"
    R"~(|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kTinyAya =
    R"~([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]*[\p{L}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)~"
    R"~(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+[\p{L}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)~"
    R"~(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kYoutuWords =
    R"~([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]*[\p{L}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)~"
    R"~(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+[\p{L}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)~"
    R"~(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kKimi =
    R"~(\p{Han}+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^\p{Han}]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?)~"
    R"~(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kDeepseekWords =
    R"~([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)~"
    R"~(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)~";
constexpr std::string_view kSparkWords =
    R"~([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+)~"
    R"~(|[\r\n]|\s+(?!\S)|\s+)~";
constexpr std::string_view kBloom = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
constexpr std::string_view kDeepseekLetters =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
    "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f"
    "\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-"
    "\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec"
    "\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-"
    "\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3"
    "\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17"
    "\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-"
    "\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr std::string_view kDeepseekPunctuation = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";
constexpr std::string_view kCjkHangul = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
constexpr std::string_view kCjkKana = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kAsianScripts =
    "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f"
    "\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+";
constexpr std::string_view kYoutuScripts =
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f"
    "\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kNumber = R"~(\p{N})~";
constexpr std::string_view kNumbers = R"~(\p{N}+)~";
constexpr std::string_view kNumbers3 = R"~(\p{N}{1,3})~";
constexpr std::string_view kThreeDigits = R"~([0-9][0-9][0-9])~";
constexpr std::string_view kFalconPunctuation = R"~([\p{P}\$\+<=>\^~\|`]+)~";
constexpr std::string_view kDefaultPunctuation = R"~([\p{P}\$\+<=>\^~\|]+)~";
constexpr std::string_view kNewline = R"~([\r\n])~";
constexpr std::string_view kLines = R"~([^\n]+|[\n]+)~";

using F = PreRule;
constexpr uint32_t kClean = F::kCleanSpaces;

// {names}, {steps}, flags
constexpr PreRule kRules[] = {
    {{"", "default"}, {kDefaultPunctuation, kGpt2, kNumbers, kThreeDigits}, kClean},
    {{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
     {kLlama3},
     kClean | F::kWholeWordFirst | F::kAddBos},
    {{"minicpm5"}, {kNumbers3, kLongNumbers}, kClean | F::kWholeWordFirst},
    {{"dbrx", "smaug-bpe"}, {kLlama3}, kClean},
    {{"glm4", "chatglm-bpe"}, {kLlama3}, kClean | F::kNoDefaultBos},
    {{"jais-2"}, {kLlama3, kSpaceCascadeStep}, kClean},
    {{"gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum",
      "modern-bert", "exaone4"},
     {kGpt2},
     kClean},
    {{"mpt", "olmo", "jais"}, {kGpt2}, kClean},
    {{"trillion", "granite-docling"}, {kGpt2}, 0},
    {{"jina-v1-en", "jina-v2-code", "roberta-bpe"}, {kGpt2}, kClean | F::kAddSep},
    {{"starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"}, {kNumber, kGpt2}, kClean},
    {{"command-r", "smollm"}, {kNumber, kGpt2}, 0},
    {{"qwen2"}, {kQwen2}, F::kNfc},
    {{"deepseek-r1-qwen", "kormo", "f2llmv2", "hunyuan", "solar-open", "grok-2"}, {kQwen2}, 0},
    {{"stablelm2", "megrez"}, {kQwen2}, kClean},
    {{"qwen35"}, {kQwen35}, F::kNfc},
    {{"laguna"}, {kLines, kQwen2}, 0},
    {{"ufakzeka"}, {kNoContractions}, 0},
    {{"seed-coder"}, {kSeedCoder}, 0},
    {{"bailingmoe", "bailingmoe2", "llada-moe"}, {kBailing}, 0},
    {{"exaone-moe"}, {kExaoneMoe}, kClean},
    {{"kimi-k2"}, {kKimi}, 0},
    {{"tekken"}, {kTekken}, F::kWholeWordFirst | F::kAddBos},
    {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {kGpt4o}, 0},
    {{"granite-embed-multi-97m"}, {kGraniteMulti}, F::kWholeWordFirst},
    {{"tiny_aya", "cohere2moe"}, {kDigitGroupsStep, kTinyAya}, 0},
    {{"youtu"}, {kYoutuScripts, kYoutuWords}, F::kWholeWordFirst},
    {{"deepseek-llm"}, {kNewline, kDeepseekLetters, kDeepseekPunctuation, kTrailingSpaceStep, kCjkHangul, kNumbers}, 0},
    {{"deepseek-coder"}, {kNewline, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjkHangul, kNumber}, 0},
    {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {kNumbers3, kCjkKana, kDeepseekWords}, 0},
    {{"spark2_5"}, {kNumbers3, kCjkKana, kSparkWords, kNumber}, 0},
    {{"afmoe"}, {kDigitGroupsStep, kAsianScripts, kDeepseekWords}, 0},
    {{"falcon"}, {kFalconPunctuation, kGpt2, kThreeDigits}, kClean},
    {{"poro-chat"}, {kBloom}, 0},
    {{"bloom", "gpt3-finnish"}, {kBloom}, kClean},
    {{"viking"}, {kBloom, kNumber}, 0},
    {{"superbpe"}, {kNumbers, kThousandsStep}, 0},
    {{"chameleon"},
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"([\t\n]|    |  )", kNumber,
      R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
     F::kAddBos},
    {{"gemma4", "granite-embed-multi-311m"},
     {kLines},
     kClean | F::kPlainBytes | F::kPlainSpaces | F::kNewlineRuns | F::kForceBos},
    {{"sarvam-moe"}, {kLines}, F::kPlainBytes | F::kPlainSpaces},
    {{"whitespace"}, {R"(\S+)"}, kClean | F::kPlainBytes | F::kKeepCase},
};

}  // namespace

const PreRule* find_pre_rule(std::string_view name) {
  for (const PreRule& rule : kRules) {
    for (size_t i = 0; i < rule.names.size(); ++i) {
      if (rule.names[i] == name && (i == 0 || !name.empty())) return &rule;
    }
  }
  return nullptr;
}

}  // namespace hearth
