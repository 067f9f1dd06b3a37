// Makes GGUF bytes by hand, right or wrong, for tests of the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"

namespace hearth::testing {

/// Appends little-endian scalars and strings; each call returns the builder, so that files read as a list.
class Bytes {
 public:
  template <typename T>
  Bytes& raw(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Bytes& u8(uint8_t v) { return raw(v); }
  Bytes& u32(uint32_t v) { return raw(v); }
  Bytes& u64(uint64_t v) { return raw(v); }
  Bytes& chars(std::string_view v) {
    text_.append(v);
    return *this;
  }
  Bytes& string(std::string_view v) { return u64(v.size()).chars(v); }
  Bytes& type(GgufType v) { return u32(static_cast<uint32_t>(v)); }

  /// Magic, version 3 and the two counts.
  Bytes& header(uint64_t n_tensors, uint64_t n_entries) { return chars("GGUF").u32(3).u64(n_tensors).u64(n_entries); }
  Bytes& key(std::string_view name, GgufType value_type) { return string(name).type(value_type); }
  Bytes& array(std::string_view name, GgufType element_type, uint64_t count) {
    return key(name, GgufType::kArray).type(element_type).u64(count);
  }
  Bytes& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t tensor_type, uint64_t offset) {
    string(name).u32(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) u64(dim);
    return u32(tensor_type).u64(offset);
  }
  Bytes& align(size_t alignment) {
    text_.resize((text_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  Bytes& zeros(size_t n) {
    text_.append(n, '\0');
    return *this;
  }

  const std::string& text() const { return text_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(text_)); }

 private:
  std::string text_;
};

/// A valid file with one value of every type, arrays of every type, nested arrays and three tensors.
inline Bytes every_type_file() {
  Bytes b;
  b.header(3, 19);
  b.key("a.u8", GgufType::kUint8).u8(200);
  b.key("a.i8", GgufType::kInt8).raw<int8_t>(-100);
  b.key("a.u16", GgufType::kUint16).raw<uint16_t>(60000);
  b.key("a.i16", GgufType::kInt16).raw<int16_t>(-30000);
  b.key("a.u32", GgufType::kUint32).u32(4000000000u);
  b.key("a.i32", GgufType::kInt32).raw<int32_t>(-2000000000);
  b.key("a.f32", GgufType::kFloat32).raw(1.5f);
  b.key("a.bool", GgufType::kBool).u8(1);
  b.key("a.string", GgufType::kString).string(std::string_view("x\0y", 3));
  b.key("a.u64", GgufType::kUint64).u64(uint64_t{1} << 63);
  b.key("a.i64", GgufType::kInt64).raw<int64_t>(-(int64_t{1} << 62));
  b.key("a.f64", GgufType::kFloat64).raw(-2.25);
  b.array("b.u8", GgufType::kUint8, 3).u8(1).u8(2).u8(255);
  b.array("b.i64", GgufType::kInt64, 2).raw<int64_t>(-1).raw<int64_t>(7);
  b.array("b.f32", GgufType::kFloat32, 2).raw(0.5f).raw(-0.25f);
  b.array("b.bool", GgufType::kBool, 2).u8(0).u8(1);
  b.array("b.string", GgufType::kString, 3).string("one").string("").string("three");
  b.array("b.empty", GgufType::kString, 0);
  b.array("b.nested", GgufType::kArray, 2);
  b.type(GgufType::kUint16).u64(2).raw<uint16_t>(5).raw<uint16_t>(6);
  b.type(GgufType::kArray).u64(1).type(GgufType::kString).u64(1).string("deep");
  b.tensor("t.f32", {4, 2}, 0, 0).tensor("t.q8_0", {32, 2, 1}, 8, 32).tensor("t.f16", {16}, 1, 128).align(32);
  for (int i = 0; i < 32 + 96 + 32; ++i) b.u8(static_cast<uint8_t>(i * 7));
  return b;
}

}  // namespace hearth::testing
