// Scores of all passages, one by one.
#include <numeric>

#include "passages.h"

std::vector<float> scores(std::span<const float> vectors, std::span<const float> query) {
  std::vector<float> out;
  for (size_t at = 0; at < vectors.size(); at += query.size()) {
    out.push_back(
        std::inner_product(query.begin(), query.end(), vectors.begin() + static_cast<std::ptrdiff_t>(at), 0.0f));
  }
  return out;
}
