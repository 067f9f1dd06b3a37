// Lesson 4, third program: one model in seven types of blocks. What each costs in bytes, in the error of its weights,
// and in how well it still predicts a text that training never contained.
//
//   types MODEL QUESTIONS.jsonl       prints a table and draws types.svg
#include <hearth/hearth.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct Point {
  std::string name;
  bool weighted;  // by an importance matrix
  double bits, error, perplexity, divergence;
};

// The value of a key in a line of JSON, with \n and \" undone.
std::string value_of(const std::string& line, const std::string& key) {
  std::string text;
  size_t i = line.find("\"" + key + "\":\"");
  if (i == std::string::npos) return text;
  for (i += key.size() + 4; i < line.size() && line[i] != '"'; ++i) {
    if (line[i] == '\\') ++i;
    text += line[i - 1] == '\\' && line[i] == 'n' ? '\n' : line[i];
  }
  return text;
}

// Every second conversation of the file, from the first or from the second.
std::string conversations(const char* path, int which) {
  std::ifstream file(path);
  std::string text, line;
  for (int i = 0; std::getline(file, line); ++i) {
    if (i % 2 == which) text += value_of(line, "prompt") + value_of(line, "answer") + "<|im_end|>\n";
  }
  return text;
}

hearth::MeasureOptions how() {
  return {.chunk_size = 256, .parse_special = true};
}

hearth::Result<Point> measure(const std::string& source, const std::string& type, const std::string& base_logits,
                              const std::string& text, const hearth::ImportanceMatrix* importance) {
  const std::string path = (std::filesystem::temp_directory_path() / ("learn-" + type + ".gguf")).string();
  auto quantizer =
      hearth::Quantizer::open(source, {.type = type, .pure = true, .requantize = true, .importance = importance});
  if (!quantizer) return quantizer.error();
  if (auto report = quantizer->run(path); !report) return report.error();
  auto before = hearth::GgufFile::open(source), after = hearth::GgufFile::open(path);
  if (!before || !after) return (before ? after : before).error();
  auto comparison = hearth::compare_files(*before, *after);
  if (!comparison) return comparison.error();
  double difference = 0, size = 0, bytes = 0, numbers = 0;
  for (const hearth::TensorDifference& tensor : comparison->tensors) {
    difference += tensor.squared_error;
    size += tensor.squared_values;
    bytes += double(tensor.bytes_b);
    numbers += double(tensor.n_elements);
  }
  auto model = hearth::Model::open(path);
  if (!model) return model.error();
  auto quality = hearth::measure_perplexity(*model, text, {.run = how(), .base_logits = base_logits});
  std::filesystem::remove(path);
  if (!quality) return quality.error();
  return Point{type.substr(0, 4),         importance != nullptr,
               8 * bytes / numbers,       std::sqrt(difference / size),
               quality->perplexity.value, quality->divergence->kld.value};
}

void draw(const std::vector<Point>& points) {
  FILE* svg = std::fopen("types.svg", "w");
  if (!svg) return;
  std::fprintf(svg,
               "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 420 240' font-family='sans-serif' "
               "font-size='11'>\n<rect width='420' height='240' fill='white'/>"
               "<path d='M46 10V200H410' stroke='#888' fill='none'/>\n");
  for (int bits = 2; bits <= 9; ++bits)
    std::fprintf(svg, "<text x='%d' y='216' text-anchor='middle'>%d</text>\n", 46 + 48 * (bits - 2), bits);
  const auto height = [](double kld) { return 192 - 13 * (14.3 + std::log2(std::max(kld, 5e-5))); };
  for (const double kld : {0.0001, 0.001, 0.01, 0.1})
    std::fprintf(svg, "<text x='42' y='%.0f' text-anchor='end'>%g</text>\n", height(kld) + 4, kld);
  for (const Point& p : points) {
    const char* colour = p.weighted ? "#2471a3" : "#c0392b";
    std::fprintf(svg, "<circle cx='%.0f' cy='%.0f' r='4' fill='%s'/>", 46 + 48 * (p.bits - 2), height(p.divergence),
                 colour);
    if (!p.weighted)
      std::fprintf(svg, "<text x='%.0f' y='%.0f'>%s</text>\n", 54 + 48 * (p.bits - 2),
                   height(p.divergence) + (p.name == "Q4_K" ? 13 : -4), p.name.c_str());
  }
  std::fprintf(svg,
               "<text x='46' y='232'>divergence against bits a number; blue: with an importance matrix</text></svg>\n");
  std::fclose(svg);
}

int fail(const hearth::Error& error) {
  return std::fprintf(stderr, "%s\n", error.message.c_str()), 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: types MODEL QUESTIONS.jsonl\n"), 2;
  const std::string text = conversations(argv[2], 0);
  auto model = hearth::Model::open(argv[1]);
  if (!model) return fail(model.error());
  // Which columns matter is measured on one half of the conversations, perplexity on the other.
  auto importance = hearth::measure_importance(*model, conversations(argv[2], 1), {.run = how()});
  if (!importance) return fail(importance.error());
  // What the original predicts, token by token: the others are compared with it.
  const std::string base_logits = (std::filesystem::temp_directory_path() / "learn-base.logits").string();
  auto base = hearth::measure_perplexity(*model, text, {.run = how(), .save_logits = base_logits});
  if (!base) return fail(base.error());
  std::vector<Point> points;
  std::printf("type     bits a number   error of weights   perplexity   divergence\n");
  for (const char* type : {"Q8_0", "Q6_K", "Q5_1", "Q4_K_S", "Q4_0", "Q3_K_S", "Q2_K"}) {
    for (const bool weighted : {false, true}) {
      const bool few_bits = std::string(type).find_first_of("23") != std::string::npos;
      if (weighted && !few_bits) continue;
      auto point = measure(argv[1], type, base_logits, text, weighted ? &*importance : nullptr);
      if (!point) return fail(point.error());
      std::printf("%-8s %13.2f %17.2f%% %12.3f %12.5f%s\n", point->name.c_str(), point->bits, 100 * point->error,
                  point->perplexity, point->divergence, weighted ? "   with an importance matrix" : "");
      points.push_back(*point);
    }
  }
  std::filesystem::remove(base_logits);
  draw(points);
}
