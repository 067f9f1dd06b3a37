// The checking walk over stored metadata values.
#include "lib/gguf/value_walk.h"

#include "lib/gguf/limits.h"

namespace hearth {
namespace {

constexpr uint64_t kArrayHeaderBytes = sizeof(uint32_t) + sizeof(uint64_t);

bool fail(WalkProblem& problem, const Cursor& cursor, const char* what, uint64_t number,
          ErrorCode code = ErrorCode::kFormat) {
  problem = WalkProblem{code, what, number, cursor.offset()};
  return false;
}

bool skip_strings(Cursor& cursor, uint64_t count, WalkProblem& problem) {
  // Every string has a length of 8 bytes, so a larger count is refused without a walk.
  if (count > cursor.remaining() / sizeof(uint64_t)) {
    return fail(problem, cursor, "more strings than the file has room for", count);
  }
  std::string_view text;
  for (uint64_t i = 0; i < count; ++i) {
    if (cursor.read_string(text)) continue;
    uint64_t length = 0;
    const bool has_length = Cursor(cursor).read(length);
    return has_length ? fail(problem, cursor, "a string that passes the end of the file", length)
                      : fail(problem, cursor, "the file ends before a string", i);
  }
  return true;
}

bool skip_arrays(Cursor& cursor, uint64_t count, int depth, WalkProblem& problem) {
  if (count > cursor.remaining() / kArrayHeaderBytes) {
    return fail(problem, cursor, "more arrays than the file has room for", count);
  }
  if (depth >= gguf_limits::kMaxArrayDepth) {
    return fail(problem, cursor, "arrays nested deeper than the limit", gguf_limits::kMaxArrayDepth, ErrorCode::kLimit);
  }
  for (uint64_t i = 0; i < count; ++i) {
    GgufType element_type{};
    uint64_t n_elements = 0;
    if (!read_array_header(cursor, element_type, n_elements, problem)) return false;
    if (!skip_elements(cursor, element_type, n_elements, depth + 1, problem)) return false;
  }
  return true;
}

}  // namespace

uint64_t gguf_scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool: return 1;
    case GgufType::kUint16:
    case GgufType::kInt16: return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32: return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64: return 8;
    case GgufType::kString:
    case GgufType::kArray: return 0;
  }
  return 0;
}

bool is_gguf_type(uint32_t number) {
  return number <= static_cast<uint32_t>(GgufType::kFloat64);
}

bool read_array_header(Cursor& cursor, GgufType& element_type, uint64_t& count, WalkProblem& problem) {
  uint32_t type = 0;
  if (cursor.remaining() < kArrayHeaderBytes) {
    return fail(problem, cursor, "the file ends in the header of an array", cursor.remaining());
  }
  (void)cursor.read(type);
  if (!is_gguf_type(type)) return fail(problem, cursor, "an array of an unknown element type", type);
  (void)cursor.read(count);
  element_type = static_cast<GgufType>(type);
  return true;
}

bool skip_elements(Cursor& cursor, GgufType type, uint64_t count, int depth, WalkProblem& problem) {
  if (type == GgufType::kString) return skip_strings(cursor, count, problem);
  if (type == GgufType::kArray) return skip_arrays(cursor, count, depth, problem);
  const uint64_t element_bytes = gguf_scalar_bytes(type);
  if (element_bytes == 0) return fail(problem, cursor, "an unknown type", static_cast<uint32_t>(type));
  if (count > cursor.remaining() / element_bytes) {
    return fail(problem, cursor, "more elements than the file has room for", count);
  }
  return cursor.skip(count * element_bytes);
}

}  // namespace hearth
