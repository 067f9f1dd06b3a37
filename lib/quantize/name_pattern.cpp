// Compiling patterns to an automaton, and running all its threads at once.
#include "lib/quantize/name_pattern.h"

#include <algorithm>
#include <utility>

#include "lib/base/concat.h"

namespace hearth {

/// Recursive descent over the pattern; steps are made back to front of nothing: each piece is a fragment with its first
/// step and the places that still need to know what follows.
class NamePatternCompiler {
 public:
  explicit NamePatternCompiler(std::string_view pattern) : pattern_(pattern) {}

  Result<NamePattern> compile() {
    Piece whole = alternatives(0);
    if (!failed_ && at_ != pattern_.size()) fail("an unmatched ')'");
    const uint32_t found = add({Kind::kFound});
    connect(whole, found);
    if (failed_) return std::move(error_);
    out_.first_ = whole.first;
    return std::move(out_);
  }

 private:
  using Step = NamePattern::Step;
  using Kind = Step::Kind;
  static constexpr size_t kMaxSteps = 4096;
  static constexpr int kMaxDepth = 64;

  struct Open {
    uint32_t step;
    bool is_other;
  };
  struct Piece {
    uint32_t first = 0;
    std::vector<Open> open;
  };

  void fail(const char* what, ErrorCode code = ErrorCode::kInvalidArgument) {
    if (failed_) return;
    failed_ = true;
    error_ = Error{code, concat("pattern '", pattern_, "': ", what, " at position ", at_)};
  }

  uint32_t add(Step step) {
    if (out_.steps_.size() >= kMaxSteps) {
      fail("too many steps", ErrorCode::kLimit);
      return 0;
    }
    out_.steps_.push_back(step);
    return static_cast<uint32_t>(out_.steps_.size() - 1);
  }

  void connect(const Piece& piece, uint32_t next) {
    for (const Open& o : piece.open) (o.is_other ? out_.steps_[o.step].other : out_.steps_[o.step].next) = next;
  }

  bool more() const { return !failed_ && at_ < pattern_.size(); }
  bool take(char c) {
    if (!more() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }

  Piece nothing() {
    const uint32_t step = add({Kind::kFork});
    return {step, {{step, false}, {step, true}}};
  }

  Piece alternatives(int depth) {
    if (depth > kMaxDepth) fail("groups too deep", ErrorCode::kLimit);
    Piece left = sequence(depth);
    while (take('|')) {
      Piece right = sequence(depth);
      const uint32_t fork = add({Kind::kFork, 0, left.first, right.first});
      left.first = fork;
      left.open.insert(left.open.end(), right.open.begin(), right.open.end());
    }
    return left;
  }

  Piece sequence(int depth) {
    Piece all = nothing();
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      Piece next = repeated(depth);
      connect(all, next.first);
      all.open = std::move(next.open);
    }
    return all;
  }

  Piece repeated(int depth) {
    const size_t begin = at_;
    Piece piece = atom(depth);
    size_t min = 1, max = 1;
    if (!more() || !read_repeat(&min, &max)) return piece;
    take('?');
    return repeat(begin, at_, depth, min, max, std::move(piece));
  }

  /// Reads ? * + {n,m} behind an atom.
  bool read_repeat(size_t* min, size_t* max) {
    if (take('?')) return *min = 0, *max = 1, true;
    if (take('*')) return *min = 0, *max = SIZE_MAX, true;
    if (take('+')) return *min = 1, *max = SIZE_MAX, true;
    if (!take('{')) return false;
    *min = number();
    *max = *min;
    if (take(',')) *max = more() && pattern_[at_] != '}' ? number() : SIZE_MAX;
    if (!take('}') || *max < *min) fail("a bad repeat");
    return true;
  }

  size_t number() {
    size_t value = 0;
    const size_t begin = at_;
    while (more() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      value = value * 10 + static_cast<size_t>(pattern_[at_++] - '0');
      if (value > 1000) fail("a repeat above 1000", ErrorCode::kLimit);
    }
    if (at_ == begin) fail("a number was expected");
    return value;
  }

  /// A piece n times: the text of it is read again for each copy.
  Piece repeat(size_t begin, size_t end, int depth, size_t min, size_t max, Piece once) {
    if (min == 1 && max == 1) return once;
    Piece all = nothing();
    const size_t copies = max == SIZE_MAX ? std::max<size_t>(min, 1) : max;
    std::vector<Open> skipped;
    for (size_t i = 0; i < copies && !failed_; ++i) {
      Piece copy = i == 0 ? std::move(once) : again(begin, depth);
      if (i >= min) {
        const uint32_t fork = add({Kind::kFork, 0, copy.first, 0});
        skipped.push_back({fork, true});
        copy.first = fork;
      }
      if (max == SIZE_MAX && i + 1 == copies) {
        const uint32_t loop = add({Kind::kFork, 0, copy.first, 0});
        connect(copy, loop);
        copy.open = {{loop, true}};
      }
      connect(all, copy.first);
      all.open = std::move(copy.open);
    }
    at_ = end;
    all.open.insert(all.open.end(), skipped.begin(), skipped.end());
    return all;
  }

  Piece again(size_t begin, int depth) {
    at_ = begin;
    return atom(depth);
  }

  Piece one(const std::bitset<256>& set) {
    out_.sets_.push_back(set);
    const uint32_t step = add({Kind::kTake, static_cast<uint32_t>(out_.sets_.size() - 1)});
    return {step, {{step, false}}};
  }

  Piece anchor(Kind kind) {
    const uint32_t step = add({kind});
    return {step, {{step, false}}};
  }

  Piece atom(int depth) {
    if (take('(')) {
      if (take('?') && !take(':')) fail("look-around is not supported");
      Piece group = alternatives(depth + 1);
      if (!take(')')) fail("a group that is not closed");
      return group;
    }
    if (take('^')) return anchor(Kind::kBegin);
    if (take('$')) return anchor(Kind::kEnd);
    std::bitset<256> set;
    if (take('[')) return one(char_class());
    if (take('.')) {
      set.set();
      set.reset('\n').reset('\r');
      return one(set);
    }
    const char c = more() ? pattern_[at_++] : '\0';
    if (c == '\\') return one(escape());
    if (c == '\0' || c == '*' || c == '+' || c == '?' || c == '{') fail("nothing to repeat");
    set.set(static_cast<uint8_t>(c));
    return one(set);
  }

  static std::bitset<256> range(char first, char last) {
    std::bitset<256> set;
    for (int c = static_cast<uint8_t>(first); c <= static_cast<uint8_t>(last); ++c) set.set(static_cast<size_t>(c));
    return set;
  }

  /// What stands behind a backslash.
  std::bitset<256> escape() {
    const char c = more() ? pattern_[at_++] : '\0';
    std::bitset<256> set;
    switch (c) {
      case 'd': return range('0', '9');
      case 'D': return ~range('0', '9');
      case 'w': return range('a', 'z') | range('A', 'Z') | range('0', '9') | range('_', '_');
      case 'W': return ~(range('a', 'z') | range('A', 'Z') | range('0', '9') | range('_', '_'));
      case 's': return range('\t', '\r') | range(' ', ' ');
      case 'S': return ~(range('\t', '\r') | range(' ', ' '));
      case 't': return range('\t', '\t');
      case 'n': return range('\n', '\n');
      case 'r': return range('\r', '\r');
      default: break;
    }
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\0';
    if (is_word) fail("an escape that is not supported");
    set.set(static_cast<uint8_t>(c));
    return set;
  }

  std::bitset<256> char_class() {
    const bool negated = take('^');
    std::bitset<256> set;
    while (more() && pattern_[at_] != ']') {
      const char c = pattern_[at_++];
      if (c == '\\') {
        set |= escape();
        continue;
      }
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        const char last = pattern_[at_ + 1];
        if (static_cast<uint8_t>(last) < static_cast<uint8_t>(c)) fail("a range whose end comes first");
        at_ += 2;
        set |= range(c, last);
      } else {
        set.set(static_cast<uint8_t>(c));
      }
    }
    if (!take(']')) fail("a class that is not closed");
    return negated ? ~set : set;
  }

  std::string_view pattern_;
  size_t at_ = 0;
  bool failed_ = false;
  Error error_;
  NamePattern out_;
};

Result<NamePattern> NamePattern::compile(std::string_view pattern) {
  return NamePatternCompiler(pattern).compile();
}

/// Puts a step, and what it leads to without taking a byte, on the list, each once.
void NamePattern::enter(std::vector<uint32_t>& list, std::vector<uint32_t>& seen, uint32_t mark, uint32_t step,
                        bool at_begin, bool at_end) const {
  std::vector<uint32_t> stack{step};
  while (!stack.empty()) {
    const uint32_t at = stack.back();
    stack.pop_back();
    if (seen[at] == mark) continue;
    seen[at] = mark;
    const Step& s = steps_[at];
    switch (s.kind) {
      case Step::Kind::kFork:
        stack.push_back(s.other);
        stack.push_back(s.next);
        break;
      case Step::Kind::kBegin:
        if (at_begin) stack.push_back(s.next);
        break;
      case Step::Kind::kEnd:
        if (at_end) stack.push_back(s.next);
        break;
      default: list.push_back(at);
    }
  }
}

bool NamePattern::found_in(std::string_view text) const {
  std::vector<uint32_t> now, next, seen(steps_.size(), 0);
  for (size_t i = 0; i <= text.size(); ++i) {
    // Threads of earlier beginnings are in `now`; seen[] was marked by the previous round.
    enter(now, seen, static_cast<uint32_t>(i + 1), first_, i == 0, i == text.size());
    next.clear();
    for (const uint32_t at : now) {
      const Step& s = steps_[at];
      if (s.kind == Step::Kind::kFound) return true;
      if (i == text.size() || !sets_[s.set].test(static_cast<uint8_t>(text[i]))) continue;
      enter(next, seen, static_cast<uint32_t>(i + 2), s.next, false, i + 1 == text.size());
    }
    now.swap(next);
  }
  return false;
}

}  // namespace hearth
