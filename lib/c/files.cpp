// Twins of hearth/merge.h, hearth/compare.h and hearth/convert.h: what makes files of files.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<ConvertOptions> convert_options(const HearthConvertOptions* options) {
  const auto full = complete(options, hearth_convert_options_init);
  if (!full) return full.error();
  ConvertOptions made;
  made.type = type_or_none(full->type);
  made.pre = view(full->pre);
  made.checksums = full->checksums;
  made.on_progress = progress_of<uint64_t, uint64_t>(full->on_progress, full->on_progress_user);
  made.cancel = flag_of(full->cancel);
  return made;
}

Status hand_out_report(Result<ConvertReport> made, HearthConvertReport** out) {
  if (!made) return made.error();
  if (out != nullptr) *out = new HearthConvertReport{std::move(*made)};
  return {};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_merge_options_init(HearthMergeOptions* options) {
  fill(options, {0, -1, hearth::MergeOptions().n_threads, nullptr, nullptr});
}
HearthCode hearth_merge_adapters(const HearthModel* model, const HearthAdapterScale* adapters, size_t n,
                                 const char* path, const HearthMergeOptions* options, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {path, "path"}}); !s) return s;
    const auto full = complete(options, hearth_merge_options_init);
    if (!full) return full.error();
    const auto all = to_cpp(adapters, n);
    if (!all) return all.error();
    hearth::MergeOptions how;
    how.type = type_or_none(full->type);
    how.n_threads = full->n_threads;
    how.progress = progress_of<size_t, size_t>(full->progress, full->progress_user);
    return hearth::merge_adapters(model->model, *all, path, how);
  });
}

void hearth_compare_options_init(HearthCompareOptions* options) {
  fill(options, {0, hearth::CompareOptions().n_threads, nullptr, nullptr, nullptr});
}
HearthCode hearth_compare_files(const HearthGgufFile* a, const HearthGgufFile* b, const HearthCompareOptions* options,
                                HearthFileComparison** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{a, "a"}, {b, "b"}, {out, "out"}}); !s) return s;
    const auto full = complete(options, hearth_compare_options_init);
    if (!full) return full.error();
    hearth::CompareOptions how;
    how.n_threads = full->n_threads;
    how.on_progress = progress_of<uint64_t, uint64_t>(full->on_progress, full->on_progress_user);
    how.cancel = flag_of(full->cancel);
    return hand_out_handle(hearth::compare_files(a->file, b->file, how), out);
  });
}
void hearth_file_comparison_free(HearthFileComparison* comparison) {
  delete comparison;
}
bool hearth_file_comparison_tensors(const HearthFileComparison* comparison, size_t i, HearthTensorDifference* out) {
  if (comparison == nullptr || i >= comparison->comparison.tensors.size()) return false;
  const hearth::TensorDifference& t = comparison->comparison.tensors[i];
  fill(out,
       {0, t.name.c_str(), static_cast<int32_t>(t.type_a), static_cast<int32_t>(t.type_b), t.n_elements, t.bytes_a,
        t.bytes_b, t.same_bytes, t.squared_error, t.squared_values, t.largest_error, t.rmse(), t.relative_error()});
  return true;
}
const char* hearth_file_comparison_only_a(const HearthFileComparison* comparison, size_t i) {
  return comparison == nullptr ? nullptr : nth(comparison->comparison.only_a, i);
}
const char* hearth_file_comparison_only_b(const HearthFileComparison* comparison, size_t i) {
  return comparison == nullptr ? nullptr : nth(comparison->comparison.only_b, i);
}
const char* hearth_file_comparison_other_shape(const HearthFileComparison* comparison, size_t i) {
  return comparison == nullptr ? nullptr : nth(comparison->comparison.other_shape, i);
}
const char* hearth_file_comparison_keys(const HearthFileComparison* comparison, size_t i) {
  return comparison == nullptr ? nullptr : nth(comparison->comparison.keys, i);
}

void hearth_convert_options_init(HearthConvertOptions* options) {
  fill(options, {0, -1, nullptr, hearth::ConvertOptions().checksums, nullptr, nullptr, nullptr});
}
HearthCode hearth_convert_model(const char* input, const char* output, const HearthConvertOptions* options,
                                HearthConvertReport** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{input, "input"}, {output, "output"}}); !s) return s;
    const auto how = convert_options(options);
    if (!how) return how.error();
    return hand_out_report(hearth::convert_model(input, output, *how), out);
  });
}
HearthCode hearth_convert_adapter(const char* folder, const char* base, const char* output,
                                  const HearthConvertOptions* options, HearthConvertReport** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{folder, "folder"}, {base, "base"}, {output, "output"}}); !s) return s;
    const auto how = convert_options(options);
    if (!how) return how.error();
    return hand_out_report(hearth::convert_adapter(folder, base, output, *how), out);
  });
}
void hearth_convert_report_free(HearthConvertReport* report) {
  delete report;
}
const char* hearth_convert_report_architecture(const HearthConvertReport* report) {
  return report == nullptr ? "" : report->report.architecture.c_str();
}
int64_t hearth_convert_report_n_tensors(const HearthConvertReport* report) {
  return report == nullptr ? 0 : report->report.n_tensors;
}
uint64_t hearth_convert_report_tensor_bytes(const HearthConvertReport* report) {
  return report == nullptr ? 0 : report->report.tensor_bytes;
}
const char* hearth_convert_report_warnings(const HearthConvertReport* report, size_t i) {
  return report == nullptr ? nullptr : nth(report->report.warnings, i);
}
HearthCode hearth_convertible_model_types(size_t i, char** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    const auto all = hearth::convertible_model_types();
    if (i >= all.size()) return hearth::Error{hearth::ErrorCode::kNotFound, "there are no more model types"};
    return hand_out(all[i], out, nullptr);
  });
}

}  // extern "C"
