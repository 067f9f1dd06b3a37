// Quantizer: opening, and the plan: which tensor gets which type.
#include "hearth/quantizer.h"

#include <algorithm>
#include <optional>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/tensor_size.h"
#include "lib/quantize/name_pattern.h"
#include "lib/quantize/quantizer_impl.h"

namespace hearth {
namespace {

bool is_float(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

/// Overrides with their patterns compiled.
struct Override {
  NamePattern pattern;
  TensorType type;
};

Result<std::vector<Override>> compile(const std::vector<TypeOverride>& overrides) {
  std::vector<Override> all;
  for (const TypeOverride& one : overrides) {
    Result<NamePattern> pattern = NamePattern::compile(one.pattern);
    if (!pattern) return pattern.error();
    all.push_back({*std::move(pattern), one.type});
  }
  return all;
}

/// The type that options alone give a tensor.
std::optional<TensorType> asked_type(const QuantizeOptions& options, const Mix& mix, const MixModel& model,
                                     const GgufTensor& tensor) {
  if (options.embedding_type && is_embedding(tensor.name)) return options.embedding_type;
  // Of an embedding that serves as output, the type of outputs is a matter of the mix, and mixes of floats have none.
  const bool takes_output_type = is_float(mix.base) ? tensor.name == "output.weight" : is_output(tensor, model);
  return takes_output_type ? options.output_type : std::nullopt;
}

/// The type that mix and patterns give a tensor, before its rows are asked.
TensorType wished_type(const QuantizeOptions& options, const Mix& mix, MixChooser& chooser,
                       std::span<const Override> overrides, const GgufTensor& tensor) {
  const TensorType type = options.pure ? mix.base : chooser.choose(tensor);
  for (const Override& one : overrides) {
    if (!options.pure && !is_float(mix.base) && one.pattern.found_in(tensor.name)) return one.type;
  }
  return type;
}

TensorPlan plan_of(const GgufTensor& tensor) {
  TensorPlan plan;
  plan.name = std::string(tensor.name);
  plan.dims = tensor.dims;
  plan.n_dims = tensor.n_dims;
  plan.source = plan.target = tensor.type;
  plan.source_bytes = plan.target_bytes = tensor.size_bytes;
  return plan;
}

}  // namespace

Result<TensorType> parse_tensor_type(std::string_view name) {
  return guard([&]() -> Result<TensorType> {
    for (uint32_t number = 0; number < 256; ++number) {
      const TensorTypeInfo* info = tensor_type_info(static_cast<TensorType>(number));
      if (info == nullptr || upper(info->name) != upper(name)) continue;
      if (kernel_index(static_cast<TensorType>(number)) >= 0) return static_cast<TensorType>(number);
    }
    return Error{ErrorCode::kNotFound, "no tensor type is called " + quote(name)};
  });
}

Status Quantizer::Impl::choose_types() {
  const Result<std::vector<Override>> overrides = compile(options.overrides);
  if (!overrides) return overrides.error();
  const MixModel model = describe_for_mix(file, options.importance != nullptr);
  std::optional<MixChooser> chooser;
  if (mix != nullptr) chooser.emplace(*mix, model);
  plan.clear();
  for (const GgufTensor* tensor : tensors) {
    TensorPlan& p = plan.emplace_back(plan_of(*tensor));
    if (mix == nullptr || keeps_its_type(*tensor) || kernel_index(tensor->type) < 0) continue;
    if (options.keep_output && tensor->name == "output.weight") continue;
    const TensorType wished = wished_type(options, *mix, *chooser, *overrides, *tensor);
    const std::optional<TensorType> asked = asked_type(options, *mix, model, *tensor);
    const Result<TensorType> type = asked ? *asked : fit_to_rows(wished, tensor->dims[0]);
    if (!type) return Error{type.error().code, concat("tensor ", quoted(tensor->name), ": ", type.error().message)};
    const TensorTypeInfo& info = *tensor_type_info(*type);
    p.target = *type;
    p.target_bytes = static_cast<uint64_t>(tensor->n_elements) / info.block_size * info.block_bytes;
    p.is_fallback = !asked && *type != wished;
  }
  return {};
}

Status Quantizer::Impl::check_requantizing() const {
  for (const TensorPlan& p : plan) {
    if (p.source == p.target || is_float(p.source) || options.requantize) continue;
    return Error{ErrorCode::kUnsupported,
                 concat("tensor ", quoted(p.name), " is quantized already (", tensor_type_info(p.source)->name,
                        "): quantizing it again loses quality, and must be asked for (requantize)")};
  }
  return {};
}

Status Quantizer::Impl::check_runnable() const {
  if (Status s = check_requantizing(); !s) return s;
  for (size_t i = 0; i < plan.size(); ++i) {
    const TensorPlan& p = plan[i];
    if (p.source == p.target) continue;
    if (const Result<TensorSize> size = tensor_size(p.target, std::span(p.dims).first(p.n_dims)); !size) {
      return Error{ErrorCode::kUnsupported, concat("tensor ", quoted(p.name), ": ", size.error().message)};
    }
    if (mix == nullptr || is_embedding(p.name) || p.name == "output.weight" || !needs_importance(*mix, p.target)) {
      continue;
    }
    if (importance_for(*tensors[i]) != nullptr) continue;
    return Error{ErrorCode::kUnsupported,
                 concat("tensor ", quoted(p.name), " would become ", tensor_type_info(p.target)->name,
                        (options.importance == nullptr ? ", which needs an importance matrix"
                                                       : ", and the importance matrix has no entry for it"))};
  }
  return {};
}

const ImportanceMatrix* Quantizer::Impl::importance_for(const GgufTensor& tensor) const {
  if (options.importance == nullptr) return nullptr;
  return options.importance->weights(tensor.name, 0, static_cast<size_t>(tensor.dims[0])).empty() ? nullptr
                                                                                                  : options.importance;
}

int Quantizer::Impl::n_threads() const {
  return options.n_threads > 0 ? options.n_threads : default_thread_count();
}

ReadBytes Quantizer::Impl::reader_of(const GgufTensor& tensor) const {
  const FileReader* source = &sources[tensor.shard];
  return [source, offset = tensor.file_offset](uint64_t at, std::span<std::byte> to) {
    return source->read_at(offset + at, to);
  };
}

uint64_t Quantizer::Impl::target_bytes() const {
  uint64_t sum = 0;
  for (const TensorPlan& p : plan) sum += p.target_bytes;
  return sum;
}

namespace {

/// Opens the files of the source, and checks that they hold the tensors' data.
Status open_sources(Quantizer::Impl& impl) {
  for (const std::string& shard : impl.file.shard_paths()) {
    Result<FileReader> source = FileReader::open(shard);
    if (!source) return source.error();
    impl.sources.push_back(*std::move(source));
  }
  for (const GgufTensor& tensor : impl.file.tensors()) {
    const FileReader& source = impl.sources[tensor.shard];
    if (tensor.n_elements == 0) {
      return Error{ErrorCode::kUnsupported, concat("tensor ", quoted(tensor.name), " is empty")};
    }
    if (tensor.file_offset > source.size() || tensor.size_bytes > source.size() - tensor.file_offset) {
      return Error{ErrorCode::kFormat, concat(impl.file.shard_paths()[tensor.shard], ": the data of tensor ",
                                              quoted(tensor.name), " ends beyond the file")};
    }
    impl.tensors.push_back(&tensor);
  }
  std::sort(impl.tensors.begin(), impl.tensors.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return comes_before(a->name, b->name); });
  return {};
}

Result<std::unique_ptr<Quantizer::Impl>> open_source(const std::string& path, const QuantizeOptions& options) {
  const std::string name = options.type.empty() && options.size_target > 0 ? "Q4_K_M" : options.type;
  const Mix* mix = find_mix(name);
  if (mix == nullptr && upper(name) != "COPY") {
    return Error{ErrorCode::kInvalidArgument, "no mix of types is called " + quote(name)};
  }
  Result<GgufFile> file = GgufFile::open(path, {.use_mmap = false, .metadata_only = true});
  if (!file) return file.error();
  auto impl = std::make_unique<Quantizer::Impl>(*std::move(file), options);
  impl->mix = mix;
  if (Status s = open_sources(*impl); !s) return s.error();
  if (Status s = impl->choose_types(); !s) return s.error();
  if (Status s = impl->options.size_target > 0 ? impl->fit_size() : Status(); !s) return s.error();
  return impl;
}

}  // namespace

Result<Quantizer> Quantizer::open(const std::string& path, const QuantizeOptions& options) {
  return guard([&]() -> Result<Quantizer> {
    Result<std::unique_ptr<Impl>> impl = open_source(path, options);
    if (!impl) return impl.error();
    return Quantizer(*std::move(impl));
  });
}

Quantizer::Quantizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Quantizer::Quantizer(Quantizer&&) noexcept = default;
Quantizer& Quantizer::operator=(Quantizer&&) noexcept = default;
Quantizer::~Quantizer() = default;

std::span<const TensorPlan> Quantizer::plan() const {
  return impl_->plan;
}
uint64_t Quantizer::target_bytes() const {
  return impl_->target_bytes();
}
std::span<const std::string> Quantizer::warnings() const {
  return impl_->warnings;
}
Status Quantizer::check() const {
  return guard([&] { return impl_->check_runnable(); });
}
Result<QuantizeError> Quantizer::measure() {
  return guard([&] { return impl_->measure(); });
}
Result<QuantizeReport> Quantizer::run(const std::string& path) {
  return guard([&]() -> Result<QuantizeReport> {
    if (Status s = impl_->check_runnable(); !s) return s.error();
    return impl_->write(path);
  });
}

}  // namespace hearth
