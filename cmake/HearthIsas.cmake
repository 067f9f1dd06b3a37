# The instruction sets that hearth has kernels for: one row each, slowest first; a row comes after its base. From here CMake
# compiles the folder kernels/<name>, and kernels/dispatch.cpp learns of it through the generated isas.inc.
#
# hearth_isa_row(name
#   BASE set               whose kernels serve where this folder has none ("scalar": those of kernels/reference)
#   NEEDS features         names from the table in kernels/cpu_features.cpp; the set runs where all of them are there
#   PROCESSORS regex       of CMAKE_SYSTEM_PROCESSOR; without it the folder is compiled everywhere
#   FLAGS flags            with which the folder is compiled, besides those of the library
#   VECTORS folder         whose simd.h kernels/simd/ is compiled with in this folder (default: its own)
#   WITH files             of other folders that are compiled with it as they are
#   APART                  not in the library: programs link the objects of hearth_<name>, or do without this set
#   EMULATED_NEEDS features, EMULATED_FLAGS flags   instead of the above when HEARTH_EMULATE_ISAS is on)
# Nothing else in the build or in kernels/ names the sets.
set(x86 "x86_64|AMD64|amd64")
set(arm64 "aarch64|arm64|ARM64")
set(avx2_needs AVX2 FMA F16C BMI1 BMI2)
set(avx2_flags -mavx2 -mfma -mf16c -mbmi -mbmi2)

# What compilers make of short vectors on any target: SSE2, NEON, SIMD128.
hearth_isa_row(portable BASE scalar FLAGS -O3 -Wno-psabi)

hearth_isa_row(avx2 BASE scalar PROCESSORS ${x86} NEEDS ${avx2_needs} FLAGS ${avx2_flags})

hearth_isa_row(avx_vnni BASE avx2 PROCESSORS ${x86} VECTORS avx2
  NEEDS ${avx2_needs} AVX-VNNI FLAGS ${avx2_flags} -mavxvnni
  EMULATED_NEEDS ${avx2_needs} EMULATED_FLAGS ${avx2_flags})

set(avx512_needs ${avx2_needs} AVX512F AVX512BW AVX512DQ AVX512VL AVX512-VNNI)
# GCC 12's own intrinsics start from undefined registers, and it warns of that (GCC bug 105593).
set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni ${avx2_flags}
  -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# AVX-512 and tiles as portable code, through SIMDe.
set(emulated_flags -I${PROJECT_SOURCE_DIR}/tests/emulation -DSIMDE_NO_NATIVE -O1 -w -fpermissive -Wno-psabi ${avx2_flags})

hearth_isa_row(avx512 BASE scalar PROCESSORS ${x86} NEEDS ${avx512_needs} FLAGS ${avx512_flags}
  EMULATED_NEEDS ${avx2_needs} EMULATED_FLAGS ${emulated_flags})

# GCC's intrinsics of tiles take their strides for longs, which are of 32 bits on Windows: it cannot assemble them there.
if(NOT WIN32)
  hearth_isa_row(amx BASE avx512 PROCESSORS ${x86} VECTORS avx512
    NEEDS ${avx512_needs} AVX512-BF16 AMX-TILE AMX-BF16 FLAGS -mavx512bf16 -mamx-tile -mamx-bf16 ${avx512_flags}
    EMULATED_NEEDS ${avx2_needs} EMULATED_FLAGS ${emulated_flags})
endif()

# 64-bit ARM: every processor has Advanced SIMD (NEON); dot products of four bytes came with Armv8.2, products of 2x8 by 8x2
# bytes with Armv8.6.
hearth_isa_row(neon BASE scalar PROCESSORS ${arm64} FLAGS -O3)
hearth_isa_row(neon_dotprod BASE neon PROCESSORS ${arm64} VECTORS neon NEEDS DOTPROD FLAGS -O3 -march=armv8.2-a+dotprod)
hearth_isa_row(neon_i8mm BASE neon_dotprod PROCESSORS ${arm64} VECTORS neon NEEDS DOTPROD I8MM
  FLAGS -O3 -march=armv8.2-a+dotprod+i8mm)

# WebAssembly has registers of 128 bits and most instructions of NEON, whose files are compiled for it.
hearth_isa_row(wasm BASE portable PROCESSORS wasm32 VECTORS neon FLAGS -O3 -msimd128
  WITH neon/attention.cpp neon/attention_run.cpp neon/floats.cpp neon/pack_acts.cpp neon/vector_ops.cpp)
# Dot products of bytes came with relaxed SIMD. Engines refuse whole modules, so that one is made with this set and one without.
hearth_isa_row(wasm_relaxed BASE wasm PROCESSORS wasm32 VECTORS neon NEEDS RELAXED-SIMD APART FLAGS -O3 -msimd128 -mrelaxed-simd)
