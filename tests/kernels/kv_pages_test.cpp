// What happens to a page of cached keys as a whole, against its positions one by one.
#include "kernels/kv_blocks.h"
#include "lib/cache/copy_position.h"
#include "tests/support/kernel_test.h"

namespace hearth::test {
namespace {

using kernels::KernelTable;
using kernels::KvType;

class KvPages : public EveryIsa {};

/// A page of random keys, and what it becomes when those in `slots` are read, turned and written one by one.
struct TurnedPage {
  const KernelTable& table = *kernels::isa_table(0);
  Guarded<unsigned char> page, expected;

  TurnedPage(KvType type, int64_t dim, const kernels::KeyTurn& turn, uint64_t slots, std::mt19937& random)
      : page(static_cast<size_t>(kernels::kv_page_bytes(type, dim)), 0), expected(page.size(), 0) {
    const auto& one = table.kv_types[static_cast<int>(type)];
    const int64_t rotation = kernels::kv_rotation(type, dim);
    const auto rotate = [&](std::vector<float>& k) {
      if (rotation > 1) table.hadamard(k.data(), dim, rotation);
    };
    std::vector<float> k(static_cast<size_t>(dim));
    for (int slot = 0; slot < kernels::kPageTokens; ++slot) {
      fill_normal(k, random);
      if (slot % 16 == 3) std::fill(k.begin(), k.end(), 0.0f);
      if (slot % 16 == 5) k[0] = 1e3f;
      one.store_key(page.data(), slot, k.data(), dim);
      one.load_key(k.data(), page.data(), slot, dim);
      if ((slots >> slot & 1u) != 0) {
        rotate(k);
        (turn.halves ? table.rope_halves : table.rope_pairs)(k.data(), turn.cos_sin, turn.n_rot);
        rotate(k);
      }
      one.store_key(expected.data(), slot, k.data(), dim);
      if ((slots >> slot & 1u) == 0) copy_key(type, expected.data(), slot, page.data(), slot, dim);
    }
  }
};

TEST_P(KvPages, KeysTurnedTogetherAreEachTurnedByItself) {
  std::mt19937 random = rng(3);
  for (int type = 0; type < kernels::kKvTypeCount; ++type) {
    for (const bool halves : {false, true}) {
      for (const auto& [dim, n_rot] : {std::pair(2, 2), std::pair(9, 6), std::pair(64, 64), std::pair(80, 20),
                                       std::pair(40, 40), std::pair(576, 64)}) {
        for (const uint64_t slots : {~uint64_t{0}, uint64_t{0xfffffffffffffff0}, uint64_t{1} << 37}) {
          std::vector<float> cs(static_cast<size_t>(n_rot));
          for (int i = 0; i < n_rot / 2; ++i) {
            const float angle = 0.1f + static_cast<float>(i);
            cs[static_cast<size_t>(2 * i)] = std::cos(angle), cs[static_cast<size_t>(2 * i + 1)] = std::sin(angle);
          }
          const kernels::KeyTurn turn{cs.data(), n_rot, halves};
          TurnedPage made(static_cast<KvType>(type), dim, turn, slots, random);
          for (const KernelTable* table : {&reference(), &isa()}) {
            Guarded<unsigned char> turned(made.page.size(), 0);
            Guarded<float> work(static_cast<size_t>(kernels::turn_keys_floats(dim)), 0);
            std::memcpy(turned.data(), made.page.data(), made.page.size());
            table->kv_types[type].turn_keys(turned.data(), slots, dim, turn, work.data());
            EXPECT_TRUE(turned.intact() && work.intact());
            EXPECT_EQ(std::memcmp(turned.data(), made.expected.data(), made.page.size()), 0)
                << kernels::kKvTypeInfos[type].name << " " << dim << " " << slots << " by " << table->isa;
          }
        }
      }
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(KvPages);

}  // namespace
}  // namespace hearth::test
