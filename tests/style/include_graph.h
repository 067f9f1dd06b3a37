// The graph of who includes whom, between the folders of the library, and what is wrong with it.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace hearth::testing {

/// Path of each source file, relative to the repository, and the paths that it includes.
using IncludeGraph = std::map<std::string, std::vector<std::string>>;

/// Reads the #include lines of all sources under include/, kernels/ and lib/ of the repository at `root`. Headers from
/// elsewhere (of the system) are left out.
IncludeGraph read_include_graph(const std::string& root);

/// The folders of lib/ from the lowest up, as README's picture of the house lists them.
std::vector<std::string> read_floors(const std::string& readme);

/// One line per fault: an arrow that points up, a folder that has no floor, a public header that has no room, a cycle
/// of folders or of files. Empty when all is well.
std::vector<std::string> find_faults(const IncludeGraph& graph, const std::vector<std::string>& floors);

}  // namespace hearth::testing
