// Fuzz entry of whole models: a recipe picks a family and changes keys of its file; then every tensor gets the shape
// that the library asks for. What opens must plan, compute a few tokens and embed; sizes are no one's to exceed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/family_model.h"

namespace {

using hearth::testing::FamilyModel;
using hearth::testing::FamilyOptions;

constexpr int64_t kMostElements = 1 << 20;  // of a file
constexpr int64_t kMostWritten = 1 << 23;   // elements, over all files of an input

/// Takes values off the front of the input; zeros when it is used up.
class Recipe {
 public:
  Recipe(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  uint8_t byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  bool more() const { return left_ > 0; }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr const char* kIntegers[] = {"block_count",
                                     "embedding_length",
                                     "feed_forward_length",
                                     "context_length",
                                     "attention.head_count",
                                     "attention.head_count_kv",
                                     "attention.key_length",
                                     "attention.value_length",
                                     "attention.key_length_mla",
                                     "attention.value_length_mla",
                                     "attention.q_lora_rank",
                                     "attention.kv_lora_rank",
                                     "attention.sliding_window",
                                     "attention.sliding_window_pattern",
                                     "attention.shared_kv_layers",
                                     "rope.dimension_count",
                                     "rope.dimension_count_swa",
                                     "expert_count",
                                     "expert_used_count",
                                     "expert_feed_forward_length",
                                     "expert_shared_count",
                                     "expert_shared_feed_forward_length",
                                     "expert_group_count",
                                     "expert_group_used_count",
                                     "leading_dense_block_count",
                                     "moe_every_n_layers",
                                     "nextn_predict_layers",
                                     "full_attention_interval",
                                     "ssm.conv_kernel",
                                     "ssm.group_count",
                                     "ssm.time_step_rank",
                                     "ssm.state_size",
                                     "ssm.inner_size",
                                     "embedding_length_per_layer_input",
                                     "pooling_type"};

void change_keys(Recipe& in, FamilyModel& family) {
  constexpr size_t kCount = sizeof(kIntegers) / sizeof(kIntegers[0]);
  while (in.more()) {
    const std::string key = family.own_key(kIntegers[in.byte() % kCount]);
    const uint8_t how = in.byte(), value = in.byte();
    const auto found = family.tiny.ints.find(key);
    const uint32_t old = found == family.tiny.ints.end() ? 1 : found->second;
    switch (how % 8) {
      case 0: family.tiny.ints.erase(key); break;
      case 1: family.tiny.ints[key] = old * 2; break;
      case 2: family.tiny.ints[key] = old / 2; break;
      case 3: family.tiny.ints[key] = old + 1; break;
      case 4: family.tiny.ints[key] = value * 16u; break;
      case 5: family.tiny.booleans[family.own_key("attention.causal")] = (value & 1) != 0; break;
      case 6: family.tiny.add("dense_2.weight", {FamilyModel::kWidth, 1 + value * 16}); break;
      default: family.tiny.ints[key] = value; break;
    }
  }
}

/// The numbers of the last "[a, b]" of a message.
std::vector<int64_t> wanted_shape(const std::string& message) {
  std::vector<int64_t> dims;
  const size_t open = message.rfind('[');
  if (open == std::string::npos) return dims;
  const char* at = message.c_str() + open + 1;
  for (char* end = nullptr; dims.size() < 4; at = end + 2) {
    dims.push_back(std::strtoll(at, &end, 10));
    if (end == at || *end != ',') break;
  }
  return dims;
}

int64_t elements_of(const FamilyModel& family) {
  int64_t total = 0;
  for (const auto& [key, tensor] : family.tiny.tensors) total += static_cast<int64_t>(tensor.values.size());
  return total;
}

/// Changes the tensor that a message names as it asks; false when it is about something else.
bool refit(FamilyModel& family, const std::string& message) {
  constexpr std::string_view kNone = "there is no tensor ";
  if (const size_t at = message.find(kNone); at != std::string::npos) {
    family.tiny.add(message.substr(at + kNone.size()), {1, 1});
    return true;
  }
  const bool missing = message.starts_with("missing tensor ");
  if (!missing && !message.starts_with("tensor ")) return false;
  const size_t begin = missing ? 15 : 7;
  const std::string name = message.substr(begin, message.find_first_of(" ,", begin) - begin);
  if (message.ends_with("is not used by this architecture")) return family.tiny.tensors.erase(name) == 1;
  const std::vector<int64_t> dims = wanted_shape(message);
  int64_t elements = dims.empty() ? 0 : 1;
  for (const int64_t dim : dims) elements = dim < 1 || elements > kMostElements ? 0 : elements * dim;
  if (elements < 1 || elements > kMostElements) return false;
  family.tiny.add(name, dims);
  return elements_of(family) <= kMostElements;
}

void compute(const hearth::Model& model) {
  const hearth::SessionOptions options{.n_ctx = 64, .n_seqs = 2, .n_batch = 32, .n_logits = 32, .n_threads = 2};
  (void)model.plan(options);
  auto session = hearth::Session::create(model, options);
  if (session && model.info().n_vocab > 0) {
    std::vector<hearth::BatchToken> batch;
    for (int32_t i = 0; i < 24; ++i) batch.push_back({i % model.info().n_vocab, i / 2, i % 2, i >= 20});
    (void)session->decode(batch);
    const hearth::BatchToken next{0, 12, 0, true};
    (void)session->decode({&next, 1});
  }
  auto embedder = hearth::Embedder::create(model, {.batch_tokens = 32, .n_threads = 1});
  const std::vector<std::vector<hearth::Token>> texts = {{0, 1, 2}, {1}};
  if (embedder) (void)embedder->embed_tokens(texts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Recipe in(data, size < 64 ? size : 64);
  const std::vector<std::string> names = hearth::architecture_names();
  const hearth::Architecture& arch = *hearth::find_architecture(names[in.byte() % names.size()]);
  const uint8_t shape = in.byte();
  FamilyModel family(arch, FamilyOptions{.experts = (shape & 1) != 0, .output = (shape & 2) != 0});
  change_keys(in, family);
  // Tensors change one by one, until the library is content.
  for (int64_t written = 0; written < kMostWritten; written += 1 + elements_of(family)) {
    const auto bytes = family.gguf();
    const auto model = hearth::Model::from_memory(bytes);
    if (model) {
      compute(*model);
      return 0;
    }
    if (!refit(family, model.error().message)) return 0;
  }
  return 0;
}
