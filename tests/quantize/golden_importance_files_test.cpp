// Files made with importance matrices, against those that llama.cpp made with the same matrices: what their tensors
// err, and what their logits do.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "hearth/quantizer.h"
#include "kernels/dispatch.h"
#include "lib/gguf/kernel_index.h"
#include "support/golden_adapters.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::golden_dir;
using testing::json;
using testing::logits_with;
using testing::nmse;
using testing::TempDir;

constexpr double kSlack = 1.001;

json quantised_files() {
  const std::string text = testing::read_file(golden_dir() / "imatrix" / "index.json");
  return text.empty() ? json() : json::parse(text)["quantised"];
}

/// The project's own examples are no golden models.
std::string source_of(const json& entry) {
  const auto path = golden_dir() / "models" / (entry["model"].get<std::string>() + ".gguf");
  return std::filesystem::exists(path) ? path.string() : "";
}

std::vector<float> values_of(const GgufTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.n_elements));
  kernels::kernels().types[kernel_index(tensor.type)].dequantize(values.data(), tensor.data, tensor.n_elements);
  return values;
}

/// Root of the mean square error; with a matrix that knows the tensor, weighted by the importance of columns.
double error_of(const GgufTensor& source, const GgufTensor& made, const ImportanceMatrix* matrix) {
  const std::vector<float> x = values_of(source), y = values_of(made);
  const auto n = static_cast<size_t>(source.dims[0]);
  const auto n_rows = static_cast<size_t>(source.dims[1]);
  double sum = 0, total = 0;
  for (size_t row = 0; row * n < x.size(); ++row) {
    const auto weights = matrix != nullptr ? matrix->weights(source.name, row / n_rows, n) : std::span<const float>();
    for (size_t i = 0; i < n; ++i) {
      const double difference = double{x[row * n + i]} - double{y[row * n + i]};
      const double weight = weights.empty() ? 1.0 : double{weights[i]};
      sum += weight * difference * difference;
      total += weight;
    }
  }
  return std::sqrt(sum / total);
}

class GoldenImportanceFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    if (entries_.is_null()) GTEST_SKIP() << "no golden data in " << golden_dir();
  }
  /// Every tensor errs at most what is recorded.
  void expect_errors(const std::string& from, const json& recorded, const ImportanceMatrix* matrix,
                     const std::string& what) const {
    const auto source = GgufFile::open(from), made = GgufFile::open(out_);
    ASSERT_TRUE(source && made);
    for (const json& row : recorded["tensors"]) {
      const std::string name = row["tensor"];
      const GgufTensor *a = source->tensor(name), *b = made->tensor(name);
      ASSERT_TRUE(a != nullptr && b != nullptr) << name;
      EXPECT_EQ(tensor_type_info(b->type)->name, row["type"].get<std::string>()) << what << name;
      const bool weighted = matrix != nullptr && row.contains("wrmse");
      EXPECT_LE(error_of(*a, *b, weighted ? matrix : nullptr),
                row[weighted ? "wrmse" : "rmse"].get<double>() * kSlack + 1e-9)
          << what << name;
    }
  }
  Status quantize(const std::string& from, const std::string& type, const ImportanceMatrix* matrix) const {
    auto quantizer = Quantizer::open(from, {.type = type, .importance = matrix});
    if (!quantizer) return quantizer.error();
    const auto report = quantizer->run(out_);
    return report ? Status() : report.error();
  }
  const json entries_ = quantised_files();
  const TempDir dir_;
  const std::string out_ = dir_.file("out.gguf");
};

TEST_F(GoldenImportanceFiles, TensorsErrNoMoreThanRecorded) {
  int n_compared = 0;
  for (const json& entry : entries_) {
    const std::string from = source_of(entry), type = entry["ftype"];
    if (from.empty()) continue;
    const auto matrix =
        ImportanceMatrix::read((golden_dir() / "imatrix" / entry["imatrix"].get<std::string>()).string());
    ASSERT_TRUE(matrix) << matrix.error().message;
    for (const char* key : {"without", "with"}) {
      const ImportanceMatrix* used = std::string(key) == "with" ? &*matrix : nullptr;
      const json& recorded = entry[key];
      const std::string what = entry["model"].get<std::string>() + " " + type + " " + key + " ";
      const Status made = quantize(from, type, used);
      EXPECT_EQ(made.ok(), recorded.contains("tensors")) << what;
      if (!made || !recorded.contains("tensors")) continue;
      expect_errors(from, recorded, used, what);
      ++n_compared;
    }
  }
  EXPECT_GT(n_compared, 0);
}

std::vector<float> exact_logits(const Model& model, const std::vector<Token>& tokens) {
  return logits_with(model, tokens, {}, tokens.size(), true);
}

TEST_F(GoldenImportanceFiles, LogitsErrNoMoreThanRecorded) {
  int n_compared = 0;
  for (const json& entry : entries_) {
    const std::string from = source_of(entry), type = entry["ftype"];
    const json& recorded = entry["with"];
    if (from.empty() || !recorded.contains("file")) continue;
    const auto matrix =
        ImportanceMatrix::read((golden_dir() / "imatrix" / entry["imatrix"].get<std::string>()).string());
    ASSERT_TRUE(matrix) << matrix.error().message;
    ASSERT_TRUE(quantize(from, type, &*matrix));
    const auto source = Model::open(from), ours = Model::open(out_);
    const auto peer = Model::open((golden_dir() / "imatrix" / recorded["file"].get<std::string>()).string());
    ASSERT_TRUE(source && ours && peer);
    const auto tokens = recorded["tokens"].get<std::vector<Token>>();
    const std::vector<float> wanted = exact_logits(*source, tokens);
    const double error = nmse(wanted, exact_logits(*ours, tokens));
    const double peer_error = nmse(wanted, exact_logits(*peer, tokens));
    EXPECT_NEAR(peer_error, recorded["nmse_vs_unquantized"].get<double>(), 2e-3 * peer_error);
    std::printf("    %s %s: %.3f of the recorded file's error\n", entry["model"].get<std::string>().c_str(),
                type.c_str(), error / peer_error);
    EXPECT_LE(error, peer_error * kSlack) << entry["model"] << " " << type;
    ++n_compared;
  }
  EXPECT_GT(n_compared, 0);
}

}  // namespace
}  // namespace hearth
