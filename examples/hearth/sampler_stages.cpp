// The stages as a table, in the order of the chain.
#include "sampler_stages.h"

#include <cstdio>

namespace hearth_tool {
namespace {

using hearth::Result;
using hearth::SamplerOptions;

std::string setting_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

bool has_penalties(const SamplerOptions& o) {
  return o.penalty_last_n != 0 && (o.repeat_penalty != 1 || o.frequency_penalty != 0 || o.presence_penalty != 0);
}

std::string penalties_text(const SamplerOptions& o) {
  std::string text;
  const auto add = [&](const char* name, float value, float off) {
    if (value != off) text += (text.empty() ? "" : ", ") + std::string(name) + " " + setting_number(double{value});
  };
  add("repeat", o.repeat_penalty, 1);
  add("frequency", o.frequency_penalty, 0);
  add("presence", o.presence_penalty, 0);
  return text;
}

bool is_greedy(const SamplerOptions& o) {
  return o.greedy || (o.temperature <= 0 && o.dynatemp_range <= 0);
}

/// Stages that cut, which greedy choice and mirostat leave out.
bool cuts(const SamplerOptions& o) {
  return !is_greedy(o) && o.mirostat == 0;
}

std::string temperature_text(const SamplerOptions& o) {
  const std::string range = o.dynatemp_range > 0 ? " +- " + setting_number(double{o.dynatemp_range}) : "";
  return setting_number(double{o.temperature}) + range;
}

struct Stage {
  const char* name;
  bool (*is_on)(const SamplerOptions& o);
  std::string (*setting)(const SamplerOptions& o);
  void (*turn_off)(SamplerOptions& o);
};

constexpr Stage kStages[] = {
    {"logits", [](const SamplerOptions&) { return true; }, [](const SamplerOptions&) { return std::string(); },
     [](SamplerOptions&) {}},
    {"logit_bias", [](const SamplerOptions& o) { return !o.logit_bias.empty(); },
     [](const SamplerOptions& o) { return std::to_string(o.logit_bias.size()) + " tokens"; },
     [](SamplerOptions& o) { o.logit_bias.clear(); }},
    {"penalties", has_penalties, penalties_text, [](SamplerOptions& o) { o.penalty_last_n = 0; }},
    {"dry", [](const SamplerOptions& o) { return o.dry_multiplier > 0 && o.dry_penalty_last_n != 0; },
     [](const SamplerOptions& o) { return setting_number(double{o.dry_multiplier}); },
     [](SamplerOptions& o) { o.dry_multiplier = 0; }},
    {"top_n_sigma", [](const SamplerOptions& o) { return cuts(o) && o.top_n_sigma > 0; },
     [](const SamplerOptions& o) { return setting_number(double{o.top_n_sigma}); },
     [](SamplerOptions& o) { o.top_n_sigma = -1; }},
    {"top_k", [](const SamplerOptions& o) { return cuts(o) && o.top_k > 0; },
     [](const SamplerOptions& o) { return std::to_string(o.top_k); }, [](SamplerOptions& o) { o.top_k = 0; }},
    {"typical_p", [](const SamplerOptions& o) { return cuts(o) && o.typical_p < 1; },
     [](const SamplerOptions& o) { return setting_number(double{o.typical_p}); },
     [](SamplerOptions& o) { o.typical_p = 1; }},
    {"top_p", [](const SamplerOptions& o) { return cuts(o) && o.top_p < 1; },
     [](const SamplerOptions& o) { return setting_number(double{o.top_p}); }, [](SamplerOptions& o) { o.top_p = 1; }},
    {"min_p", [](const SamplerOptions& o) { return cuts(o) && o.min_p > 0; },
     [](const SamplerOptions& o) { return setting_number(double{o.min_p}); }, [](SamplerOptions& o) { o.min_p = 0; }},
    {"xtc", [](const SamplerOptions& o) { return cuts(o) && o.xtc_probability > 0; },
     [](const SamplerOptions& o) { return setting_number(double{o.xtc_probability}); },
     [](SamplerOptions& o) { o.xtc_probability = 0; }},
    {"temperature",
     [](const SamplerOptions& o) { return !is_greedy(o) && (o.temperature != 1 || o.dynatemp_range > 0); },
     temperature_text,
     [](SamplerOptions& o) {
       o.temperature = 1;
       o.dynatemp_range = 0;
     }},
    {"mirostat", [](const SamplerOptions& o) { return !is_greedy(o) && o.mirostat != 0; },
     [](const SamplerOptions& o) {
       return std::to_string(o.mirostat) + ", tau " + setting_number(double{o.mirostat_tau});
     },
     [](SamplerOptions& o) { o.mirostat = 0; }},
};

/// Neutral values for the stages that a setting leaves out, so that turning it off brings none of them back.
SamplerOptions only_what_acts(SamplerOptions o) {
  for (const Stage& stage : kStages) {
    if (!stage.is_on(o) && !is_greedy(o)) stage.turn_off(o);
  }
  return o;
}

}  // namespace

Result<SamplerStages> SamplerStages::create(int32_t n_logits, const SamplerOptions& options,
                                            const hearth::Tokenizer& tokenizer) {
  SamplerStages stages;
  const SamplerOptions whole = only_what_acts(options);
  for (const Stage* stage = std::begin(kStages); stage != std::end(kStages); ++stage) {
    if (!stage->is_on(whole)) continue;
    SamplerOptions prefix = whole;
    for (const Stage* later = stage + 1; later != std::end(kStages); ++later) {
      if (later->is_on(whole)) later->turn_off(prefix);
    }
    Result<hearth::Sampler> sampler = hearth::Sampler::create(n_logits, prefix, &tokenizer);
    if (!sampler) return sampler.error();
    auto seen = std::make_unique<hearth::Candidates>();
    sampler->add_stage(hearth::StagePosition::kLast, [to = seen.get()](hearth::Candidates& all) { *to = all; });
    stages.chains_.push_back({std::move(*sampler), std::move(seen)});
    stages.results_.push_back({stage->name, stage->setting(whole), {}});
  }
  return stages;
}

Result<hearth::Token> SamplerStages::sample(std::span<const float> logits) {
  hearth::Token chosen = 0;
  for (size_t i = 0; i < chains_.size(); ++i) {
    const Result<hearth::Token> token = chains_[i].sampler.sample(logits);
    if (!token) return token.error();
    chosen = *token;
    chains_[i].seen->softmax();
    results_[i].candidates = chains_[i].seen->items;
  }
  return chosen;
}

void SamplerStages::accept(hearth::Token id) {
  for (Chain& chain : chains_) chain.sampler.accept(id);
}

}  // namespace hearth_tool
