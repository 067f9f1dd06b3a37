// How a template writes an assistant's message: the texts around reasoning, names and arguments of calls.
#pragma once

#include <string>
#include <string_view>

#include "hearth/chat_template.h"

namespace hearth::chat {

/// In literals that hold a call's id this stands for it.
inline constexpr char kIdMark = '\x01';

/// Texts that stand between the parts of an answer; all of them as the template writes them.
struct AnswerFormat {
  std::string content_begin;  ///< before content without reasoning; may be left out

  bool has_reasoning = false;
  bool begins_in_reasoning = false;  ///< the prompt ends inside of it
  std::string reasoning_begin, reasoning_end;

  bool has_calls = false;
  bool as_pairs = false;                   ///< keys and values one by one instead of a JSON object
  bool needs_no_content = false;           ///< messages with calls must have no content at all, not an empty one
  std::string glue;                        ///< blanks between content and a call
  std::string begin;                       ///< before the first name, without the glue; empty: a tool's name begins the
                                           ///< answer
  std::string before_args;                 ///< between a name and its arguments, or the first key
  std::string key_to_value, value_to_key;  ///< of pairs
  std::string key_to_json;                 ///< where values that are no strings are told apart; empty: they are not
  std::string join;                        ///< between the arguments of a call and the name of the next
  std::string end;                         ///< after the last arguments
  std::string no_args_join, no_args_end;   ///< of pairs: the same after a name without arguments
};

/// Renders messages with these parts and compares. What cannot be found is left out of the format.
Result<AnswerFormat> learn_answer_format(const ChatTemplate& chat_template, const ChatOptions& options);

/// The bytes of the JSON value that begins `text`; 0: it is not whole yet; npos: none begins there.
size_t json_extent(std::string_view text);

}  // namespace hearth::chat
