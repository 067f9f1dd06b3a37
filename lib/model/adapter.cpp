// Adapter::load: reads a LoRA or a control vector and checks it against the model, tensor by tensor.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/base/xxh64.h"
#include "lib/model/adapter_impl.h"
#include "lib/model/binder.h"
#include "lib/model/model_impl.h"

namespace hearth {
namespace {

constexpr std::string_view kA = ".lora_a", kB = ".lora_b", kNormWeight = "_norm.weight", kDirection = "direction.";
constexpr std::string_view kEmbedding = "token_embd.weight";

Error malformed(const std::string& what) {
  return {ErrorCode::kFormat, what};
}

std::string shape_of(const GgufTensor& tensor) {
  std::string text = "[";
  for (uint32_t i = 0; i < tensor.n_dims; ++i) concat_to(text, (i > 0 ? ", " : ""), tensor.dims[i]);
  return text + "]";
}

bool has_shape(const GgufTensor& tensor, int64_t d0, int64_t d1, int64_t d2) {
  return tensor.dims[0] == d0 && tensor.dims[1] == d1 && tensor.dims[2] == d2 && tensor.dims[3] == 1;
}

Error wrong_shape(const GgufTensor& tensor, const std::string& d0, const std::string& d1, int64_t d2) {
  return malformed(concat("tensor ", quoted(tensor.name), " has shape ", shape_of(tensor), ", expected [", d0, ", ", d1,
                          (d2 > 1 ? concat(", ", d2) : ""), "]"));
}

void hash_number(Xxh64& hash, uint64_t value) {
  std::array<std::byte, 8> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
  hash.update(bytes);
}

void hash_bytes(Xxh64& hash, std::string_view name, const GgufTensor& tensor) {
  hash_number(hash, name.size());
  hash.update(std::as_bytes(std::span(name.data(), name.size())));
  hash_number(hash, static_cast<uint64_t>(tensor.type));
  hash_number(hash, tensor.size_bytes);
  hash.update({tensor.data, static_cast<size_t>(tensor.size_bytes)});
}

/// The text of a key, "" where the file does not have it as a text.
std::string_view text_of(const GgufFile& file, std::string_view key) {
  const Result<std::string_view> text = file.get_string(key);
  return text ? *text : std::string_view();
}

}  // namespace

/// Fills an Adapter::Impl from its file.
struct AdapterLoader {
  explicit AdapterLoader(Adapter::Impl& to)
      : out(to), model(ModelInternals::of(to.model)), linears(model.weights.linear_tensors) {
    std::sort(linears.begin(), linears.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  static Result<Adapter> build(Result<GgufFile> file, const Model& model, const std::string& label);
  Status load();

  Status check_keys();
  Status read_invocation_tokens();
  Status load_lora();
  Status add_pair(const GgufTensor& a);
  Status add_embedding(const GgufTensor& a, const GgufTensor& b);
  Status check_pair(const GgufTensor& a, const GgufTensor& b, const LinearTensor& linear) const;
  Status check_rank(const GgufTensor& b) const;
  LowRankPair make_pair(const GgufTensor& a, const GgufTensor& b, std::string_view name, int64_t n_experts) const;
  Status load_control_vector();
  Status add_direction(const GgufTensor& tensor);

  Adapter::Impl& out;
  const Model::Impl& model;
  std::vector<LinearTensor> linears;  ///< of the model, sorted by name
  Xxh64 hash;
};

Status AdapterLoader::check_keys() {
  const GgufFile& file = out.file;
  if (const auto type = text_of(file, "general.type"); type != "adapter") {
    return malformed(concat("key 'general.type' is ", quoted(type), ", not 'adapter'"));
  }
  if (const auto type = text_of(file, "adapter.type"); type != "lora") {
    return Error{ErrorCode::kUnsupported, concat("key 'adapter.type' is ", quoted(type), ", not 'lora'")};
  }
  if (const auto arch = text_of(file, "general.architecture"); arch != model.info.architecture) {
    return Error{ErrorCode::kUnsupported, concat("key 'general.architecture' is ", quoted(arch),
                                                 ", and the model's is ", quoted(model.info.architecture))};
  }
  if (file.find("adapter.lora.alpha") != nullptr) {
    const Result<double> alpha = file.get_float("adapter.lora.alpha");
    if (!alpha) return alpha.error();
    out.info.alpha = static_cast<float>(*alpha);
    if (!std::isfinite(out.info.alpha)) return malformed("key 'adapter.lora.alpha' is not finite");
  }
  if (file.find("adapter.lora.use_rslora") != nullptr) {
    const Result<bool> stabilized = file.get_bool("adapter.lora.use_rslora");
    if (!stabilized) return stabilized.error();
    out.info.rank_stabilized = *stabilized;
  }
  return read_invocation_tokens();
}

Status AdapterLoader::read_invocation_tokens() {
  const GgufValue* value = out.file.find("adapter.alora.invocation_tokens");
  if (value == nullptr) return {};
  const Result<std::vector<int64_t>> ids = value->as_int_array();
  if (!ids) return malformed("key 'adapter.alora.invocation_tokens' " + ids.error().message);
  for (const int64_t id : *ids) {
    if (id < 0 || id >= model.hp.n_vocab) {
      return malformed(
          concat("key 'adapter.alora.invocation_tokens': token id ", id, " is not in 0..", model.hp.n_vocab - 1));
    }
    out.info.invocation_tokens.push_back(static_cast<Token>(id));
  }
  return {};
}

Status AdapterLoader::check_rank(const GgufTensor& b) const {
  if (b.dims[0] >= 1 && b.dims[0] <= model.hp.widest_input) return {};
  return malformed(
      concat("tensor ", quoted(b.name), " has rank ", b.dims[0], ", which is not in 1..", model.hp.widest_input));
}

Status AdapterLoader::check_pair(const GgufTensor& a, const GgufTensor& b, const LinearTensor& linear) const {
  const int64_t n = std::max<int64_t>(linear.n_experts, 1);
  if (!has_shape(a, linear.cols, a.dims[1], n)) return wrong_shape(a, std::to_string(linear.cols), "rank", n);
  if (!has_shape(b, b.dims[0], linear.rows, n)) return wrong_shape(b, "rank", std::to_string(linear.rows), n);
  if (a.dims[1] == b.dims[0]) return {};
  return malformed(
      concat("tensor ", quoted(a.name), " has rank ", a.dims[1], ", and ", quoted(b.name), " has rank ", b.dims[0]));
}

LowRankPair AdapterLoader::make_pair(const GgufTensor& a, const GgufTensor& b, std::string_view name,
                                     int64_t n_experts) const {
  LowRankPair pair{name, matrix_of(a, a.dims[0], a.dims[1]), matrix_of(b, b.dims[0], b.dims[1]), n_experts, 1.0f};
  const auto rank = static_cast<float>(b.dims[0]);
  const float alpha = out.info.alpha;
  if (alpha != 0.0f) pair.strength = alpha / (out.info.rank_stabilized ? std::sqrt(rank) : rank);
  return pair;
}

/// Row t of A belongs to token t: its roles are those of a matrix that tokens, as one-hot vectors, are multiplied with.
Status AdapterLoader::add_embedding(const GgufTensor& a, const GgufTensor& b) {
  const int64_t rank = b.dims[0], d = model.hp.d_model;
  if (!has_shape(b, rank, d, 1)) return wrong_shape(b, "rank", std::to_string(d), 1);
  if (!has_shape(a, rank, model.hp.n_vocab, 1)) {
    return wrong_shape(a, std::to_string(rank), std::to_string(model.hp.n_vocab), 1);
  }
  out.embedding = make_pair(a, b, kEmbedding, 0);
  return {};
}

Status AdapterLoader::add_pair(const GgufTensor& a) {
  const std::string_view name = a.name.substr(0, a.name.size() - kA.size());
  const GgufTensor* b = out.file.tensor(concat(name, kB));
  if (b == nullptr) return malformed(concat("tensor ", quoted(a.name), " has no ", kB, " beside it"));
  if (Status s = check_rank(*b); !s) return s;
  for (const GgufTensor* one : {&a, b}) {
    if (matrix_of(*one, one->dims[0], one->dims[1])) continue;
    return Error{ErrorCode::kUnsupported,
                 concat("tensor ", quoted(one->name), " has a type that cannot be computed with")};
  }
  const auto place = std::lower_bound(linears.begin(), linears.end(), name,
                                      [](const auto& linear, std::string_view wanted) { return linear.name < wanted; });
  if (place == linears.end() || place->name != name) {
    const bool there = model.file.tensor(name) != nullptr;
    return Error{there ? ErrorCode::kUnsupported : ErrorCode::kNotFound,
                 concat("tensor ", quoted(a.name), ": the model ",
                        (there ? "does not multiply with that tensor by its name" : "has no tensor " + quote(name)))};
  }
  if (name == kEmbedding) {
    if (Status s = add_embedding(a, *b); !s) return s;
  } else {
    if (Status s = check_pair(a, *b, *place); !s) return s;
    out.pairs.push_back(make_pair(a, *b, place->name, place->n_experts));
  }
  hash_bytes(hash, a.name, a);
  hash_bytes(hash, b->name, *b);
  out.info.max_rank = std::max(out.info.max_rank, static_cast<int32_t>(b->dims[0]));
  ++out.info.n_changed;
  return {};
}

Status AdapterLoader::load_lora() {
  if (Status s = check_keys(); !s) return s;
  hash_number(hash, std::bit_cast<uint32_t>(out.info.alpha));
  hash_number(hash, out.info.rank_stabilized ? 1 : 0);
  for (const Token id : out.info.invocation_tokens) hash_number(hash, static_cast<uint64_t>(id));
  std::vector<const GgufTensor*> tensors;  // by name, so that the order in the file makes no difference
  int n_norms = 0;
  for (const GgufTensor& tensor : out.file.tensors()) {
    const std::string_view name = tensor.name;
    const std::string base(name.substr(0, name.size() - std::min(name.size(), kB.size())));
    if (name.ends_with(kA)) {
      tensors.push_back(&tensor);
    } else if (name.ends_with(kNormWeight)) {
      ++n_norms;
    } else if (!name.ends_with(kB)) {
      return malformed(concat("tensor ", quoted(name), " is neither ", kA, " nor ", kB));
    } else if (out.file.tensor(concat(base, kA)) == nullptr) {
      return malformed(concat("tensor ", quoted(name), " has no ", kA, " beside it"));
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const GgufTensor* a : tensors) {
    if (Status s = add_pair(*a); !s) return s;
  }
  if (tensors.empty()) return malformed("the adapter has no tensor");
  if (n_norms > 0) out.info.warning = concat(n_norms, " weights of norms in the adapter have no effect");
  std::sort(out.pairs.begin(), out.pairs.end(), [](const LowRankPair& a, const LowRankPair& b) {
    return std::less<const char*>()(a.name.data(), b.name.data());
  });
  return {};
}

/// direction.N is added to the output of layer N, counted from 0; there never is one for layer 0.
Status AdapterLoader::add_direction(const GgufTensor& tensor) {
  const std::string_view name = tensor.name;
  const std::string_view digits = name.substr(std::min(name.size(), kDirection.size()));
  const bool is_number = !digits.empty() && digits.size() < 6 && digits.front() != '0' &&
                         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!name.starts_with(kDirection) || !is_number) {
    return malformed(
        concat("tensor ", quoted(name), " is not the direction of a layer (direction.1, direction.2, ...)"));
  }
  const auto layer = static_cast<size_t>(std::stoi(std::string(digits)));
  const int64_t d = model.hp.d_model;
  if (layer >= out.directions.size()) {
    return malformed(concat("tensor ", quoted(name), ": the model's last layer is ", out.directions.size() - 1));
  }
  if (!has_shape(tensor, d, 1, 1)) return wrong_shape(tensor, std::to_string(d), "1", 1);
  const Matrix row = matrix_of(tensor, d, 1);
  if (!row) {
    return Error{ErrorCode::kUnsupported, concat("tensor ", quoted(name), " has a type that cannot be computed with")};
  }
  out.directions[layer].resize(static_cast<size_t>(d));
  kernels::kernels().types[static_cast<int>(row.type)].dequantize(out.directions[layer].data(), row.data, d);
  ++out.info.n_changed;
  return {};
}

Status AdapterLoader::load_control_vector() {
  out.info.kind = AdapterKind::kControlVector;
  out.directions.resize(static_cast<size_t>(model.hp.n_layers));
  for (const GgufTensor& tensor : out.file.tensors()) {
    if (Status s = add_direction(tensor); !s) return s;
  }
  if (out.info.n_changed == 0) return malformed("the control vector has no direction");
  for (size_t i = 0; i < out.directions.size(); ++i) {
    if (out.directions[i].empty()) continue;
    hash_number(hash, i);
    hash.update(std::as_bytes(std::span(out.directions[i])));
  }
  return {};
}

Status AdapterLoader::load() {
  out.info.name = text_of(out.file, "general.name");
  out.info.file_bytes = out.file.file_bytes();
  const bool is_vector = text_of(out.file, "general.architecture") == "controlvector";
  hash_number(hash, is_vector ? 1 : 0);
  Status status = is_vector ? load_control_vector() : load_lora();
  out.content_hash = hash.digest();
  return status;
}

Result<Adapter> AdapterLoader::build(Result<GgufFile> file, const Model& model, const std::string& label) {
  if (!file) return file.error();
  auto impl = std::make_shared<Adapter::Impl>(model, std::move(*file));
  AdapterLoader loader(*impl);
  if (Status s = loader.load(); !s) return Error{s.error().code, label + s.error().message};
  return Adapter(std::shared_ptr<const Adapter::Impl>(std::move(impl)));
}

const LowRankPair* Adapter::Impl::find(std::string_view name) const {
  const std::less<const char*> before;
  const auto place =
      std::lower_bound(pairs.begin(), pairs.end(), name.data(),
                       [&](const auto& pair, const char* wanted) { return before(pair.name.data(), wanted); });
  return place != pairs.end() && place->name.data() == name.data() ? &*place : nullptr;
}

Result<Adapter> Adapter::load(const std::string& path, const Model& model) {
  return guard([&] { return AdapterLoader::build(GgufFile::open(path), model, path + ": "); });
}

Result<Adapter> Adapter::from_memory(std::span<const std::byte> bytes, const Model& model) {
  return guard([&] { return AdapterLoader::build(GgufFile::from_memory(bytes), model, ""); });
}

const AdapterInfo& Adapter::info() const {
  return impl_->info;
}

uint64_t Adapter::content_hash() const {
  return impl_->content_hash;
}

}  // namespace hearth
