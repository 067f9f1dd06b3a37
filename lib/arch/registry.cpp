// The rows: every architecture that hearth runs. To add one, add a row; see architecture.h for the options.
#include "lib/arch/architecture.h"

namespace hearth {
namespace {

constexpr Architecture kArchitectures[] = {
    {.name = "llama"},
};

}  // namespace

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& row : kArchitectures) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& row : kArchitectures) names.emplace_back(row.name);
  return names;
}

}  // namespace hearth
