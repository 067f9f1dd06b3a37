// Sampling, formats, prompts, durations.
#include "fields.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

namespace hearth_server {

using hearth::SamplerOptions;

void read_sampling(const Json& body, SamplerOptions& s) {
  const struct {
    const char* name;
    float* value;
  } kNumbers[] = {{"temperature", &s.temperature},
                  {"top_p", &s.top_p},
                  {"min_p", &s.min_p},
                  {"typical_p", &s.typical_p},
                  {"top_n_sigma", &s.top_n_sigma},
                  {"repeat_penalty", &s.repeat_penalty},
                  {"repetition_penalty", &s.repeat_penalty},
                  {"presence_penalty", &s.presence_penalty},
                  {"frequency_penalty", &s.frequency_penalty},
                  {"dry_multiplier", &s.dry_multiplier},
                  {"dry_base", &s.dry_base},
                  {"xtc_probability", &s.xtc_probability},
                  {"xtc_threshold", &s.xtc_threshold},
                  {"dynatemp_range", &s.dynatemp_range},
                  {"dynatemp_exponent", &s.dynatemp_exponent},
                  {"mirostat_tau", &s.mirostat_tau},
                  {"mirostat_eta", &s.mirostat_eta}};
  const struct {
    const char* name;
    int32_t* value;
  } kIntegers[] = {{"top_k", &s.top_k},
                   {"repeat_last_n", &s.penalty_last_n},
                   {"dry_allowed_length", &s.dry_allowed_length},
                   {"dry_penalty_last_n", &s.dry_penalty_last_n},
                   {"min_keep", &s.min_keep},
                   {"mirostat", &s.mirostat}};
  for (const auto& [name, value] : kNumbers)
    if (const auto number = number_field(body, name)) *value = static_cast<float>(*number);
  for (const auto& [name, value] : kIntegers)
    if (const auto number = int_field(body, name))
      *value = static_cast<int32_t>(std::clamp<int64_t>(*number, INT32_MIN, INT32_MAX));
  if (s.temperature < 0) throw ApiError(400, "'temperature' must not be negative", "", "temperature");
  s.min_keep = std::max(s.min_keep, 1);
  if (field(body, "dry_sequence_breakers") != nullptr) s.dry_breakers = texts_field(body, "dry_sequence_breakers");
  const auto seed = int_field(body, "seed");
  s.seed = seed && *seed >= 0 ? static_cast<uint64_t>(*seed) : std::random_device()();
}

namespace {

/// OpenAI's -100 means never, and so does false.
float read_bias(const Json& value) {
  const bool is_forbidden = value.is_boolean() && !value.get<bool>();
  if (!is_forbidden && !value.is_number()) {
    throw ApiError(400, "'logit_bias' must have numbers", "", "logit_bias");
  }
  const double bias = is_forbidden ? -100 : value.get<double>();
  return bias <= -100 ? -std::numeric_limits<float>::infinity() : static_cast<float>(std::min(bias, 1e6));
}

}  // namespace

void read_logit_bias(const Json& body, Ask& ask) {
  const Json* biases = field(body, "logit_bias");
  if (biases == nullptr) return;
  const auto add = [&](int64_t id, const Json& value) {
    if (id < 0 || id > INT32_MAX) throw ApiError(400, "'logit_bias' names no token", "", "logit_bias");
    ask.generate.sampler.logit_bias.emplace_back(static_cast<hearth::Token>(id), read_bias(value));
  };
  if (biases->is_object()) {
    for (const auto& [key, value] : biases->items()) {
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      const bool is_id = error == std::errc() && end == key.data() + key.size();
      if (is_id) {
        add(id, value);
      } else {
        ask.text_bias.emplace_back(key, read_bias(value));
      }
    }
    return;
  }
  if (!biases->is_array()) throw ApiError(400, "'logit_bias' must be an object", "", "logit_bias");
  for (const Json& pair : *biases) {
    if (!pair.is_array() || pair.size() != 2) throw ApiError(400, "'logit_bias' must have pairs", "", "logit_bias");
    if (pair[0].is_string()) {
      ask.text_bias.emplace_back(pair[0].get<std::string>(), read_bias(pair[1]));
    } else {
      add(pair[0].is_number_integer() ? pair[0].get<int64_t>() : -1, pair[1]);
    }
  }
}

std::vector<std::pair<int64_t, float>> read_adapter_scales(const Json& list) {
  std::vector<std::pair<int64_t, float>> scales;
  for (const Json& entry : list) {
    const Json* id = entry.is_object() ? field(entry, "id") : nullptr;
    const Json* scale = entry.is_object() ? field(entry, "scale") : nullptr;
    if (id == nullptr || !id->is_number_integer() || scale == nullptr || !scale->is_number()) {
      throw ApiError(400, "an adapter is chosen as {\"id\": NUMBER, \"scale\": NUMBER}", "", "lora");
    }
    scales.emplace_back(id->get<int64_t>(), scale->get<float>());
  }
  return scales;
}

void read_tools(const Json& body, Ask& ask, bool flat) {
  const Json* tools = list_field(body, "tools");
  Json list = Json::array();
  for (const Json& tool : tools != nullptr ? *tools : Json::array()) {
    if (flat && text_or(tool, "type") != "function") continue;  // the maker's own tools
    const Json* function = flat ? &tool : field(tool, "function");
    if (function == nullptr || text_or(*function, "name").empty()) {
      throw ApiError(400, "a tool must have a function with a name", "", "tools");
    }
    Json copy = {{"name", text_or(*function, "name")}, {"description", text_or(*function, "description")}};
    const Json* parameters = field(*function, "parameters");
    copy["parameters"] = parameters != nullptr && parameters->is_object() ? *parameters : Json{{"type", "object"}};
    if (field(copy["parameters"], "properties") == nullptr) copy["parameters"]["properties"] = Json::object();
    if (bool_or(*function, "strict", false)) copy["strict"] = true;
    list.push_back({{"type", "function"}, {"function", std::move(copy)}});
  }
  if (!list.empty()) ask.tools_json = to_text(list);
  ask.parallel_tools = bool_or(body, "parallel_tool_calls", true);
  const Json* choice = field(body, "tool_choice");
  if (choice == nullptr) return;
  const std::string word = choice->is_string() ? choice->get<std::string>() : text_or(*choice, "type");
  const Json* function = flat ? choice : field(*choice, "function");
  if (word == "none") {
    ask.tool_choice = ToolChoice::kNone;
  } else if (word == "required" || word == "any") {
    ask.tool_choice = ToolChoice::kRequired;
  } else if (word == "function" && function != nullptr) {
    ask.tool_choice = ToolChoice::kNamed;
    ask.tool_name = text_or(*function, "name");
  } else if (word != "auto") {
    throw ApiError(400, "'tool_choice' must be auto, none, required or name a function", "", "tool_choice");
  }
}

void read_format(const Json* format, Ask& ask) {
  if (format == nullptr) return;
  const std::string type = text_or(*format, "type");
  if (type == "json_object") {
    const Json* schema = field(*format, "schema");
    ask.format = schema != nullptr ? Format::kSchema : Format::kJson;
    if (schema != nullptr) ask.format_text = to_text(*schema);
  } else if (type == "json_schema") {
    const Json* inner = field(*format, "json_schema");
    const Json* schema = field(inner != nullptr ? *inner : *format, "schema");
    if (schema == nullptr || !(schema->is_object() || schema->is_boolean())) {
      throw ApiError(400, "'response_format' of the type json_schema must have a schema", "", "response_format");
    }
    ask.format = Format::kSchema;
    ask.format_text = to_text(*schema);
  } else if (type != "text") {
    throw ApiError(400, "'response_format' must have the type text, json_object or json_schema", "", "response_format");
  }
}

void read_reasoning(const Json& body, Ask& ask) {
  std::string effort;
  if (const Json* value = field(body, "reasoning_effort"); value != nullptr && value->is_string()) {
    effort = value->get<std::string>();
  }
  if (const Json* inner = field(body, "reasoning")) effort = text_or(*inner, "effort", effort.c_str());
  if (effort == "none") {
    ask.thinking = false;
  } else if (!effort.empty()) {
    ask.variables.emplace_back("reasoning_effort", to_text(effort));
  }
  const Json* variables = field(body, "chat_template_kwargs");
  if (variables == nullptr) return;
  if (!variables->is_object()) throw ApiError(400, "'chat_template_kwargs' must be an object");
  for (const auto& [name, value] : variables->items()) {
    if (name == "enable_thinking" && value.is_boolean()) {
      ask.thinking = value.get<bool>();
    } else {
      ask.variables.emplace_back(name, to_text(value));
    }
  }
}

namespace {

Prompt read_prompt(const Json& value, std::string_view name) {
  const auto token = [&](const Json& number) {
    const int64_t id = number.get<int64_t>();
    return static_cast<hearth::Token>(id < 0 || id > INT32_MAX ? -1 : id);
  };
  if (value.is_string()) return {{value.get<std::string>(), {}}};
  if (value.is_object() && field(value, "prompt_string") != nullptr) return {{text_or(value, "prompt_string"), {}}};
  Prompt prompt;
  for (const Json& part : value.is_array() ? value : Json::array()) {
    if (part.is_string()) {
      prompt.push_back({part.get<std::string>(), {}});
    } else if (part.is_number_integer()) {
      if (prompt.empty() || prompt.back().tokens.empty()) prompt.emplace_back();
      prompt.back().tokens.push_back(token(part));
    } else {
      throw ApiError(400, "'" + std::string(name) + "' must be text, tokens, or a list of them", "", std::string(name));
    }
  }
  if (prompt.empty()) {
    throw ApiError(400, "'" + std::string(name) + "' must be text, tokens, or a list of them", "", std::string(name));
  }
  return prompt;
}

}  // namespace

std::vector<Prompt> read_prompts(const Json& body, std::string_view name) {
  const Json* value = field(body, name);
  if (value == nullptr) throw ApiError(400, "'" + std::string(name) + "' is missing", "", std::string(name));
  const auto is_prompt = [](const Json& v) { return v.is_string() || v.is_array() || v.is_object(); };
  bool has_numbers = false;
  for (const Json& part : value->is_array() ? *value : Json::array()) has_numbers = has_numbers || part.is_number();
  if (!value->is_array() || has_numbers || value->empty()) return {read_prompt(*value, name)};
  if (value->size() > 2048) throw ApiError(400, "'" + std::string(name) + "' has more than 2048 entries");
  std::vector<Prompt> prompts;
  for (const Json& part : *value) {
    if (!is_prompt(part)) throw ApiError(400, "'" + std::string(name) + "' holds something that is no prompt");
    prompts.push_back(read_prompt(part, name));
  }
  return prompts;
}

std::optional<double> parse_duration(const std::string& text) {
  double sign = 1, sum = 0;
  const char* at = text.c_str();
  if (*at == '-' || *at == '+') sign = *at++ == '-' ? -1 : 1;
  if (*at == '\0') return std::nullopt;
  while (*at != '\0') {
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end == at || !std::isfinite(number) || number < 0) return std::nullopt;
    static constexpr struct {
      std::string_view name;
      double seconds;
    } kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
    at = end;
    bool known = false;
    for (const auto& unit : kUnits) {
      if (std::string_view(at).substr(0, unit.name.size()) != unit.name) continue;
      sum += number * unit.seconds;
      at += unit.name.size();
      known = true;
      break;
    }
    if (!known) return std::nullopt;
  }
  return sign * sum;
}

double read_duration(const Json& value, std::string_view name) {
  if (value.is_number()) return value.get<double>();
  const auto seconds = value.is_string() ? parse_duration(value.get<std::string>()) : std::nullopt;
  if (!seconds) {
    throw ApiError(400, "'" + std::string(name) + "' must be a number of seconds or a duration such as 5m or 1h30m");
  }
  return *seconds;
}

std::string random_id(const char* prefix) {
  thread_local std::mt19937_64 random{std::random_device()()};
  char digits[40];
  std::snprintf(digits, sizeof digits, "%016llx%08llx", static_cast<unsigned long long>(random()),
                static_cast<unsigned long long>(random() & 0xffffffff));
  return prefix + std::string(digits);
}

int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace hearth_server
