// Retrieval: embeds every paragraph of a folder of text files, then prints those closest in meaning to each question.
//
//   search MODEL.gguf FOLDER "how do I change a tyre?" ["another question" ...]
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "hearth/hearth.h"
#include "passages.h"

namespace {

constexpr size_t kTop = 5;

int fail(const std::string& message) {
  std::fprintf(stderr, "search: %s\n", message.c_str());
  return 1;
}

/// One row a text.
hearth::Result<std::vector<float>> embed_all(hearth::Embedder& embedder, const std::vector<Passage>& passages) {
  std::vector<std::string> texts;
  for (const Passage& passage : passages) texts.push_back(passage.text);
  const auto embeddings = embedder.embed(texts);
  if (!embeddings) return embeddings.error();
  std::vector<float> rows;
  for (const hearth::Embedding& embedding : *embeddings) {
    rows.insert(rows.end(), embedding.values.begin(), embedding.values.end());
  }
  return rows;
}

void print_best(const std::vector<Passage>& passages, const std::vector<float>& score) {
  std::vector<size_t> order(passages.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t n = std::min(kTop, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [&](size_t a, size_t b) { return score[a] > score[b]; });
  for (size_t i = 0; i < n; ++i) {
    const Passage& passage = passages[order[i]];
    const std::string first_line = passage.text.substr(0, std::min<size_t>(passage.text.find('\n'), 100));
    std::printf("  %.3f  %s:%zu  %s\n", static_cast<double>(score[order[i]]), passage.file.c_str(), passage.line,
                first_line.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return fail("usage: search MODEL.gguf FOLDER QUESTION...");
  const std::vector<Passage> passages = read_passages(argv[2]);
  if (passages.empty()) return fail(std::string(argv[2]) + " has no .txt or .md file with text");

  const auto model = hearth::Model::open(argv[1]);
  if (!model) return fail(model.error().message);
  auto embedder = hearth::Embedder::create(*model, {.truncate = true});
  if (!embedder) return fail(embedder.error().message);
  const auto rows = embed_all(*embedder, passages);
  if (!rows) return fail(rows.error().message);

  for (int i = 3; i < argc; ++i) {
    const auto question = embedder->embed(argv[i]);
    if (!question) return fail(question.error().message);
    std::printf("%s\n", argv[i]);
    print_best(passages, scores(*rows, question->values));
  }
  return 0;
}
