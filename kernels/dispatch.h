// The instruction sets of this build as rows of a table: the seam that a new kernel folder plugs into.
#pragma once

#include "kernels/cpu_features.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {

/// A set of kernels: the table of the row it is based on, overlaid by its own folder.
struct IsaRow {
  const char* name;
  const char* requires_;  ///< for people
  bool (*usable)(const CpuFeatures& cpu);
  void (*overlay)(KernelTable& table);  ///< called on top of the row named by `base`
  const char* base;                     ///< name of the row to start from; nullptr: an empty table
};

int isa_count();
const IsaRow& isa_row(int index);
/// The table of a set, or nullptr when this machine cannot run it.
const KernelTable* isa_table(int index);

}  // namespace hearth::kernels
