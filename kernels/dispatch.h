// The instruction sets of this build as rows of a table; the list is in cmake/HearthIsas.cmake.
#pragma once

#include <string_view>

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
/// Index of the row with this name, or -1.
int find_isa(std::string_view name);
/// Makes kernels() the table of a row that this machine can run (isa_table() is not null).
void activate_isa(int index);
/// The name in HEARTH_ISA (its first 63 bytes) when it was ignored because no such row is usable; "" otherwise.
const char* ignored_override();

}  // namespace hearth::kernels
