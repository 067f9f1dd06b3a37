// Tensor data of an exported model: F32, F16, and Q8_0, whose blocks of 32 share one scale.
#include "examples/train/export.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstring>

namespace train {
namespace {

using hearth::TensorType;

constexpr int64_t kBlock = 32;

void append(std::vector<std::byte>& out, const void* data, size_t n_bytes) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + n_bytes);
}

/// A block: the scale d as a half, then 32 signed bytes q; the values are d q.
void append_q8_0(std::vector<std::byte>& out, const float* x) {
  float largest = 0;
  for (int64_t i = 0; i < kBlock; ++i) largest = std::max(largest, std::abs(x[i]));
  const float d = largest / 127.0f, inverse = d > 0 ? 1.0f / d : 0.0f;
  const Eigen::half scale(d);
  append(out, &scale.x, 2);
  for (int64_t i = 0; i < kBlock; ++i) {
    const auto q = static_cast<int8_t>(std::lround(x[i] * inverse));
    append(out, &q, 1);
  }
}

std::vector<std::byte> encode(const float* x, int64_t n, TensorType type) {
  std::vector<std::byte> out;
  out.reserve(static_cast<size_t>(n) * sizeof(float));
  if (type == TensorType::kF32) {
    append(out, x, static_cast<size_t>(n) * sizeof(float));
  } else if (type == TensorType::kF16) {
    for (int64_t i = 0; i < n; ++i) {
      const Eigen::half h(x[i]);
      append(out, &h.x, 2);
    }
  } else {
    for (int64_t i = 0; i < n; i += kBlock) append_q8_0(out, x + i);
  }
  return out;
}

}  // namespace

hearth::Status export_model(const std::string& path, const Layout& layout, const Floats& parameters,
                            const Vocabulary& vocabulary, const ModelCard& card, TensorType type) {
  auto writer = hearth::GgufWriter::create(path);
  if (!writer) return writer.error();
  hearth::Status status = add_model(*writer, layout.sizes, card, type);
  if (status) status = add_tokenizer(*writer, vocabulary);
  const auto type_of = [type](const Tensor& t) { return t.is_norm() ? TensorType::kF32 : type; };
  for (const Tensor& t : layout.tensors) {
    if (!status) return status;
    status = t.is_norm() ? writer->add_tensor(t.name, type_of(t), {t.cols})
                         : writer->add_tensor(t.name, type_of(t), {t.cols, t.rows});
  }
  for (const Tensor& t : layout.tensors) {
    if (!status) return status;
    status = writer->write_data(encode(parameters.data() + t.offset, t.size(), type_of(t)));
  }
  return status ? writer->finish() : status;
}

}  // namespace train
