// Decoders made of unpack_<type> and an instruction set's put_block: right for every type on every set, beside the
// decoders that the set has of its own.
#include "kernels/reference/generic_decode.h"

#include "kernels/reference/quants.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/kernel_test.h"

namespace hearth::test {
namespace {

using kernels::MatmulKernels;
using kernels::PanelKind;

constexpr int64_t kCols = int64_t{kernels::kPanelBlocks} * 32;
constexpr int kRows = 27, kGroup = 5;

kernels::reference::PutBlock g_put_block;  // of the set under test

template <kernels::reference::Unpack unpack, int size, int bytes, PanelKind kind>
void decode_generic(void* panel, const kernels::WeightTile& tile, int64_t n) {
  kernels::reference::decode_unpacked(panel, tile, n, kind, unpack, size, bytes, g_put_block);
}

/// The table of a set that has decoders for two types alone.
MatmulKernels with_two_decoders(const MatmulKernels& whole) {
  MatmulKernels m = whole;
#define HEARTH_FLOAT_TYPE(Name, size, bytes)
#define HEARTH_STORE_TYPE(Name, size, bytes)
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind)          \
  m.decode[static_cast<int>(kernels::TypeIndex::k##Name)] = \
      decode_generic<kernels::reference::unpack_##Name, size, bytes, PanelKind::kind>;
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_STORE_TYPE
#undef HEARTH_QUANT_TYPE
  for (const kernels::TypeIndex type : {kernels::TypeIndex::kQ4_K, kernels::TypeIndex::kQ8_0}) {
    m.decode[static_cast<int>(type)] = whole.decode[static_cast<int>(type)];
  }
  return m;
}

class GenericDecoderOf : public EveryIsa {
 protected:
  /// acc [kGroup, 32] of a tile times x, in one panel.
  static std::vector<float> product(const MatmulKernels& m, const kernels::TypeKernels& traits, int type,
                                    const std::vector<uint8_t>& tile, const std::vector<float>& x) {
    Guarded<unsigned char> panel(static_cast<size_t>(kernels::kPanelBytes), 0);
    Guarded<unsigned char> memory(static_cast<size_t>(kernels::act_group_bytes(kCols, kGroup)), 0);
    Guarded<float> acc(static_cast<size_t>(kGroup * kernels::kPanelRows), 0);
    const kernels::ActGroup group = kernels::act_group_at(memory.data(), kCols, kGroup);
    for (int c = 0; c < kGroup; ++c) m.pack_acts(group, c, x.data() + c * kCols, kCols);
    m.decode[type](panel.data(), {tile.data(), kCols / traits.block_size * traits.block_bytes, kRows}, kCols);
    m.multiply[static_cast<int>(traits.kind)](acc.data(), panel.data(), group, kCols / 32, true);
    EXPECT_TRUE(panel.intact() && memory.intact() && acc.intact());
    return {acc.data(), acc.data() + acc.size()};
  }
};

TEST_P(GenericDecoderOf, ASetWithTwoDecodersMultipliesEveryType) {
  std::mt19937 random = rng(31);
  g_put_block = isa().matmul.put_block;
  const MatmulKernels two = with_two_decoders(isa().matmul);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    if (traits.kind == PanelKind::kFloat) continue;
    const auto tile = testing::random_blocks(traits, kRows * kCols, random);
    std::vector<float> weights(static_cast<size_t>(kRows * kCols));
    traits.dequantize(weights.data(), tile.data(), kRows * kCols);
    const auto x = testing::random_floats(kGroup * kCols, random);
    const auto actual = product(two, traits, type, tile, x);
    const auto expected = product(reference().matmul, traits, type, tile, x);
    for (int c = 0; c < kGroup; ++c) {
      for (int r = 0; r < kRows; ++r) {
        double magnitude = 0;
        for (int64_t k = 0; k < kCols; ++k) {
          magnitude +=
              std::fabs(double{weights[static_cast<size_t>(r * kCols + k)]} * x[static_cast<size_t>(c * kCols + k)]);
        }
        const auto at = static_cast<size_t>(c * kernels::kPanelRows + r);
        ASSERT_NEAR(actual[at], expected[at], 2e-5 * magnitude)
            << testing::kTypeNames[type] << ", row " << r << ", column " << c;
      }
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(GenericDecoderOf);

}  // namespace
}  // namespace hearth::test
