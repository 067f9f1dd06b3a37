// Adapters added into the weights of a model, tensor by tensor: W + scale * strength * B A.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hearth/merge.h"
#include "hearth/threads.h"
#include "kernels/kernel_table.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/model/adapter_impl.h"
#include "lib/model/binder.h"
#include "lib/model/model_impl.h"
#include "lib/quantize/encode_rows.h"

namespace hearth {
namespace {

/// One pair with its factor, and its A as floats: [n_experts * rank, columns]. Of the embedding the roles are those of
/// the transposed product: here B stands by columns, and row t of A has the coefficients of token t.
struct MergedPair {
  const LowRankPair* pair = nullptr;
  float factor = 1.0f;
  bool is_embedding = false;
  std::vector<float> directions;
};

std::vector<float> pair_floats(const Matrix& m, int64_t n_matrices) {
  std::vector<float> values(static_cast<size_t>(m.rows * m.cols * n_matrices));
  const auto dequantize = kernels::kernels().types[static_cast<int>(m.type)].dequantize;
  for (int64_t r = 0; r < m.rows * n_matrices; ++r)
    dequantize(values.data() + r * m.cols, m.data + r * m.row_bytes, m.cols);
  return values;
}

std::vector<float> columns_first(const std::vector<float>& values, int64_t rows, int64_t cols) {
  std::vector<float> out(values.size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c)
      out[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * cols + c)];
  }
  return out;
}

/// A tensor of the model and what is added to it.
class MergedTensor {
 public:
  MergedTensor(const GgufTensor& tensor, std::span<const AdapterScale> adapters)
      : base_(matrix_of(tensor, tensor.dims[0], tensor.dims[1])) {
    for (const AdapterScale& a : adapters) {
      const Adapter::Impl& impl = AdapterInternals::of(a.adapter);
      if (a.scale == 0.0f) continue;
      if (impl.embedding && tensor.name == impl.embedding->name) add(*impl.embedding, a.scale, true);
      for (const LowRankPair& pair : impl.pairs) {
        if (pair.name == tensor.name) add(pair, a.scale, false);
      }
    }
  }
  bool is_changed() const { return !pairs_.empty(); }

  /// Columns [column, column + n) of a row, counted over all matrices of the tensor. From any thread.
  void read(int64_t row, int64_t column, int64_t n, float* out) const {
    const auto& k = kernels::kernels();
    const kernels::TypeKernels& type = k.types[static_cast<int>(base_.type)];
    type.dequantize(out, base_.data + row * base_.row_bytes + column / type.block_size * type.block_bytes, n);
    std::vector<float> coefficients;
    for (const MergedPair& p : pairs_) {
      const Matrix& m = p.is_embedding ? p.pair->a : p.pair->b;
      const int64_t rank = p.pair->rank();
      coefficients.resize(static_cast<size_t>(rank));
      k.types[static_cast<int>(m.type)].dequantize(coefficients.data(), m.data + row * m.row_bytes, rank);
      const float* direction = p.directions.data() + row / base_.rows * rank * base_.cols + column;
      for (int64_t j = 0; j < rank; ++j) {
        k.axpy(out, p.factor * coefficients[static_cast<size_t>(j)], direction + j * base_.cols, n);
      }
    }
  }

 private:
  void add(const LowRankPair& pair, float scale, bool is_embedding) {
    MergedPair merged{&pair, scale * pair.strength, is_embedding, {}};
    merged.directions = is_embedding ? columns_first(pair_floats(pair.b, 1), pair.b.rows, pair.b.cols)
                                     : pair_floats(pair.a, std::max<int64_t>(pair.n_experts, 1));
    pairs_.push_back(std::move(merged));
  }

  Matrix base_;
  std::vector<MergedPair> pairs_;
};

/// What becomes of the tensors of a model.
struct Merge {
  const GgufFile& file;
  std::span<const AdapterScale> adapters;
  const MergeOptions& options;

  /// Where the output is tied to an embedding that changes, it becomes a tensor of its own.
  bool unties(const GgufTensor& tensor) const {
    return tensor.name == "token_embd.weight" && file.tensor("output.weight") == nullptr &&
           MergedTensor(tensor, adapters).is_changed();
  }
  TensorType target(const GgufTensor& tensor) const { return options.type.value_or(tensor.type); }
  Status check() const;
  Status declare(GgufWriter& out) const;
  Status write(GgufWriter& out) const;
  Status write_changed(GgufWriter& out, const GgufTensor& tensor, const MergedTensor& merged,
                       RowEncoder& encoder) const;
};

Status Merge::check() const {
  if (adapters.empty()) return Error{ErrorCode::kInvalidArgument, "there is no adapter to merge"};
  if (options.type && kernel_index(*options.type) < 0) {
    return Error{ErrorCode::kUnsupported, "merged tensors cannot be written in that type"};
  }
  for (const AdapterScale& a : adapters) {
    const AdapterInfo& info = a.adapter.info();
    if (info.kind != AdapterKind::kLora) return Error{ErrorCode::kUnsupported, "a control vector cannot be merged"};
    if (!info.invocation_tokens.empty()) {
      return Error{ErrorCode::kUnsupported,
                   "an adapter with invocation tokens cannot be merged: it acts on some tokens"};
    }
  }
  return {};
}

Status Merge::declare(GgufWriter& out) const {
  for (const GgufEntry& entry : file.entries()) {
    if (entry.key.starts_with("split.") || entry.key == "hearth.xxh64" || entry.key == "general.alignment") continue;
    if (Status s = out.add_value(entry.key, entry.value); !s) return s;
  }
  for (const GgufTensor& tensor : file.tensors()) {
    const std::span dims(tensor.dims.data(), tensor.n_dims);
    const bool changed = MergedTensor(tensor, adapters).is_changed();
    const std::string base(tensor.name.substr(0, tensor.name.size() - std::min<size_t>(tensor.name.size(), 7)));
    if (changed && file.tensor(base + ".scale") != nullptr) {
      return Error{ErrorCode::kUnsupported,
                   concat("tensor ", quoted(tensor.name), " has a scale beside it and cannot be merged")};
    }
    if (changed && tensor.dims[0] % tensor_type_info(target(tensor))->block_size != 0) {
      return Error{ErrorCode::kUnsupported,
                   concat("tensor ", quoted(tensor.name), ": rows of ", tensor.dims[0],
                          " elements are not whole blocks of ", tensor_type_info(target(tensor))->name)};
    }
    if (unties(tensor)) {
      if (Status s = out.add_tensor("output.weight", tensor.type, dims); !s) return s;
    }
    if (Status s = out.add_tensor(tensor.name, changed ? target(tensor) : tensor.type, dims); !s) return s;
  }
  return {};
}

/// As if the merged tensor was one of floats in a file, to be encoded.
Status Merge::write_changed(GgufWriter& out, const GgufTensor& tensor, const MergedTensor& merged,
                            RowEncoder& encoder) const {
  GgufTensor floats = tensor;
  floats.type = TensorType::kF32;
  const int64_t cols = tensor.dims[0];
  const ReadBytes read = [&](uint64_t offset, std::span<std::byte> to) -> Status {
    const auto first = static_cast<int64_t>(offset / sizeof(float));
    merged.read(first / cols, first % cols, static_cast<int64_t>(to.size() / sizeof(float)),
                static_cast<float*>(static_cast<void*>(to.data())));
    return {};
  };
  return encoder.encode(floats, target(tensor), nullptr, read,
                        [&](std::span<const std::byte> blocks) { return out.write_data(blocks); });
}

Status Merge::write(GgufWriter& out) const {
  Result<RowEncoder> encoder =
      RowEncoder::create(options.n_threads > 0 ? options.n_threads : default_thread_count(), nullptr);
  if (!encoder) return encoder.error();
  const auto& tensors = file.tensors();
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (options.progress && !options.progress(i, tensors.size()))
      return Error{ErrorCode::kCancelled, "merging was cancelled"};
    const GgufTensor& tensor = tensors[i];
    const std::span data(tensor.data, static_cast<size_t>(tensor.size_bytes));
    const MergedTensor merged(tensor, adapters);
    if (unties(tensor)) {
      if (Status s = out.write_data(data); !s) return s;
    }
    if (Status s = merged.is_changed() ? write_changed(out, tensor, merged, *encoder) : out.write_data(data); !s)
      return s;
  }
  return out.finish();
}

}  // namespace

Status merge_adapters(const Model& model, std::span<const AdapterScale> adapters, const std::string& path,
                      const MergeOptions& options) {
  return guard([&]() -> Status {
    const Merge merge{model.file(), adapters, options};
    if (Status s = merge.check(); !s) return s;
    Result<GgufWriter> out = GgufWriter::create(path, static_cast<uint32_t>(model.file().alignment()));
    if (!out) return out.error();
    if (Status s = merge.declare(*out); !s) return s;
    return merge.write(*out);
  });
}

}  // namespace hearth
