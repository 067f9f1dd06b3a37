// What a hearth::Ticket holds.
#pragma once

#include <memory>
#include <vector>

#include "lib/engine/channel.h"

namespace hearth {

struct Ticket::Impl {
  std::shared_ptr<EventChannel> channel;
  uint64_t id = 0;
  int32_t n = 1;
  std::vector<Token> prompt;
};

}  // namespace hearth
