// hearth_train: trains a small model from nothing. `hearth_train --help` lists the commands; README.md shows a whole
// run.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "examples/train/evaluate.h"
#include "examples/train/export.h"
#include "examples/train/log.h"
#include "examples/train/trainer.h"

namespace {

using namespace train;
using Clock = std::chrono::steady_clock;

constexpr size_t kQuickQuestions = 110;

std::atomic<bool> stop_asked{false};

void ask_to_stop(int) {
  stop_asked = true;
}

int fail(const std::string& what) {
  std::fprintf(stderr, "hearth_train: %s\n", what.c_str());
  return 1;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct RunFlags {
  std::string folder, from;
  int64_t until = 0;  // step to stop after; 0: the last
  RunOptions options;
  int n_threads = 2;
  int64_t log_every = 20, save_every = 200, evaluate_every = 1000;
};

/// Exports to `folder`/quick.gguf and asks some held-out questions; < 0 when that failed.
double quick_accuracy(const Trainer& trainer, const Vocabulary& vocabulary, const RunFlags& flags) {
  const std::string path = flags.folder + "/quick.gguf";
  const auto status = export_model(path, trainer.layout(), trainer.parameters(), vocabulary,
                                   card_of(flags.options.preset), hearth::TensorType::kQ8_0);
  if (!status) return -1;
  const auto result = evaluate(path, held_out_questions(kQuickQuestions), flags.n_threads);
  return result ? result->total.share() : -1;
}

void print_progress(const LogRow& row, const RunFlags& flags, double tokens_per_s, double left_s) {
  std::printf("step %lld/%lld  loss %.4f  %.0f tokens/s  %d:%02d left", static_cast<long long>(row.step),
              static_cast<long long>(flags.options.optimizer.steps), row.loss, tokens_per_s,
              static_cast<int>(left_s / 3600), static_cast<int>(left_s / 60) % 60);
  if (row.validation >= 0) std::printf("  validation %.4f", row.validation);
  if (row.accuracy >= 0) std::printf("  held-out %.1f%%", 100 * row.accuracy);
  std::printf("\n");
  std::fflush(stdout);
}

/// Steps until the end or Ctrl-C, with log and checkpoints.
int train_steps(Trainer& trainer, const Vocabulary& vocabulary, const RunFlags& flags) {
  const std::string checkpoint = flags.folder + "/checkpoint", log = flags.folder + "/log.csv";
  const int64_t steps = flags.options.optimizer.steps;
  const Clock::time_point start = Clock::now();
  const int64_t first = trainer.steps_done();
  const auto before = read_log(log);
  int64_t tokens = 0;
  const int64_t tokens_before = before.empty() ? 0 : before.back().tokens;
  double loss = 0;
  int64_t summed = 0;
  const int64_t end = flags.until > 0 ? std::min(flags.until, steps) : steps;
  while (trainer.steps_done() < end && !stop_asked) {
    const StepReport report = trainer.step();
    const int64_t done = trainer.steps_done();
    tokens += report.tokens;
    loss += report.loss;
    ++summed;
    const bool last = done == end;
    const bool evaluates = done % flags.evaluate_every == 0 || last;
    if (done % flags.log_every == 0 || evaluates) {
      LogRow row{done, tokens_before + tokens, loss / static_cast<double>(summed), -1, -1};
      if (evaluates) {
        row.validation = trainer.validation_loss(4);
        row.accuracy = quick_accuracy(trainer, vocabulary, flags);
      }
      const double elapsed = seconds_since(start);
      print_progress(row, flags, static_cast<double>(tokens) / elapsed,
                     elapsed / static_cast<double>(done - first) * static_cast<double>(end - done));
      if (!append_log(log, row)) return fail("cannot write " + log);
      loss = 0, summed = 0;
    }
    if ((done % flags.save_every == 0 || last || stop_asked) && !trainer.save(checkpoint)) {
      return fail("cannot write " + checkpoint);
    }
  }
  if (stop_asked)
    std::printf("stopped after step %lld; the same command goes on\n", static_cast<long long>(trainer.steps_done()));
  return 0;
}

int run_command(RunFlags flags) {
  std::error_code error;
  std::filesystem::create_directories(flags.folder, error);
  if (error) return fail("cannot make the folder " + flags.folder);
  ModelSizes sizes;
  if (!find_preset(flags.options.preset, sizes)) return fail("no preset is called " + flags.options.preset);

  const Vocabulary vocabulary = make_vocabulary(flags.options.seed, flags.options.n_vocab);
  sizes.n_vocab = static_cast<int64_t>(vocabulary.size());
  const auto tokenizer = make_tokenizer(vocabulary, flags.folder + "/vocabulary.gguf");
  if (!tokenizer) return fail(tokenizer.error().message);
  Trainer trainer(flags.options, sizes, *tokenizer, flags.n_threads);
  const std::string checkpoint = flags.folder + "/checkpoint";
  if (flags.options.continues) {
    RunOptions before;
    Floats parameters;
    ModelSizes sizes_before = sizes;
    if (!read_checkpoint(flags.from + "/checkpoint", before, parameters) || before.seed != flags.options.seed ||
        before.n_vocab != flags.options.n_vocab || !find_preset(before.preset, sizes_before) ||
        !trainer.begin_with(parameters, Layout(sizes_before))) {
      return fail(flags.from +
                  ": no checkpoint of a model with this vocabulary, this width and at most as many layers");
    }
  }
  if (std::filesystem::exists(checkpoint) && !trainer.load(checkpoint)) {
    return fail(checkpoint + " is damaged or of a run with other options");
  }
  if (!cut_log(flags.folder + "/log.csv", trainer.steps_done())) return fail("cannot write in " + flags.folder);
  std::printf("%lld parameters, %lld tokens in the vocabulary, step %lld\n",
              static_cast<long long>(trainer.layout().n_parameters), static_cast<long long>(sizes.n_vocab),
              static_cast<long long>(trainer.steps_done()));
  std::signal(SIGINT, ask_to_stop);
  std::signal(SIGTERM, ask_to_stop);
  return train_steps(trainer, vocabulary, flags);
}

int export_command(const std::string& folder, const std::string& type, const std::string& out) {
  RunOptions options;
  Floats parameters;
  if (!read_checkpoint(folder + "/checkpoint", options, parameters)) return fail("no checkpoint in " + folder);
  ModelSizes sizes;
  const Vocabulary vocabulary = make_vocabulary(options.seed, options.n_vocab);
  if (!find_preset(options.preset, sizes)) return fail("no preset is called " + options.preset);
  sizes.n_vocab = static_cast<int64_t>(vocabulary.size());
  const Layout layout(sizes);
  if (static_cast<int64_t>(parameters.size()) != layout.n_parameters) return fail("the checkpoint is of other sizes");
  const auto tensor_type = type == "f32"   ? hearth::TensorType::kF32
                           : type == "f16" ? hearth::TensorType::kF16
                                           : hearth::TensorType::kQ8_0;
  const auto status = export_model(out, layout, parameters, vocabulary, card_of(options.preset), tensor_type);
  return status ? 0 : fail(status.error().message);
}

int evaluate_command(const std::string& model, const std::string& questions_path, int n_threads, bool show) {
  const auto questions = read_held_out(questions_path);
  if (questions.empty()) return fail("no questions in " + questions_path);
  const auto result = evaluate(model, questions, n_threads);
  if (!result) return fail(result.error().message);
  const auto print = [](const std::string& kind, const Score& score) {
    std::printf("%-10s %4zu of %4zu  %5.1f%%\n", kind.c_str(), score.right, score.asked, 100 * score.share());
  };
  for (const auto& [kind, score] : result->by_kind) print(kind, score);
  print("all", result->total);
  if (show) {
    for (const std::string& mistake : result->mistakes) std::printf("%s\n", mistake.c_str());
  }
  return 0;
}

int sample_command(int64_t n, uint64_t seed) {
  Dice dice(seed, Split::kTraining);
  for (int64_t i = 0; i < n; ++i) std::printf("%s\n---\n", document(dice, static_cast<Stage>(i % 2)).text.c_str());
  return 0;
}

int curve_command(const std::string& folder, const std::string& out) {
  const std::string picture = draw_log(read_log(folder + "/log.csv"));
  if (picture.empty()) return fail("no log in " + folder);
  std::ofstream file(out, std::ios::binary);
  file << picture;
  return file.flush() ? 0 : fail("cannot write " + out);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Trains a small language model on a world that it makes up itself"};
  app.require_subcommand(1);
  RunFlags flags;
  OptimizerOptions& optimizer = flags.options.optimizer;

  auto* run = app.add_subcommand("run", "train, or go on after an interruption");
  run->add_option("folder", flags.folder, "where checkpoint and log go")->required();
  run->add_option("--preset", flags.options.preset, "base, draft or tiny")->capture_default_str();
  run->add_option("--steps", optimizer.steps, "batches")->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--rate", optimizer.rate, "highest learning rate of AdamW")->capture_default_str();
  run->add_option("--matrix-rate", optimizer.matrix_rate, "the same of Muon; 0: AdamW for all")->capture_default_str();
  run->add_option("--warmup", optimizer.warmup, "steps")->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--shards", flags.options.shards, "shards of a batch")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  run->add_option("--shard-tokens", flags.options.shard_tokens)->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--vocabulary", flags.options.n_vocab, "tokens at most")
      ->capture_default_str()
      ->check(CLI::Range(300, 60000));
  run->add_option("--seed", flags.options.seed)->capture_default_str();
  run->add_option("--threads", flags.n_threads)->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--from", flags.from, "Begin with the parameters of this run's folder, which may have fewer layers");
  run->add_option("--until", flags.until, "Stop after this step, with the rates of a run of --steps");
  run->add_option("--log-every", flags.log_every, "steps")->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--save-every", flags.save_every, "steps")->capture_default_str()->check(CLI::PositiveNumber);
  run->add_option("--evaluate-every", flags.evaluate_every, "steps")->capture_default_str()->check(CLI::PositiveNumber);

  std::string folder, out, type = "q8_0", model, questions;
  int64_t count = 5;
  uint64_t seed = 1;
  int n_threads = 2;
  bool show = false;
  auto* exporting = app.add_subcommand("export", "write the last checkpoint as GGUF");
  exporting->add_option("folder", folder)->required();
  exporting->add_option("out", out)->required();
  exporting->add_option("--type", type)->capture_default_str()->check(CLI::IsMember({"f32", "f16", "q8_0"}));
  auto* evaluating = app.add_subcommand("evaluate", "ask a model the held-out questions");
  evaluating->add_option("model", model)->required();
  evaluating->add_option("questions", questions)->required();
  evaluating->add_option("--threads", n_threads)->capture_default_str();
  evaluating->add_flag("--mistakes", show, "show them");
  auto* asking = app.add_subcommand("held-out", "write the held-out questions, one JSON object a line");
  asking->add_option("out", out)->required();
  asking->add_option("--count", count)->capture_default_str();
  auto* sampling = app.add_subcommand("sample", "print documents of the corpus");
  sampling->add_option("--count", count)->capture_default_str();
  sampling->add_option("--seed", seed)->capture_default_str();
  auto* drawing = app.add_subcommand("curve", "draw the log of a run as SVG");
  drawing->add_option("folder", folder)->required();
  drawing->add_option("out", out)->required();
  CLI11_PARSE(app, argc, argv);

  flags.options.continues = !flags.from.empty();
  if (*run) return run_command(flags);
  if (*exporting) return export_command(folder, type, out);
  if (*evaluating) return evaluate_command(model, questions, n_threads, show);
  if (*asking)
    return write_held_out(out, held_out_questions(static_cast<size_t>(count))) ? 0 : fail("cannot write " + out);
  if (*sampling) return sample_command(count, seed);
  return curve_command(folder, out);
}
