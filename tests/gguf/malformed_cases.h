// The ways in which a GGUF file can lie, as a named list. Each says which error it must give.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "hearth/result.h"

namespace hearth::testing {

struct MalformedCase {
  std::string name;
  std::string bytes;
  ErrorCode code;
  std::string text;        ///< what the message must contain: the key, tensor or number at fault
  size_t zeros_after = 0;  ///< follow the bytes; the list itself stays small
};

/// What GoogleTest prints for a case.
inline void PrintTo(const MalformedCase& c, std::ostream* out) {
  *out << c.name;
}

std::vector<MalformedCase> malformed_headers();
std::vector<MalformedCase> malformed_metadata();
std::vector<MalformedCase> malformed_alignments();
std::vector<MalformedCase> malformed_tensors();

}  // namespace hearth::testing
