// Families of Hugging Face models as data: what their configuration and tensors are called, and what GGUF calls them.
// What else a converter must know (how pairs rotate, which norms there are) stands in the architecture's row
// (lib/arch).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/arch/architecture.h"
#include "lib/json/document.h"

namespace hearth {

/// A tensor's name without its prefix and its ending (.weight, .bias); '%' stands for the number of a layer, '@' for
/// that of an expert, which goes into one tensor with the others.
struct NameRule {
  std::string_view from;
  std::string_view to;
};

struct Family {
  std::string_view model_type;      ///< in config.json
  std::string_view architecture;    ///< general.architecture
  std::span<const NameRule> names;  ///< tried before the common ones
  bool norms_plus_one = false;      ///< norms multiply by 1 + weight there, by weight in GGUF
  bool tied_by_default = false;     ///< output matrix, where config.json does not say
  int64_t first_position = 0;       ///< rows of the table of positions before that of position 0
  bool predicts = false;            ///< layers behind the last predict further tokens (nextn)
};

/// nullptr when unknown.
const Family* find_family(std::string_view model_type);
/// The first of an architecture: others name and order their matrices alike. nullptr when there is none.
const Family* find_family_of(std::string_view architecture);

/// Where a tensor goes.
struct NewName {
  std::string name;  ///< "blk.3.attn_q.weight"
  int64_t layer = -1;
  int64_t expert = -1;
};
/// nullopt for a name of no rule; an empty name for what GGUF has no place for (tables that can be computed).
std::optional<NewName> rename_tensor(const Family& family, std::string_view name);
/// Parts of models with pictures or sound, which are left out.
bool is_of_another_modality(std::string_view name);

/// Sizes that conversion itself needs.
struct ConfigSizes {
  int64_t n_layers = 0, d_model = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0, n_vocab = 0, n_ctx = 0;
  int64_t n_extra_layers = 0;  ///< that predict further tokens, besides n_layers
  bool tied = false;
};
/// kFormat names a key that is missing or out of range.
Result<ConfigSizes> read_sizes(const Family& family, json::Value config);

/// A number of a configuration: nullopt where it is missing or null.
std::optional<double> config_number(json::Value config, std::initializer_list<std::string_view> names);

/// Rotary scaling: keys, and factors that GGUF keeps as tensors.
struct RopeScalingKeys {
  std::string type;                                                  ///< "linear", "yarn"; empty: no keys
  double factor = 0, attn_factor = 0, beta_fast = 0, beta_slow = 0;  ///< 0: no key
  int64_t n_ctx_original = 0;
  std::vector<float> factors, long_factors, short_factors;  ///< rope_freqs, rope_factors_long, rope_factors_short
};
Result<RopeScalingKeys> read_rope_scaling(json::Value config, const ConfigSizes& sizes);
double read_rope_base(json::Value config);
/// Elements of a head that rotate.
int64_t rotated_dims(json::Value config, const ConfigSizes& sizes);

/// Writes the architecture's keys.
Status add_config(GgufWriter& out, const Family& family, const Architecture& arch, json::Value config,
                  const ConfigSizes& sizes, const RopeScalingKeys& rope);

}  // namespace hearth
