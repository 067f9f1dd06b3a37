// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  static_assert(kCodeOffset == 0x80);
  store_header(panel, false);
  char* codes = codes_at(panel, block, row / 16) + row % 16 * 4;
  for (int step = 0; step < 8; ++step) {
    for (int i = 0; i < 4; ++i) codes[step * 128 + i] = static_cast<char>(values.code[4 * step + i] ^ 0x80);
  }
  for (int half = 0; half < 2; ++half) {
    char* planes = codes + kCodeBytes + half * kHalfBytes;
    const float scaled_magic = values.scale[half] * kMagic;
    __builtin_memcpy(planes, values.scale + half, 4);
    __builtin_memcpy(planes + kPlaneBytes, &scaled_magic, 4);
    __builtin_memcpy(planes + 2 * kPlaneBytes, values.min + half, 4);
  }
}

}  // namespace hearth::kernels::avx512
