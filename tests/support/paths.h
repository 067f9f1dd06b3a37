#pragma once
#include <string>

// Where things of this build lie. Only paths.cpp is compiled with the paths, so that the objects of all other tests are
// the same for every checkout and a compiler cache can share them.
namespace hearth::testing {

std::string source_dir();             // the folder of README.md
std::string tool_path();              // the command-line tool; empty in a build without it
std::string first_programs_folder();  // examples/first_programs as built, ends in '/'; empty in a build without them

}  // namespace hearth::testing
