// Reads the "<arch>.*" keys of a file with ranges, and remembers the first that is missing or out of range.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/base/concat.h"

namespace hearth {

/// Reads keys below "<arch>." and remembers the first failure, so that a reader is a plain list.
class KeyReader {
 public:
  KeyReader(const GgufFile& file, std::string_view arch) : file_(file), prefix_(concat(arch, ".")) {}

  bool has(const char* key) const { return file_.find(prefix_ + key) != nullptr; }

  int64_t integer(const char* key, int64_t lo, int64_t hi, std::optional<int64_t> fallback = {}) {
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return fallback.value_or(lo);
    return checked(key, value->as_int(), lo, hi, fallback.value_or(lo));
  }

  /// A scalar, or one number per layer; those of layers beyond n_layers are not looked at.
  std::vector<int> per_layer(const char* key, int n_layers, int64_t lo, int64_t hi,
                             std::optional<int64_t> fallback = {}) {
    std::vector<int> all(static_cast<size_t>(n_layers), static_cast<int>(fallback.value_or(lo)));
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return all;
    if (value->type() != GgufType::kArray) {
      const auto same = static_cast<int>(checked(key, value->as_int(), lo, hi, lo));
      all.assign(all.size(), same);
      return all;
    }
    Result<std::vector<int64_t>> list = value->as_int_array();
    if (!list) return fail(list.error()), all;
    if (list->size() < all.size()) {
      return fail({ErrorCode::kFormat,
                   concat(prefix_, key, ": has ", list->size(), " entries for ", n_layers, " layers")}),
             all;
    }
    for (size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<int>(checked(key, Result<int64_t>((*list)[i]), lo, hi, lo));
    }
    return all;
  }

  double number(const char* key, double lo, double hi, std::optional<double> fallback = {}) {
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return fallback.value_or(lo);
    Result<double> number = value->as_float();
    if (!number) return fail({number.error().code, concat(prefix_, key, ": ", number.error().message)}), lo;
    if (!(*number >= lo && *number <= hi)) {  // also refuses NaN
      return fail({ErrorCode::kFormat, concat(prefix_, key, ": ", std::to_string(*number), " is out of range")}), lo;
    }
    return *number;
  }

  bool boolean(const char* key, bool fallback) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value) return fallback;
    Result<bool> flag = value->as_bool();
    if (!flag) return fail({flag.error().code, concat(prefix_, key, ": ", flag.error().message)}), fallback;
    return *flag;
  }

  /// One flag per layer, as booleans or numbers.
  std::vector<bool> booleans(const char* key, size_t n) {
    std::vector<bool> flags(n, false);
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value) return flags;
    Result<std::vector<GgufValue>> list = value->as_array();
    if (!list || list->size() < n) {
      return fail({ErrorCode::kFormat, concat(prefix_, key, ": not one boolean a layer")}), flags;
    }
    for (size_t i = 0; i < n; ++i) {
      const Result<bool> flag = (*list)[i].as_bool();
      const Result<int64_t> number = (*list)[i].as_int();
      if (!flag && !number) fail({ErrorCode::kFormat, concat(prefix_, key, ": not booleans")});
      flags[i] = flag ? *flag : (number && *number != 0);
    }
    return flags;
  }

  std::string text(const char* key, const char* fallback) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value) return fallback;
    Result<std::string_view> string = value->as_string();
    if (!string) return fail({string.error().code, concat(prefix_, key, ": ", string.error().message)}), fallback;
    return std::string(*string);
  }

  const GgufValue* find(const char* key) const { return file_.find(prefix_ + key); }
  std::string name(const char* key) const { return prefix_ + key; }

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const GgufValue* require(const char* key, bool optional) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value && !optional) fail({ErrorCode::kNotFound, concat("missing key ", prefix_, key)});
    return value;
  }

  int64_t checked(const char* key, const Result<int64_t>& value, int64_t lo, int64_t hi, int64_t fallback) {
    if (!value) return fail({value.error().code, concat(prefix_, key, ": ", value.error().message)}), fallback;
    if (*value < lo || *value > hi) {
      fail({ErrorCode::kFormat, concat(prefix_, key, ": ", *value, " is not in ", lo, "..", hi)});
      return fallback;
    }
    return *value;
  }

  const GgufFile& file_;
  std::string prefix_;
  std::optional<Error> error_;
};

}  // namespace hearth
