// Lesson 3, first program: the distribution of one next token, and what each way of choosing leaves of it.
//
//   choices MODEL [PROMPT]      prints a table and draws choices.svg
#include <hearth/hearth.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

struct Way {
  const char* name;
  hearth::SamplerOptions options;
};

// Everything off: the model's own probabilities.
hearth::SamplerOptions plain() {
  hearth::SamplerOptions options;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  options.temperature = 1;
  return options;
}

std::vector<Way> ways() {
  std::vector<Way> list(7, Way{"as the model says", plain()});
  list[1].name = "temperature 0.5";
  list[1].options.temperature = 0.5f;
  list[2].name = "temperature 1.5";
  list[2].options.temperature = 1.5f;
  list[3].name = "top-k 5";
  list[3].options.top_k = 5;
  list[4].name = "top-p 0.9";
  list[4].options.top_p = 0.9f;
  list[5].name = "min-p 0.1";
  list[5].options.min_p = 0.1f;
  list[6].name = "greedy";
  list[6].options.greedy = true;
  return list;
}

// Probabilities of what a way leaves, in the order of `shown`, and how many tokens it leaves at all.
std::vector<double> left_by(const Way& way, std::span<const float> logits, const std::vector<hearth::Token>& shown,
                            size_t* n) {
  auto sampler = hearth::Sampler::create(int32_t(logits.size()), way.options);
  auto token = sampler->sample(logits);
  std::map<hearth::Token, double> p;
  if (way.options.greedy) {
    p[*token] = 1;
  } else {
    for (const hearth::Candidate& c : sampler->last_candidates()) p[c.id] = double(c.p);
  }
  *n = p.size();
  std::vector<double> row;
  for (const hearth::Token id : shown) row.push_back(p.count(id) ? p[id] : 0.0);
  return row;
}

void draw(const std::vector<Way>& list, const std::vector<std::vector<double>>& rows,
          const std::vector<std::string>& labels) {
  FILE* svg = std::fopen("choices.svg", "w");
  if (!svg) return;
  std::fprintf(
      svg, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 560 %zu' font-family='sans-serif' font-size='11'>\n",
      46 * rows.size() + 26);
  std::fprintf(svg, "<rect width='560' height='%zu' fill='white'/>\n", 46 * rows.size() + 26);
  for (size_t r = 0; r < rows.size(); ++r) {
    const double base = 42.0 + 46.0 * double(r);
    std::fprintf(svg, "<text x='8' y='%.0f'>%s</text>\n", base, list[r].name);
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const double height = 38 * std::sqrt(rows[r][i]);  // of roots, so that small ones are seen
      std::fprintf(svg, "<rect x='%zu' y='%.1f' width='30' height='%.1f' fill='#2471a3'/>\n", 130 + 42 * i,
                   base - height, height);
    }
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    std::fprintf(svg, "<text x='%zu' y='%zu' text-anchor='middle'>%s</text>\n", 145 + 42 * i, 46 * rows.size() + 14,
                 labels[i].c_str());
  }
  std::fprintf(svg, "</svg>\n");
  std::fclose(svg);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: choices MODEL [PROMPT]\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  auto session = hearth::Session::create(*model, {.n_ctx = 128, .exact_products = true});
  auto tokens = model->tokenizer().encode(argc > 2 ? argv[2] : "Once upon a time there was a", {.add_special = true});
  if (!session || !tokens || !session->prefill(*tokens)) return 1;
  const auto logits = session->logits(0);

  std::vector<hearth::Token> best(logits.size());
  for (size_t i = 0; i < best.size(); ++i) best[i] = hearth::Token(i);
  std::stable_sort(best.begin(), best.end(), [&](auto a, auto b) { return logits[size_t(a)] > logits[size_t(b)]; });
  best.resize(10);
  std::vector<std::string> labels;
  std::printf("%-18s", "");
  for (const hearth::Token id : best) {
    labels.emplace_back(model->tokenizer().piece(id));
    labels.back().erase(0, labels.back().find_first_not_of(' '));
    std::printf("%9s", labels.back().c_str());
  }
  std::printf("   left\n");
  std::vector<std::vector<double>> rows;
  for (const Way& way : ways()) {
    size_t n = 0;
    rows.push_back(left_by(way, logits, best, &n));
    std::printf("%-18s", way.name);
    for (const double p : rows.back()) std::printf("%8.1f%%", 100 * p);
    std::printf("%7zu\n", n);
  }
  draw(ways(), rows, labels);
}
