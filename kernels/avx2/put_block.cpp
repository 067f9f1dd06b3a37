// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/avx2/matmul.h"
#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  constexpr Codes kCodes = Codes::kSigned;
  store_header(panel, kCodes);
  char* codes =
      static_cast<char*>(panel) + row / 16 * half_stride(kCodes) + block * block_stride(kCodes) + row % 16 * 4;
  for (int step = 0; step < 8; ++step) __builtin_memcpy(codes + step * kRowsBytes, values.code + 4 * step, 4);
  char* planes = codes + code_bytes(kCodes);
  for (int half = 0; half < 2; ++half) {
    __builtin_memcpy(planes + (kScalePlane + half) * kRowsBytes, values.scale + half, 4);
    __builtin_memcpy(planes + (kMinPlane + half) * kRowsBytes, values.min + half, 4);
  }
}

}  // namespace hearth::kernels::avx2
