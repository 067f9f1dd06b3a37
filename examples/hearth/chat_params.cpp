// Names to members: those of the sampler, and three more.
#include "chat_params.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "sampling_settings.h"
#include "suggest.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::GenerateOptions;
using hearth::Status;

namespace {

Error bad_param(const std::string& message) {
  return {ErrorCode::kInvalidArgument, message};
}

std::string line_of(const char* name, double value, const char* help) {
  char line[200];
  std::snprintf(line, sizeof line, "%-18s %-10.10g %s\n", name, value, help);
  return line;
}

/// False when there is no such name or the value does not fit it.
bool assign(GenerateOptions& o, const std::string& name, double number) {
  const bool is_integer = number == std::floor(number) && std::abs(number) <= 2147483647.0;
  if (name == "max_tokens" && is_integer) {
    o.max_tokens = static_cast<int32_t>(number);
  } else if (name == "greedy" && (number == 0 || number == 1)) {
    o.sampler.greedy = number == 1;
  } else if (name == "seed" && number >= 0 && number <= 9e15 && number == std::floor(number)) {
    o.sampler.seed = static_cast<uint64_t>(number);
  } else {
    const SamplingField* field = find_sampling_field(name);
    if (!field) return false;
    if (field->member.index() == 0) {
      o.sampler.*std::get<0>(field->member) = static_cast<float>(number);
    } else if (is_integer) {
      o.sampler.*std::get<1>(field->member) = static_cast<int32_t>(number);
    } else {
      return false;
    }
  }
  return true;
}

std::vector<std::string> names() {
  std::vector<std::string> all = {"greedy", "max_tokens", "seed"};
  for (const SamplingField& field : sampling_fields()) all.emplace_back(field.name);
  return all;
}

}  // namespace

std::string list_params(const GenerateOptions& o) {
  std::vector<std::string> lines = {
      line_of("greedy", o.sampler.greedy ? 1 : 0, "1: always the most probable token"),
      line_of("max_tokens", o.max_tokens, "Tokens of an answer at most (-1: no limit)"),
      line_of("seed", static_cast<double>(o.sampler.seed), "Equal seeds give equal text"),
  };
  for (const SamplingField& field : sampling_fields()) {
    const double value = std::visit([&](auto member) { return static_cast<double>(o.sampler.*member); }, field.member);
    lines.push_back(line_of(field.name, std::round(value * 1e6) / 1e6, field.help));
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

Status change_param(GenerateOptions& options, const std::string& name, const std::string& value) {
  const std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), name) == known.end() && !find_sampling_field(name)) {
    return bad_param("there is no setting " + name + did_you_mean(name, known) + " (/params lists them)");
  }
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !std::isfinite(number))
    return bad_param("/params NAME VALUE, where VALUE is a number");
  GenerateOptions changed = options;
  if (!assign(changed, name, number)) return bad_param(name + " cannot be " + value);
  hearth::SamplerOptions checked = changed.sampler;
  checked.logit_bias.clear();
  if (const auto sampler = hearth::Sampler::create(1, checked); !sampler) return sampler.error();
  options = std::move(changed);
  return {};
}

}  // namespace hearth_tool
