// hearth tokenize: token ids of a text, or of JSON lines.
#include <iostream>
#include <memory>

#include "commands.h"
#include "hearth/tokenizer.h"
#include "json_output.h"
#include "line_input.h"
#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Tokenizer;

struct TokenizeOptions {
  std::string model, text;
  bool jsonl = false, json = false, add_special = false, parse_special = false, pieces = false;
  std::vector<int32_t> ids;
  bool has_text = false;
};

Error bad_line(size_t number, const std::string& what) {
  return {ErrorCode::kInvalidArgument, "line " + std::to_string(number) + ": " + what};
}

Result<std::string> from_hex(const std::string& hex) {
  const auto digit = [](char c) {
    const std::string_view digits = "0123456789abcdef";
    const size_t at = digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  };
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = i + 1 < hex.size() ? digit(hex[i + 1]) : -1;
    if (high < 0 || low < 0) return Error{ErrorCode::kInvalidArgument, "\"bytes_hex\" is not a row of byte pairs"};
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

/// {"ids": [...], "detok": "..."}; "detok_hex" where the bytes are not UTF-8.
Result<Json> tokenize_bytes(const Tokenizer& tokenizer, std::string_view bytes, const hearth::EncodeOptions& options) {
  const auto ids = tokenizer.encode(bytes, options);
  if (!ids) return ids.error();
  const auto text = tokenizer.decode(*ids);
  if (!text) return text.error();
  Json result = {{"ids", *ids}};
  if (check_utf8(*text, "")) {
    result["detok"] = *text;
  } else {
    result["detok_hex"] = to_hex(*text);
  }
  return result;
}

Result<Json> tokenize_line(const Tokenizer& tokenizer, const std::string& line, size_t number) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object()) return bad_line(number, "not a JSON object");
  const auto flag = [&](const char* key) { return request.contains(key) && request[key].is_boolean() && request[key]; };
  for (const char* key : {"add_special", "parse_special"}) {
    if (request.contains(key) && !request[key].is_boolean()) {
      return bad_line(number, "\"" + std::string(key) + "\" is not a boolean");
    }
  }
  for (const char* key : {"text", "bytes_hex"}) {
    if (request.contains(key) && !request[key].is_string()) {
      return bad_line(number, "\"" + std::string(key) + "\" is not a string");
    }
  }
  std::string bytes;
  if (request.contains("bytes_hex")) {
    auto decoded = from_hex(request["bytes_hex"]);
    if (!decoded) return bad_line(number, decoded.error().message);
    bytes = *decoded;
  } else if (request.contains("text")) {
    bytes = request["text"];
  } else {
    return bad_line(number, "has neither \"text\" nor \"bytes_hex\"");
  }
  auto made =
      tokenize_bytes(tokenizer, bytes, {.add_special = flag("add_special"), .parse_special = flag("parse_special")});
  if (!made) return bad_line(number, made.error().message);
  return made;
}

int tokenize_lines(const Tokenizer& tokenizer) {
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.empty()) continue;
    const auto made = tokenize_line(tokenizer, line, number);
    if (!made) return fail(made.error());
    print_json_line(*made);
  }
  return finish_output();
}

int tokenize_text(const Tokenizer& tokenizer, const TokenizeOptions& o) {
  if (auto status = check_utf8(o.text, "the text"); !status) return fail(status.error());
  const hearth::EncodeOptions encode{.add_special = o.add_special, .parse_special = o.parse_special};
  if (o.json) {
    const auto made = tokenize_bytes(tokenizer, o.text, encode);
    if (!made) return fail(made.error());
    print_json(*made);
    return finish_output();
  }
  const auto ids = tokenizer.encode(o.text, encode);
  if (!ids) return fail(ids.error());
  std::string out;
  for (hearth::Token id : *ids) {
    if (o.pieces) {
      out += std::to_string(id) + "\t" + quoted_piece(tokenizer.piece(id)) + "\n";
    } else {
      if (!out.empty()) out += ' ';
      out += std::to_string(id);
    }
  }
  if (!o.pieces) out += "\n";
  print(out);
  return finish_output();
}

int text_of_ids(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  const auto text = tokenizer.decode(ids);
  if (!text) return fail(text.error());
  print_foreign(*text + "\n");
  return finish_output();
}

int tokenize(TokenizeOptions o) {
  const bool is_piped = !o.has_text && !o.jsonl && o.ids.empty() && piped_input();
  if (is_piped) {
    const auto text = read_text("-");
    if (!text) return fail(text.error());
    o.text = *text;
    o.has_text = !text->empty();
  }
  if ((o.jsonl ? 1 : 0) + (o.has_text ? 1 : 0) + (o.ids.empty() ? 0 : 1) != 1) {
    return fail_usage("tokenize: give a text (as an argument or through a pipe), --ids or --jsonl");
  }
  const auto path = model_path(o.model);
  if (!path) return fail(path.error());
  const auto file = hearth::GgufFile::open(*path, {.metadata_only = true});
  if (!file) return fail(file.error());
  const auto tokenizer = Tokenizer::from_gguf(*file);
  if (!tokenizer) return fail(tokenizer.error());
  show_warning(tokenizer->warning());
  if (!o.ids.empty()) return text_of_ids(*tokenizer, o.ids);
  return o.jsonl ? tokenize_lines(*tokenizer) : tokenize_text(*tokenizer, o);
}

}  // namespace

Action setup_tokenize(Options& options) {
  auto values = std::make_shared<TokenizeOptions>();
  options.add("model,-m,--model", values->model, "!GGUF file");
  options.add("text", values->text, "Text to tokenize");
  options.add("--ids", values->ids, "Token ids, separated by commas, whose text is shown");
  options.add("--jsonl", values->jsonl, "Read JSON lines from standard input instead, and write one line for each");
  options.add("--add-special", values->add_special, "Add BOS and the like as the vocabulary asks");
  options.add("--parse-special", values->parse_special, "Control tokens written in the text become those tokens");
  options.add("--pieces", values->pieces, "One token a line, with the text that it stands for");
  options.add("--json", values->json, "Print {\"ids\": [...], \"detok\": \"...\"}");
  options.footer(
      "Lines in:  {\"text\" or \"bytes_hex\": \"...\", \"add_special\": false, \"parse_special\": false}\n"
      "Lines out: {\"ids\": [...], \"detok\": \"...\"}, or \"detok_hex\" where the bytes are not UTF-8");
  return [values, options] {
    values->has_text = options.given("text");
    return tokenize(*values);
  };
}

}  // namespace hearth_tool
