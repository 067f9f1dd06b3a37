// What this processor can run: instruction sets by CPUID, and only those whose registers the operating system saves.
#pragma once

namespace hearth::kernels {

/// Features that the kernel folders are compiled for. A flag is set only when it may really be used.
struct CpuFeatures {
  bool avx2 = false;         ///< AVX2, FMA, F16C, BMI1, BMI2; YMM saved
  bool avx_vnni = false;     ///< 256-bit int8 dot products (VEX encoded); needs avx2
  bool avx512 = false;       ///< AVX-512 F, BW, DQ, VL, VNNI; ZMM and mask registers saved; needs avx2
  bool avx512_bf16 = false;  ///< bf16 dot products; needs avx512
  bool avx512_fp16 = false;  ///< half-precision arithmetic; needs avx512
  bool avx512_vbmi = false;  ///< byte permutes across the register; needs avx512
};

/// Read once, at the first call.
const CpuFeatures& cpu_features();

}  // namespace hearth::kernels
