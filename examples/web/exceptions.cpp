// Exceptions for WebAssembly where the C++ library has none (Debian's libc++-19-dev-wasm32): so much of the interface
// that compilers call (Itanium C++ ABI, "Exception Handling", level II) as `throw` and `catch (...)` need, in one
// thread. A handler for a type needs more, and does not link.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <typeinfo>

namespace {

/// Before every object that is thrown.
struct alignas(16) Thrown {
  void* (*destroy)(void*);  ///< destructors return what they destroy here
  Thrown* below;            ///< the one whose handler is left when that of this is
  int n_handlers;           ///< that have it in work; negative once it was thrown on
  int n_users;              ///< those, and std::exception_ptrs
  bool is_emergency;        ///< lies in `emergency`
};
constexpr size_t kEmergencyBytes = 256, kEmergencies = 4;

alignas(16) unsigned char emergency[kEmergencies][kEmergencyBytes];  // for what tells that memory is out
bool emergency_used[kEmergencies];
Thrown* handled = nullptr;  ///< the innermost
unsigned n_uncaught = 0;

Thrown* header_of(void* object) {
  return static_cast<Thrown*>(object) - 1;
}

void release(Thrown* thrown) {
  if (--thrown->n_users > 0) return;
  if (thrown->destroy != nullptr) thrown->destroy(thrown + 1);
  if (!thrown->is_emergency) return std::free(thrown);
  emergency_used[(reinterpret_cast<uintptr_t>(thrown) - reinterpret_cast<uintptr_t>(emergency)) / kEmergencyBytes] =
      false;
}

[[noreturn]] void raise(Thrown* thrown) {
  ++n_uncaught;
  __builtin_wasm_throw(0, thrown);
}

}  // namespace

extern "C" {

void* __cxa_allocate_exception(size_t bytes) noexcept {
  void* memory = std::malloc(sizeof(Thrown) + bytes);
  bool is_emergency = false;
  for (size_t i = 0; i < kEmergencies && memory == nullptr && sizeof(Thrown) + bytes <= kEmergencyBytes; ++i) {
    if (emergency_used[i]) continue;
    emergency_used[i] = is_emergency = true;
    memory = emergency[i];
  }
  if (memory == nullptr) std::terminate();
  auto* thrown = static_cast<Thrown*>(memory);
  *thrown = {nullptr, nullptr, 0, 1, is_emergency};
  return thrown + 1;
}
void __cxa_free_exception(void* object) noexcept {
  release(header_of(object));
}
[[noreturn]] void __cxa_throw(void* object, std::type_info*, void* (*destroy)(void*)) {
  Thrown* thrown = header_of(object);
  thrown->destroy = destroy;
  raise(thrown);
}

void* __cxa_begin_catch(void* exception) noexcept {
  auto* thrown = static_cast<Thrown*>(exception);
  thrown->n_handlers = (thrown->n_handlers < 0 ? -thrown->n_handlers : thrown->n_handlers) + 1;
  if (thrown != handled) {
    thrown->below = handled;
    handled = thrown;
  }
  --n_uncaught;
  return thrown + 1;
}
void __cxa_end_catch() {
  Thrown* thrown = handled;
  if (thrown->n_handlers < 0) {  // it is on its way to the next handler
    if (++thrown->n_handlers == 0) handled = thrown->below;
  } else if (--thrown->n_handlers == 0) {
    handled = thrown->below;
    release(thrown);
  }
}
[[noreturn]] void __cxa_rethrow() {
  if (handled == nullptr) std::terminate();
  handled->n_handlers = -handled->n_handlers;
  raise(handled);
}

// std::exception_ptr
void __cxa_increment_exception_refcount(void* object) noexcept {
  if (object != nullptr) ++header_of(object)->n_users;
}
void __cxa_decrement_exception_refcount(void* object) noexcept {
  if (object != nullptr) release(header_of(object));
}
void* __cxa_current_primary_exception() noexcept {
  if (handled == nullptr) return nullptr;
  ++handled->n_users;
  return handled + 1;
}
void __cxa_rethrow_primary_exception(void* object) {
  if (object == nullptr) return;
  Thrown* thrown = header_of(object);
  if (thrown->n_handlers == 0) ++thrown->n_users;
  raise(thrown);
}
unsigned __cxa_uncaught_exceptions() noexcept {
  return n_uncaught;
}
bool __cxa_uncaught_exception() noexcept {
  return n_uncaught > 0;
}

}  // extern "C"
