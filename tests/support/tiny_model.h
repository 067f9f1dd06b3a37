// A small llama-architecture model with seeded random weights, as GGUF bytes in memory, and a float64 forward pass of
// it written straight from the papers: the oracle of tests that run without golden data.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "hearth/hearth.h"

namespace hearth::testing {

struct TinyShape {
  int n_layers = 2, d_model = 48, n_heads = 6, n_kv_heads = 2, head_dim = 8, d_ff = 80, n_vocab = 300, n_ctx = 512;
  double rope_base = 10000.0;
  unsigned seed = 1;
  int n_tokens = 0;  ///< of the vocabulary; 0: n_vocab. Fewer: the other rows of the embedding are padding
};

/// Writes GGUF version 3 by hand, so that malformed variants can be made too.
class GgufBytes {
 public:
  void text(const std::string& s) { number<uint64_t>(s.size()), bytes_.insert(bytes_.end(), s.begin(), s.end()); }
  template <typename T>
  void number(T value) {
    const char* raw = reinterpret_cast<const char*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof(T));
  }
  void pad(size_t to) { bytes_.resize((bytes_.size() + to - 1) / to * to); }
  size_t size() const { return bytes_.size(); }
  std::vector<char>& bytes() { return bytes_; }

 private:
  std::vector<char> bytes_;
};

class TinyModel {
 public:
  explicit TinyModel(const TinyShape& shape = {}) : shape_(shape), random_(shape.seed) {
    const int64_t d = shape.d_model, q = int64_t{shape.n_heads} * shape.head_dim,
                  kv = int64_t{shape.n_kv_heads} * shape.head_dim;
    set_int("llama.block_count", shape.n_layers);
    set_int("llama.embedding_length", shape.d_model);
    set_int("llama.context_length", shape.n_ctx);
    set_int("llama.feed_forward_length", shape.d_ff);
    set_int("llama.attention.head_count", shape.n_heads);
    set_int("llama.attention.head_count_kv", shape.n_kv_heads);
    set_int("llama.attention.key_length", shape.head_dim);
    set_int("llama.attention.value_length", shape.head_dim);
    set_int("llama.rope.dimension_count", shape.head_dim);
    set_float("llama.rope.freq_base", static_cast<float>(shape.rope_base));
    set_float("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    add("token_embd.weight", {d, shape.n_vocab});
    add("output_norm.weight", {d}, 1.0f);
    add("output.weight", {d, shape.n_vocab});
    for (int i = 0; i < shape.n_layers; ++i) {
      const std::string blk = "blk." + std::to_string(i) + ".";
      add(blk + "attn_norm.weight", {d}, 1.0f);
      add(blk + "attn_q.weight", {d, q});
      add(blk + "attn_k.weight", {d, kv});
      add(blk + "attn_v.weight", {d, kv});
      add(blk + "attn_output.weight", {q, d});
      add(blk + "ffn_norm.weight", {d}, 1.0f);
      add(blk + "ffn_gate.weight", {d, shape.d_ff});
      add(blk + "ffn_up.weight", {d, shape.d_ff});
      add(blk + "ffn_down.weight", {shape.d_ff, d});
    }
  }

  struct Tensor {
    std::vector<int64_t> dims;
    std::vector<float> values;
    uint32_t type = 0;            ///< of the file; 0: F32
    std::vector<uint8_t> blocks;  ///< where the type is another: the file's bytes, of which `values` are the floats
    size_t bytes() const { return type == 0 ? 4 * values.size() : blocks.size(); }
  };
  // Open for tests that spoil one thing.
  std::string architecture = "llama";
  std::map<std::string, uint32_t> ints;
  std::map<std::string, float> floats;
  std::map<std::string, std::string> texts;
  std::map<std::string, bool> booleans;
  std::map<std::string, std::vector<int32_t>> int_arrays;
  std::map<std::string, std::vector<bool>> bool_arrays;
  std::map<std::string, std::vector<std::string>> text_arrays;
  std::map<std::string, Tensor> tensors;

  void set_int(const std::string& key, int64_t value) { ints[key] = static_cast<uint32_t>(value); }
  void set_float(const std::string& key, float value) { floats[key] = value; }
  void add(const std::string& name, std::vector<int64_t> dims, float around = 0.0f) {
    int64_t n = 1;
    for (const int64_t dim : dims) n *= dim;
    const double deviation = around != 0.0f ? 0.1 : 1.0 / std::sqrt(static_cast<double>(dims[0]));
    Tensor tensor{std::move(dims), std::vector<float>(static_cast<size_t>(n)), 0, {}};
    for (float& value : tensor.values) value = static_cast<float>(around + deviation * draw());
    tensors[name] = std::move(tensor);
  }

  /// The file. Its vocabulary is SentencePiece: <unk> <s> </s>, 256 bytes, then words of two letters.
  std::vector<std::byte> gguf() const {
    GgufBytes out;
    out.number<uint32_t>(0x46554747);
    out.number<uint32_t>(3);
    out.number<uint64_t>(tensors.size());
    out.number<uint64_t>(1 + ints.size() + floats.size() + texts.size() + booleans.size() + int_arrays.size() +
                         bool_arrays.size() + text_arrays.size() + 4);
    out.text("general.architecture"), out.number<uint32_t>(8), out.text(architecture);
    for (const auto& [key, value] : ints) out.text(key), out.number<uint32_t>(4), out.number(value);
    for (const auto& [key, value] : floats) out.text(key), out.number<uint32_t>(6), out.number(value);
    for (const auto& [key, value] : texts) out.text(key), out.number<uint32_t>(8), out.text(value);
    for (const auto& [key, value] : booleans) out.text(key), out.number<uint32_t>(7), out.number<uint8_t>(value);
    for (const auto& [key, values] : int_arrays) {
      out.text(key), out.number<uint32_t>(9), out.number<uint32_t>(5), out.number<uint64_t>(values.size());
      for (const int32_t value : values) out.number(value);
    }
    for (const auto& [key, values] : bool_arrays) {
      out.text(key), out.number<uint32_t>(9), out.number<uint32_t>(7), out.number<uint64_t>(values.size());
      for (const bool value : values) out.number<uint8_t>(value);
    }
    for (const auto& [key, values] : text_arrays) {
      out.text(key), out.number<uint32_t>(9), out.number<uint32_t>(8), out.number<uint64_t>(values.size());
      for (const std::string& value : values) out.text(value);
    }
    write_vocabulary(out);
    uint64_t offset = 0;
    for (const auto& [name, tensor] : tensors) {
      out.text(name), out.number<uint32_t>(static_cast<uint32_t>(tensor.dims.size()));
      for (const int64_t dim : tensor.dims) out.number<uint64_t>(static_cast<uint64_t>(dim));
      out.number(tensor.type), out.number<uint64_t>(offset);
      offset += (tensor.bytes() + 31) / 32 * 32;
    }
    for (const auto& entry : tensors) {
      out.pad(32);
      for (const uint8_t byte : entry.second.blocks) out.number(byte);
      if (entry.second.type == 0) {
        for (const float value : entry.second.values) out.number(value);
      }
    }
    out.pad(32);
    std::vector<std::byte> bytes(out.size());
    std::memcpy(bytes.data(), out.bytes().data(), bytes.size());
    return bytes;
  }

  /// Logits [n, n_vocab] of a sequence in float64.
  std::vector<double> logits(const std::vector<Token>& tokens) const {
    using Rows = std::vector<std::vector<double>>;
    const auto n = tokens.size();
    const auto d = static_cast<size_t>(shape_.d_model);
    Rows x(n);
    for (size_t t = 0; t < n; ++t) {
      const float* row = tensors.at("token_embd.weight").values.data() + static_cast<size_t>(tokens[t]) * d;
      x[t].assign(row, row + d);
    }
    for (int l = 0; l < shape_.n_layers; ++l) {
      const std::string blk = "blk." + std::to_string(l) + ".";
      Rows q(n), k(n), v(n);
      for (size_t t = 0; t < n; ++t) {
        const auto h = rms_norm(x[t], blk + "attn_norm.weight");
        q[t] = rotate(times(h, blk + "attn_q.weight"), static_cast<int>(t));
        k[t] = rotate(times(h, blk + "attn_k.weight"), static_cast<int>(t));
        v[t] = times(h, blk + "attn_v.weight");
      }
      for (size_t t = 0; t < n; ++t) {
        accumulate(x[t], times(attend(q[t], k, v, t), blk + "attn_output.weight"));
        const auto h = rms_norm(x[t], blk + "ffn_norm.weight");
        auto gate = times(h, blk + "ffn_gate.weight");
        const auto up = times(h, blk + "ffn_up.weight");
        for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1.0 + std::exp(-gate[i])) * up[i];
        accumulate(x[t], times(gate, blk + "ffn_down.weight"));
      }
    }
    std::vector<double> out;
    for (size_t t = 0; t < n; ++t) {
      const auto row = times(rms_norm(x[t], "output_norm.weight"), "output.weight");
      out.insert(out.end(), row.begin(), row.end());
    }
    return out;
  }

 private:
  /// Of mean 0 and variance 1, nearly normal, and the same with every standard library.
  double draw() {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(random_()) / 4294967296.0;
    return (sum - 2.0) * std::sqrt(3.0);
  }

  void write_vocabulary(GgufBytes& out) const {
    const auto n = static_cast<uint64_t>(shape_.n_tokens > 0 ? shape_.n_tokens : shape_.n_vocab);
    out.text("tokenizer.ggml.model"), out.number<uint32_t>(8), out.text("llama");
    out.text("tokenizer.ggml.tokens"), out.number<uint32_t>(9), out.number<uint32_t>(8), out.number(n);
    for (uint64_t i = 0; i < n; ++i) out.text(token_text(i));
    out.text("tokenizer.ggml.scores"), out.number<uint32_t>(9), out.number<uint32_t>(6), out.number(n);
    for (uint64_t i = 0; i < n; ++i) out.number(-static_cast<float>(i));
    out.text("tokenizer.ggml.token_type"), out.number<uint32_t>(9), out.number<uint32_t>(5), out.number(n);
    for (uint64_t i = 0; i < n; ++i) out.number<int32_t>(i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
  }
  static std::string token_text(uint64_t i) {
    if (i < 3) return i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>";
    if (i < 259) {
      const char* digits = "0123456789ABCDEF";
      return std::string("<0x") + digits[(i - 3) / 16] + digits[(i - 3) % 16] + ">";
    }
    return {static_cast<char>('a' + (i - 259) / 26 % 26), static_cast<char>('a' + (i - 259) % 26)};
  }

  using Row = std::vector<double>;
  Row rms_norm(const Row& x, const std::string& name) const {
    const auto& w = tensors.at(name).values;
    double sum = 0;
    for (const double v : x) sum += v * v;
    const double scale = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + 1e-5);
    Row y(x.size());
    for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * w[i];
    return y;
  }
  Row times(const Row& x, const std::string& name) const {
    const Tensor& w = tensors.at(name);
    const auto cols = static_cast<size_t>(w.dims[0]), rows = static_cast<size_t>(w.dims[1]);
    Row y(rows, 0.0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < cols; ++c) y[r] += x[c] * w.values[r * cols + c];
    }
    return y;
  }
  Row rotate(Row x, int pos) const {
    const auto dim = static_cast<size_t>(shape_.head_dim);
    for (size_t head = 0; head < x.size(); head += dim) {
      for (size_t i = 0; i < dim; i += 2) {
        const double angle = pos * std::pow(shape_.rope_base, -static_cast<double>(i) / static_cast<double>(dim));
        const double a = x[head + i], b = x[head + i + 1];
        x[head + i] = a * std::cos(angle) - b * std::sin(angle);
        x[head + i + 1] = a * std::sin(angle) + b * std::cos(angle);
      }
    }
    return x;
  }
  Row attend(const Row& q, const std::vector<Row>& k, const std::vector<Row>& v, size_t t) const {
    const auto dim = static_cast<size_t>(shape_.head_dim);
    const auto group = static_cast<size_t>(shape_.n_heads / shape_.n_kv_heads);
    Row out(q.size(), 0.0);
    for (size_t head = 0; head < static_cast<size_t>(shape_.n_heads); ++head) {
      const size_t own = head * dim, shared = head / group * dim;
      Row weight(t + 1);
      double sum = 0;
      for (size_t s = 0; s <= t; ++s) {
        double score = 0;
        for (size_t i = 0; i < dim; ++i) score += q[own + i] * k[s][shared + i];
        weight[s] = std::exp(score / std::sqrt(static_cast<double>(dim)));
        sum += weight[s];
      }
      for (size_t s = 0; s <= t; ++s) {
        for (size_t i = 0; i < dim; ++i) out[own + i] += weight[s] / sum * v[s][shared + i];
      }
    }
    return out;
  }
  static void accumulate(Row& x, const Row& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  TinyShape shape_;
  std::mt19937 random_;
};

}  // namespace hearth::testing
