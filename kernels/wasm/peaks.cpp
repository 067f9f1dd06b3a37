// The peak of products of words added in pairs (i32x4.dot_i16x8_s, eight multiply-adds each).
#include "kernels/wasm/overlay.h"
#include "kernels/wasm/peak_loop.h"

namespace hearth::kernels::wasm {
namespace {

int64_t int8_peak(int64_t rounds) {
  return measure_products(rounds, 8, vdupq_n_s16(3), vdupq_n_s16(5),
                          [](int32x4_t sums, int16x8_t a, int16x8_t b) { return vaddq_s32(sums, dot_words(a, b)); });
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
}

}  // namespace hearth::kernels::wasm
