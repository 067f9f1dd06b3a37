// JSON schemas: what is taken and refused, what cannot be enforced and says so, hostile ones, and the golden schemas.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hearth/grammar.h"
#include "tests/support/cost.h"
#include "tests/support/golden.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

bool takes(const std::string& schema, const std::string& text, const JsonOptions& options = {}) {
  const auto grammar = Grammar::from_json_schema(schema, options);
  EXPECT_TRUE(grammar.ok()) << schema << ": " << grammar.error().message;
  if (!grammar) return false;
  const auto match = grammar->match(text);
  return match && match->can_end;
}

struct Case {
  const char* schema;
  std::vector<const char*> valid, invalid;
};

TEST(Schema, TakesWhatSatisfiesItAndNothingElse) {
  const Case cases[] = {
      {"true",
       {"1", "[]", "{\"a\":{\"b\":null}}", "\"\\u00e9x\\ud83d\\ude00\""},
       {"", "[1,]", "01", "\"\\ud83d\"", "\"\n\""}},
      {R"({"type":"integer","minimum":-3,"exclusiveMaximum":12})",
       {"-3", "0", "11", "-0"},
       {"-4", "12", "3.0", "100", "-10"}},
      {R"({"type":"number","minimum":0.5,"maximum":1.25})",
       {"0.5", "1", "1.25", "0.50", "1.2499"},
       {"0.49", "1.251", "2", "-1", "1e0"}},
      {R"({"type":"integer","multipleOf":7,"minimum":8})", {"14", "700"}, {"7", "15", "0"}},
      {R"({"type":"number","multipleOf":0.25})", {"0.25", "-1.5", "3", "1.250"}, {"0.3", "1.125"}},
      {R"({"type":["integer","null"],"enum":[1,"x",null,2.5]})", {"1", "null"}, {"\"x\"", "2.5"}},
      {R"({"not":{"type":["string","object","array"]},"enum":["a",3,true]})", {"3", "true"}, {"\"a\""}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {"\"ab\"", "\"日本é\"", "\"\\u0041b\""},
       {"\"a\"", "\"abcd\""}},
      {R"({"type":"string","pattern":"^[a-c]+$","maxLength":2})", {"\"a\"", "\"cb\""}, {"\"\"", "\"abc\"", "\"d\""}},
      {R"({"type":"string","pattern":"b","not":{"enum":["abc"]}})", {"\"b\"", "\"abcd\""}, {"\"abc\"", "\"a\""}},
      {R"({"type":"string","format":"date"})", {"\"2024-02-29\""}, {"\"2023-02-29\"", "\"2024-13-01\"", "\"x\""}},
      {R"({"type":"string","format":"ipv6"})",
       {"\"::1\"", "\"1:2:3:4:5:6:7:8\"", "\"::ffff:1.2.3.4\""},
       {"\"1::2::3\"", "\"12345::\""}},
      {R"({"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2})",
       {"[true]", "[true,false]"},
       {"[]", "[1]", "[true,true,true]"}},
      {R"({"type":"array","prefixItems":[{"const":1},{"const":2}],"items":{"type":"null"}})",
       {"[]", "[1]", "[1,2]", "[1,2,null]"},
       {"[2]", "[1,2,3]"}},
      {R"({"type":"array","contains":{"const":7},"items":{"type":"integer"}})", {"[7]", "[1,7,2]"}, {"[]", "[1]"}},
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}},"required":["b"],"additionalProperties":false})",
       {"{\"b\":null}", "{\"a\":1,\"b\":null}"},
       {"{}", "{\"a\":1}", "{\"b\":null,\"a\":1}", "{\"b\":null,\"c\":1}"}},
      {R"({"type":"object","properties":{"a":{"const":1}},"patternProperties":{"^x":{"type":"null"}},"additionalProperties":{"type":"boolean"}})",
       {"{\"a\":1,\"xy\":null,\"z\":true}"},
       {"{\"a\":2}", "{\"xy\":true}", "{\"z\":null}", "{\"\\u0061\":true}"}},
      {R"({"type":"object","propertyNames":{"maxLength":2},"minProperties":1})", {"{\"ab\":1}"}, {"{}", "{\"abc\":1}"}},
      {R"({"type":"object","properties":{"a":true,"b":true,"c":true},"additionalProperties":false,"minProperties":2,"maxProperties":2})",
       {"{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":1}"},
       {"{\"a\":1}", "{\"a\":1,\"b\":1,\"c\":1}"}},
      {R"({"oneOf":[{"type":"integer"},{"type":"number","minimum":5}]})", {"3", "5.5"}, {"7", "2.5"}},
      {R"({"anyOf":[{"required":["a"]},{"required":["b"]}],"type":"object","properties":{"a":{"type":"null"}}})",
       {"{\"a\":null}", "{\"b\":1}"},
       {"{}", "{\"c\":1}"}},
      {R"({"if":{"properties":{"k":{"const":"x"}},"required":["k"]},"then":{"required":["v"]},"type":"object","properties":{"k":{"enum":["x","y"]},"v":{}},"additionalProperties":false})",
       {"{\"k\":\"x\",\"v\":1}", "{\"k\":\"y\"}", "{}"},
       {"{\"k\":\"x\"}"}},
      {R"({"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"}},"additionalProperties":false}},"$ref":"#/$defs/t"})",
       {"{}", "{\"l\":{\"l\":{}}}"},
       {"{\"l\":1}"}},
      {R"({"allOf":[{"properties":{"a":{"minimum":2}}},{"properties":{"a":{"type":"integer","maximum":4}}}],"type":"object","required":["a"]})",
       {"{\"a\":3}"},
       {"{\"a\":1}", "{\"a\":5}", "{}"}},
      {R"({"type":"object","dependentRequired":{"a":["b"]},"properties":{"a":{},"b":{}}})",
       {"{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"},
       {"{\"a\":1}"}},
      {R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"integer","minimum":3,"exclusiveMinimum":true})",
       {"4"},
       {"3"}},
      {R"({"type":"string","nullable":true})", {"null", "\"a\""}, {"1"}},
      {R"({"properties":{"a":true},"anyOf":[{"properties":{"b":{"const":1}},"required":["b"]},{"properties":{"c":{"const":2}},"required":["c"]}],"unevaluatedProperties":false})",
       {"{\"b\":1}", "{\"a\":0,\"c\":2}", "{\"a\":0,\"b\":1,\"c\":2}"},
       {"{\"a\":0}", "{\"b\":1,\"c\":3}", "{\"b\":1,\"d\":1}"}},
      {R"({"if":{"patternProperties":{"^x":{"type":"string"}}},"unevaluatedProperties":false})",
       {"{\"xy\":\"\"}", "{}"},
       {"{\"xy\":1}", "{\"y\":\"\"}"}},
  };
  for (const Case& c : cases) {
    for (const char* text : c.valid) EXPECT_TRUE(takes(c.schema, text)) << c.schema << " on " << text;
    for (const char* text : c.invalid) EXPECT_FALSE(takes(c.schema, text)) << c.schema << " on " << text;
  }
}

TEST(Schema, SpacesAndOrderAreOptions) {
  const char* schema = R"({"type":"object","properties":{"a":{"type":"array"},"b":{}},"required":["a"]})";
  EXPECT_FALSE(takes(schema, "{ \"a\": [1, 2] }"));
  EXPECT_TRUE(takes(schema, "{ \"a\": [1,\n 2] }", {.white_space = true}));
  EXPECT_FALSE(takes(schema, "{\"b\":1,\"a\":[]}"));
  EXPECT_TRUE(takes(schema, "{\"b\":1,\"a\":[]}", {.any_order = true}));
  EXPECT_FALSE(takes(schema, "{\"b\":1,\"b\":2,\"a\":[]}", {.any_order = true}));
  EXPECT_FALSE(takes(schema, "{\"b\":1}", {.any_order = true}));
  const char* constant = R"({"enum":[{"a":[1],"b":{"c":2,"d":3}},7]})";
  EXPECT_FALSE(takes(constant, "{\"b\":{\"d\":3,\"c\":2},\"a\":[1]}"));
  EXPECT_TRUE(takes(constant, "{\"b\":{\"d\":3,\"c\":2},\"a\":[1]}", {.any_order = true}));
  EXPECT_FALSE(takes(constant, "{\"b\":{\"d\":3},\"a\":[1]}", {.any_order = true}));
  EXPECT_FALSE(takes(constant, "{\"b\":{\"c\":2,\"d\":3,\"c\":2},\"a\":[1]}", {.any_order = true}));
}

TEST(Schema, WhatCannotBeEnforcedIsNamedWithItsPath) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties":{"x":{"type":"array","uniqueItems":true}}})", "#/properties/x/uniqueItems"},
      {R"({"type":"string","pattern":"(?=a)b"})", "#/pattern"},
      {R"({"items":{"$ref":"#/nowhere"}})", "#/items/$ref"},
      {R"({"type":"string","format":"regex"})", "#/format"},
      {R"({"$dynamicRef":"#x"})", "#/$dynamicRef"},
      {R"({"type":"strin"})", "#/type"},
      {R"({"minLength":-1})", "#/minLength"},
      {R"({"a/b":1,"properties":{"a/b":{"type":7}}})", "#/properties/a~1b/type"},
  };
  for (const auto& [schema, path] : cases) {
    const auto grammar = Grammar::from_json_schema(schema);
    ASSERT_FALSE(grammar.ok()) << schema;
    EXPECT_NE(grammar.error().message.find(path), std::string::npos) << grammar.error().message;
  }
  EXPECT_FALSE(Grammar::from_json_schema("{").ok());
  EXPECT_FALSE(Grammar::from_json_schema("false").ok());
  EXPECT_FALSE(Grammar::from_json_schema(R"({"type":"integer","minimum":3,"maximum":2})").ok());
}

TEST(Schema, HostileOnesEndWithinASecond) {
  std::vector<std::string> schemas;
  std::string refs = "{\"$ref\":\"#/$defs/d0\",\"$defs\":{";
  for (int i = 0; i < 20000; ++i) {
    refs += "\"d" + std::to_string(i) + "\":{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"},";
  }
  schemas.push_back(refs + "\"d20000\":{}}}");
  std::string values = "{\"enum\":[0";
  for (int i = 1; i < 1000000; ++i) values += "," + std::to_string(i);
  schemas.push_back(values + "]}");
  schemas.push_back(R"({"type":"string","pattern":"(a|aa)*(a?){60}.{0,400}(x+x+)+y"})");
  schemas.push_back(R"({"type":"string","pattern":"(.*a.{30}){20}"})");
  schemas.push_back(R"({"$ref":"#"})");
  schemas.push_back(R"({"anyOf":[{"$ref":"#"},{"not":{"$ref":"#"}}]})");
  std::string cases = "{\"allOf\":[";
  for (int i = 0; i < 30; ++i)
    cases += std::string(i ? "," : "") + "{\"anyOf\":[{\"minLength\":1},{\"maxLength\":9},{\"required\":[\"a\"]}]}";
  schemas.push_back(cases + "]}");
  std::string nested;
  for (int i = 0; i < 190; ++i) nested += "{\"not\":";
  schemas.push_back(nested + "{}" + std::string(190, '}'));
  schemas.push_back(std::string(100000, '['));
  for (const std::string& schema : schemas) {
    const double start = testing::thread_seconds();
    const auto grammar = Grammar::from_json_schema(schema);
    if (grammar) (void)grammar->match("\"" + std::string(200, 'a') + "\"");
    const double seconds = testing::thread_seconds() - start;
    std::printf("    %.3f s: %s\n", seconds, grammar ? "compiles" : grammar.error().message.substr(0, 90).c_str());
    EXPECT_LT(seconds, testing::kSlowdown * 1.0) << schema.substr(0, 80);
  }
}

void write(const Json& value, const std::string& gap, std::string& out) {
  if (value.is_object()) {
    out += '{';
    for (auto it = value.begin(); it != value.end(); ++it) {
      if (it != value.begin()) out += "," + gap;
      out += Json(it.key()).dump() + ":" + gap;
      write(it.value(), gap, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += "," + gap;
      write(value[i], gap, out);
    }
    out += ']';
  } else {
    out += value.dump();
  }
}

TEST(GoldenSchemas, PassAsManyAsTheyShould) {
  size_t n = 0, n_passing = 0, n_refused_valid = 0, n_taken_invalid = 0;
  for (const auto& path : testing::golden_files("schemas", ".jsonl")) {
    const bool is_suite = path.filename().string().find("suite") != std::string::npos;
    std::istringstream in(testing::read_file(path));
    for (std::string line; std::getline(in, line);) {
      const Json entry = Json::parse(line);
      const auto grammar = Grammar::from_json_schema(entry["schema"].dump(), {.any_order = true, .white_space = true});
      bool passes = grammar.ok(), refused_valid = false;
      for (const Json& test : entry["tests"]) {
        for (const char* gap : {"", " "}) {
          if (!grammar) continue;
          std::string text;
          write(test["data"], gap, text);
          const auto match = grammar->match(text);
          const bool taken = match && match->can_end;
          passes &= taken == test["valid"].get<bool>();
          refused_valid |= !taken && test["valid"].get<bool>();
          if (!taken || test["valid"].get<bool>()) continue;
          ++n_taken_invalid;
          ADD_FAILURE() << path.filename() << " " << entry["name"] << " takes the invalid " << text;
        }
      }
      if (is_suite) continue;
      ++n;
      n_passing += passes;
      n_refused_valid += refused_valid;
    }
  }
  if (n == 0) GTEST_SKIP() << "no schemas in " << testing::golden_dir();
  EXPECT_EQ(n_taken_invalid, 0u);
  EXPECT_GE(100 * n_passing, 82 * n) << n_passing << " of " << n;
  EXPECT_LT(1000 * n_refused_valid, 3 * n) << n_refused_valid << " of " << n;
}

}  // namespace
}  // namespace hearth
