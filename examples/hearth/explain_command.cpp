// hearth explain: one step of a model, shown: tokens, what the last of them attends to, and what each stage of the
// sampler leaves of the candidates.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "hearth/chat_template.h"
#include "hearth/trace.h"
#include "heat_line.h"
#include "json_output.h"
#include "line_input.h"
#include "model_options.h"
#include "sampler_stages.h"

namespace hearth_tool {
namespace {

using hearth::AttentionWeights;
using hearth::Result;
using hearth::Session;
using hearth::Token;
using hearth::Tokenizer;

struct ExplainOptions {
  ModelSettings model;
  std::string text;
  bool has_text = false, chat = false, heads = false, json = false;
  int32_t n_steps = 1, top = 5, layer = -1;
  SessionSettings session;
  SamplingSettings sampling;
};

/// A piece on one line, without quotes.
std::string shown_piece(const Tokenizer& tokenizer, Token id) {
  const std::string quoted = quoted_piece(tokenizer.piece(id));
  return quoted.substr(1, quoted.size() - 2);
}

/// What was computed in one step.
struct Explained {
  std::vector<Token> tokens;  ///< all so far
  AttentionWeights seen;      ///< of the last of them
  Token chosen = 0;

  std::vector<float> head(int32_t h) const {
    const auto first = seen.values.begin() + int64_t{h} * seen.n_positions;
    return {first, first + seen.n_positions};
  }
  std::vector<float> mean() const {
    std::vector<float> sum(static_cast<size_t>(seen.n_positions), 0.0f);
    for (size_t i = 0; i < seen.values.size(); ++i) sum[i % sum.size()] += seen.values[i];
    for (float& share : sum) share /= static_cast<float>(seen.n_heads);
    return sum;
  }
};

// --- as text ------------------------------------------------------------------------------------------

void print_tokens(const Explained& step, const Tokenizer& tokenizer) {
  std::string out = std::to_string(step.tokens.size()) + " tokens\n", line;
  for (const Token id : step.tokens) {
    const std::string item = std::to_string(id) + " " + quoted_piece(tokenizer.piece(id));
    if (!line.empty() && line.size() + item.size() + 4 >= static_cast<size_t>(terminal_columns())) {
      out += "  " + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : "  ") + item;
  }
  print(out + "  " + line + "\n");
}

void print_heat(const Explained& step, const Tokenizer& tokenizer, const std::vector<float>& shares) {
  std::vector<HeatPiece> pieces;
  for (size_t i = 0; i < step.tokens.size(); ++i) {
    pieces.push_back({shown_piece(tokenizer, step.tokens[i]), i < shares.size() ? shares[i] : 0});
  }
  print(heat_lines(pieces, terminal_columns(), !style_off().empty()));
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", 100 * share);
  return text;
}

void print_attention(const Explained& step, const Tokenizer& tokenizer, bool heads) {
  const std::vector<float> mean = step.mean();
  const auto warmest = static_cast<size_t>(std::max_element(mean.begin(), mean.end()) - mean.begin());
  print("layer " + std::to_string(step.seen.layer) + ": what " + quoted_piece(tokenizer.piece(step.tokens.back())) +
        " attends to, mean of " + std::to_string(step.seen.n_heads) +
        " heads; most: " + quoted_piece(tokenizer.piece(step.tokens[warmest])) + " at " + std::to_string(warmest) +
        ", " + percent(double{mean[warmest]}) + "\n");
  print_heat(step, tokenizer, mean);
  for (int32_t h = 0; heads && h < step.seen.n_heads; ++h) {
    print("head " + std::to_string(h) + "\n");
    print_heat(step, tokenizer, step.head(h));
  }
}

void print_stages(const std::vector<StageResult>& stages, const Tokenizer& tokenizer, int32_t n_top) {
  print("after                      left  likeliest\n");
  for (const StageResult& stage : stages) {
    const std::string name = stage.name + (stage.setting.empty() ? "" : " ") + stage.setting;
    char line[64];
    std::snprintf(line, sizeof line, "  %-22s %6zu", name.c_str(), stage.candidates.size());
    std::string row = line;
    for (size_t i = 0; i < std::min(stage.candidates.size(), static_cast<size_t>(n_top)); ++i) {
      const hearth::Candidate& c = stage.candidates[i];
      row += "  " + quoted_piece(tokenizer.piece(c.id)) + " " + percent(double{c.p});
    }
    print(row + "\n");
  }
}

// --- as JSON ------------------------------------------------------------------------------------------

Json token_json(const Tokenizer& tokenizer, Token id) {
  const std::string_view piece = tokenizer.piece(id);
  Json token = {{"id", id}, {"text", piece}};
  if (!check_utf8(piece, "")) token["hex"] = to_hex(piece);  // "text" has U+FFFD for what is not UTF-8
  return token;
}

Json step_json(const Explained& step, const std::vector<StageResult>& stages, const Tokenizer& tokenizer,
               int32_t n_top) {
  Json tokens = Json::array(), heads = Json::array(), shown = Json::array();
  for (const Token id : step.tokens) tokens.push_back(token_json(tokenizer, id));
  for (int32_t h = 0; h < step.seen.n_heads; ++h) heads.push_back(step.head(h));
  for (const StageResult& stage : stages) {
    Json best = Json::array();
    for (size_t i = 0; i < std::min(stage.candidates.size(), static_cast<size_t>(n_top)); ++i) {
      best.push_back(token_json(tokenizer, stage.candidates[i].id));
      best.back()["p"] = stage.candidates[i].p;
    }
    shown.push_back(
        {{"stage", stage.name}, {"setting", stage.setting}, {"left", stage.candidates.size()}, {"best", best}});
  }
  return {{"tokens", tokens},
          {"attention", {{"layer", step.seen.layer}, {"mean", step.mean()}, {"heads", heads}}},
          {"stages", shown},
          {"chosen", token_json(tokenizer, step.chosen)}};
}

// --- computing ----------------------------------------------------------------------------------------

Result<std::vector<Token>> encode(const ExplainOptions& o, const hearth::Model& model) {
  if (!o.chat) return model.tokenizer().encode(o.text, {.add_special = true});
  const auto form = hearth::ChatTemplate::from_gguf(model.file(), model.tokenizer());
  if (!form) return form.error();
  const auto prompt = form->render({{.role = "user", .content = o.text}});
  if (!prompt) return prompt.error();
  return hearth::ChatTemplate::encode(*prompt, model.tokenizer());
}

/// All but the last token with progress, then that one under observation.
Result<AttentionWeights> compute(Session& session, std::span<const Token> tokens, int32_t layer) {
  if (tokens.size() > 1) {
    Progress progress("computing the text");
    const auto on_progress = [&](int32_t done, int32_t total) {
      progress.update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
      return true;
    };
    const auto head = tokens.first(tokens.size() - 1);
    const hearth::Status done = session.prefill(head, {.on_progress = on_progress, .cancel = interrupt_flag()});
    if (!done) return done.error();
  }
  return trace_attention(session, tokens.last(1), {.layer = layer, .cancel = interrupt_flag()});
}

int show_steps(const ExplainOptions& o, Session& session, std::vector<Token> tokens, SamplerStages& stages,
               const hearth::SamplerOptions& sampler) {
  const Tokenizer& tokenizer = session.model().tokenizer();
  Json all = Json::array();
  Explained step{std::move(tokens), {}, 0};
  size_t n_held = 0;
  for (int32_t i = 0; i < o.n_steps; ++i) {
    auto seen = compute(session, std::span<const Token>(step.tokens).subspan(n_held), o.layer);
    if (!seen && seen.error().code == hearth::ErrorCode::kInvalidArgument) return fail_usage(seen.error().message);
    if (!seen) return interrupted() ? fail_interrupted() : fail(seen.error());
    step.seen = std::move(*seen);
    const auto chosen = stages.sample(session.logits(0));
    if (!chosen) return fail(chosen.error());
    step.chosen = *chosen;
    if (o.json) {
      all.push_back(step_json(step, stages.results(), tokenizer, o.top));
    } else {
      if (i > 0) print("\n");
      print_tokens(step, tokenizer);
      print_attention(step, tokenizer, o.heads);
      print_stages(stages.results(), tokenizer, o.top);
      print("chosen: " + quoted_piece(tokenizer.piece(*chosen)) +
            (sampler.greedy ? "" : ", seed " + std::to_string(sampler.seed)) + "\n");
    }
    if (tokenizer.is_end(*chosen)) break;
    stages.accept(*chosen);
    n_held = step.tokens.size();
    step.tokens.push_back(*chosen);
  }
  if (o.json) {
    Json result = {{"model", o.model.path}};
    if (!sampler.greedy) result["seed"] = sampler.seed;
    result["steps"] = std::move(all);
    print_json(result);
  }
  return finish_output();
}

int explain(ExplainOptions o) {
  catch_interrupts();
  if (!o.has_text && piped_input()) {
    const auto text = read_text("-");
    if (!text) return fail(text.error());
    o.text = *text;
  }
  if (o.text.empty()) return fail_usage("explain: give a text (as an argument or through a pipe)");
  if (o.n_steps < 1) return fail_usage("explain: --steps must be at least 1");
  if (o.top < 0) return fail_usage("explain: --top must not be negative");
  if (const auto checked = o.sampling.check(); !checked) return fail_usage(checked.error().message);
  auto session_options = o.session.resolve();
  if (!session_options) return fail_usage(session_options.error().message);
  if (auto status = check_utf8(o.text, "the text"); !status) return fail(status.error());

  NamedModel named;
  const auto model = load_model(o.model, &named);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  if (!model->info().has_logits) {
    return fail("architecture " + model->info().architecture + " is an encoder and has no logits");
  }
  const auto tokens = encode(o, *model);
  if (!tokens) return fail(tokens.error());
  if (tokens->empty()) return fail("the text has no tokens");
  if (auto status = load_adapters(named, *model, *session_options); !status) return fail(status.error());
  if (auto status = o.session.adapters.load(*model, *session_options); !status) return fail(status.error());
  const size_t n_wanted = tokens->size() + static_cast<size_t>(o.n_steps) - 1;
  if (session_options->n_ctx == 0) session_options->n_ctx = static_cast<int32_t>(std::min<size_t>(n_wanted, INT32_MAX));
  if (n_wanted > static_cast<size_t>(session_options->n_ctx)) {
    return fail(std::to_string(n_wanted) + " tokens do not fit the context of " +
                std::to_string(session_options->n_ctx) + " (see -c)");
  }
  auto session = Session::create(*model, *session_options);
  if (!session) return fail_session(session.error());
  show_warning(session->warning());
  const hearth::SamplerOptions sampler = o.sampling.resolve(model->file(), named);
  auto stages = SamplerStages::create(model->info().n_vocab, sampler, model->tokenizer());
  if (!stages) return fail_usage(stages.error().message);
  for (const Token id : *tokens) stages->accept(id);
  return show_steps(o, *session, *tokens, *stages, sampler);
}

}  // namespace

Action setup_explain(Options& options) {
  auto values = std::make_shared<ExplainOptions>();
  values->model.declare(options);
  options.add("text", values->text, "Text whose next token is looked for (a pipe is read as well)");
  options.add("-n,--steps", values->n_steps, "Steps to show, each with the token that the one before chose");
  options.add("--chat", values->chat, "The text is a user's message, put into the model's chat template");
  options.add("--layer", values->layer, "Layer whose attention is shown, counted from 0 (-1: the last one)");
  options.add("--heads", values->heads, "Show every head by itself, too");
  options.add("--top", values->top, "Candidates shown after each stage");
  options.add("--json", values->json, "Print one JSON object: steps with tokens, attention, stages, chosen");
  values->session.declare(options);
  values->sampling.declare(options);
  options.footer(
      "The heat line shows how much of each position the last token takes in (softmax of query times key): the\n"
      "mean of all query heads of one layer, the largest share the warmest. Stages stand in the order in which they\n"
      "act; those that are off are left out. Without -c the context is as long as text and steps.");
  return [values, options] {
    values->has_text = options.given("text");
    return explain(*values);
  };
}

}  // namespace hearth_tool
