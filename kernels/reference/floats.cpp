// Tensor types whose elements are floats: F32, F16 (IEEE 754 binary16) and BF16 (upper half of a binary32).
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// Element i of an array that may lie at any address.
template <typename T>
T load_at(const void* base, int64_t i) {
  T value;
  __builtin_memcpy(&value, static_cast<const char*>(base) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void store_at(void* base, int64_t i, T value) {
  __builtin_memcpy(static_cast<char*>(base) + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

}  // namespace

void dequantize_F32(float* out, const void* blocks, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = load_at<float>(blocks, i);
}

void quantize_F32(void* blocks, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_at(blocks, i, x[i]);
}

void dequantize_F16(float* out, const void* blocks, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = half_to_float(load_at<uint16_t>(blocks, i));
}

void quantize_F16(void* blocks, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_at(blocks, i, float_to_half(x[i]));
}

void dequantize_BF16(float* out, const void* blocks, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = bf16_to_float(load_at<uint16_t>(blocks, i));
}

void quantize_BF16(void* blocks, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_at(blocks, i, float_to_bf16(x[i]));
}

}  // namespace hearth::kernels::reference
