// Scores of all passages as one product of a matrix and a vector.
#include <Eigen/Core>

#include "passages.h"

std::vector<float> scores(std::span<const float> vectors, std::span<const float> query) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto width = static_cast<Eigen::Index>(query.size());
  const auto n = static_cast<Eigen::Index>(vectors.size()) / width;
  std::vector<float> out(static_cast<size_t>(n));
  Eigen::Map<Eigen::VectorXf>(out.data(), n).noalias() =
      Eigen::Map<const Matrix>(vectors.data(), n, width) * Eigen::Map<const Eigen::VectorXf>(query.data(), width);
  return out;
}
