// Fails every allocation of a call, one by one, and looks at what comes of it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "hearth/result.h"
#include "out_of_memory/failing_allocator.h"

namespace hearth::testing {

/// What `show` makes of a success, or an error's text.
template <typename AnyResult, typename Show>
std::string outcome(const AnyResult& result, const Show& show) {
  if constexpr (std::is_same_v<AnyResult, Status>) {
    if (result.ok()) return show();
  } else {
    if (result.ok()) return show(*result);
  }
  return result.error().code == ErrorCode::kOutOfMemory ? "out of memory" : result.error().message;
}

/// Calls `call` once for each of its allocations and mode, with that allocation failing (at most `most` of them, evenly
/// spread). The call must return kOutOfMemory, or what it returns when nothing fails (which may be an error, too):
/// `show` makes a text of a success. Nothing may stay allocated, and the call must work again afterwards. `call` makes
/// nothing but the call.
template <typename Call, typename Show>
void sweep(const Call& call, const Show& show) {
  using Mode = FailingAllocator::Mode;
  const auto attempt = [&](int64_t n, Mode mode) {
    const FailingAllocator failing(n, mode);
    return call();
  };
  const auto text_of = [&](const auto& result) { return outcome(result, show); };
  (void)text_of(attempt(0, Mode::kOnce));  // what is made once in a process is there now
  const std::string expected = text_of(attempt(0, Mode::kOnce));
  const int64_t total = FailingAllocator::tried();
  ASSERT_GT(total, 0) << "the call allocates nothing";
  for (const Mode mode : {Mode::kOnce, Mode::kFromThenOn}) {
    for (int64_t n = 1; n <= total; ++n) {
      const int64_t before = FailingAllocator::live();
      {
        const auto result = attempt(n, mode);
        const std::string got = text_of(result);
        ASSERT_TRUE(got == "out of memory" || (got == expected && mode == Mode::kOnce))
            << "allocation " << n << " of " << total << ": " << got << ", not " << expected;
      }
      ASSERT_EQ(FailingAllocator::live(), before) << "allocation " << n << " of " << total << ": something is left";
      if (n % 16 == 1) {
        ASSERT_EQ(text_of(attempt(0, Mode::kOnce)), expected) << "after allocation " << n;
      }
    }
  }
  EXPECT_EQ(text_of(attempt(0, Mode::kOnce)), expected);
}

}  // namespace hearth::testing
