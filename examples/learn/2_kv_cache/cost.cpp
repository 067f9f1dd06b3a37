// Lesson 2, first program: what the next token costs with the keys and values of earlier tokens kept, and without.
//
//   cost MODEL       prints a table and draws cost.svg
#include <hearth/hearth.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct Point {
  int tokens;
  double without_ms, with_ms;
};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// The fastest of three: what the machine can do when nobody disturbs it.
template <typename Step>
double fastest(const Step& step) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) best = std::min(best, step());
  return best;
}

void draw(const std::vector<Point>& points, const char* path) {
  FILE* svg = std::fopen(path, "w");
  if (!svg) return;
  const double right = points.back().tokens, top = points.back().without_ms;
  const auto line = [&](const char* colour, double Point::*value) {
    std::fprintf(svg, "<polyline fill='none' stroke='%s' stroke-width='2' points='", colour);
    for (const Point& p : points)
      std::fprintf(svg, "%.0f,%.0f ", 40 + 340 * p.tokens / right, 180 - 160 * p.*value / top);
    std::fprintf(svg, "'/>\n");
  };
  std::fprintf(
      svg,
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 400 210' font-family='sans-serif' font-size='11'>\n"
      "<rect width='400' height='210' fill='white'/><path d='M40 20V180H380' stroke='#888' fill='none'/>\n");
  line("#c0392b", &Point::without_ms);
  line("#2471a3", &Point::with_ms);
  std::fprintf(svg, "<text x='46' y='30' fill='#c0392b'>without a cache: %.1f ms at the end</text>\n", top);
  std::fprintf(svg, "<text x='46' y='46' fill='#2471a3'>with a cache: %.1f ms</text>\n", points.back().with_ms);
  std::fprintf(svg, "<text x='290' y='198'>%d tokens before</text></svg>\n", points.back().tokens);
  std::fclose(svg);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: cost MODEL\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  auto session = hearth::Session::create(*model, {.n_ctx = 512, .n_threads = 1});
  auto text =
      model->tokenizer().encode("Once upon a time there was a brave dog called Max. He had a red kite. One day ");
  if (!session || !text) return 1;

  // Where the time goes is the same for any text: this one, over and over.
  const auto tokens = [&](int n) {
    std::vector<hearth::Token> ids;
    while (int(ids.size()) < n) ids.push_back((*text)[ids.size() % text->size()]);
    return ids;
  };
  std::vector<Point> points;
  std::printf("tokens before   without a cache    with a cache\n");
  for (const int n : {32, 64, 128, 256, 384, 480}) {
    const std::vector<hearth::Token> ids = tokens(n);
    const double without = fastest([&] {  // everything again, to learn what follows
      session->cache().clear();
      const auto start = std::chrono::steady_clock::now();
      if (!session->prefill(ids)) std::exit(1);
      return milliseconds_since(start);
    });
    const double with = fastest([&] {  // one token more, which is then forgotten
      const auto start = std::chrono::steady_clock::now();
      if (!session->decode({{{ids[0], n, 0, true}}})) std::exit(1);
      const double took = milliseconds_since(start);
      if (!session->cache().rollback(0, 1)) std::exit(1);
      return took;
    });
    points.push_back({n, without, with});
    std::printf("%13d   %12.2f ms %12.2f ms\n", n, without, with);
  }
  draw(points, "cost.svg");

  // What is kept: for each layer and each KV head, a key and a value of every position.
  const hearth::ModelInfo& info = model->info();
  std::printf("\n2 x %d layers x %d KV heads x %d numbers = %d numbers a token\n", info.n_layers, info.n_kv_heads,
              info.head_dim, 2 * info.n_layers * info.n_kv_heads * info.head_dim);
  std::printf("type    bytes a token   512 tokens\n");
  for (const hearth::KVType type :
       {hearth::KVType::kF32, hearth::KVType::kF16, hearth::KVType::kQ8_0, hearth::KVType::kQ4_0}) {
    auto plan = model->plan({.n_ctx = 512, .k_type = type, .v_type = type});
    if (!plan) return 1;
    const uint64_t token =
        2ull * unsigned(info.n_layers * info.n_kv_heads) * hearth::kv_position_bytes(type, info.head_dim);
    std::printf("%-7s %13llu %9.2f MB\n", hearth::kv_type_name(type), (unsigned long long)token,
                double(512 * token) / 1e6);
  }
}
