// Prompt lookup: the last place in the text that ends like it, and what followed there.
#include "lib/session/lookup_draft.h"

#include <algorithm>

namespace hearth {
namespace {

struct Match {
  size_t length = 0;
  size_t end = 0;  ///< where the text goes on
};

/// The longest stretch of at most `most` tokens before the end that is equal to the end; of equally long ones the last.
/// Takes the time of comparing each token of the text with its last one.
Match longest_match(std::span<const Token> text, size_t most) {
  Match best;
  if (text.size() < 2) return best;
  const Token last = text.back();
  for (size_t end = text.size() - 1; end > 0 && best.length < most; --end) {
    if (text[end - 1] != last) continue;
    size_t n = 1;
    while (n < most && n < end && text[end - 1 - n] == text[text.size() - 1 - n]) ++n;
    if (n > best.length) best = {n, end};
  }
  return best;
}

}  // namespace

Status LookupDraft::propose(std::span<DraftRequest> requests) {
  for (DraftRequest& request : requests) {
    const Match match = longest_match(request.text, static_cast<size_t>(options_.max_match));
    if (match.length < static_cast<size_t>(options_.min_match)) continue;
    // A text that repeats itself with a short period goes on beyond its end.
    const size_t period = request.text.size() - match.end;
    for (size_t i = 0; i < static_cast<size_t>(request.n); ++i) {
      request.tokens.push_back(request.text[match.end + i % period]);
    }
    request.confidence = match.length <= 2 ? 0 : match.length <= 4 ? 1 : match.length <= 8 ? 2 : 3;
  }
  return {};
}

}  // namespace hearth
