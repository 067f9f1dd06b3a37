// Lexer: template source to tokens, with Jinja's white space control (trim_blocks and lstrip_blocks on).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

enum class TokenType : uint8_t {
  kData,
  kBlockBegin,
  kBlockEnd,
  kVariableBegin,
  kVariableEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct LexToken {
  TokenType type;
  std::string text;  ///< data, name, operator; a string's value; an integer's digits with its prefix
  uint32_t offset;   ///< into the normalized source
  double number = 0;
};

/// A place in the source, counted from 1.
struct Position {
  uint32_t line = 1, column = 1;
};

/// What went wrong, and where.
struct SyntaxError {
  std::string message;
  uint32_t offset = 0;
};

/// Line ends become "\n" and one at the very end is dropped, as Jinja does.
std::string normalize_source(std::string_view source);
/// Line and column (in characters) of an offset.
Position position_of(std::string_view source, uint32_t offset);

/// Splits a normalized source; the last token is kEnd. False with `error`.
bool tokenize(std::string_view source, std::vector<LexToken>& tokens, SyntaxError& error);

}  // namespace hearth::jinja
