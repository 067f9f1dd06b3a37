// Global functions of templates: Jinja's own, and those that Hugging Face's renderer adds.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"

namespace hearth::jinja {
namespace {

Value range(Interpreter& in, const CallArgs& args) {
  if (!args.named.empty()) return in.fail_type("range() takes no keyword arguments");
  const size_t n = args.positional.size();
  if (n == 0 || n > 3) return in.fail_type(concat("range expected 1 to 3 arguments, got ", n));
  const int64_t start = n > 1 ? in.to_index(args.positional[0]) : 0;
  const int64_t stop = in.to_index(args.positional[n > 1 ? 1 : 0]);
  const int64_t step = n > 2 ? in.to_index(args.positional[2]) : 1;
  if (in.failed()) return Value();
  if (step == 0) return in.fail_value("range() arg 3 must not be zero");
  uint64_t length = 0;
  if (step > 0 && start < stop) {
    length = (static_cast<uint64_t>(stop) - static_cast<uint64_t>(start) - 1) / static_cast<uint64_t>(step) + 1;
  } else if (step < 0 && stop < start) {
    length = (static_cast<uint64_t>(start) - static_cast<uint64_t>(stop) - 1) / (0 - static_cast<uint64_t>(step)) + 1;
  }
  constexpr uint64_t kMaxRange = 100000;  // MAX_RANGE of Jinja's sandbox
  if (length > kMaxRange) {
    return in.fail("OverflowError: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  }
  return Value(new Range(in.heap(), start, stop, step, static_cast<int64_t>(length)));
}

Value make_dict(Interpreter& in, const CallArgs& args) {
  const Value out(new Dict(in.heap()));
  Dict& dict = out.as<Dict>();
  if (args.positional.size() > 1) return in.fail_type("dict expected at most 1 argument");
  for (const Value& source : args.positional) {
    if (source.is(Kind::kDict)) {
      for (const Dict::Entry& entry : source.as<Dict>().entries) {
        if (!in.step()) return Value();
        dict.set(entry.key, entry.value);
      }
      continue;
    }
    std::vector<Value> pairs;
    if (!in.collect(source, pairs)) return Value();
    for (const Value& pair_value : pairs) {
      std::vector<Value> pair;
      if (!in.collect(pair_value, pair) || !in.step()) return Value();
      if (pair.size() != 2) return in.fail_value("dictionary update sequence element has a length other than 2");
      if (!is_hashable(pair[0])) return in.fail_type(concat("unhashable type: '", in.type_name(pair[0]), "'"));
      dict.set(pair[0], pair[1]);
    }
  }
  for (const auto& [name, value] : args.named) dict.set(in.string(name), value);
  return in.failed() ? Value() : out;
}

Value make_namespace(Interpreter& in, const CallArgs& args) {
  Value attributes = make_dict(in, args);
  if (in.failed()) return Value();
  return Value(new Namespace(in.heap(), std::move(attributes)));
}

Value make_cycler(Interpreter& in, const CallArgs& args) {
  if (!args.named.empty()) return in.fail_type("cycler() takes no keyword arguments");
  if (args.positional.empty()) return in.fail("RuntimeError: at least one item has to be provided");
  return Value(new Cycler(in.heap(), args.positional));
}

Value make_joiner(Interpreter& in, const CallArgs& args) {
  Bound bound;
  if (!in.bind("joiner", args, {"sep"}, 0, bound)) return Value();
  return Value(new Joiner(in.heap(), bound.has(0) ? bound[0] : in.string(", ")));
}

Value raise_exception(Interpreter& in, const CallArgs& args) {
  Bound bound;
  if (!in.bind("raise_exception", args, {"message"}, 1, bound)) return Value();
  return in.fail_raised(std::string(in.text_of(bound[0]).bytes()));
}

Value strftime_now(Interpreter& in, const CallArgs& args) {
  Bound bound;
  if (!in.bind("strftime_now", args, {"format"}, 1, bound)) return Value();
  if (!bound[0].is_string()) return in.fail_type("strftime() argument 1 must be str");
  const std::string_view format = bound[0].as<String>().bytes();
  if (!in.step(1 + format.size() / 2) || !in.room(format.size() * 64)) return Value();
  return in.string(Text(format_time(format, in.options().now), true));
}

// Filler text. Jinja's is random; this one is always the same.
Value lipsum(Interpreter& in, const CallArgs& args) {
  Bound bound;
  if (!in.bind("lipsum", args, {"n", "html", "min", "max"}, 0, bound)) return Value();
  const int64_t n = bound.has(0) ? in.to_index(bound[0]) : 5;
  const bool html = !bound.has(1) || in.truthy(bound[1]);
  static constexpr std::string_view kWords[] = {"lorem", "ipsum", "dolor", "sit", "amet", "erat", "quis", "sed"};
  Text out;
  for (int64_t i = 0; i < n && in.step(8) && in.room(out.size()); ++i) {
    if (i != 0) out.append(html ? "\n" : "\n\n", true);
    if (html) out.append("<p>", true);
    for (size_t word = 0; word < 24; ++word) {
      std::string text(kWords[(word * 5 + static_cast<size_t>(i)) % std::size(kWords)]);
      if (word == 0) text[0] = static_cast<char>(text[0] - 32);
      out.append((word ? " " : "") + text, true);
    }
    out.append(html ? ".</p>" : ".", true);
  }
  return in.string(std::move(out), html);
}

}  // namespace

void Interpreter::define_globals() {
  static constexpr std::pair<const char*, NativeFunction::Run> kFunctions[] = {
      {"range", range},
      {"dict", make_dict},
      {"namespace", make_namespace},
      {"cycler", make_cycler},
      {"joiner", make_joiner},
      {"lipsum", lipsum},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
  };
  for (const auto& [name, run] : kFunctions) {
    globals_.as<Dict>().set(string(name), Value(new NativeFunction(heap_, name, run)));
  }
}

}  // namespace hearth::jinja
