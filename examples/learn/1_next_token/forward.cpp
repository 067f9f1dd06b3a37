// Lesson 1, second program: everything between a prompt and the next token, in plain C++, beside the library's result.
//
//   forward MODEL [PROMPT]      a model of the llama architecture with weights in F32, F16 or Q8_0
#include <hearth/hearth.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace {

using Vector = std::vector<float>;

float half(uint16_t bits) {  // 1 bit of sign, 5 of exponent, 10 of fraction
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float size = exponent ? std::ldexp(float(1024 + fraction), exponent - 25) : std::ldexp(float(fraction), -24);
  return bits >> 15 ? -size : size;
}

// Row `r` of a matrix as floats. Q8_0 keeps 32 numbers as a half-precision scale and 32 signed bytes.
Vector row(const hearth::GgufTensor& matrix, int64_t r) {
  Vector out(size_t(matrix.dims[0]));
  const size_t block = matrix.type == hearth::TensorType::kQ8_0 ? 32 : 1;
  const size_t block_bytes = block == 32 ? 34 : matrix.type == hearth::TensorType::kF16 ? 2 : 4;
  const std::byte* from = matrix.data + size_t(r) * (out.size() / block) * block_bytes;
  for (size_t i = 0; i < out.size(); i += block, from += block_bytes) {
    uint16_t bits;
    std::memcpy(&bits, from, 2);
    if (block_bytes == 4) std::memcpy(&out[i], from, 4);
    if (block_bytes == 2) out[i] = half(bits);
    for (size_t j = 0; block == 32 && j < 32; ++j) out[i + j] = half(bits) * float(int8_t(from[2 + j]));
  }
  return out;
}

double dot(const float* a, const float* b, size_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

// y = W x: one number for each row of W.
Vector times(const hearth::GgufTensor& W, const Vector& x) {
  Vector y(size_t(W.dims[1]));
  for (size_t r = 0; r < y.size(); ++r) y[r] = float(dot(row(W, int64_t(r)).data(), x.data(), x.size()));
  return y;
}

// RMSNorm (Zhang and Sennrich 2019): every vector gets the same length, every coordinate a learned weight.
Vector norm(const Vector& x, const Vector& weight, double epsilon) {
  const double scale = 1 / std::sqrt(dot(x.data(), x.data(), x.size()) / double(x.size()) + epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = float(x[i] * scale * weight[i]);
  return y;
}

// Rotary embedding (Su et al. 2021): each pair of coordinates turns by an angle that grows with the position.
void rope(Vector& x, size_t head_dim, double base, size_t position) {
  for (size_t i = 0; i < x.size(); i += 2) {
    const double angle = double(position) * std::pow(base, -double(i % head_dim) / double(head_dim));
    const double a = x[i], b = x[i + 1];
    x[i] = float(a * std::cos(angle) - b * std::sin(angle));
    x[i + 1] = float(a * std::sin(angle) + b * std::cos(angle));
  }
}

// The next token's logits: how likely each token of the vocabulary follows these, before softmax.
Vector forward(const hearth::Model& model, const std::vector<hearth::Token>& tokens) {
  const hearth::ModelInfo& info = model.info();
  const auto weight = [&](std::string name) { return *model.file().tensor(name + ".weight"); };
  const double base = model.file().get_float("llama.rope.freq_base").value_or(10000);
  const double epsilon = *model.file().get_float("llama.attention.layer_norm_rms_epsilon");
  const size_t head_dim = size_t(info.head_dim), group = size_t(info.n_heads / info.n_kv_heads);

  std::vector<Vector> x;  // a vector for each token: first what the token means by itself
  for (const hearth::Token token : tokens) x.push_back(row(weight("token_embd"), token));

  for (int layer = 0; layer < info.n_layers; ++layer) {
    const std::string blk = "blk." + std::to_string(layer) + ".";
    // Attention: every token asks (q) all tokens up to itself, by their keys (k), for what they offer (v).
    std::vector<Vector> q, k, v;
    for (size_t t = 0; t < x.size(); ++t) {
      const Vector h = norm(x[t], row(weight(blk + "attn_norm"), 0), epsilon);
      q.push_back(times(weight(blk + "attn_q"), h));
      k.push_back(times(weight(blk + "attn_k"), h));
      v.push_back(times(weight(blk + "attn_v"), h));
      rope(q[t], head_dim, base, t);
      rope(k[t], head_dim, base, t);
    }
    for (size_t t = 0; t < x.size(); ++t) {
      Vector mixed(q[t].size());
      for (size_t head = 0; head < size_t(info.n_heads); ++head) {
        const size_t at = head * head_dim, kv = head / group * head_dim;  // several heads share keys and values
        std::vector<double> score(t + 1);
        for (size_t s = 0; s <= t; ++s) {
          score[s] = std::exp(dot(&q[t][at], &k[s][kv], head_dim) / std::sqrt(double(head_dim)));
        }
        const double sum = std::accumulate(score.begin(), score.end(), 0.0);
        for (size_t s = 0; s <= t; ++s) {
          for (size_t i = 0; i < head_dim; ++i) mixed[at + i] += float(score[s] / sum * v[s][kv + i]);
        }
      }
      const Vector out = times(weight(blk + "attn_output"), mixed);
      for (size_t i = 0; i < out.size(); ++i) x[t][i] += out[i];
    }
    // Feed-forward (SwiGLU, Shazeer 2020): what each token makes of it by itself.
    for (Vector& token : x) {
      const Vector h = norm(token, row(weight(blk + "ffn_norm"), 0), epsilon);
      Vector gate = times(weight(blk + "ffn_gate"), h);
      const Vector up = times(weight(blk + "ffn_up"), h);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      const Vector out = times(weight(blk + "ffn_down"), gate);
      for (size_t i = 0; i < out.size(); ++i) token[i] += out[i];
    }
  }
  const bool tied = model.file().tensor("output.weight") == nullptr;  // embeddings read the other way round
  return times(weight(tied ? "token_embd" : "output"), norm(x.back(), row(weight("output_norm"), 0), epsilon));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: forward MODEL [PROMPT]\n"), 2;
  const char* prompt = argc > 2 ? argv[2] : "Once upon a time there was a";
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  auto tokens = model->tokenizer().encode(prompt, {.add_special = true});
  if (model->info().architecture != "llama" || !tokens || tokens->empty()) return 2;
  const Vector ours = forward(*model, *tokens);

  auto session = hearth::Session::create(
      *model, {.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32, .exact_products = true});
  if (!session || !session->prefill(*tokens)) return std::fprintf(stderr, "the session failed\n"), 1;
  const auto theirs = session->logits(0);
  double error = 0, size = 0;
  for (size_t i = 0; i < ours.size(); ++i) error = std::max(error, std::abs(double(ours[i]) - theirs[i]));
  for (const float logit : theirs) size = std::max(size, std::abs(double(logit)));
  std::vector<size_t> best(ours.size());
  std::iota(best.begin(), best.end(), 0);
  std::partial_sort(best.begin(), best.begin() + 5, best.end(), [&](size_t a, size_t b) { return ours[a] > ours[b]; });
  std::printf("%zu tokens through %d layers\n", tokens->size(), model->info().n_layers);
  for (size_t i = 0; i < 5; ++i) {
    std::printf("  %8.4f  \"%s\"\n", ours[best[i]], std::string(model->tokenizer().piece(int(best[i]))).c_str());
  }
  std::printf("largest difference from the library's logits: %.1e of the largest logit\n", error / size);
  return error / size < 1e-6 ? 0 : 1;
}
