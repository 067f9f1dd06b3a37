// Files and measurements through the C interface.
#include "c/c_world.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

TEST_F(CInterfaceTest, QuantizesComparesAndReadsFiles) {
  const TempDir dir;
  const std::string path = dir.file("small.gguf");
  auto options = with_defaults(hearth_quantize_options_init);
  options.type = "Q4_0";
  options.requantize = true;
  HearthQuantizer* quantizer = nullptr;
  ASSERT_EQ(hearth_quantizer_open(kModel.c_str(), &options, &quantizer, &error_), HEARTH_OK) << error_.message;
  HearthTensorPlan plan{};
  plan.size = sizeof plan;
  size_t n = 0;
  while (hearth_quantizer_plan(quantizer, n, &plan)) ++n;
  EXPECT_GT(n, 10u);
  HearthQuantizeReport report{};
  report.size = sizeof report;
  ASSERT_EQ(hearth_quantizer_run(quantizer, path.c_str(), &report, &error_), HEARTH_OK) << error_.message;
  ASSERT_EQ(report.n_paths, 1u);
  EXPECT_EQ(report.paths[0], path);
  hearth_quantizer_free(quantizer);

  HearthGgufFile *a = nullptr, *b = nullptr;
  ASSERT_EQ(hearth_gguf_file_open(kModel.c_str(), nullptr, &a, &error_), HEARTH_OK);
  ASSERT_EQ(hearth_gguf_file_open(path.c_str(), nullptr, &b, &error_), HEARTH_OK);
  HearthText name{};
  EXPECT_EQ(hearth_gguf_file_get_string(a, "general.architecture", &name, &error_), HEARTH_OK);
  EXPECT_EQ(text_of(name), "llama");
  int64_t none = 0;
  EXPECT_EQ(hearth_gguf_file_get_int(a, "no.such.key", &none, &error_), HEARTH_NOT_FOUND);
  const HearthGgufValue* tokens = hearth_gguf_file_find(a, "tokenizer.ggml.tokens");
  HearthText* texts = nullptr;
  size_t n_texts = 0;
  ASSERT_EQ(hearth_gguf_value_as_string_array(tokens, &texts, &n_texts, &error_), HEARTH_OK);
  EXPECT_EQ(n_texts, hearth_gguf_value_size(tokens));
  hearth_free(texts);
  const HearthGgufValue** values = nullptr;
  ASSERT_EQ(hearth_gguf_value_as_array(tokens, &values, &n_texts, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_gguf_value_as_string(values[n_texts - 1], &name, &error_), HEARTH_OK);
  hearth_free(values);

  HearthFileComparison* comparison = nullptr;
  ASSERT_EQ(hearth_compare_files(a, b, nullptr, &comparison, &error_), HEARTH_OK) << error_.message;
  HearthTensorDifference difference{};
  difference.size = sizeof difference;
  ASSERT_TRUE(hearth_file_comparison_tensors(comparison, 0, &difference));
  EXPECT_GT(difference.n_elements, 0);
  hearth_file_comparison_free(comparison);
  hearth_gguf_file_free(a);
  hearth_gguf_file_free(b);
}

TEST_F(CInterfaceTest, MeasuresAText) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Anna had a kite. The kite was red. ";
  auto run = with_defaults(hearth_measure_options_init);
  run.chunk_size = 64;
  run.max_chunks = 2;
  auto options = with_defaults(hearth_perplexity_options_init);
  options.run = &run;
  options.base = model_;
  HearthPerplexityReport report{};
  report.size = sizeof report;
  HearthDivergence divergence{};
  divergence.size = sizeof divergence;
  ASSERT_EQ(hearth_measure_perplexity(model_, text.data(), text.size(), &options, &report, &divergence, &error_),
            HEARTH_OK)
      << error_.message;
  EXPECT_EQ(report.n_chunks, 2);
  EXPECT_TRUE(report.has_divergence);
  EXPECT_GT(divergence.n_kld_percentiles, 2u);
  EXPECT_LT(divergence.kld.value, 1e-3);
  hearth_free(divergence.kld_percentiles);
  hearth_free(divergence.dp_percentiles);
  HearthImportanceMatrix* matrix = nullptr;
  auto how = with_defaults(hearth_importance_options_init);
  how.run = &run;
  ASSERT_EQ(hearth_measure_importance(model_, text.data(), text.size(), &how, &matrix, &error_), HEARTH_OK);
  HearthImportanceEntry entry{};
  entry.size = sizeof entry;
  ASSERT_TRUE(hearth_importance_matrix_entries(matrix, 0, &entry));
  EXPECT_EQ(hearth_importance_matrix_add(matrix, &entry, &error_), HEARTH_OK) << error_.message;
  EXPECT_EQ(hearth_importance_matrix_n_chunks(matrix), 2);
  hearth_importance_matrix_free(matrix);
}

}  // namespace
}  // namespace hearth::testing
