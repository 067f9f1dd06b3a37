// The operators of a test program whose allocations fail on demand. Included by one source of a program.
#pragma once

#include "out_of_memory/failing_allocator.h"

void* operator new(size_t n) {
  return hearth::testing::allocate_or_throw(n, 1);
}
void* operator new(size_t n, std::align_val_t a) {
  return hearth::testing::allocate_or_throw(n, static_cast<size_t>(a));
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  return hearth::testing::allocate_or_fail(n, 1);
}
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return hearth::testing::allocate_or_fail(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept {
  hearth::testing::release(p);
}
void operator delete(void* p, size_t) noexcept {
  hearth::testing::release(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  hearth::testing::release(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  hearth::testing::release(p);
}
