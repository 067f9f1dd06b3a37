// JSON (RFC 8259). Numbers are written as JSON has them. White space, where it may stand, is one blank, or a line break
// and up to 20 blanks that indent the next line: a model that may write blanks without end sometimes does.
#include "lib/grammar/json_language.h"

namespace hearth::grammar {

ExprId JsonLanguage::space() {
  if (space_) return *space_;
  if (!white_space_) return *(space_ = pool_.empty());
  CodeSet blanks(' ', ' ');
  blanks.add('\t');
  const ExprId indent = pool_.repeat(pool_.chars(blanks, Encoding::kPlain), 0, 20);
  const ExprId line = pool_.seq({pool_.optional(pool_.bytes("\r")), pool_.bytes("\n"), indent});
  space_ = pool_.optional(pool_.alt({pool_.chars(blanks, Encoding::kPlain), line}));
  return *space_;
}

ExprId JsonLanguage::comma() {
  return pool_.seq({space(), pool_.bytes(","), space()});
}

ExprId JsonLanguage::colon() {
  return pool_.seq({space(), pool_.bytes(":"), space()});
}

ExprId JsonLanguage::open(char bracket) {
  return pool_.seq({pool_.bytes(std::string_view(&bracket, 1)), space()});
}

ExprId JsonLanguage::close(char bracket) {
  return pool_.seq({space(), pool_.bytes(std::string_view(&bracket, 1))});
}

ExprId JsonLanguage::any_string() {
  return pool_.seq({pool_.bytes("\""), pool_.string_rest(0, kUnbounded)});
}

ExprId JsonLanguage::any_integer() {
  const ExprId digit = pool_.chars({'0', '9'}, Encoding::kPlain);
  const ExprId more = pool_.seq({pool_.chars({'1', '9'}, Encoding::kPlain), pool_.repeat(digit, 0, kUnbounded)});
  return pool_.seq({pool_.optional(pool_.bytes("-")), pool_.alt({pool_.bytes("0"), more})});
}

ExprId JsonLanguage::any_number() {
  const ExprId digits = pool_.repeat(pool_.chars({'0', '9'}, Encoding::kPlain), 1, kUnbounded);
  CodeSet e('E', 'E'), sign('+', '+');
  e.add('e');
  sign.add('-');
  const ExprId exponent =
      pool_.seq({pool_.chars(e, Encoding::kPlain), pool_.optional(pool_.chars(sign, Encoding::kPlain)), digits});
  return pool_.seq({any_integer(), pool_.optional(pool_.seq({pool_.bytes("."), digits})), pool_.optional(exponent)});
}

void JsonLanguage::define_any() {
  if (value_) return;
  value_ = pool_.add_rule("value");
  object_ = pool_.add_rule("object");
  array_ = pool_.add_rule("array");
  const ExprId value = pool_.rule(*value_);
  pool_.define(*value_, pool_.alt({any_string(), any_number(), pool_.bytes("true"), pool_.bytes("false"),
                                   pool_.bytes("null"), pool_.rule(*object_), pool_.rule(*array_)}));
  const auto list = [&](char begin, ExprId item, char end) {
    const ExprId more = pool_.repeat(pool_.seq({comma(), item}), 0, kUnbounded);
    return pool_.seq({open(begin), pool_.optional(pool_.seq({item, more})), close(end)});
  };
  pool_.define(*object_, list('{', pool_.seq({any_string(), colon(), value}), '}'));
  pool_.define(*array_, list('[', value, ']'));
}

ExprId JsonLanguage::any_value() {
  define_any();
  return pool_.rule(*value_);
}

ExprId JsonLanguage::any_object() {
  define_any();
  return pool_.rule(*object_);
}

ExprId JsonLanguage::any_array() {
  define_any();
  return pool_.rule(*array_);
}

}  // namespace hearth::grammar
