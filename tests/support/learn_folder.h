#pragma once
#include <string>

namespace hearth::testing {

std::string learn_folder();  // the programs of examples/learn as built; empty in a build without them

}  // namespace hearth::testing
