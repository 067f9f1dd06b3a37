// The kernels of this instruction set in the kernel table, and the peak of its dot products (16 multiply-adds each).
#include "kernels/wasm/peak_loop.h"
#include "kernels/wasm_relaxed/overlay.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels {

/// The mark of a program that holds relaxed SIMD (cpu_features.cpp).
extern const bool kHoldsRelaxedSimd = true;

namespace wasm_relaxed {
namespace {

int64_t int8_peak(int64_t rounds) {
  return wasm::measure_products(rounds, 16, vdupq_n_s8(3), vdupq_n_s8(5), add_products);
}

}  // namespace
}  // namespace wasm_relaxed

void overlay_wasm_relaxed(KernelTable& table) {
  wasm_relaxed::overlay_matmul(table);
  table.int8_peak = wasm_relaxed::int8_peak;
}

}  // namespace hearth::kernels
