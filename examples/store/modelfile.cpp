// Reading definitions.
#include "modelfile.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

enum class Value { kInt, kFloat, kBool, kTexts };

struct Parameter {
  const char* name;
  Value value;
};

/// Those that Ollama documents, whether or not a run looks at them.
constexpr Parameter kParameters[] = {
    {"num_ctx", Value::kInt},
    {"num_predict", Value::kInt},
    {"num_keep", Value::kInt},
    {"num_batch", Value::kInt},
    {"num_thread", Value::kInt},
    {"num_gpu", Value::kInt},
    {"main_gpu", Value::kInt},
    {"seed", Value::kInt},
    {"top_k", Value::kInt},
    {"repeat_last_n", Value::kInt},
    {"mirostat", Value::kInt},
    {"draft_num_predict", Value::kInt},
    {"temperature", Value::kFloat},
    {"top_p", Value::kFloat},
    {"min_p", Value::kFloat},
    {"typical_p", Value::kFloat},
    {"tfs_z", Value::kFloat},
    {"repeat_penalty", Value::kFloat},
    {"presence_penalty", Value::kFloat},
    {"frequency_penalty", Value::kFloat},
    {"mirostat_tau", Value::kFloat},
    {"mirostat_eta", Value::kFloat},
    {"penalize_newline", Value::kBool},
    {"numa", Value::kBool},
    {"low_vram", Value::kBool},
    {"use_mmap", Value::kBool},
    {"use_mlock", Value::kBool},
    {"stop", Value::kTexts},
};

const Parameter* find_parameter(const std::string& name) {
  const auto* found = std::find_if(std::begin(kParameters), std::end(kParameters),
                                   [&](const Parameter& one) { return name == one.name; });
  return found == std::end(kParameters) ? nullptr : found;
}

Error unknown_parameter(const std::string& name) {
  return Error{ErrorCode::kInvalidArgument, "there is no parameter " + shown(name)};
}

/// Reads a definition line by line; texts may run over several.
class DefinitionReader {
 public:
  explicit DefinitionReader(std::string_view text) : text_(text) {}

  Result<Modelfile> read() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (skip_blank()) {
      const std::string word = lower_case(take_word());
      if (auto status = instruction(word); !status) return wrong(status.error().message);
    }
    if (out_.from.empty()) return Error{ErrorCode::kFormat, "the definition has no FROM"};
    return std::move(out_);
  }

 private:
  Error wrong(const std::string& what) const {
    return Error{ErrorCode::kFormat, "line " + std::to_string(line_) + " of the definition: " + what};
  }

  /// To the next instruction; false at the end. Notes its line.
  bool skip_blank() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else {
        break;
      }
    }
    line_ = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return at_ < text_.size();
  }

  std::string take_word() {
    const size_t end = std::min(text_.find_first_of(" \t\r\n", at_), text_.size());
    std::string word(text_.substr(at_, end - at_));
    at_ = end;
    at_ = std::min(text_.find_first_not_of(" \t", at_), text_.size());
    return word;
  }

  /// The rest of the line; between quotes, one or three, more than that.
  Result<std::string> take_text() {
    for (const std::string_view quote : {"\"\"\"", "\""}) {
      if (!text_.substr(at_).starts_with(quote)) continue;
      const size_t begin = at_ + quote.size(), end = text_.find(quote, begin);
      if (end == std::string_view::npos) return Error{ErrorCode::kFormat, "a text is not closed"};
      at_ = end + quote.size();
      const size_t rest = std::min(text_.find_first_of("\r\n", at_), text_.size());
      if (text_.substr(at_, rest - at_).find_first_not_of(" \t") != std::string_view::npos)
        return Error{ErrorCode::kFormat, "something stands behind a text"};
      at_ = rest;
      return std::string(text_.substr(begin, end - begin));
    }
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string text(text_.substr(at_, end - at_));
    at_ = end;
    text.erase(text.find_last_not_of(" \t\r") + 1);
    return text;
  }

  Status instruction(const std::string& word) {
    std::string name;
    if (word == "parameter" || word == "message") name = lower_case(take_word());
    auto text = take_text();
    if (!text) return text.error();
    if (text->empty() && word != "system") return Error{ErrorCode::kFormat, shown(word) + " says nothing"};
    if (word == "from") {
      out_.from = *text;
    } else if (word == "system") {
      out_.system = *text;
    } else if (word == "template") {
      out_.template_text = *text;
    } else if (word == "adapter") {
      out_.adapters.push_back(*text);
    } else if (word == "license") {
      out_.licenses.push_back(*text);
    } else if (word == "message") {
      if (name != "system" && name != "user" && name != "assistant")
        return Error{ErrorCode::kFormat, "a message is of system, user or assistant, not of " + shown(name)};
      out_.messages.push_back({{"role", name}, {"content", *text}});
    } else if (word == "parameter") {
      const auto value = parameter_value(name, *text);
      if (!value) return value.error();
      if (value->is_array() && out_.parameters.contains(name)) {
        out_.parameters[name].push_back((*value)[0]);
      } else {
        out_.parameters[name] = *value;
      }
    } else {
      return Error{ErrorCode::kFormat, shown(word) +
                                           " is no instruction (FROM, PARAMETER, SYSTEM, TEMPLATE, ADAPTER, "
                                           "MESSAGE, LICENSE)"};
    }
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  std::ptrdiff_t line_ = 1;
  Modelfile out_;
};

}  // namespace

Result<Json> parameter_value(const std::string& name, const std::string& text) {
  const Parameter* parameter = find_parameter(name);
  if (parameter == nullptr) return unknown_parameter(name);
  const auto wrong = [&](const char* what) {
    return Error{ErrorCode::kInvalidArgument, name + ": " + shown(text) + " is no " + what};
  };
  char* end = nullptr;
  switch (parameter->value) {
    case Value::kTexts: return Json::array({text});
    case Value::kBool:
      if (text == "true" || text == "1") return Json(true);
      if (text == "false" || text == "0") return Json(false);
      return wrong("true or false");
    case Value::kInt: {
      const double number = std::strtod(text.c_str(), &end);
      const bool ok = *end == '\0' && end != text.c_str() && number == std::floor(number) && std::abs(number) <= 9e15;
      if (!ok) return wrong("whole number");
      return Json(static_cast<int64_t>(number));
    }
    case Value::kFloat: break;
  }
  const double number = std::strtod(text.c_str(), &end);
  if (*end != '\0' || end == text.c_str() || !std::isfinite(number)) return wrong("number");
  return Json(number);
}

Status check_parameter(const std::string& name, const Json& value) {
  const Parameter* parameter = find_parameter(name);
  if (parameter == nullptr) return unknown_parameter(name);
  bool ok = false;
  switch (parameter->value) {
    case Value::kTexts:
      ok = value.is_string() || (value.is_array() && std::all_of(value.begin(), value.end(),
                                                                 [](const Json& one) { return one.is_string(); }));
      break;
    case Value::kBool: ok = value.is_boolean(); break;
    case Value::kInt: ok = value.is_number() && value.get<double>() == std::floor(value.get<double>()); break;
    case Value::kFloat: ok = value.is_number(); break;
  }
  return ok ? Status() : Status(Error{ErrorCode::kInvalidArgument, name + ": this value is none that it may have"});
}

Result<Modelfile> Modelfile::parse(std::string_view text) {
  if (text.size() > kMostManifestBytes) return Error{ErrorCode::kLimit, "the definition is longer than a megabyte"};
  return DefinitionReader(text).read();
}

}  // namespace hearth_store
