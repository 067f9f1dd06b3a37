// The table of kernels: every inner loop of hearth as a function pointer, filled from reference/ and overlaid
// by those of the chosen instruction set. Kernels are pure functions: single-threaded, no allocation, no
// errors; callers guarantee sizes. All floats are f32, all row pointers are contiguous rows.
#pragma once

#include <cstdint>

#include "kernels/gate.h"
#include "kernels/kv_types.h"
#include "kernels/matmul_kernels.h"

namespace hearth::kernels {

/// Index of a computable tensor type in KernelTable::types: the order of quant_types.inc.
enum class TypeIndex : int {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) k##Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) k##Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  kCount
};
inline constexpr int kTypeCount = static_cast<int>(TypeIndex::kCount);

/// What each tensor type can do.
struct TypeKernels {
  /// out[0..n) = the floats that the blocks stand for, bit-exactly as the format defines. n % block_size == 0.
  void (*dequantize)(float* out, const void* blocks, int64_t n);
  /// Splits n elements into codes, scales and minimums; nullptr for float types. n % block_size == 0.
  void (*unpack)(const Unpacked& out, const void* blocks, int64_t n);
  PanelKind kind;
  int block_size;
  int block_bytes;
};

/// One page of keys and values of one KV head, laid out as kv_types.h says: keys transposed, so that a SIMD lane is a
/// token.
struct KvPage {
  void* k = nullptr;
  void* v = nullptr;
  const void* next = nullptr;  ///< keys that will be read after this page: prefetched, if not nullptr
};

struct AttentionShape {
  int k_dim;  ///< of queries and keys
  int v_dim;  ///< of values
  KvType k_type, v_type;
  float soft_cap;  ///< 0: off; else s = cap * tanh(s / cap)
};

/// Running softmax of nq queries (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax").
struct AttentionState {
  float* max;  ///< [nq] largest score so far; starts at -inf
  float* sum;  ///< [nq] sum of exp(score - max); starts at 0
  float* acc;  ///< [nq, v_dim] sum of exp(score - max) * value; starts at 0
};

/// What a block of queries of one sequence sees of a run of pages: query i sees the slots first[i] <= 64 p + t < end[i]
/// that `held` marks.
struct PageRun {
  const KvPage* pages;   ///< [n_pages]
  const uint64_t* held;  ///< [n_pages] bit t: slot t holds a position; nullptr: every slot does
  int n_pages;
  const int32_t* first;  ///< [nq] counted from slot 0 of page 0
  const int32_t* end;    ///< [nq]
};

inline constexpr int kMostHadamard = 512;

struct KernelTable {
  const char* isa;
  TypeKernels types[kTypeCount];
  MatmulKernels matmul;

  // --- rows of floats -------------------------------------------------------------------------------
  /// y = x / sqrt(mean(x^2) + eps) * w; w may be nullptr (all ones). y may be x. (Zhang & Sennrich 2019)
  void (*rms_norm)(float* y, const float* x, const float* w, int64_t n, float eps);
  /// y = (x - mean) / sqrt(var + eps) * w + b; w, b may be nullptr. y may be x.
  void (*layer_norm)(float* y, const float* x, const float* w, const float* b, int64_t n, float eps);
  /// Rotary embedding in place on n_rot leading elements of one head (Su et al. 2021). cs: [n_rot/2] pairs
  /// (cos, sin). Neighboring pairs (2i, 2i+1) or halves (i, i + n_rot/2).
  void (*rope_pairs)(float* x, const float* cs, int64_t n_rot);
  void (*rope_halves)(float* x, const float* cs, int64_t n_rot);
  /// y = gate(g) * u; u may be nullptr (then y = gate(g)). y may be g or u.
  void (*gate_mul)(float* y, const float* g, const float* u, int64_t n, Gate gate);
  void (*add)(float* y, const float* x, int64_t n);            ///< y += x
  void (*scale)(float* y, float s, int64_t n);                 ///< y *= s
  void (*axpy)(float* y, float a, const float* x, int64_t n);  ///< y += a x
  float (*dot)(const float* x, const float* y, int64_t n);
  /// y = H y / sqrt(size) on every `size` neighbors of n, H the Hadamard matrix of Sylvester's construction:
  /// orthonormal, and its own inverse. size is a power of two, at most kMostHadamard, and divides n.
  void (*hadamard)(float* y, int64_t n, int64_t size);
  void (*soft_cap)(float* y, float cap, int64_t n);  ///< y = cap tanh(y / cap)
  void (*softmax)(float* y, int64_t n);              ///< in place, stable

  // --- peaks of the machine -----------------------------------------------------------------------------
  /// Multiplies and adds 8-bit integers in registers `rounds` times; returns how many multiply-adds that was.
  int64_t (*int8_peak)(int64_t rounds);
  /// The same of bfloat16 in matrix tiles; nullptr where there are none.
  int64_t (*bf16_peak)(int64_t rounds);
  /// Reads n bytes (64-byte aligned, n a multiple of 256) once; returns a mix of them.
  uint64_t (*read_once)(const void* bytes, int64_t n);

  // --- KV pages ---------------------------------------------------------------------------------------
  KvTypeKernels kv_types[kKvTypeCount];
  /// Lets nq queries attend to one page. q: [nq, k_dim], already scaled. visible[i]: bit t set when query i
  /// sees slot t (a query that sees nothing is left unchanged). alibi: nullptr, or [nq] pairs (slope,
  /// distance of slot 0 from the query): slope * (distance + t) is added to the score.
  /// scratch: at least attend_scratch_floats(nq) floats, 64-byte aligned.
  /// The result for a query does not depend on the others of the call.
  void (*attend_page)(const AttentionState& state, const float* q, int nq, const KvPage& page,
                      const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch);
  /// Lets many queries (prompts) attend to a run of pages, nq <= kRunMaxQueries, each page decoded once. May
  /// multiply in 16-bit integers with a scale per query, key and value column: its error (relative, mean square) is
  /// below 1e-6 (k_dim <= 256), about that of 16-bit elements, but its numbers are not those of attend_page. scratch:
  /// at least attend_run_scratch_bytes(), 64-byte aligned. The result for a query does not depend on the others.
  void (*attend_run)(const AttentionState& state, const float* q, int nq, const PageRun& run,
                     const AttentionShape& shape, void* scratch);
};

/// Writes one position of one KV head into a page. k: [k_dim], v: [v_dim]; either may be nullptr (left as it is).
inline void store_kv(const KernelTable& table, const KvPage& page, const AttentionShape& shape, int slot,
                     const float* k, const float* v) {
  if (k != nullptr) table.kv_types[static_cast<int>(shape.k_type)].store_key(page.k, slot, k, shape.k_dim);
  if (v != nullptr) table.kv_types[static_cast<int>(shape.v_type)].store_value(page.v, slot, v, shape.v_dim);
}
/// Reads it back.
inline void load_kv(const KernelTable& table, float* k, float* v, const KvPage& page, const AttentionShape& shape,
                    int slot) {
  if (k != nullptr) table.kv_types[static_cast<int>(shape.k_type)].load_key(k, page.k, slot, shape.k_dim);
  if (v != nullptr) table.kv_types[static_cast<int>(shape.v_type)].load_value(v, page.v, slot, shape.v_dim);
}

/// Largest nq of one attend_page call.
inline constexpr int kAttendMaxQueries = 64;
inline constexpr int64_t attend_scratch_floats(int nq) {
  return int64_t{nq} * kPageTokens + 4096;
}

/// Largest nq of one attend_run call.
inline constexpr int kRunMaxQueries = 256;
inline constexpr int64_t attend_run_scratch_bytes(int nq, int k_dim, int v_dim) {
  const int64_t lanes = (int64_t{nq} + 31) / 32 * 32;  // queries, keys and values in whole vectors of any set
  const int64_t keys = (int64_t{k_dim} + 31) / 32 * 32, values = (int64_t{v_dim} + 31) / 32 * 32;
  const int64_t decoded = int64_t{kPageTokens} * (k_dim > v_dim ? k_dim : v_dim);
  return 4 * (lanes * (keys + values + 33) + kPageTokens * (keys + values) + decoded + 64 * 128 + 1024);
}

/// The table in use (see hearth/cpu.h).
const KernelTable& kernels();

}  // namespace hearth::kernels
