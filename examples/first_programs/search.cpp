// Search by meaning: the lines of standard input, those most like the query first.
#include <hearth/hearth.h>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) return std::cerr << "usage: search MODEL QUERY < LINES\n", 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto embedder = hearth::Embedder::create(*model);
  if (!embedder) return std::cerr << embedder.error().message << '\n', 1;
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  auto query = embedder->embed(argv[2]);
  if (!query) return std::cerr << query.error().message << '\n', 1;
  auto vectors = embedder->embed(lines);
  if (!vectors) return std::cerr << vectors.error().message << '\n', 1;

  std::vector<std::pair<float, std::string>> found;
  for (size_t i = 0; i < lines.size(); ++i) {
    found.emplace_back(hearth::cosine_similarity(query->values, (*vectors)[i].values), lines[i]);
  }
  std::sort(found.rbegin(), found.rend());
  for (const auto& [score, line] : found) std::cout << score << '\t' << line << '\n';
}
