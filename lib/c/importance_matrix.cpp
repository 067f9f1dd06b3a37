// Twin of hearth/importance_matrix.h.
#include "lib/c/call.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

void fill_entry(HearthImportanceEntry* out, const ImportanceMatrix::Entry& entry) {
  fill(out, {0, entry.name.c_str(), entry.sums.data(), entry.sums.size(), entry.counts.data(), entry.counts.size()});
}

}  // namespace
}  // namespace hearth::c

extern "C" {

HearthCode hearth_importance_matrix_create(HearthImportanceMatrix** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    *out = new HearthImportanceMatrix();
    return {};
  });
}
HearthCode hearth_importance_matrix_read(const char* path, HearthImportanceMatrix** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::ImportanceMatrix::read(path), out);
  });
}
HearthCode hearth_importance_matrix_from_memory(const void* bytes, size_t n, HearthImportanceMatrix** out,
                                                HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{bytes, "bytes"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::ImportanceMatrix::from_memory({static_cast<const std::byte*>(bytes), n}), out);
  });
}
void hearth_importance_matrix_free(HearthImportanceMatrix* matrix) {
  delete matrix;
}
HearthCode hearth_importance_matrix_write(const HearthImportanceMatrix* matrix, const char* path, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matrix, "matrix"}, {path, "path"}}); !s) return s;
    return matrix->matrix.write(path);
  });
}
HearthCode hearth_importance_matrix_add(HearthImportanceMatrix* matrix, const HearthImportanceEntry* entry,
                                        HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matrix, "matrix"}, {entry, "entry"}}); !s) return s;
    const auto full = complete(
        entry, +[](HearthImportanceEntry*) {});
    if (!full) return full.error();
    if (auto s = needs({{full->name, "name"}, {full->sums, "sums"}, {full->counts, "counts"}}); !s) return s;
    return matrix->matrix.add({.name = full->name,
                               .sums = {full->sums, full->sums + full->n_sums},
                               .counts = {full->counts, full->counts + full->n_counts}});
  });
}
HearthCode hearth_importance_matrix_merge(HearthImportanceMatrix* matrix, const HearthImportanceMatrix* other,
                                          HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matrix, "matrix"}, {other, "other"}}); !s) return s;
    return matrix->matrix.merge(other->matrix);
  });
}
const float* hearth_importance_matrix_weights(const HearthImportanceMatrix* matrix, const char* tensor, size_t index,
                                              size_t n_columns, size_t* n) {
  const auto all =
      matrix == nullptr ? std::span<const float>() : matrix->matrix.weights(view(tensor), index, n_columns);
  if (n != nullptr) *n = all.size();
  return all.empty() ? nullptr : all.data();
}
bool hearth_importance_matrix_find(const HearthImportanceMatrix* matrix, const char* tensor,
                                   HearthImportanceEntry* out) {
  const auto* entry = matrix == nullptr ? nullptr : matrix->matrix.find(view(tensor));
  if (entry != nullptr) fill_entry(out, *entry);
  return entry != nullptr;
}
bool hearth_importance_matrix_entries(const HearthImportanceMatrix* matrix, size_t i, HearthImportanceEntry* out) {
  if (matrix == nullptr || i >= matrix->matrix.entries().size()) return false;
  fill_entry(out, matrix->matrix.entries()[i]);
  return true;
}
HearthCode hearth_importance_matrix_warnings(const HearthImportanceMatrix* matrix, char** text, size_t* text_size,
                                             HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matrix, "matrix"}, {text, "text"}}); !s) return s;
    std::string lines;
    for (const std::string& line : matrix->matrix.warnings()) lines += line + "\n";
    return hand_out(lines, text, text_size);
  });
}
const char* hearth_importance_matrix_datasets(const HearthImportanceMatrix* matrix, size_t i) {
  return matrix == nullptr ? nullptr : nth(matrix->matrix.datasets, i);
}
HearthCode hearth_importance_matrix_add_dataset(HearthImportanceMatrix* matrix, const char* name, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{matrix, "matrix"}, {name, "name"}}); !s) return s;
    matrix->matrix.datasets.emplace_back(name);
    return {};
  });
}
int64_t hearth_importance_matrix_n_chunks(const HearthImportanceMatrix* matrix) {
  return matrix == nullptr ? 0 : matrix->matrix.n_chunks;
}
int64_t hearth_importance_matrix_chunk_size(const HearthImportanceMatrix* matrix) {
  return matrix == nullptr ? 0 : matrix->matrix.chunk_size;
}
void hearth_importance_matrix_set_chunks(HearthImportanceMatrix* matrix, int64_t n_chunks, int64_t chunk_size) {
  if (matrix == nullptr) return;
  matrix->matrix.n_chunks = n_chunks;
  matrix->matrix.chunk_size = chunk_size;
}

}  // extern "C"
