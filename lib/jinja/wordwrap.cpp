// The filter wordwrap: textwrap.wrap of Python, line by line. White space that begins or ends a line is dropped, except
// at the very start.
#include "lib/base/concat.h"
#include "lib/jinja/filters.h"
#include "lib/jinja/string_ops.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja::filters {
namespace {

struct WrapOptions {
  int64_t width;  // characters, > 0
  bool break_long, hyphens;
  const Text& glue;  // between lines
};

class Wrapper {
 public:
  Wrapper(Interpreter& in, const Text& text, const WrapOptions& options)
      : in_(in), text_(text), bytes_(text.bytes()), options_(options) {}

  /// False after a failure.
  bool wrap(const Part& line) {
    std::vector<Chunk> chunks = chunks_of(line);
    bool wrote = false;
    for (size_t i = 0; i < chunks.size();) {
      if (wrote && is_space(chunks[i].begin) && ++i >= chunks.size()) break;
      const size_t begin = chunks[i].begin;
      size_t end = take_line(chunks, i);
      if (in_.failed() || !in_.room(out_.size() + options_.glue.size())) return false;
      while (end > begin && is_space(end - 1)) --end;
      if (end == begin) continue;
      put_line(begin, end);
      wrote = true;
    }
    if (!wrote) put_line(line.begin, line.begin);
    return true;
  }

  Text& result() { return out_; }

 private:
  /// A part of the text with its width in characters.
  struct Chunk {
    size_t begin, size;
    int64_t width;
  };

  bool is_space(size_t pos) const { return bytes_[pos] == ' ' || (bytes_[pos] >= 9 && bytes_[pos] <= 13); }
  bool is_letter(size_t pos) const { return unicode::is_alpha(unicode::decode(bytes_, pos).code); }

  void put_line(size_t begin, size_t end) {
    if (any_) out_.append(options_.glue);
    any_ = true;
    out_.append(text_, begin, end - begin);
  }

  /// Runs of space, words, and words cut after hyphens.
  std::vector<Chunk> chunks_of(const Part& line) const {
    const size_t stop = line.begin + line.size;
    std::vector<Chunk> chunks;
    for (size_t pos = line.begin; pos < stop;) {
      size_t end = pos;
      if (is_space(pos)) {
        while (end < stop && is_space(end)) ++end;
      } else {
        end = word_end(pos, stop);
      }
      chunks.push_back({pos, end - pos, static_cast<int64_t>(unicode::count(bytes_.substr(pos, end - pos)))});
      pos = end;
    }
    return chunks;
  }

  size_t word_end(size_t pos, size_t stop) const {
    size_t end = pos;
    while (end < stop && !is_space(end)) {
      const size_t next = end + unicode::decode(bytes_, end).size;
      const bool cut = options_.hyphens && bytes_[end] == '-' && end > pos + 1 && is_letter(end - 1) &&
                       next + 1 < stop && is_letter(next);
      end = next;
      if (cut) break;
    }
    return end;
  }

  /// Goes over the chunks that fit in one line, or over a part of one that fits in none. Returns the end of the line.
  size_t take_line(std::vector<Chunk>& chunks, size_t& i) {
    size_t end = chunks[i].begin;
    int64_t used = 0;
    for (; i < chunks.size() && in_.step(); ++i) {
      const int64_t n = chunks[i].width;
      if (used + n > options_.width) break;
      used += n;
      end = chunks[i].begin + chunks[i].size;
    }
    if (in_.failed() || i >= chunks.size() || chunks[i].width <= options_.width) return end;
    Chunk& chunk = chunks[i];
    if (options_.break_long) {
      const auto room = static_cast<size_t>(options_.width - used);
      const size_t part = unicode::offset_of(bytes_.substr(chunk.begin, chunk.size), room);
      end = chunk.begin + part;
      chunk = {end, chunk.size - part, chunk.width - static_cast<int64_t>(room)};
    } else if (used == 0) {
      end = chunk.begin + chunk.size;
      ++i;
    }
    return end;
  }

  Interpreter& in_;
  const Text& text_;
  const std::string_view bytes_;
  const WrapOptions options_;
  Text out_;
  bool any_ = false;
};

}  // namespace

Value wordwrap(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"}, 0, bound))
    return Value();
  const String* text = must_be_text(in, input);
  if (!text) return Value();
  const int64_t width = bound.has(0) ? in.to_index(bound[0]) : 79;
  const bool break_long = !bound.has(1) || in.truthy(bound[1]), hyphens = !bound.has(3) || in.truthy(bound[3]);
  Text glue(std::string_view("\n"), true);
  if (is_given(bound, 2)) {
    const String* given = must_be_text(in, bound[2]);
    if (!given) return Value();
    glue = given->text;
  }
  if (in.failed()) return Value();
  if (width <= 0) return in.fail_value(concat("invalid width ", width, " (must be > 0)"));
  const size_t size = text->text.size();
  if (!in.step(1 + size / 4) || !in.room(size * 4)) return Value();
  Wrapper wrapper(in, text->text, {width, break_long, hyphens, glue});
  for (const Part line : line_parts(text->bytes(), false)) {
    if (!wrapper.wrap(line)) return Value();
  }
  return in.string(std::move(wrapper.result()), text->markup);
}

}  // namespace hearth::jinja::filters
