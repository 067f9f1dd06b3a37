/* Instruction sets, what the machine can do, the self-test. Twin of hearth/cpu.h. */
#ifndef HEARTH_C_CPU_H
#define HEARTH_C_CPU_H

#include "hearth/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthIsaInfo {
  size_t size;
  const char* name;
  const char* needs;
  bool usable;
  bool active;
  bool wide_products; /* usable, and prompts are multiplied by matrix tiles */
} HearthIsaInfo;
/* The i-th set, slowest first; false beyond the last. */
HEARTH_API bool hearth_list_isas(size_t i, HearthIsaInfo* out);
HEARTH_API const char* hearth_active_isa(void);
HEARTH_API HearthCode hearth_force_isa(const char* name, HearthError* error);
/* HEARTH_OK, or why the environment variable HEARTH_ISA was ignored. */
HEARTH_API HearthCode hearth_isa_override_error(HearthError* error);

typedef struct HearthMachineLimits {
  size_t size;
  int32_t n_threads;
  double read_gb_per_s;
  double int8_gmac_per_s;
  double bf16_gmac_per_s; /* 0 without matrix tiles */
} HearthMachineLimits;
HEARTH_API HearthCode hearth_measure_machine_limits(int32_t n_threads, HearthMachineLimits* out, HearthError* error);

typedef struct HearthKernelCheck {
  size_t size;
  const char* name;
  const char* isa;
  bool passed;
  const char* detail;
} HearthKernelCheck;
/* Shows every check; returns how many there were, 0 when memory is out. */
typedef void (*HearthShowKernelCheck)(void* user, const HearthKernelCheck* check);
HEARTH_API size_t hearth_self_test(HearthShowKernelCheck show, void* user);

#ifdef __cplusplus
}
#endif
#endif
