// The vectors that the headers of this folder are written with: those of the instruction set that is being compiled,
// from kernels/<set>/simd.h. The build names that header (VECTORS in cmake/HearthIsas.cmake), and no order of includes
// matters.
#pragma once

#ifndef HEARTH_VECTORS
#error "kernels/simd is compiled for an instruction set: HEARTH_VECTORS names its simd.h"
#endif
#include HEARTH_VECTORS
