// hearth embed: one vector for each line of standard input.
#include <charconv>
#include <cstdlib>
#include <memory>

#include "commands.h"
#include "hearth/embedder.h"
#include "json_output.h"
#include "model_options.h"

namespace hearth_tool {
namespace {

using hearth::Embedder;
using hearth::Embedding;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Pooling;
using hearth::Result;

struct EmbedOptions {
  ModelSettings model;
  AdapterSettings adapters;
  std::string text, file = "-", pooling = "model", isa;
  bool has_text = false, json = false, csv = false, no_normalize = false, truncate = false, exact = false;
  int32_t dimensions = 0, n_threads = 0, batch_tokens = 2048;
};

Result<Pooling> parse_pooling(const std::string& name) {
  if (name == "model") return Pooling::kNone;
  if (name == "mean") return Pooling::kMean;
  if (name == "cls") return Pooling::kCls;
  if (name == "last") return Pooling::kLast;
  if (name == "rank") return Pooling::kRank;
  return Error{ErrorCode::kInvalidArgument, "--pooling: \"" + name + "\" is none of model, mean, cls, last, rank"};
}

Result<std::vector<std::string>> read_lines(const std::string& path) {
  Result<std::string> text = read_text(path);
  if (!text) return text.error();
  std::vector<std::string> lines;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

/// Shortest decimal digits that give the float back.
std::string digits(float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc() ? std::string(text, end) : "0";
}

Json to_json(const std::vector<float>& values) {
  Json array = Json::array();
  for (const float value : values) array.push_back(std::strtod(digits(value).c_str(), nullptr));
  return array;
}

void print_rows(const std::vector<Embedding>& embeddings, char separator) {
  for (const Embedding& embedding : embeddings) {
    std::string row;
    for (const float value : embedding.values) {
      if (!row.empty()) row += separator;
      row += digits(value);
    }
    print(row + "\n");
  }
}

void print_as_json(const std::vector<Embedding>& embeddings) {
  Json vectors = Json::array(), tokens = Json::array();
  for (const Embedding& embedding : embeddings) {
    vectors.push_back(to_json(embedding.values));
    tokens.push_back(embedding.n_tokens);
  }
  print_json_line({{"embeddings", std::move(vectors)}, {"tokens", std::move(tokens)}});
}

int embed(const EmbedOptions& o) {
  if (o.json && o.csv) return fail_usage("embed: give either --json or --csv");
  catch_interrupts();
  SessionSettings settings;
  settings.n_threads = o.n_threads;
  settings.isa = o.isa;
  if (auto checked = settings.resolve(); !checked) return fail_usage(checked.error().message);
  const auto pooling = parse_pooling(o.pooling);
  if (!pooling) return fail_usage(pooling.error().message);
  NamedModel named;
  const auto model = load_model(o.model, &named);
  if (!model) return interrupted() ? fail_interrupted() : fail(model.error());
  hearth::SessionOptions chosen;
  if (auto status = load_adapters(named, *model, chosen); !status) return fail(status.error());
  if (auto status = o.adapters.load(*model, chosen); !status) return fail(status.error());
  auto embedder = Embedder::create(*model, {.pooling = *pooling,
                                            .normalize = !o.no_normalize,
                                            .dimensions = o.dimensions,
                                            .truncate = o.truncate,
                                            .batch_tokens = o.batch_tokens,
                                            .n_threads = o.n_threads,
                                            .exact_products = o.exact,
                                            .adapters = chosen.adapters});
  if (!embedder) return fail(embedder.error());
  const auto lines = o.has_text ? Result<std::vector<std::string>>({o.text}) : read_lines(o.file);
  if (!lines) return fail(lines.error());
  const auto embeddings = embedder->embed(*lines);
  if (!embeddings) return fail(embeddings.error());
  if (o.json) {
    print_as_json(*embeddings);
  } else {
    print_rows(*embeddings, o.csv ? ',' : ' ');
  }
  return finish_output();
}

}  // namespace

Action setup_embed(Options& options) {
  auto values = std::make_shared<EmbedOptions>();
  values->model.declare(options);
  options.add("text", values->text, "One text, which may have several lines; without it each line of the file is one");
  options.add("-f,--file", values->file, "File with one text a line (-: standard input)");
  options.add("--json", values->json, "Print {\"embeddings\": [[...], ...], \"tokens\": [...]}");
  options.add("--csv", values->csv, "Separate numbers by commas instead of spaces");
  options.add("--pooling", values->pooling, "model (what the file says), mean, cls, last or rank");
  options.add("--no-normalize", values->no_normalize, "Leave the length of the vectors as it is");
  options.add("--dimensions", values->dimensions, "Keep this many leading numbers (0: all)");
  options.add("--truncate", values->truncate, "Cut texts that are longer than the model's context");
  options.add("--batch-tokens", values->batch_tokens, "Tokens computed together, of several texts");
  options.add("-t,--threads", values->n_threads, "Threads (0: the physical cores that this process may use)");
  options.add("--exact", values->exact, "Multiply quantised weights by float activations, not 8-bit ones (slower)");
  values->adapters.declare(options);
  options.add("--isa", values->isa, "Instruction set to use");
  return [values, options] {
    values->has_text = options.given("text");
    return embed(*values);
  };
}

}  // namespace hearth_tool
