// Malformed headers and metadata. The classes of the published vulnerabilities of GGUF parsers are among them: counts
// and lengths whose products or sums wrap, element types that are none, nesting without end.
#include "gguf/gguf_builder.h"
#include "gguf/malformed_cases.h"

namespace hearth::testing {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};
constexpr auto kFormat = ErrorCode::kFormat;

Bytes one_entry() {
  return Bytes().header(0, 1);
}

std::string with_version(uint32_t version) {
  return Bytes().chars("GGUF").u32(version).u64(0).u64(0).text();
}

std::string with_counts(uint64_t n_tensors, uint64_t n_entries, size_t room) {
  return Bytes().header(n_tensors, n_entries).zeros(room).text();
}

/// A metadata value of `depth` arrays in each other; the innermost is empty.
std::string nested(int depth) {
  Bytes b = one_entry();
  b.key("deep", GgufType::kArray);
  for (int i = 1; i < depth; ++i) b.type(GgufType::kArray).u64(1);
  return b.type(GgufType::kUint8).u64(0).text();
}

}  // namespace

std::vector<MalformedCase> malformed_headers() {
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  return {
      {"empty_file", "", kFormat, "empty"},
      {"three_bytes", "GGU", kFormat, "only 3 bytes"},
      {"git_lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", kFormat, "git lfs pull"},
      {"web_page", "<!DOCTYPE html><html></html>", kFormat, "a web page was saved"},
      {"safetensors", std::string("\x40\0\0\0\0\0\0\0{\"weight\": {}}", 22), kFormat, "safetensors"},
      {"foreign_file", "PK\x03\x04 and more", kFormat, "not a GGUF file: it begins with 'PK\\x03\\x04'"},
      {"magic_only", "GGUF", kFormat, "ends before the version"},
      {"version_zero", with_version(0), kUnsupported, "version 0"},
      {"version_one", with_version(1), kUnsupported, "version 1"},
      {"version_four", with_version(4), kUnsupported, "version 4"},
      {"version_huge", with_version(0xffffffff), kUnsupported, "version 4294967295"},
      {"version_big_endian", with_version(0x03000000), kUnsupported, "big-endian"},
      {"magic_big_endian", Bytes().chars("FUGG").u32(3).u64(0).u64(0).text(), kUnsupported, "big-endian"},
      {"ends_in_tensor_count", Bytes().chars("GGUF").u32(3).u32(0).text(), kFormat, "ends in the header"},
      {"ends_in_metadata_count", Bytes().chars("GGUF").u32(3).u64(0).u32(0).text(), kFormat, "ends in the header"},
      {"tensor_count_max", with_counts(kMax, 0, 100), kFormat, "tensor count 18446744073709551615"},
      {"tensor_count_wraps", with_counts((kMax / 96) + 2, 0, 1000), kFormat, "tensor count"},
      {"tensor_count_beyond_file", with_counts(4, 0, 100), kFormat, "tensor count 4"},
      {"tensor_count_beyond_limit", with_counts((1 << 20) + 1, 0, 0), ErrorCode::kLimit, "1048577", 40u << 20},
      {"metadata_count_max", with_counts(0, kMax, 100), kFormat, "metadata count 18446744073709551615"},
      {"metadata_count_wraps", with_counts(0, (kMax / 48) + 2, 1000), kFormat, "metadata count"},
      {"metadata_count_beyond_file", with_counts(0, 8, 100), kFormat, "metadata count 8"},
      {"metadata_count_beyond_limit", with_counts(0, (1 << 20) + 1, 0), ErrorCode::kLimit, "1048577", 16u << 20},
  };
}

namespace {

std::vector<MalformedCase> malformed_keys() {
  const std::string nul(std::string_view("a\0b", 3));
  return {
      {"key_empty", one_entry().key("", GgufType::kUint8).zeros(9).text(), kFormat, "entry 0 is empty"},
      {"key_length_max", one_entry().u64(kMax).zeros(20).text(), kFormat, "18446744073709551615"},
      {"key_length_wraps", one_entry().u64(kMax - 31).zeros(20).text(), kFormat, "18446744073709551584"},
      {"key_beyond_limit", one_entry().key(std::string(65536, 'k'), GgufType::kUint8).u8(0).text(), kFormat, "65536"},
      {"key_beyond_file", one_entry().u64(30).chars("short").zeros(20).text(), kFormat, "passes the end"},
      {"key_with_nul", one_entry().key(nul, GgufType::kUint8).u8(0).text(), kFormat, "'a\\x00b' contains a NUL"},
      {"key_without_type", one_entry().string("some.key").text(), kFormat, "'some.key': the file ends before"},
      {"key_twice",
       Bytes()
           .header(0, 3)
           .key("k", GgufType::kUint8)
           .u8(1)
           .key("j", GgufType::kUint8)
           .u8(1)
           .key("k", GgufType::kBool)
           .u8(1)
           .text(),
       kFormat, "'k' occurs twice"},
      {"second_key_missing", Bytes().header(0, 2).key("kkkkkkkkkkkkkkk", GgufType::kUint8).u8(1).text(), kFormat,
       "ends before the key of metadata entry 1"},
      {"type_unknown", one_entry().string("k").u32(13).u64(0).text(), kFormat, "'k': unknown value type 13"},
      {"type_max", one_entry().string("k").u32(0xffffffff).u64(0).text(), kFormat, "type 4294967295"},
  };
}

std::vector<MalformedCase> malformed_values() {
  return {
      {"scalar_cut", one_entry().key("k", GgufType::kUint64).u32(0).text(), kFormat, "'k'"},
      {"string_length_max", one_entry().key("k", GgufType::kString).u64(kMax).zeros(30).text(), kFormat,
       "'k': a string"},
      {"string_length_wraps", one_entry().key("k", GgufType::kString).u64(kMax - 7).zeros(30).text(), kFormat,
       "18446744073709551608"},
      {"string_one_byte_short", one_entry().key("k", GgufType::kString).u64(5).chars("four").text(), kFormat, "(5)"},
      {"string_without_length", one_entry().key("kkkkkkk", GgufType::kString).u32(0).text(), kFormat, "'kkkkkkk'"},
  };
}

std::vector<MalformedCase> malformed_arrays() {
  return {
      {"array_header_cut", one_entry().key("k", GgufType::kArray).u32(0).u32(0).text(), kFormat, "header of an array"},
      {"array_type_unknown", one_entry().key("k", GgufType::kArray).u32(13).u64(1).u64(0).text(), kFormat,
       "'k': an array of an unknown element type (13)"},
      {"array_type_max", one_entry().key("k", GgufType::kArray).u32(0xffffffff).u64(0).text(), kFormat, "4294967295"},
      {"array_count_max", one_entry().array("k", GgufType::kUint8, kMax).zeros(64).text(), kFormat,
       "'k': more elements"},
      {"array_size_wraps_to_0", one_entry().array("k", GgufType::kUint64, 1ull << 61).zeros(64).text(), kFormat,
       "2305843009213693952"},
      {"array_size_wraps_to_8", one_entry().array("k", GgufType::kInt64, (1ull << 61) + 1).zeros(64).text(), kFormat,
       "2305843009213693953"},
      {"array_size_wraps_to_4", one_entry().array("k", GgufType::kFloat32, (1ull << 62) + 1).zeros(64).text(), kFormat,
       "4611686018427387905"},
      {"array_one_short", one_entry().array("k", GgufType::kUint16, 4).zeros(7).text(), kFormat, "more elements"},
      {"array_string_count_max", one_entry().array("k", GgufType::kString, kMax).zeros(64).text(), kFormat,
       "'k': more strings"},
      {"vocabulary_entry_overflows",
       one_entry().array("tokenizer.ggml.tokens", GgufType::kString, 2).string("ok").u64(kMax - 1).zeros(9).text(),
       kFormat, "'tokenizer.ggml.tokens': a string that passes the end of the file (18446744073709551614)"},
      {"array_string_missing", one_entry().array("k", GgufType::kString, 2).string("0123456789").u32(0).text(), kFormat,
       "ends before a string (1)"},
      {"nested_beyond_limit", nested(9), ErrorCode::kLimit, "'deep': arrays nested deeper"},
      {"nested_bomb", nested(20000), ErrorCode::kLimit, "'deep'"},
      {"nested_count_max", one_entry().array("k", GgufType::kArray, kMax).zeros(64).text(), kFormat, "more arrays"},
      {"nested_count_wraps", one_entry().array("k", GgufType::kArray, kMax / 12 + 2).zeros(64).text(), kFormat,
       "more arrays"},
      {"nested_type_unknown", one_entry().array("k", GgufType::kArray, 1).u32(99).u64(0).text(), kFormat, "(99)"},
      {"nested_count_overflows",
       one_entry().array("k", GgufType::kArray, 1).type(GgufType::kUint32).u64(kMax / 4 + 2).zeros(9).text(), kFormat,
       "'k': more elements"},
  };
}

}  // namespace

std::vector<MalformedCase> malformed_metadata() {
  std::vector<MalformedCase> all = malformed_keys();
  for (const auto& group : {malformed_values(), malformed_arrays()}) all.insert(all.end(), group.begin(), group.end());
  return all;
}

std::vector<MalformedCase> malformed_alignments() {
  const auto align = [](uint32_t value) {
    return Bytes()
        .header(1, 1)
        .key("general.alignment", GgufType::kUint32)
        .u32(value)
        .tensor("t", {8}, 0, 0)
        .align(32)
        .zeros(32)
        .text();
  };
  const auto other = [](GgufType type) { return one_entry().key("general.alignment", type); };
  const std::string key = "'general.alignment'";
  return {
      {"alignment_0", align(0), kFormat, key + ": 0 is not"},
      {"alignment_1", align(1), kFormat, key + ": 1 is not"},
      {"alignment_4", align(4), kFormat, key + ": 4 is not"},
      {"alignment_24", align(24), kFormat, key + ": 24 is not"},
      {"alignment_33", align(33), kFormat, key + ": 33 is not"},
      {"alignment_32_mega", align(1u << 25), kFormat, key + ": 33554432 is not"},
      {"alignment_2_giga", align(1u << 31), kFormat, key + ": 2147483648 is not"},
      {"alignment_near_4_giga", align(0xffffffe0), kFormat, key + ": 4294967264 is not"},
      {"alignment_max", align(0xffffffff), kFormat, key + ": 4294967295 is not"},
      {"alignment_beyond_file", align(1u << 20), kFormat, "tensor 't'"},
      {"alignment_uint64", other(GgufType::kUint64).u64(1ull << 63).text(), kFormat, key + " is uint64, not uint32"},
      {"alignment_int32", other(GgufType::kInt32).u32(32).text(), kFormat, key + " is int32, not uint32"},
      {"alignment_float", other(GgufType::kFloat32).raw(32.0f).text(), kFormat, key + " is float32"},
      {"alignment_string", other(GgufType::kString).string("32").text(), kFormat, key + " is string"},
      {"alignment_array", one_entry().array("general.alignment", GgufType::kUint32, 1).u32(32).text(), kFormat,
       key + " is array"},
      {"alignment_empty_array", one_entry().array("general.alignment", GgufType::kUint32, 0).text(), kFormat,
       key + " is array"},
  };
}

}  // namespace hearth::testing
