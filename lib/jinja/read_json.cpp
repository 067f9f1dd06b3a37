// Values from the events of a JSON document.
#include <optional>

#include "lib/jinja/json_values.h"
#include "lib/json/reader.h"

namespace hearth::jinja {
namespace {

using json::Event;

class ValueReader {
 public:
  ValueReader(Heap& heap, std::string_view text, bool trusted)
      : heap_(heap), trusted_(trusted), reader_(text, {kMaxJsonDepth, true, true}) {}

  bool read(Value& out, std::string& error) {
    for (Event event = reader_.next(); event != Event::kEnd; event = reader_.next()) {
      if (event == Event::kError) return error = reader_.error().message, false;
      const char* problem = take(event, out);
      if (problem != nullptr) return error = reader_.describe(problem), false;
    }
    return true;
  }

 private:
  /// An array or object that has not ended, and in an object the key whose value comes next.
  struct Open {
    Value container, key;
  };

  const char* take(Event event, Value& out) {
    if (event == Event::kEndObject || event == Event::kEndArray) return open_.pop_back(), nullptr;
    if (!heap_.has_room(64 + reader_.text().size())) return "too large";
    if (event == Event::kKey) return open_.back().key = string(), nullptr;
    Value value;
    if (event == Event::kInteger) {
      std::optional<Value> number = integer();
      if (!number) return "an integer is too long";
      value = *std::move(number);
    } else {
      value = value_of(event);
    }
    if (open_.empty()) {
      out = value;
    } else if (open_.back().container.is(Kind::kList)) {
      open_.back().container.as<Sequence>().push(value);
    } else {
      open_.back().container.as<Dict>().set(std::move(open_.back().key), value);
    }
    if (event == Event::kObject || event == Event::kArray) open_.push_back({std::move(value), Value()});
    return nullptr;
  }

  Value value_of(Event event) {
    switch (event) {
      case Event::kObject: return Value(new Dict(heap_));
      case Event::kArray: return Value(new Sequence(heap_, Kind::kList));
      case Event::kString: return string();
      case Event::kReal: return Value(reader_.number());
      case Event::kTrue: return Value(true);
      case Event::kFalse: return Value(false);
      default: return Value();
    }
  }

  Value string() { return Value(new String(heap_, Text(reader_.text(), trusted_), false)); }

  std::optional<Value> integer() {
    if (const auto small = reader_.integer()) return Value(*small);
    const std::string_view text = reader_.text();
    const bool negative = text.starts_with('-');
    const std::optional<BigInt> big = BigInt::parse(text.substr(negative ? 1 : 0), 10);
    if (!big) return std::nullopt;
    return Value(new BigNumber(heap_, negative ? big->negated() : *big));
  }

  Heap& heap_;
  const bool trusted_;
  json::Reader reader_;
  std::vector<Open> open_;
};

}  // namespace

bool read_json(Heap& heap, std::string_view text, bool trusted, Value& out, std::string& error) {
  return ValueReader(heap, text, trusted).read(out, error);
}

}  // namespace hearth::jinja
