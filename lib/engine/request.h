// A request inside the engine: its answers, and how far they are.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hearth/engine.h"
#include "lib/base/clock.h"
#include "lib/engine/channel.h"

namespace hearth {

/// One answer of a request.
struct Choice {
  explicit Choice(Generator made) : generator(std::move(made)) {}

  Generator generator;
  SeqId seq = -1;           ///< the sequence that holds it; -1: none yet, or no more
  bool written_to = false;  ///< its last token waits to be computed
  bool done = false;        ///< its last event was sent
  int32_t drafted = 0, accepted = 0;
};

struct Request {
  uint64_t id = 0;
  EngineRequest asked;
  std::vector<Choice> choices;
  std::shared_ptr<EventChannel> channel;
  Clock::time_point submitted = Clock::now(), begun{}, prompt_done{};
  int32_t cached = 0;      ///< tokens of the prompt that were there
  int32_t computed = 0;    ///< tokens of the prompt that are there, `cached` included
  int32_t cut = 0;         ///< a part of the prompt ends here, if it is not computed yet
  uint64_t adapters = 0;   ///< names them; 0: none acts
  double first_token = 0;  ///< seconds from `begun`

  bool in_prompt() const { return computed < static_cast<int32_t>(asked.prompt.size()); }
  int32_t prompt_left() const { return static_cast<int32_t>(asked.prompt.size()) - computed; }
  bool cancelled() const {
    const std::atomic<bool>* own = asked.generate.cancel;
    return channel->cancelled.load(std::memory_order_relaxed) || (own != nullptr && own->load());
  }
  /// Higher ones are begun first.
  double urgency(Clock::time_point now) const {
    return asked.priority + std::chrono::duration<double>(now - submitted).count() / 10;
  }
};

}  // namespace hearth
