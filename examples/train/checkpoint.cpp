// Checkpoints: a line that names the format, a line with the options as JSON, then the step and the flat vectors.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "examples/train/trainer.h"

namespace train {
namespace {

constexpr std::string_view kFormat = "hearth training checkpoint 2";

void write_floats(std::ofstream& out, const Floats& values) {
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

bool read_floats(std::ifstream& in, Floats& values) {
  return static_cast<bool>(
      in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float))));
}

/// Reads up to the flat vectors.
bool read_head(std::ifstream& in, RunOptions& options, int64_t& step, uint64_t& n_parameters) {
  std::string format, json;
  return std::getline(in, format) && format == kFormat && std::getline(in, json) &&
         RunOptions::from_json(json, options) && in.read(reinterpret_cast<char*>(&step), sizeof step) &&
         in.read(reinterpret_cast<char*>(&n_parameters), sizeof n_parameters) && n_parameters < (uint64_t{1} << 32);
}

}  // namespace

std::string RunOptions::to_json() const {
  const OptimizerOptions& o = optimizer;
  return nlohmann::ordered_json{{"preset", preset},       {"n_vocab", n_vocab},
                                {"shards", shards},       {"shard_tokens", shard_tokens},
                                {"seed", seed},           {"continues", continues},
                                {"rate", o.rate},         {"matrix_rate", o.matrix_rate},
                                {"momentum", o.momentum}, {"final_share", o.final_share},
                                {"warmup", o.warmup},     {"steps", o.steps},
                                {"beta1", o.beta1},       {"beta2", o.beta2},
                                {"epsilon", o.epsilon},   {"decay", o.decay},
                                {"clip", o.clip}}
      .dump();
}

bool RunOptions::from_json(const std::string& text, RunOptions& options) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  OptimizerOptions& o = options.optimizer;
  options.preset = json.value("preset", options.preset);
  options.n_vocab = json.value("n_vocab", options.n_vocab);
  options.shards = json.value("shards", options.shards);
  options.shard_tokens = json.value("shard_tokens", options.shard_tokens);
  options.seed = json.value("seed", options.seed);
  options.continues = json.value("continues", options.continues);
  o.rate = json.value("rate", o.rate);
  o.matrix_rate = json.value("matrix_rate", o.matrix_rate);
  o.momentum = json.value("momentum", o.momentum);
  o.final_share = json.value("final_share", o.final_share);
  o.warmup = json.value("warmup", o.warmup);
  o.steps = json.value("steps", o.steps);
  o.beta1 = json.value("beta1", o.beta1);
  o.beta2 = json.value("beta2", o.beta2);
  o.epsilon = json.value("epsilon", o.epsilon);
  o.decay = json.value("decay", o.decay);
  o.clip = json.value("clip", o.clip);
  return true;
}

bool Trainer::save(const std::string& path) {
  const std::string unfinished = path + ".part";
  {
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    out << kFormat << '\n' << options_.to_json() << '\n';
    const uint64_t n = parameters_.size();
    out.write(reinterpret_cast<const char*>(&steps_done_), sizeof steps_done_);
    out.write(reinterpret_cast<const char*>(&n), sizeof n);
    write_floats(out, parameters_);
    write_floats(out, optimizer_.first_moments());
    write_floats(out, optimizer_.second_moments());
    if (!out.flush()) return false;
  }
  std::error_code error;
  std::filesystem::rename(unfinished, path, error);
  return !error;
}

bool Trainer::load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  RunOptions options;
  int64_t step = 0;
  uint64_t n = 0;
  if (!read_head(in, options, step, n) || options.to_json() != options_.to_json() || n != parameters_.size())
    return false;
  Floats parameters(n), m(n), v(n);
  if (!read_floats(in, parameters) || !read_floats(in, m) || !read_floats(in, v)) return false;
  parameters_ = std::move(parameters);
  optimizer_.first_moments() = std::move(m);
  optimizer_.second_moments() = std::move(v);
  steps_done_ = step;
  return true;
}

bool read_checkpoint(const std::string& path, RunOptions& options, Floats& parameters) {
  std::ifstream in(path, std::ios::binary);
  int64_t step = 0;
  uint64_t n = 0;
  if (!read_head(in, options, step, n)) return false;
  parameters.resize(n);
  return read_floats(in, parameters);
}

}  // namespace train
