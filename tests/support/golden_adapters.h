// Adapters of the golden folder: its index, their files, logits with them.
#pragma once

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hearth/hearth.h"
#include "support/golden.h"

namespace hearth::testing {

using nlohmann::json;

inline std::filesystem::path adapter_folder() {
  return golden_dir() / "lora";
}

inline json index_of_adapters() {
  const std::string text = read_file(adapter_folder() / "index.json");
  return text.empty() ? json() : json::parse(text);
}

inline std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::string raw = read_file(path);
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
}

inline double nmse(std::span<const float> expected, std::span<const float> actual) {
  if (expected.size() != actual.size()) return 1e9;
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = double{expected[i]} - double{actual[i]};
    error += d * d;
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

/// Logits of all tokens, `step` tokens a decode().
inline std::vector<float> logits_with(const Model& model, const std::vector<Token>& tokens,
                                      std::vector<AdapterScale> adapters, size_t step, bool exact = false) {
  SessionOptions options;
  options.n_ctx = options.n_logits = static_cast<int32_t>(tokens.size());
  options.k_type = options.v_type = KVType::kF32;
  options.n_threads = 2;
  options.exact_products = exact;
  options.adapters = std::move(adapters);
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (size_t at = 0; session && at < tokens.size(); at += step) {
    std::vector<BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + step); ++i)
      batch.push_back({tokens[i], static_cast<int32_t>(i), 0, true});
    const auto status = session->decode(batch);
    EXPECT_TRUE(status) << status.error().message;
    for (size_t i = 0; i < batch.size(); ++i)
      logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return logits;
}

inline std::vector<AdapterScale> load_adapters(const json& list, const Model& model) {
  std::vector<AdapterScale> adapters;
  for (const auto& one : list) {
    auto adapter = Adapter::load((adapter_folder() / one["file"].get<std::string>()).string(), model);
    EXPECT_TRUE(adapter) << adapter.error().message;
    if (adapter) adapters.push_back({*adapter, one["scale"].get<float>()});
  }
  return adapters;
}

}  // namespace hearth::testing
