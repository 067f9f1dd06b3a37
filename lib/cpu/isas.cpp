// The public face of kernels/dispatch: which instruction sets there are, which one runs, and forcing another.
#include <string>

#include "hearth/cpu.h"
#include "kernels/dispatch.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/no_memory.h"

namespace hearth {
namespace {

Result<int> choose(std::string_view name) {
  const int row = kernels::find_isa(name);
  if (row < 0) return Error{ErrorCode::kNotFound, concat("unknown instruction set '", name, "'")};
  if (kernels::isa_table(row) == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 concat("this machine cannot run '", name, "' (needs ", kernels::isa_row(row).needs, ")")};
  }
  return row;
}

}  // namespace

std::vector<IsaInfo> list_isas() {
  return guard_or(std::vector<IsaInfo>(), [] {
    std::vector<IsaInfo> infos;
    const std::string_view active = active_isa();
    for (int i = 0; i < kernels::isa_count(); ++i) {
      const kernels::IsaRow& row = kernels::isa_row(i);
      const kernels::KernelTable* table = kernels::isa_table(i);
      infos.push_back({row.name, *row.needs == 0 ? "nothing" : row.needs, table != nullptr, active == row.name,
                       table != nullptr && table->matmul.wide.least_cols > 0});
    }
    return infos;
  });
}

const char* active_isa() {
  return kernels::kernels().isa;
}

Status force_isa(std::string_view name) {
  return guard([&]() -> Status {
    const Result<int> row = choose(name);
    if (!row) return row.error();
    kernels::activate_isa(*row);
    return {};
  });
}

std::string isa_override_error() {
  const char* name = kernels::ignored_override();
  if (*name == '\0') return {};
  return guard_or(std::string(kNoMemory), [&] { return "HEARTH_ISA ignored: " + choose(name).error().message; });
}

}  // namespace hearth
