// What this machine can do at best: the yardsticks of bench.
#pragma once

namespace hearth_tool {

struct MachineLimits {
  double read_bytes_per_second = 0;  ///< streaming reads from memory
  double int8_macs_per_second = 0;   ///< int8 dot products in registers with the active instruction set; 0: unknown
};

/// Takes about a second and 512 MB for its time. n_threads >= 1.
MachineLimits measure_limits(int n_threads);

/// Multiply-accumulates a second of one loop of int8 dot products on each of n_threads threads; 0 where there is no
/// loop for this instruction set.
double measure_int8_peak(const char* isa, int n_threads);

}  // namespace hearth_tool
