// The public headers as text: what they declare, by name.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace hearth::testing {

/// What one C++ header says, without comments.
struct CppApi {
  std::map<std::string, int> functions;                    ///< "Model::open" or "version", and how many overloads
  std::map<std::string, std::vector<std::string>> fields;  ///< of each public struct, by its name
};

/// Reads the C++ headers of a folder.
CppApi read_cpp_api(const std::string& folder);
/// One line for each function, struct and enum of the C headers: normalized, in alphabetical order.
std::vector<std::string> read_c_declarations(const std::string& include_folder);
/// Names of the C functions, and "Struct.field" for each field.
std::set<std::string> c_names(const std::vector<std::string>& declarations);
/// "KVCacheStats" to "kv_cache_stats".
std::string snake_case(const std::string& name);

}  // namespace hearth::testing
