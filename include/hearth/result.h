// Result<T>: how every fallible call of hearth reports failure. No exceptions, no errno, no aborts.
//
//   hearth::Result<hearth::Model> model = hearth::Model::open("model.gguf");
//   if (!model) { std::fprintf(stderr, "%s\n", model.error().message.c_str()); return 1; }
//   use(*model);
#pragma once

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "hearth needs C++20: compile with -std=c++20"
#endif

#ifndef NDEBUG
#include <cstdio>
#include <cstdlib>
#endif
#include <optional>
#include <string>
#include <utility>

namespace hearth {

/// What kind of failure. Programs branch on the code; people read the message.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller passed something that can never work
  kNotFound,         ///< a file, key, tensor or sequence that does not exist
  kIo,               ///< the operating system refused a read, write or map
  kFormat,           ///< the bytes of a file, template or text are malformed
  kUnsupported,      ///< well-formed, but a version, type or architecture we do not handle
  kOutOfMemory,      ///< an allocation failed, of whatever size; any fallible call may say so, and objects stay usable
  kContextFull,      ///< the KV cache has no room; the session stays usable
  kCancelled,        ///< a callback asked to stop, or threw: no exception leaves a call of hearth
  kLimit,            ///< a bound on steps, depth or size was reached
};

/// Short stable name of a code, for logs and JSON ("invalid_argument", "context_full", ...).
const char* error_code_name(ErrorCode code);

/// A failure: the code and one line that names the offset, key, tensor or argument at fault. The line is printable
/// UTF-8 of at most 511 bytes; text of files in it is escaped.
struct Error {
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string message;
};

/// "out_of_memory: cannot allocate ..."
inline std::string to_string(const Error& error) {
  return std::string(error_code_name(error.code)) + ": " + error.message;
}
/// The same to any stream.
template <typename Stream>
requires requires(Stream& out, const std::string& text) {
  out << text;
}
Stream& operator<<(Stream& out, const Error& error) {
  out << to_string(error);
  return out;
}

namespace detail {
/// For hosts that define HEARTH_CHECK_RESULTS in all of their sources: a failed result that is used as if it had not
/// failed is named, and the program stops. Otherwise, as in the library itself, without effect.
inline void check_result([[maybe_unused]] bool is_ok, [[maybe_unused]] const Error& error) {
#ifdef HEARTH_CHECK_RESULTS
  if (is_ok) return;
  std::fprintf(stderr, "hearth: the value of a failed result is used: %s\n", error.message.c_str());
  std::abort();
#endif
}
}  // namespace detail

/// Either a T or an Error. Test with `if (result)` before `*result` or `result->`: reading the value of a failed result
/// is undefined, as with std::optional; where HEARTH_CHECK_RESULTS is defined it stops with the error's message.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  T& operator*() & {
    detail::check_result(ok(), error_);
    return *value_;
  }
  const T& operator*() const& {
    detail::check_result(ok(), error_);
    return *value_;
  }
  T&& operator*() && {
    detail::check_result(ok(), error_);
    return std::move(*value_);
  }
  T* operator->() {
    detail::check_result(ok(), error_);
    return &*value_;
  }
  const T* operator->() const {
    detail::check_result(ok(), error_);
    return &*value_;
  }
  /// The value, or `other` after an error.
  template <typename U>
  T value_or(U&& other) const& {
    return ok() ? *value_ : static_cast<T>(std::forward<U>(other));
  }
  template <typename U>
  T value_or(U&& other) && {
    return ok() ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }
  /// Meaningful only when !ok().
  const Error& error() const { return error_; }

 private:
  std::optional<T> value_;
  Error error_;
};

/// A call that yields nothing but may fail. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

using Status = Result<void>;

}  // namespace hearth
