// Small Hugging Face folders with seeded weights, and safetensors of any content.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "support/temp_dir.h"

namespace hearth::testing {

struct FolderTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::string dtype = "F32";
  std::vector<float> values{};  ///< seeded by the name where there are none
};

/// Values in [-0.5, 0.5) that depend on the name alone.
inline std::vector<float> seeded_values(const std::string& name, size_t n) {
  uint64_t state = 1469598103934665603ull;
  for (const char c : name) state = (state ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  std::vector<float> values(n);
  for (float& value : values) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    value = static_cast<float>(state >> 40) / static_cast<float>(1 << 24) - 0.5f;
  }
  return values;
}

inline size_t n_elements(const FolderTensor& tensor) {
  size_t n = 1;
  for (const int64_t dim : tensor.shape) n *= static_cast<size_t>(dim);
  return n;
}

inline std::vector<float> values_of(const FolderTensor& tensor) {
  return tensor.values.empty() ? seeded_values(tensor.name, n_elements(tensor)) : tensor.values;
}

inline std::string safetensors_file(const std::vector<FolderTensor>& tensors) {
  std::string header = "{", data;
  for (const FolderTensor& tensor : tensors) {
    const size_t begin = data.size();
    for (const float value : values_of(tensor)) {
      if (tensor.dtype == "F32") {
        data.append(reinterpret_cast<const char*>(&value), 4);
      } else {
        const uint16_t bits = tensor.dtype == "F16" ? kernels::float_to_half(value) : kernels::float_to_bf16(value);
        data.append(reinterpret_cast<const char*>(&bits), 2);
      }
    }
    if (header.size() > 1) header += ",";
    header += "\"" + tensor.name + "\":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[";
    for (size_t i = 0; i < tensor.shape.size(); ++i) header += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
    header += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  }
  header += "}";
  const uint64_t n = header.size();
  return std::string(reinterpret_cast<const char*>(&n), sizeof(n)) + header + data;
}

/// Byte-level BPE of the 256 bytes and some merges of letters; two special tokens follow.
inline std::string byte_level_tokenizer() {
  std::string vocab;
  int id = 0;
  const auto letter = [](int byte) {  // the letters of GPT-2's alphabet
    const bool shown = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    int code = byte;
    if (!shown) {
      code = 256;
      for (int b = 0; b < byte; ++b) code += !((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
    }
    if (code < 128) return std::string(1, static_cast<char>(code));
    return std::string{static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 63))};
  };
  for (int byte = 0; byte < 256; ++byte) {
    std::string text = letter(byte);
    if (text == "\"" || text == "\\") text = "\\" + text;
    vocab += (id > 0 ? ",\"" : "\"") + text + "\":" + std::to_string(id);
    ++id;
  }
  vocab += ",\"he\":256,\"ll\":257,\"hell\":258";
  return "{\"added_tokens\":[{\"id\":259,\"content\":\"<s>\",\"special\":true},{\"id\":260,\"content\":\"</"
         "s>\",\"special\":true}],"
         "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
         "\"post_processor\":null,\"model\":{\"type\":\"BPE\",\"vocab\":{" +
         vocab + "},\"merges\":[\"h e\",[\"l\",\"l\"],\"he ll\"]}}";
}
inline constexpr int kByteLevelTokens = 261;

}  // namespace hearth::testing
