// ImportanceMatrix in memory: sums, counts, what follows from them. Its files are in importance_file.cpp.
#include "hearth/importance_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"

namespace hearth {
namespace {

/// Below that many tokens a mean square is uncertain by more than some percent.
constexpr double kFewTokens = 4096;
constexpr double kFewTokensOfExpert = 256;
constexpr float kMost = std::numeric_limits<float>::max();

bool all_valid(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v) && v >= 0; });
}

Error invalid_entry(const std::string& name, const std::string& what) {
  return Error{ErrorCode::kInvalidArgument, concat("importance of tensor ", quoted(name), ": ", what)};
}

template <typename Entries>
auto place_of(Entries& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name,
                          [](const auto& entry, std::string_view wanted) { return entry.name < wanted; });
}

}  // namespace

Status ImportanceMatrix::check(const Entry& entry) const {
  if (entry.name.empty()) return invalid_entry(entry.name, "the name is empty");
  if (entry.sums.empty() || entry.counts.empty() || entry.sums.size() % entry.counts.size() != 0) {
    return invalid_entry(entry.name,
                         concat(entry.sums.size(), " sums do not belong to ", entry.counts.size(), " counts"));
  }
  if (!all_valid(entry.sums) || !all_valid(entry.counts)) {
    return invalid_entry(entry.name, "a value is negative or not finite");
  }
  const Entry* own = find(entry.name);
  if (own != nullptr && (own->sums.size() != entry.sums.size())) {
    return invalid_entry(entry.name, concat(entry.sums.size(), " sums meet ", own->sums.size()));
  }
  return {};
}

/// Counts of one run may be one number where the other has one for each expert (the older form). After an exception
/// nothing has changed.
void ImportanceMatrix::insert(Entry entry) {
  const auto place = place_of(entries_, entry.name);
  const auto i = static_cast<size_t>(place - entries_.begin());
  if (place == entries_.end() || place->name != entry.name) {
    const auto means =
        means_.insert(means_.begin() + (place - entries_.begin()), std::vector<float>(entry.sums.size()));
    undo_on_exception([&] { entries_.insert(place, std::move(entry)); }, [&] { means_.erase(means); });
    return update_means(i);
  }
  Entry& own = entries_[i];
  const size_t n = std::max(own.counts.size(), entry.counts.size());
  const auto count_of = [n](const Entry& e, size_t k) { return e.counts[k * e.counts.size() / n]; };
  std::vector<float> counts(n);
  for (size_t k = 0; k < n; ++k) counts[k] = std::min(count_of(own, k) + count_of(entry, k), kMost);
  for (size_t k = 0; k < own.sums.size(); ++k) own.sums[k] = std::min(own.sums[k] + entry.sums[k], kMost);
  own.counts = std::move(counts);
  update_means(i);
}

void ImportanceMatrix::update_means(size_t i) {
  const Entry& entry = entries_[i];
  std::vector<float>& means = means_[i];
  means.resize(entry.sums.size());
  const size_t n_per_count = entry.sums.size() / entry.counts.size();
  for (size_t k = 0; k < means.size(); ++k) {
    const float count = entry.counts[k / n_per_count];
    means[k] = count > 0 ? std::min(entry.sums[k] / count, kMost) : 1.0f;
  }
}

Status ImportanceMatrix::add(const Entry& entry) {
  return guard([&]() -> Status {
    if (Status s = check(entry); !s) return s;
    insert(entry);
    return {};
  });
}

/// The older form counts chunks; with a chunk's size both become tokens.
Status ImportanceMatrix::merge_in(const ImportanceMatrix& other) {
  for (const Entry& entry : other.entries_) {
    if (Status s = check(entry); !s) return s;
  }
  const auto scaled = [](Entry entry, int64_t factor) {
    if (factor == 0) return entry;
    for (float& v : entry.sums) v = std::min(v * static_cast<float>(factor), kMost);
    for (float& v : entry.counts) v = std::min(v * static_cast<float>(factor), kMost);
    return entry;
  };
  if (chunk_size == 0 && other.chunk_size != 0) {
    for (size_t i = 0; i < entries_.size(); ++i) entries_[i] = scaled(std::move(entries_[i]), other.chunk_size);
  }
  const int64_t factor = other.chunk_size == 0 ? chunk_size : 0;
  if (chunk_size == 0) chunk_size = other.chunk_size;
  for (const Entry& entry : other.entries_) insert(scaled(entry, factor));
  datasets.insert(datasets.end(), other.datasets.begin(), other.datasets.end());
  n_chunks += other.n_chunks;
  return {};
}

Status ImportanceMatrix::merge(const ImportanceMatrix& other) {
  return guard([&]() -> Status {
    ImportanceMatrix merged = *this;
    if (Status s = merged.merge_in(other); !s) return s;
    *this = std::move(merged);
    return {};
  });
}

const ImportanceMatrix::Entry* ImportanceMatrix::find(std::string_view tensor) const {
  const auto place = place_of(entries_, tensor);
  return place == entries_.end() || place->name != tensor ? nullptr : &*place;
}

std::span<const float> ImportanceMatrix::weights(std::string_view tensor, size_t matrix, size_t n_columns) const {
  const Entry* entry = find(tensor);
  if (entry == nullptr) return {};
  const std::vector<float>& means = means_[static_cast<size_t>(entry - entries_.data())];
  if (n_columns == 0) n_columns = means.size() / entry->counts.size();
  if (means.size() % n_columns != 0 || matrix >= means.size() / n_columns) return {};
  return std::span(means).subspan(matrix * n_columns, n_columns);
}

std::vector<std::string> ImportanceMatrix::warnings() const {
  return guard_or(std::vector<std::string>(), [&] { return list_warnings(); });
}

std::vector<std::string> ImportanceMatrix::list_warnings() const {
  std::vector<std::string> lines;
  const double tokens_a_count = chunk_size == 0 ? 512 : 1;
  double most = 0;
  for (const Entry& entry : entries_) {
    for (const float count : entry.counts) most = std::max(most, static_cast<double>(count) * tokens_a_count);
  }
  if (most < kFewTokens) {
    lines.push_back(concat("little text: ", static_cast<int64_t>(most), " tokens were measured, ",
                           static_cast<int64_t>(kFewTokens), " are few"));
  }
  for (const Entry& entry : entries_) {
    if (entry.counts.size() < 2) continue;
    size_t never = 0, few = 0;
    for (const float count : entry.counts) {
      never += count == 0 ? 1 : 0;
      few += count > 0 && static_cast<double>(count) < kFewTokensOfExpert ? 1 : 0;
    }
    if (never + few == 0) continue;
    lines.push_back(concat("tensor ", quoted(entry.name), ": of ", entry.counts.size(), " experts ", never,
                           " saw no token, ", few, " fewer than ", static_cast<int64_t>(kFewTokensOfExpert)));
  }
  return lines;
}

}  // namespace hearth
