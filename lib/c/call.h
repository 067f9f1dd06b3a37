// How a C function is written: what it is given is checked, its body runs in call(), and what it gives is copied into
// memory of the caller's.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/c/handles.h"

namespace hearth::c {

/// A status as a code, with its message in `error` (which may be null). Allocates nothing.
HearthCode report(const Status& status, HearthError* error);

/// A borrowed callable that returns a Status.
struct Body {
  void* object;
  Status (*run)(void* object);
};
HearthCode call_body(HearthError* error, Body body);

/// body(), which returns a Status; no exception leaves it.
template <typename F>
HearthCode call(HearthError* error, const F& body) {
  return call_body(error, {const_cast<F*>(&body), [](void* object) -> Status { return (*static_cast<F*>(object))(); }});
}

struct Argument {
  const void* pointer;
  const char* name;
};
/// kInvalidArgument names the first null pointer.
Status needs(std::initializer_list<Argument> all);

/// Text of a caller; size may be HEARTH_NUL. Null is empty.
inline std::string_view view(const char* text, size_t size = HEARTH_NUL) {
  if (text == nullptr) return {};
  return size == HEARTH_NUL ? std::string_view(text) : std::string_view(text, size);
}
inline HearthText lend(std::string_view text) {
  return {text.data() == nullptr ? "" : text.data(), text.size()};
}

struct Release {
  void operator()(void* memory) const { ::operator delete(memory); }
};
/// An array that hearth_free() releases.
template <typename T>
using Owned = std::unique_ptr<T[], Release>;

/// A copy for the caller, with a zero of T behind it.
template <typename T>
Owned<std::remove_const_t<T>> copy_of(std::span<T> items) {
  using Item = std::remove_const_t<T>;
  Item* memory = static_cast<Item*>(::operator new((items.size() + 1) * sizeof(T)));
  if (!items.empty()) std::memcpy(static_cast<void*>(memory), items.data(), items.size_bytes());
  memory[items.size()] = Item{};
  return Owned<Item>(memory);
}
inline Owned<char> copy_of(std::string_view text) {
  return copy_of(std::span<const char>(text.data(), text.size()));
}
/// Hands an array out; `n` may be null.
template <typename T>
Status hand_out(std::span<const T> items, T** out, size_t* n) {
  *out = copy_of(items).release();
  if (n != nullptr) *n = items.size();
  return {};
}
inline Status hand_out(std::string_view text, char** out, size_t* n) {
  return hand_out(std::span<const char>(text.data(), text.size()), out, n);
}
/// Hands out a new handle around the value of a result.
template <typename Handle, typename T>
Status hand_out_handle(Result<T> made, Handle** out) {
  if (!made) return made.error();
  *out = new Handle{std::move(*made)};
  return {};
}
/// The value of a result, which needs no release.
template <typename T, typename U>
Status hand_out_value(const Result<T>& made, U* out) {
  if (!made) return made.error();
  *out = static_cast<U>(*made);
  return {};
}

/// Fills as much of a caller's struct as it has.
template <typename Struct>
void fill(Struct* out, const Struct& full) {
  if (out == nullptr || out->size <= sizeof(size_t)) return;
  const size_t n = out->size < sizeof(Struct) ? out->size : sizeof(Struct);
  std::memcpy(reinterpret_cast<char*>(out) + sizeof(size_t), reinterpret_cast<const char*>(&full) + sizeof(size_t),
              n - sizeof(size_t));
}

/// A caller's struct with defaults for what its version does not have; null: the defaults.
template <typename Struct>
Result<Struct> complete(const Struct* given, void (*init)(Struct*)) {
  Struct full{};
  full.size = sizeof(Struct);
  init(&full);
  if (given == nullptr) return full;
  if (given->size <= sizeof(size_t) || given->size > sizeof(Struct)) {
    return Error{ErrorCode::kInvalidArgument, concat("a struct of options says that it has ", given->size,
                                                     " bytes, this version's has ", sizeof(Struct))};
  }
  std::memcpy(&full, given, given->size);
  full.size = sizeof(Struct);
  return full;
}

/// A number as an enum whose values are 0..last.
template <typename Enum>
Status set_enum(Enum& to, int32_t number, Enum last, const char* name) {
  if (number < 0 || number > static_cast<int32_t>(last)) {
    return Error{ErrorCode::kInvalidArgument, concat(name, " has no value ", number)};
  }
  to = static_cast<Enum>(number);
  return {};
}

/// The i-th of some texts; null beyond the last.
inline const char* nth(const std::vector<std::string>& texts, size_t i) {
  return i < texts.size() ? texts[i].c_str() : nullptr;
}

/// A C callback as one of C++; empty for null.
template <typename... Args>
std::function<bool(Args...)> progress_of(HearthProgress call, void* user) {
  if (call == nullptr) return {};
  return [call, user](Args... args) { return call(user, static_cast<uint64_t>(args)...); };
}

inline const std::atomic<bool>* flag_of(const HearthCancel* cancel) {
  return cancel == nullptr ? nullptr : &cancel->cancelled;
}
inline const ThreadPool* pool_of(const HearthThreadPool* pool) {
  return pool == nullptr ? nullptr : &pool->pool;
}

/// Items of a caller's array, whose structs say how large they are.
template <typename Struct>
const Struct* item(const Struct* items, size_t i) {
  return static_cast<const Struct*>(static_cast<const void*>(reinterpret_cast<const char*>(items) + i * items->size));
}

}  // namespace hearth::c
