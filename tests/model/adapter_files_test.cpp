// Files that are no adapters of the model: each is refused with a message that names what is wrong.
#include <gtest/gtest.h>

#include <cmath>

#include "hearth/adapter.h"
#include "support/adapter_file.h"
#include "support/family_model.h"

namespace hearth {
namespace {

using testing::AdapterFile;
using testing::FamilyModel;

/// The message with which a changed file is refused.
template <typename Change>
std::string refusal(const Change& change, bool directions = false) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file = directions ? AdapterFile::directions(FamilyModel::kWidth, {1, 3}) : AdapterFile(family.tiny, 4);
  change(file.tiny);
  const auto model_bytes = family.gguf(), bytes = file.gguf();
  const auto model = Model::from_memory(model_bytes);
  const auto adapter = Adapter::from_memory(bytes, *model);
  return adapter ? "" : adapter.error().message;
}

TEST(AdapterFiles, RefusedOnesNameWhatIsWrong) {
  using Tiny = testing::TinyModel;
  const std::string q = "blk.1.attn_q.weight";
  const auto contains = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << message << "' should name '" << part << "'";
  };
  contains(refusal([](Tiny& t) { t.texts["general.type"] = "model"; }), "general.type");
  contains(refusal([](Tiny& t) { t.texts["adapter.type"] = "ia3"; }), "adapter.type");
  contains(refusal([](Tiny& t) { t.architecture = "qwen2"; }), "general.architecture");
  contains(refusal([](Tiny& t) { t.floats["adapter.lora.alpha"] = INFINITY; }), "adapter.lora.alpha");
  contains(refusal([](Tiny& t) { t.int_arrays["adapter.alora.invocation_tokens"] = {5, 300}; }), "300");
  contains(refusal([&](Tiny& t) { t.tensors.erase(q + ".lora_b"); }), q + ".lora_a");
  contains(refusal([&](Tiny& t) { t.tensors.erase(q + ".lora_a"); }), q + ".lora_b");
  contains(refusal([&](Tiny& t) { t.add(q + ".lora_a", {40, 4}); }), q + ".lora_a");
  contains(refusal([&](Tiny& t) { t.add(q + ".lora_a", {48, 5}); }), q + ".lora_b");
  contains(refusal([&](Tiny& t) { t.add(q + ".lora_b", {4, 40}); }), q + ".lora_b");
  contains(refusal([&](Tiny& t) { t.add(q + ".lora_a", {48, 4, 2}); }), q + ".lora_a");
  contains(refusal([&](Tiny& t) { t.add(q + ".lora_m", {4}); }), q + ".lora_m");
  contains(refusal([](Tiny& t) {
             t.add("blk.9.attn_q.weight.lora_a", {48, 4}), t.add("blk.9.attn_q.weight.lora_b", {4, 48});
           }),
           "blk.9.attn_q.weight");
  contains(refusal([](Tiny& t) {
             t.add("blk.1.attn_norm.weight.lora_a", {48, 4}), t.add("blk.1.attn_norm.weight.lora_b", {4, 48});
           }),
           "blk.1.attn_norm.weight");
  contains(refusal([](Tiny& t) { t.add("token_embd.weight.lora_a", {48, 4}); }), "token_embd.weight.lora_a");
  contains(refusal([](Tiny& t) { t.tensors.clear(); }), "no tensor");
  contains(refusal([](Tiny& t) { t.add("direction.4", {48}); }, true), "direction.4");
  contains(refusal([](Tiny& t) { t.add("direction.0", {48}); }, true), "direction.0");
  contains(refusal([](Tiny& t) { t.add("direction.2", {40}); }, true), "direction.2");
  contains(refusal([](Tiny& t) { t.add("direction.2x", {48}); }, true), "direction.2x");
  contains(refusal([](Tiny& t) { t.tensors.clear(); }, true), "no direction");
}

/// Every prefix of a file, and every single byte of its head set to an extreme, loads or is refused.
TEST(AdapterFiles, DamagedOnesNeverCrash) {
  FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file(family.tiny, 2);
  std::erase_if(file.tiny.tensors, [](const auto& entry) { return !entry.first.starts_with("blk.1.attn_q"); });
  const auto model_bytes = family.gguf(), bytes = file.gguf();
  const auto model = Model::from_memory(model_bytes);
  ASSERT_TRUE(model);
  ASSERT_TRUE(Adapter::from_memory(bytes, *model));
  for (size_t n = 0; n < bytes.size(); n += 97) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(Adapter::from_memory(cut, *model)) << n;
  }
  std::vector<std::byte> changed = bytes;
  for (size_t at = 0; at < std::min<size_t>(bytes.size(), 400); ++at) {
    for (const int value : {0x00, 0x7F, 0xFF}) {
      changed[at] = static_cast<std::byte>(value);
      (void)Adapter::from_memory(changed, *model);
    }
    changed[at] = bytes[at];
  }
}

}  // namespace
}  // namespace hearth
