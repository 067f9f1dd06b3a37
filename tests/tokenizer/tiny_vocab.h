// Small vocabularies made in memory, right or wrong, for tests and fuzzing of the tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/tokenizer.h"

namespace hearth::testing {

/// The tokenizer keys of a file; empty members are not written.
struct TinyVocab {
  std::string model{};
  std::string pre{};
  std::vector<std::string> tokens{};
  std::vector<float> scores{};
  std::vector<int32_t> types{};
  std::vector<std::string> merges{};
  bool write_merges = false;  ///< also when there are none
  std::string char_map{};     ///< precompiled_charsmap
  std::vector<std::pair<std::string, bool>> switches{};
  std::vector<std::pair<std::string, uint32_t>> ids{};
  std::vector<std::pair<std::string, std::string>> texts{};

  void add(std::string text, int32_t type = 1, float score = 0) {
    tokens.push_back(std::move(text));
    types.push_back(type);
    scores.push_back(score);
  }
  /// GGUF bytes.
  std::string file() const;
};

class GgufText {
 public:
  template <typename T>
  void raw(T value) {
    body_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void string(std::string_view text) {
    raw<uint64_t>(text.size());
    body_ += text;
  }
  void key(std::string_view name, GgufType type) {
    ++n_keys_;
    string(name);
    raw(static_cast<uint32_t>(type));
  }
  void array(std::string_view name, GgufType type, uint64_t n) {
    key(name, GgufType::kArray);
    raw(static_cast<uint32_t>(type));
    raw(n);
  }
  std::string file() const {
    GgufText head;
    head.body_ = "GGUF";
    head.raw<uint32_t>(3);
    head.raw<uint64_t>(0);
    head.raw<uint64_t>(n_keys_);
    return head.body_ + body_;
  }

 private:
  std::string body_;
  uint64_t n_keys_ = 0;
};

inline std::string TinyVocab::file() const {
  GgufText out;
  const std::string prefix = "tokenizer.ggml.";
  const auto text = [&](const std::string& name, const std::string& value) {
    out.key(name, GgufType::kString);
    out.string(value);
  };
  const auto strings = [&](const std::string& name, const std::vector<std::string>& values) {
    out.array(prefix + name, GgufType::kString, values.size());
    for (const std::string& value : values) out.string(value);
  };
  if (!model.empty()) text(prefix + "model", model);
  if (!pre.empty()) text(prefix + "pre", pre);
  if (!tokens.empty()) strings("tokens", tokens);
  if (!merges.empty() || write_merges) strings("merges", merges);
  if (!scores.empty()) {
    out.array(prefix + "scores", GgufType::kFloat32, scores.size());
    for (const float score : scores) out.raw(score);
  }
  if (!types.empty()) {
    out.array(prefix + "token_type", GgufType::kInt32, types.size());
    for (const int32_t type : types) out.raw(type);
  }
  if (!char_map.empty()) {
    out.array(prefix + "precompiled_charsmap", GgufType::kUint8, char_map.size());
    for (const char c : char_map) out.raw(c);
  }
  for (const auto& [name, value] : switches) {
    out.key(prefix + name, GgufType::kBool);
    out.raw<uint8_t>(value);
  }
  for (const auto& [name, value] : ids) {
    out.key(prefix + name, GgufType::kUint32);
    out.raw(value);
  }
  for (const auto& [name, value] : texts) text(name, value);
  return out.file();
}

/// A tokenizer together with the bytes that it lives on.
class TinyTokenizer {
 public:
  explicit TinyTokenizer(const TinyVocab& vocab) : TinyTokenizer(vocab.file()) {}
  explicit TinyTokenizer(std::string file_bytes) : bytes_(std::make_unique<std::string>(std::move(file_bytes))) {
    const auto file = GgufFile::from_memory(std::as_bytes(std::span(*bytes_)));
    result_ = file ? Tokenizer::from_gguf(*file) : Result<Tokenizer>(file.error());
  }
  bool ok() const { return result_.ok(); }
  const Error& error() const { return result_.error(); }
  const Tokenizer& operator*() const { return *result_; }
  const Tokenizer* operator->() const { return &*result_; }

 private:
  std::unique_ptr<std::string> bytes_;
  Result<Tokenizer> result_ = Error{};
};

/// SentencePiece: <unk> <s> </s>, the 256 bytes, some letters and pieces, a control and a user-defined token.
inline TinyVocab sentence_piece_vocab() {
  TinyVocab v{.model = "llama"};
  v.add("<unk>", 2);
  v.add("<s>", 3);
  v.add("</s>", 3);
  for (int b = 0; b < 256; ++b) {
    constexpr char kHex[] = "0123456789ABCDEF";
    v.add({'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'}, 6);
  }
  float score = 0;
  for (const char* text :
       {"\u2581", "h",    "e",     "l",           "o",  "w",   "r",  "d",     "\u00e9",      "he",
        "ll",     "hell", "hello", "\u2581hello", "wo", "wor", "ld", "world", "\u2581world", "\u2581\u2581"}) {
    v.add(text, 1, score);
    score -= 1;
  }
  v.add("<|tool|>", 3);
  v.add("<user>", 4);
  return v;
}

/// GPT-2's letter of a byte.
inline std::string byte_letter(int byte) {
  static const std::vector<std::string> letters = [] {
    std::vector<std::string> made(256);
    int next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const int c = printable ? b : next++;
      if (c < 0x80) {
        made[static_cast<size_t>(b)] = static_cast<char>(c);
      } else {
        made[static_cast<size_t>(b)] = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
      }
    }
    return made;
  }();
  return letters[static_cast<size_t>(byte)];
}

/// Byte-level: the 256 bytes, pieces of "hello world", <|end|> (control) and <user> (user-defined).
inline TinyVocab byte_pair_vocab(std::string pre = "gpt-2") {
  TinyVocab v{.model = "gpt2", .pre = std::move(pre)};
  for (int b = 0; b < 256; ++b) v.add(byte_letter(b));
  const std::string g = byte_letter(' ');
  for (const auto& [left, right] : std::vector<std::pair<std::string, std::string>>{{"h", "e"},
                                                                                    {"l", "l"},
                                                                                    {"he", "ll"},
                                                                                    {"hell", "o"},
                                                                                    {g, "hello"},
                                                                                    {"w", "o"},
                                                                                    {"r", "l"},
                                                                                    {"wo", "rl"},
                                                                                    {"worl", "d"},
                                                                                    {g, "world"},
                                                                                    {"1", "2"},
                                                                                    {"12", "3"},
                                                                                    {"!", "!"},
                                                                                    {g, g}}) {
    v.merges.push_back(left + " " + right);
    v.add(left + right);
  }
  v.add("<|end|>", 3);
  v.add("<user>", 4);
  v.ids = {{"bos_token_id", 256}, {"eos_token_id", static_cast<uint32_t>(v.tokens.size() - 2)}};
  return v;
}

/// Text with merges on characters, as Gemma 4 has it.
inline TinyVocab plain_pair_vocab() {
  TinyVocab v{.model = "gemma4"};
  v.add("<pad>", 3);
  v.add("<eos>", 3);
  v.add("<bos>", 3);
  for (int b = 0; b < 256; ++b) {
    constexpr char kHex[] = "0123456789ABCDEF";
    v.add({'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'}, 6);
  }
  for (const char* text : {"\u2581", "a", "b", ">", "\n", "\n\n"}) v.add(text);
  for (const auto& [left, right] : std::vector<std::pair<std::string, std::string>>{
           {"\u2581", "a"}, {"a", "b"}, {"\u2581", "\u2581"}, {">", "\u2581"}, {"\u2581a", "b"}}) {
    v.merges.push_back(left + " " + right);
    v.add(left + right);
  }
  v.ids = {{"bos_token_id", 2}, {"eos_token_id", 1}};
  return v;
}

inline TinyVocab word_piece_vocab() {
  TinyVocab v{.model = "bert"};
  v.add("[PAD]", 3);
  v.add("[UNK]", 3);
  v.add("[CLS]", 3);
  v.add("[SEP]", 3);
  for (const char* text : {"\u2581hello", "\u2581wor", "ld", "\u2581,", "\u2581!", "\u2581e", "\u2581\u4e2d", "s"}) {
    v.add(text);
  }
  v.ids = {{"padding_token_id", 0}, {"unknown_token_id", 1}, {"bos_token_id", 2}, {"seperator_token_id", 3}};
  return v;
}

inline TinyVocab unigram_vocab() {
  TinyVocab v{.model = "t5"};
  v.add("<pad>", 3);
  v.add("</s>", 3);
  v.add("<unk>", 2);
  float score = -1;
  for (const char* text : {"\u2581", "a", "b", "ab", "\u2581ab", "abab", "\u2581a", "\u00e9"}) {
    v.add(text, 1, score);
    score -= 0.5f;
  }
  v.add("<x>", 4);
  v.switches = {{"add_space_prefix", true}, {"remove_extra_whitespaces", true}};
  return v;
}

}  // namespace hearth::testing
