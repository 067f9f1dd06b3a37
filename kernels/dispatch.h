// The instruction sets of this build as rows of a table; the list is in cmake/HearthIsas.cmake.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels {

/// An instruction set: the kernels of the row it is based on, overlaid by its own.
struct IsaRow {
  const char* name;
  const char* needs;  ///< processor features, as cpu_has() takes them
  const char* base;   ///< name of the row to start from; nullptr: an empty table
  void (*overlay)(KernelTable& table);
};

int isa_count();
const IsaRow& isa_row(int index);
/// The table of a set, or nullptr when this machine cannot run it.
const KernelTable* isa_table(int index);

}  // namespace hearth::kernels
