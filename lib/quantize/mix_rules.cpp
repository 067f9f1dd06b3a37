// The rules of llama.cpp's mixes as a table (facts of compatibility: a file that says Q4_K_M has the types that every
// program expects of it). Matrices that suffer most from few bits get more.
#include "lib/quantize/mix_rules.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "hearth/quantizer.h"
#include "lib/base/concat.h"

namespace hearth {
namespace {

using enum TensorType;

constexpr Mix kMixes[] = {
    {"F32", kF32, 0},      {"BF16", kBF16, 32},     {"F16", kF16, 1},          {"Q8_0", kQ8_0, 7},
    {"Q6_K", kQ6_K, 18},   {"Q5_1", kQ5_1, 9},      {"Q5_K_M", kQ5_K, 17},     {"Q5_K_S", kQ5_K, 16},
    {"Q5_0", kQ5_0, 8},    {"Q4_1", kQ4_1, 3},      {"Q4_K_M", kQ4_K, 15},     {"Q4_K_S", kQ4_K, 14},
    {"Q4_0", kQ4_0, 2},    {"IQ4_NL", kIQ4_NL, 25}, {"IQ4_XS", kIQ4_XS, 30},   {"MXFP4_MOE", kMXFP4, 38},
    {"Q3_K_L", kQ3_K, 13}, {"Q3_K_M", kQ3_K, 12},   {"IQ3_M", kIQ3_S, 27},     {"IQ3_S", kIQ3_S, 26},
    {"Q3_K_S", kQ3_K, 11}, {"IQ3_XS", kIQ3_S, 22},  {"IQ3_XXS", kIQ3_XXS, 23}, {"Q2_K", kQ2_K, 10},
    {"IQ2_M", kIQ2_S, 29}, {"Q2_K_S", kQ2_K, 21},   {"IQ2_S", kIQ2_XS, 28},    {"IQ2_XS", kIQ2_XS, 20},
    {"Q2_0", kQ2_0, 41},   {"TQ2_0", kTQ2_0, 37},   {"IQ2_XXS", kIQ2_XXS, 19}, {"IQ1_M", kIQ1_M, 31},
    {"TQ1_0", kTQ1_0, 36}, {"IQ1_S", kIQ1_S, 24},   {"Q1_0", kQ1_0, 40},
};

/// What a tensor does in the model.
enum class Part { kOther, kOutput, kEmbedding, kValue, kKey, kQuery, kAttnOutput, kUp, kGate, kDown };

/// Which of the tensors of a part, by number i of n.
enum class Which {
  kAll,
  kFirst2,     ///< i < 2
  kFirst4,     ///< i < 4
  kSixteenth,  ///< i < n / 16
  kEighth,     ///< i < n / 8
  kMiddle,     ///< n / 8 <= i < 7 n / 8
  kMoreBits,   ///< i < n / 8, or i >= 7 n / 8, or every third between
};

/// What a rule asks of the model; kNo: it must not be so.
enum class Ask { kAny, kYes, kNo };

struct Facts {
  Ask gqa4 = Ask::kAny;        ///< four query heads or more for each key head
  Ask experts8 = Ask::kAny;    ///< exactly eight experts
  Ask experts4 = Ask::kAny;    ///< four experts or more
  Ask has_matrix = Ask::kAny;  ///< an importance matrix
  Ask falcon = Ask::kAny;
  Ask large = Ask::kAny;
  Ask whole_blocks = Ask::kAny;  ///< rows are whole blocks of the base type
};

/// The first rule that fits a tensor counts; the mix's base type where none does.
struct Rule {
  Part part;
  std::initializer_list<const char*> mixes;  ///< {}: all
  TensorType type;
  Which which = Which::kAll;
  Facts facts{};
};

using enum Part;
constexpr Ask kYes = Ask::kYes, kNo = Ask::kNo;

// The lists of mixes that several rules share.
#define HEARTH_LOW_MIXES "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"

const Rule kRules[] = {
    // The output, and embeddings that serve as such.
    {kOutput, {"MXFP4_MOE", "Q8_0"}, kQ8_0},
    {kOutput, {}, kQ8_0, Which::kAll, {.falcon = kYes}},
    {kOutput, {}, kQ8_0, Which::kAll, {.whole_blocks = kNo}},
    {kOutput, {HEARTH_LOW_MIXES, "IQ3_XXS"}, kQ5_K},
    {kOutput, {}, kQ6_K},

    // Embeddings that are only looked up.
    {kEmbedding, {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, kQ2_K},
    {kEmbedding, {"IQ2_S", "IQ2_M", "IQ3_XXS"}, kIQ3_S},
    {kEmbedding, {"TQ1_0", "TQ2_0", "Q2_0"}, kQ4_K},

    // Values.
    {kValue, {HEARTH_LOW_MIXES}, kQ4_K, Which::kAll, {.gqa4 = kYes}},
    {kValue, {HEARTH_LOW_MIXES}, kQ4_K, Which::kAll, {.experts4 = kYes}},
    {kValue, {"IQ2_S", "IQ2_M"}, kIQ3_S},
    {kValue, {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, kQ2_K},
    {kValue, {}, kQ8_0, Which::kAll, {.experts8 = kYes}},
    {kValue, {"Q4_K_M"}, kQ6_K, Which::kMoreBits},
    {kValue, {"Q5_K_M"}, kQ6_K, Which::kMoreBits},
    {kValue, {"Q3_K_M", "Q3_K_L", "Q3_K_S", "Q4_K_S", "Q4_K_M", "IQ3_M"}, kQ5_K, Which::kAll, {.large = kYes}},
    {kValue, {"Q2_K"}, kQ5_K, Which::kAll, {.large = kYes}},
    {kValue, {"Q2_K_S", "IQ3_XXS", "IQ3_XS", "IQ3_S"}, kQ5_K, Which::kAll, {.gqa4 = kYes, .large = kYes}},
    {kValue, {"Q2_K", "Q2_K_S", "IQ3_XXS", "IQ3_XS", "IQ3_S"}, kQ4_K, Which::kAll, {.gqa4 = kYes}},
    {kValue, {"Q2_K"}, kQ3_K},
    {kValue, {"IQ3_XXS"}, kIQ3_S, Which::kAll, {.has_matrix = kNo}},
    {kValue, {"IQ3_M"}, kQ4_K},
    {kValue, {"Q3_K_M"}, kQ5_K, Which::kFirst2},
    {kValue, {"Q3_K_M"}, kQ4_K},
    {kValue, {"Q3_K_L"}, kQ5_K},
    {kValue, {"IQ4_NL", "IQ4_XS"}, kQ5_K, Which::kAll, {.gqa4 = kYes}},
    {kValue, {"Q4_K_S"}, kQ5_K, Which::kFirst4},

    // Keys and queries.
    {kKey, {HEARTH_LOW_MIXES}, kQ4_K, Which::kAll, {.experts8 = kYes}},
    {kKey, {}, kQ8_0, Which::kAll, {.experts8 = kYes}},
    {kKey, {"IQ3_XS"}, kIQ3_XXS},
    {kKey, {"IQ3_XXS"}, kIQ2_S},
    {kQuery, {"IQ3_XS"}, kIQ3_XXS},
    {kQuery, {"IQ3_XXS"}, kIQ2_S},

    // The output of attention.
    {kAttnOutput, {"Q3_K_L"}, kQ4_K, Which::kAll, {.falcon = kYes}},
    {kAttnOutput, {HEARTH_LOW_MIXES}, kQ5_K, Which::kAll, {.experts8 = kYes}},
    {kAttnOutput, {"IQ1_S", "IQ1_M"}, kIQ2_XXS},
    {kAttnOutput, {"IQ2_S", "IQ2_M"}, kIQ3_S},
    {kAttnOutput,
     {"Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS"},
     kQ5_K,
     Which::kAll,
     {.experts8 = kYes, .falcon = kNo}},
    {kAttnOutput, {"Q2_K"}, kQ3_K, Which::kAll, {.experts8 = kNo, .falcon = kNo}},
    {kAttnOutput, {"IQ3_XXS"}, kIQ3_S, Which::kAll, {.experts8 = kNo, .falcon = kNo}},
    {kAttnOutput, {"Q3_K_M", "IQ3_M"}, kQ4_K, Which::kAll, {.experts8 = kNo, .falcon = kNo}},
    {kAttnOutput, {"Q3_K_L"}, kQ5_K, Which::kAll, {.experts8 = kNo, .falcon = kNo}},

    // The feed-forward's last matrix.
    {kDown, {"IQ2_S", "IQ2_M"}, kIQ3_S, Which::kEighth},
    {kDown, {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, kQ2_K, Which::kEighth},
    {kDown, {"Q2_K"}, kQ3_K},
    {kDown, {"Q2_K_S"}, kQ4_K, Which::kEighth},
    {kDown, {"IQ3_XXS"}, kQ4_K, Which::kEighth, {.has_matrix = kNo}},
    {kDown, {"IQ3_XXS"}, kQ3_K, Which::kAll, {.has_matrix = kNo}},
    {kDown, {"Q3_K_M"}, kQ5_K, Which::kSixteenth},
    {kDown, {"Q3_K_M"}, kQ4_K, Which::kAll, {.falcon = kNo}},
    {kDown, {"Q3_K_M"}, kQ4_K, Which::kMoreBits},
    {kDown, {"IQ3_M"}, kQ4_K, Which::kEighth},
    {kDown, {"IQ3_M"}, kQ4_K, Which::kMoreBits, {.experts8 = kYes}},
    {kDown, {"Q3_K_L"}, kQ4_K, Which::kAll, {.falcon = kYes}},
    {kDown, {"Q3_K_L"}, kQ5_K},
    {kDown, {"Q4_K_M"}, kQ6_K, Which::kSixteenth, {.falcon = kYes}},
    {kDown, {"Q4_K_M"}, kQ5_K, Which::kMoreBits, {.falcon = kYes}},
    {kDown, {"Q4_K_M"}, kQ6_K, Which::kMoreBits, {.falcon = kNo}},
    {kDown, {"Q5_K_M"}, kQ6_K, Which::kMoreBits},
    {kDown, {"IQ4_NL", "IQ4_XS"}, kQ5_K, Which::kEighth, {.has_matrix = kNo}},
    {kDown, {"Q4_K_S"}, kQ5_K, Which::kEighth, {.falcon = kNo}},
    {kDown, {"Q4_0"}, kQ4_1, Which::kEighth, {.has_matrix = kYes}},
    {kDown, {"Q5_0"}, kQ5_1, Which::kEighth, {.has_matrix = kYes}},

    // Its first ones.
    {kUp, {"IQ3_XS"}, kIQ3_XXS, Which::kMiddle},
    {kGate, {"IQ3_XS"}, kIQ3_XXS, Which::kMiddle},
};

/// What to take where rows are not whole blocks.
constexpr struct {
  TensorType type, instead;
} kFallbacks[] = {
    {kIQ1_S, kIQ4_NL}, {kIQ1_M, kIQ4_NL}, {kIQ2_XXS, kIQ4_NL}, {kIQ2_XS, kIQ4_NL},
    {kIQ2_S, kIQ4_NL}, {kIQ3_S, kIQ4_NL}, {kIQ3_XXS, kIQ4_NL}, {kIQ4_XS, kIQ4_NL},
    {kQ2_K, kQ4_0},    {kQ3_K, kQ4_0},    {kTQ1_0, kQ4_0},     {kTQ2_0, kQ4_0},
    {kQ2_0, kQ4_0},    {kQ4_K, kQ5_0},    {kQ5_K, kQ5_1},      {kQ6_K, kQ8_0},
};

/// Where a name says what a tensor does. The first that is part of it counts.
constexpr struct {
  const char* piece;
  Part part;
} kParts[] = {
    {"attn_v.weight", kValue}, {"attn_qkv.weight", kValue}, {"attn_kv_b.weight", kValue},
    {"attn_k.weight", kKey},   {"attn_q.weight", kQuery},   {"attn_output.weight", kAttnOutput},
    {"ffn_up", kUp},           {"ffn_gate", kGate},         {"ffn_down", kDown},
};

Part part_of(const GgufTensor& tensor, const MixModel& model) {
  if (is_output(tensor, model)) return kOutput;
  if (is_embedding(tensor.name)) return kEmbedding;
  for (const auto& row : kParts) {
    if (tensor.name.find(row.piece) != std::string_view::npos) return row.part;
  }
  return kOther;
}

bool fits(Ask ask, bool fact) {
  return ask == Ask::kAny || (ask == Ask::kYes) == fact;
}

bool fits(Which which, int64_t i, int64_t n) {
  switch (which) {
    case Which::kAll: return true;
    case Which::kFirst2: return i < 2;
    case Which::kFirst4: return i < 4;
    case Which::kSixteenth: return i < n / 16;
    case Which::kEighth: return i < n / 8;
    case Which::kMiddle: return i >= n / 8 && i < 7 * n / 8;
    case Which::kMoreBits: return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
  }
  return false;
}

bool lists(const Rule& rule, const Mix& mix) {
  return rule.mixes.size() == 0 || std::any_of(rule.mixes.begin(), rule.mixes.end(),
                                               [&](const char* name) { return std::string_view(name) == mix.name; });
}

bool is_low(const Mix& mix) {
  return mix.base == kIQ1_S || mix.base == kIQ1_M || mix.base == kIQ2_XXS || mix.base == kIQ2_XS || mix.base == kIQ2_S;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return name.ends_with(end); });
}

bool holds_any(std::string_view name, std::initializer_list<std::string_view> pieces) {
  return std::any_of(pieces.begin(), pieces.end(),
                     [&](std::string_view piece) { return name.find(piece) != std::string_view::npos; });
}

int64_t first_number(const GgufFile& file, const std::string& key, int64_t when_absent) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) return when_absent;
  if (const Result<int64_t> one = value->as_int()) return *one;
  const Result<std::vector<int64_t>> list = value->as_int_array();
  return list && !list->empty() ? list->front() : when_absent;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

const Mix* find_mix(std::string_view name) {
  if (same_name(name, "MXFP4")) name = "MXFP4_MOE";
  for (const Mix& mix : kMixes) {
    if (same_name(name, mix.name)) return &mix;
  }
  return nullptr;
}

std::span<const char* const> mix_names() {
  constexpr size_t kCount = std::size(kMixes);
  static constexpr std::array<const char*, kCount + 1> kNames = [] {
    std::array<const char*, kCount + 1> names{};
    for (size_t i = 0; i < kCount; ++i) names[i] = kMixes[i].name;
    names[kCount] = "COPY";
    return names;
  }();
  return kNames;
}

MixModel describe_for_mix(const GgufFile& file, bool has_matrix) {
  MixModel model;
  const Result<std::string_view> name = file.get_string("general.architecture");
  const std::string architecture(name ? *name : std::string_view());
  model.is_falcon = architecture == "falcon";
  model.has_output = file.tensor("output.weight") != nullptr;
  model.has_matrix = has_matrix;
  model.n_layers = first_number(file, architecture + ".block_count", 0);
  model.n_experts = first_number(file, architecture + ".expert_count", 0);
  const int64_t n_heads = first_number(file, architecture + ".attention.head_count", 0);
  const int64_t n_kv_heads = first_number(file, architecture + ".attention.head_count_kv", n_heads);
  model.gqa = n_kv_heads > 0 ? n_heads / n_kv_heads : 0;
  model.is_large = model.n_layers == 80 && ((architecture == "llama" && model.gqa > 1) || architecture == "qwen2");
  for (const GgufTensor& tensor : file.tensors()) {
    if (!keeps_its_type(tensor) && part_of(tensor, model) == kValue) ++model.n_values;
  }
  return model;
}

TensorType MixChooser::choose(const GgufTensor& tensor) {
  const Part part = part_of(tensor, model_);
  if (mix_.base == kF32 || mix_.base == kF16 || mix_.base == kBF16) return mix_.base;
  if (mix_.base == kMXFP4 && part != kOutput) return tensor.n_dims > 2 ? kMXFP4 : kQ8_0;
  const int64_t seen = n_seen_[static_cast<int>(part)]++;
  // Experts of a layer may be several tensors: there the layer's number counts, but not in the smallest mixes.
  const bool by_layer = model_.n_experts > 1 && !is_low(mix_) && (part == kUp || part == kGate || part == kDown);
  const int64_t i = by_layer ? layer_of(tensor.name) : seen;
  const int64_t n = part == kValue ? model_.n_values : model_.n_layers;
  const bool whole = tensor.dims[0] % tensor_type_info(mix_.base)->block_size == 0;
  for (const Rule& rule : kRules) {
    if (rule.part != part || !lists(rule, mix_) || !fits(rule.which, i, n)) continue;
    const Facts& facts = rule.facts;
    if (fits(facts.gqa4, model_.gqa >= 4) && fits(facts.experts8, model_.n_experts == 8) &&
        fits(facts.experts4, model_.n_experts >= 4) && fits(facts.has_matrix, model_.has_matrix) &&
        fits(facts.falcon, model_.is_falcon) && fits(facts.large, model_.is_large) && fits(facts.whole_blocks, whole)) {
      return rule.type;
    }
  }
  return mix_.base;
}

bool keeps_its_type(const GgufTensor& tensor) {
  return tensor.n_dims < 2 || !tensor.name.ends_with("weight") ||
         ends_with_any(tensor.name, {"_norm.weight", "ffn_gate_inp.weight"}) ||
         holds_any(tensor.name, {"position_embd", "token_types", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv",
                                 "altup", "laurel", "time_mix_", "attn_rel_b"});
}

bool is_embedding(std::string_view name) {
  return name == "token_embd.weight" || name == "per_layer_token_embd.weight";
}

bool is_output(const GgufTensor& tensor, const MixModel& model) {
  return tensor.name == "output.weight" || (!model.has_output && is_embedding(tensor.name));
}

Result<TensorType> fit_to_rows(TensorType type, int64_t row) {
  const auto divides = [row](TensorType t) { return row % tensor_type_info(t)->block_size == 0; };
  if (divides(type)) return type;
  for (const auto& fallback : kFallbacks) {
    if (fallback.type == type) return divides(fallback.instead) ? fallback.instead : kF16;
  }
  if (tensor_type_info(type)->block_size == 32) return kF16;
  return Error{ErrorCode::kUnsupported, concat("rows of ", row, " elements are not whole blocks of ",
                                               tensor_type_info(type)->name, ", and no other type stands in for it")};
}

bool needs_importance(const Mix& mix, TensorType type) {
  switch (type) {
    case kIQ1_S:
    case kIQ1_M:
    case kIQ2_XXS:
    case kIQ2_XS:
    case kIQ2_S:
    case kIQ3_XXS: return true;
    case kQ2_K: return std::string_view(mix.name) == "Q2_K_S";
    default: return false;
  }
}

int64_t layer_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  int64_t layer = 0;
  size_t i = 4;
  for (; i < name.size() && name[i] >= '0' && name[i] <= '9' && layer < 1000000; ++i)
    layer = layer * 10 + (name[i] - '0');
  return i > 4 && i < name.size() && name[i] == '.' ? layer : -1;
}

bool comes_before(std::string_view a, std::string_view b) {
  const int64_t layer_a = layer_of(a), layer_b = layer_of(b);
  return layer_a != layer_b ? layer_a < layer_b : a < b;
}

}  // namespace hearth
