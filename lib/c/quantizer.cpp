// Twin of hearth/quantizer.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<QuantizeOptions> quantize_options(const HearthQuantizeOptions* options) {
  const auto full = complete(options, hearth_quantize_options_init);
  if (!full) return full.error();
  if (full->n_overrides > 0) {
    if (auto s = needs({{full->overrides, "overrides"}}); !s) return s.error();
  }
  QuantizeOptions made;
  made.type = view(full->type);
  for (size_t i = 0; i < full->n_overrides; ++i) {
    made.overrides.push_back({.pattern = std::string(view(full->overrides[i].pattern)),
                              .type = static_cast<TensorType>(full->overrides[i].type)});
  }
  made.output_type = type_or_none(full->output_type);
  made.embedding_type = type_or_none(full->embedding_type);
  made.keep_output = full->keep_output;
  made.pure = full->pure;
  made.requantize = full->requantize;
  if (full->importance != nullptr) made.importance = &full->importance->matrix;
  made.importance_file = view(full->importance_file);
  made.size_target = full->size_target;
  made.split_bytes = full->split_bytes;
  made.n_threads = full->n_threads;
  made.pool = pool_of(full->pool);
  if (full->progress != nullptr) {
    made.progress = [progress = full->progress, user = full->progress_user](const QuantizeProgress& p) {
      const HearthQuantizeProgress seen{sizeof seen, lend(p.tensor), p.index, p.n_tensors, p.done_bytes, p.total_bytes};
      return progress(user, &seen);
    };
  }
  return made;
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_quantize_options_init(HearthQuantizeOptions* options) {
  const hearth::QuantizeOptions defaults;
  HearthQuantizeOptions full{};
  full.output_type = -1;
  full.embedding_type = -1;
  full.keep_output = defaults.keep_output;
  full.pure = defaults.pure;
  full.requantize = defaults.requantize;
  full.size_target = defaults.size_target;
  full.split_bytes = defaults.split_bytes;
  full.n_threads = defaults.n_threads;
  fill(options, full);
}

const char* hearth_mix_names(size_t i) {
  const auto all = hearth::mix_names();
  return i < all.size() ? all[i] : nullptr;
}
HearthCode hearth_parse_tensor_type(const char* name, int32_t* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{name, "name"}, {out, "out"}}); !s) return s;
    return hand_out_value(hearth::parse_tensor_type(name), out);
  });
}

HearthCode hearth_quantizer_open(const char* path, const HearthQuantizeOptions* options, HearthQuantizer** out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    const auto how = quantize_options(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Quantizer::open(path, *how), out);
  });
}
void hearth_quantizer_free(HearthQuantizer* quantizer) {
  delete quantizer;
}
bool hearth_quantizer_plan(const HearthQuantizer* quantizer, size_t i, HearthTensorPlan* out) {
  if (quantizer == nullptr || i >= quantizer->quantizer.plan().size()) return false;
  const hearth::TensorPlan& t = quantizer->quantizer.plan()[i];
  HearthTensorPlan full{};
  full.name = t.name.c_str();
  for (size_t k = 0; k < t.dims.size(); ++k) full.dims[k] = t.dims[k];
  full.n_dims = t.n_dims;
  full.source = static_cast<int32_t>(t.source);
  full.target = static_cast<int32_t>(t.target);
  full.source_bytes = t.source_bytes;
  full.target_bytes = t.target_bytes;
  full.is_fallback = t.is_fallback;
  fill(out, full);
  return true;
}
uint64_t hearth_quantizer_target_bytes(const HearthQuantizer* quantizer) {
  return quantizer == nullptr ? 0 : quantizer->quantizer.target_bytes();
}
const char* hearth_quantizer_warnings(const HearthQuantizer* quantizer, size_t i) {
  if (quantizer == nullptr || i >= quantizer->quantizer.warnings().size()) return nullptr;
  return quantizer->quantizer.warnings()[i].c_str();
}
HearthCode hearth_quantizer_check(const HearthQuantizer* quantizer, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{quantizer, "quantizer"}}); !s) return s;
    return quantizer->quantizer.check();
  });
}
HearthCode hearth_quantizer_measure(HearthQuantizer* quantizer, HearthQuantizeError* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{quantizer, "quantizer"}}); !s) return s;
    auto made = quantizer->quantizer.measure();
    if (!made) return made.error();
    quantizer->errors = std::move(*made);
    const hearth::QuantizeError& e = quantizer->errors;
    fill(out, {0, e.mean_square, e.largest_square, e.largest_tensor.c_str()});
    return {};
  });
}
HearthCode hearth_quantizer_run(HearthQuantizer* quantizer, const char* path, HearthQuantizeReport* out,
                                HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{quantizer, "quantizer"}, {path, "path"}}); !s) return s;
    auto made = quantizer->quantizer.run(path);
    if (!made) return made.error();
    quantizer->paths.clear();
    quantizer->report = std::move(*made);
    for (const std::string& one : quantizer->report.paths) quantizer->paths.push_back(one.c_str());
    fill(out, {0, quantizer->paths.data(), quantizer->paths.size(), quantizer->report.file_bytes,
               quantizer->report.seconds});
    return {};
  });
}

}  // extern "C"
