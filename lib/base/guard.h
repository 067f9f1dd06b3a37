// Where exceptions end. The library throws none itself, but the standard library does when memory runs out, and so may
// a host's callback. Every public call that can allocate, or that calls a host, runs inside guard():
//
//   Result<Model> Model::open(const std::string& path, const ModelOptions& options) {
//     return guard([&] { return ModelBuilder::build(path, options); });
//   }
//
// A build without exceptions (HEARTH_EXCEPTIONS=OFF) has the same code: guard() only calls, and a small allocation
// that fails ends the process.
#pragma once

#include <utility>

#include "hearth/result.h"
#include "lib/base/quote.h"

namespace hearth {

/// The exception being handled as an error: kOutOfMemory for std::bad_alloc and std::length_error, kCancelled for
/// whatever else, which only a host's callback can have thrown. To be called in a catch block alone; allocates nothing
/// that it cannot do without.
Error caught_error() noexcept;

/// A Result as callers get it: its message, which may hold text of a file, is one printable line.
template <typename AnyResult>
AnyResult presentable(AnyResult result) {
  if (result.ok() || is_one_line(result.error().message)) return result;
  return Error{result.error().code, one_line(result.error().message)};
}

/// body(), which returns a Result, or the exception that it threw as an error.
template <typename F>
auto guard(F&& body) -> decltype(body()) {
#if defined(__cpp_exceptions)
  try {
    return presentable(body());
  } catch (...) {
    return caught_error();
  }
#else
  return presentable(body());
#endif
}

/// body(), or `otherwise` when it throws: for calls that cannot report an error, whose comments say what that means.
template <typename T, typename F>
T guard_or([[maybe_unused]] T otherwise, F&& body) {
#if defined(__cpp_exceptions)
  try {
    return body();
  } catch (...) {
    return otherwise;
  }
#else
  return body();
#endif
}

/// Runs body() and undo() after an exception, which goes on: for what must be as it was when a call fails.
template <typename F, typename Undo>
auto undo_on_exception(F&& body, [[maybe_unused]] Undo&& undo) -> decltype(body()) {
#if defined(__cpp_exceptions)
  try {
    return body();
  } catch (...) {
    undo();
    throw;
  }
#else
  return body();
#endif
}

}  // namespace hearth
