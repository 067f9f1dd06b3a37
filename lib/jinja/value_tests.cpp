// The tests of `is`.
#include "lib/base/concat.h"
#include "lib/jinja/filters.h"
#include "lib/jinja/parser.h"

namespace hearth::jinja {
namespace {

using TestRun = bool (*)(Interpreter&, const Value& input, const Value& argument);
struct TestEntry {
  std::string_view name;
  size_t n_arguments;
  TestRun run;
};

template <Op op>
bool compares(Interpreter& in, const Value& a, const Value& b) {
  return in.truthy(in.compare(op, a, b));
}

bool remainder_is(Interpreter& in, const Value& value, const Value& divisor, int64_t wanted) {
  const Value rest = in.binary(Op::kMod, value, divisor);
  return !in.failed() && in.equal(rest, Value(wanted));
}

bool text_is(Interpreter& in, const Value& value, std::string_view method) {
  const Value text = in.string(in.text_of(value));
  return !in.failed() && in.truthy(find_string_method(method)->run(in, text, {}));
}

// A look-up by name fails for what cannot be a key.
bool must_hash(Interpreter& in, const Value& value) {
  if (is_hashable(value)) return true;
  in.fail_type(concat("unhashable type: '", in.type_name(value), "'"));
  return false;
}

constexpr TestEntry kTests[] = {
    {"odd", 0, [](Interpreter& in, const Value& v, const Value&) { return remainder_is(in, v, Value(2), 1); }},
    {"even", 0, [](Interpreter& in, const Value& v, const Value&) { return remainder_is(in, v, Value(2), 0); }},
    {"divisibleby", 1, [](Interpreter& in, const Value& v, const Value& by) { return remainder_is(in, v, by, 0); }},
    {"defined", 0, [](Interpreter&, const Value& v, const Value&) { return !v.is_undefined(); }},
    {"undefined", 0, [](Interpreter&, const Value& v, const Value&) { return v.is_undefined(); }},
    {"filter", 0,
     [](Interpreter& in, const Value& v, const Value&) {
       if (!must_hash(in, v) || !v.is_string()) return false;
       const std::string_view name = v.as<String>().bytes();
       return find_filter(name) != UINT32_MAX && (name != "from_json" || in.options().extensions);
     }},
    {"test", 0,
     [](Interpreter& in, const Value& v, const Value&) {
       return must_hash(in, v) && v.is_string() && find_test(v.as<String>().bytes()) != UINT32_MAX;
     }},
    {"none", 0, [](Interpreter&, const Value& v, const Value&) { return v.is_none(); }},
    {"boolean", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kBool); }},
    {"false", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kBool) && !v.as_bool(); }},
    {"true", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kBool) && v.as_bool(); }},
    {"integer", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kInt) || v.is(Kind::kBigInt); }},
    {"float", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kFloat); }},
    {"lower", 0, [](Interpreter& in, const Value& v, const Value&) { return text_is(in, v, "islower"); }},
    {"upper", 0, [](Interpreter& in, const Value& v, const Value&) { return text_is(in, v, "isupper"); }},
    {"string", 0, [](Interpreter&, const Value& v, const Value&) { return v.is_string(); }},
    {"mapping", 0, [](Interpreter&, const Value& v, const Value&) { return v.is(Kind::kDict); }},
    {"number", 0, [](Interpreter&, const Value& v, const Value&) { return v.is_number(); }},
    {"sequence", 0,
     [](Interpreter&, const Value& v, const Value&) {
       return v.is_undefined() || v.is_string() || v.is(Kind::kList) || v.is(Kind::kTuple) || v.is(Kind::kDict) ||
              v.is(Kind::kRange);
     }},
    {"iterable", 0, [](Interpreter& in, const Value& v, const Value&) { return in.is_iterable(v); }},
    {"callable", 0, [](Interpreter& in, const Value& v, const Value&) { return in.is_callable(v); }},
    {"sameas", 1, [](Interpreter&, const Value& v, const Value& other) { return v.same_as(other); }},
    {"escaped", 0, [](Interpreter&, const Value& v, const Value&) { return v.is_string() && v.as<String>().markup; }},
    {"in", 1, [](Interpreter& in, const Value& v, const Value& seq) { return in.contains(seq, v); }},
    {"==", 1, compares<Op::kEq>},
    {"eq", 1, compares<Op::kEq>},
    {"equalto", 1, compares<Op::kEq>},
    {"!=", 1, compares<Op::kNe>},
    {"ne", 1, compares<Op::kNe>},
    {">", 1, compares<Op::kGt>},
    {"gt", 1, compares<Op::kGt>},
    {"greaterthan", 1, compares<Op::kGt>},
    {">=", 1, compares<Op::kGe>},
    {"ge", 1, compares<Op::kGe>},
    {"<", 1, compares<Op::kLt>},
    {"lt", 1, compares<Op::kLt>},
    {"lessthan", 1, compares<Op::kLt>},
    {"<=", 1, compares<Op::kLe>},
    {"le", 1, compares<Op::kLe>},
};

}  // namespace

uint32_t find_test(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kTests); ++i) {
    if (kTests[i].name == name) return i;
  }
  return UINT32_MAX;
}

bool Interpreter::test(uint32_t index, const Value& input, const CallArgs& args) {
  const Depth depth(*this);
  if (!step()) return false;
  const TestEntry& entry = kTests[index];
  const size_t given = args.positional.size() + args.named.size();
  if (given != entry.n_arguments) {
    fail_type(concat("test '", entry.name, "' takes ", entry.n_arguments, " arguments (", given, " given)"));
    return false;
  }
  const Value argument =
      args.positional.empty() ? (args.named.empty() ? Value() : args.named[0].second) : args.positional[0];
  return entry.run(*this, input, argument) && !failed_;
}

bool Interpreter::call_test(std::string_view name, const Value& input, const CallArgs& args) {
  const uint32_t index = find_test(name);
  if (index == UINT32_MAX) {
    fail(concat("No test named '", name, "'."));
    return false;
  }
  return test(index, input, args);
}

}  // namespace hearth::jinja
