// Twin of hearth/chat_parser.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

/// Keeps a delta in the parser's handle, to be looked at until the next call.
Status keep_delta(HearthChatParser& parser, Result<ChatDelta> made, HearthChatDelta* out) {
  if (!made) return made.error();
  std::vector<HearthToolCall> calls = calls_of(made->tool_calls);  // texts of short strings move with the vector
  parser.delta = std::move(*made);
  parser.calls = std::move(calls);
  fill(out, {0, lend(parser.delta.content), lend(parser.delta.reasoning), parser.calls.data(), parser.calls.size()});
  return {};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

HearthCode hearth_chat_parser_create(const HearthChatTemplate* chat_template, const HearthChatOptions* options,
                                     HearthChatParser** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{chat_template, "chat_template"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::ChatParser::create(chat_template->compiled, *how), out);
  });
}
void hearth_chat_parser_free(HearthChatParser* parser) {
  delete parser;
}
HearthCode hearth_chat_parser_push(HearthChatParser* parser, const char* text, size_t text_size, HearthChatDelta* out,
                                   HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{parser, "parser"}}); !s) return s;
    return keep_delta(*parser, parser->parser.push(view(text, text_size)), out);
  });
}
HearthCode hearth_chat_parser_finish(HearthChatParser* parser, HearthChatDelta* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{parser, "parser"}}); !s) return s;
    return keep_delta(*parser, parser->parser.finish(), out);
  });
}
bool hearth_chat_parser_knows_calls(const HearthChatParser* parser) {
  return parser != nullptr && parser->parser.knows_calls();
}
bool hearth_chat_parser_knows_reasoning(const HearthChatParser* parser) {
  return parser != nullptr && parser->parser.knows_reasoning();
}

}  // extern "C"
