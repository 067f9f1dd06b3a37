// CPU: which instruction sets this build holds and this machine runs, and which one is in use; what it can do.
//
//   for (const hearth::IsaInfo& isa : hearth::list_isas()) std::printf("%s %d\n", isa.name, isa.usable);
//   hearth::Status forced = hearth::force_isa("avx2");     // or the environment variable HEARTH_ISA
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth {

/// One set of kernels compiled into this library.
struct IsaInfo {
  const char* name;   ///< "scalar", "avx2", "avx_vnni", "avx512", "amx"
  const char* needs;  ///< CPU features that it needs, human-readable
  bool usable;        ///< this CPU has them and the operating system saves the registers
  bool active;        ///< the one in use
  /// Usable, and prompts are multiplied by matrix tiles there, which round them less than tokens one by one are
  /// (SessionOptions::batch_invariant does without).
  bool wide_products;
};

/// Every set compiled in, slowest first. "scalar" is always there and always usable. Empty when memory is out.
std::vector<IsaInfo> list_isas();
/// Name of the set in use: the fastest usable one, unless forced by force_isa() or HEARTH_ISA (read once,
/// at first use; an unknown or unusable name there is ignored and reported by isa_override_error()).
const char* active_isa();
/// Switches the whole process to a set. kNotFound for an unknown name, kUnsupported when this machine
/// cannot run it; then nothing changes. Not to be called while a model is running.
Status force_isa(std::string_view name);
/// Empty, or why HEARTH_ISA was ignored.
std::string isa_override_error();

/// What this machine can do with the set in use: the measures that speeds are compared with.
struct MachineLimits {
  int n_threads = 1;
  double read_gb_per_s = 0;    ///< reading memory once, all threads together (1e9 bytes)
  double int8_gmac_per_s = 0;  ///< 8-bit multiply-adds in registers, all threads together (1e9)
  double bf16_gmac_per_s = 0;  ///< bfloat16 multiply-adds of matrix tiles (AMX), which prompts use; 0 without them
};
/// Measures for about a second, best of several passes. kOutOfMemory (it reads half a gigabyte; less where that
/// cannot be had is not tried), kInvalidArgument, kIo as for starting threads.
Result<MachineLimits> measure_machine_limits(int n_threads);

/// One kernel of one instruction set against the reference.
struct KernelCheck {
  std::string name;  ///< "rms_norm", "attend_page f16"
  std::string isa;   ///< "avx512"
  bool passed = false;
  std::string detail;  ///< the error found and the limit
};
/// Runs every kernel of every usable set against the reference on a few awkward sizes; well under a second.
/// Sets that this machine cannot run are not listed. Empty when memory is out.
std::vector<KernelCheck> self_test();

}  // namespace hearth
