// A parser for a format that is known.
#pragma once

#include <string_view>

#include "hearth/chat_parser.h"
#include "lib/chat/answer_format.h"

namespace hearth {

struct ChatParserInternals {
  static Result<ChatParser> make(chat::AnswerFormat format, std::string_view tools_json);
};

}  // namespace hearth
