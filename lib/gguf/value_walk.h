// Walks over stored metadata values and checks that all of their parts lie inside the file. Allocates nothing.
#pragma once

#include <cstdint>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/gguf/cursor.h"

namespace hearth {

/// What is wrong with a value, and where. `what` is a literal; `number` is the count, type or byte at fault.
struct WalkProblem {
  ErrorCode code = ErrorCode::kFormat;
  const char* what = nullptr;
  uint64_t number = 0;
  uint64_t offset = 0;
};

/// Bytes of a number or bool; 0 for strings, arrays and unknown types.
uint64_t gguf_scalar_bytes(GgufType type);
bool is_gguf_type(uint32_t number);

/// Reads the element type and count that precede an array's elements.
bool read_array_header(Cursor& cursor, GgufType& element_type, uint64_t& count, WalkProblem& problem);

/// Moves the cursor over `count` elements (1 for a single value). `depth` is the number of arrays around them.
/// False with `problem` filled when they do not fit, hold a bool that is neither 0 nor 1, or nest too deep.
bool skip_elements(Cursor& cursor, GgufType type, uint64_t count, int depth, WalkProblem& problem);

}  // namespace hearth
