// What happens to a page of cached keys as a whole, against its positions one by one.
#include "tests/support/kernel_test.h"

namespace hearth::test {
namespace {

using kernels::KernelTable;
using kernels::KvType;

class KvPages : public EveryIsa {};

TEST_P(KvPages, AllKeysTurnedAtOnceAreEachTurnedByItself) {
  std::mt19937 random = rng(3);
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16}) {
    for (const bool halves : {false, true}) {
      for (const auto& [dim, n_rot] : {std::pair(2, 2), std::pair(9, 6), std::pair(64, 64), std::pair(80, 20)}) {
        const auto bytes = static_cast<size_t>(kernels::kv_page_bytes(type, dim));
        Guarded<unsigned char> page(bytes, 0), expected(bytes, 0);
        std::vector<float> k(static_cast<size_t>(dim)), cs(static_cast<size_t>(n_rot));
        for (int i = 0; i < n_rot / 2; ++i) {
          const float angle = 0.1f + static_cast<float>(i);
          cs[static_cast<size_t>(2 * i)] = std::cos(angle), cs[static_cast<size_t>(2 * i + 1)] = std::sin(angle);
        }
        const auto& one = reference().kv_types[static_cast<int>(type)];
        const auto rotate = halves ? reference().rope_halves : reference().rope_pairs;
        for (int slot = 0; slot < kernels::kPageTokens; ++slot) {
          fill_normal(k, random);
          one.store_key(page.data(), slot, k.data(), dim);
          one.load_key(k.data(), page.data(), slot, dim);
          rotate(k.data(), cs.data(), n_rot);
          one.store_key(expected.data(), slot, k.data(), dim);
        }
        for (const KernelTable* table : {&reference(), &isa()}) {
          Guarded<unsigned char> turned(bytes, 0);
          std::memcpy(turned.data(), page.data(), bytes);
          table->kv_types[static_cast<int>(type)].turn_keys(turned.data(), cs.data(), n_rot, halves);
          EXPECT_TRUE(turned.intact());
          EXPECT_EQ(std::memcmp(turned.data(), expected.data(), bytes), 0)
              << kernels::kv_type_info(type).name << " " << dim << " by " << table->isa;
        }
      }
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(KvPages);

}  // namespace
}  // namespace hearth::test
