// Files of base logits. Ours: "HRTHLGT1", uint64 n_vocab, chunk size, number of chunks; int32 tokens, filled up to 8
// bytes; rows (PackedRow) of the scored positions. llama.cpp's: "_logits_", int32 chunk size, n_vocab, number of
// chunks; int32 tokens; per row float32 scale and least, then a uint16 for each entry: ln p = scale * v + least.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/base/concat.h"
#include "lib/gguf/cursor.h"
#include "lib/quantize/base_logits.h"

namespace hearth {
namespace {

constexpr char kLogitsMagic[9] = "HRTHLGT1";
constexpr char kPeersMagic[9] = "_logits_";
constexpr double kPeersLeastLnP = -16;  ///< values at or below it are left out there

/// The largest that are taken; products of the three stay far below 2^63.
constexpr uint64_t kMostVocab = 1 << 24, kMostChunk = 1 << 20, kMostChunks = 1 << 18;

Comparison compare_peers_row(const std::byte* packed, const LogitsRow& row, Token next) {
  const auto scale = static_cast<double>(load_unaligned<float>(packed));
  const auto least = static_cast<double>(load_unaligned<float>(packed + sizeof(float)));
  const std::byte* values = packed + 2 * sizeof(float);
  Comparison c;
  size_t top = 0;
  uint16_t top_value = 0;
  for (size_t i = 0; i < row.logits.size(); ++i) {
    const auto value = load_unaligned<uint16_t>(values + i * sizeof(uint16_t));
    if (value > top_value) {
      top_value = value;
      top = i;
    }
    const double ln_p = scale * value + least;
    if (ln_p > kPeersLeastLnP) c.kld += std::exp(ln_p) * (ln_p - row.ln_p(i));
  }
  const auto t = static_cast<size_t>(next);
  const double ln_p = scale * load_unaligned<uint16_t>(values + t * sizeof(uint16_t)) + least;
  c.base_nll = -ln_p;
  c.dp = std::exp(row.ln_p(t)) - std::exp(ln_p);
  c.same_top = row.top == top;
  return c;
}

}  // namespace

Result<BaseLogitsWriter> BaseLogitsWriter::create(const std::string& path, size_t n_vocab, int64_t chunk_size,
                                                  std::span<const Token> tokens) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file) return file.error();
  const uint64_t n_tokens = tokens.size();
  const uint64_t numbers[3] = {n_vocab, static_cast<uint64_t>(chunk_size),
                               n_tokens / static_cast<uint64_t>(chunk_size)};
  const uint64_t zero = 0;
  if (Status s = file->write(std::as_bytes(std::span(kLogitsMagic, 8))); !s) return s.error();
  if (Status s = file->write(std::as_bytes(std::span(numbers))); !s) return s.error();
  if (Status s = file->write(std::as_bytes(tokens)); !s) return s.error();
  if (Status s = file->write(std::as_bytes(std::span(&zero, 1)).first(n_tokens % 2 * 4)); !s) return s.error();
  return BaseLogitsWriter(*std::move(file));
}

Status BaseLogitsReader::read_header(const std::string& path) {
  Cursor cursor(bytes_.bytes());
  const auto wrong = [&](const std::string& what) { return Error{ErrorCode::kFormat, concat(path, ": ", what)}; };
  if (bytes_.size() < 8) return wrong("holds no logits of a base model");
  is_peers_ = std::memcmp(bytes_.bytes().data(), kPeersMagic, 8) == 0;
  if (!is_peers_ && std::memcmp(bytes_.bytes().data(), kLogitsMagic, 8) != 0)
    return wrong("holds no logits of a base model");
  (void)cursor.skip(8);
  uint64_t n_vocab = 0, chunk_size = 0, n_chunks = 0;
  if (is_peers_) {
    uint32_t numbers[3] = {};
    if (!cursor.read(numbers[0]) || !cursor.read(numbers[1]) || !cursor.read(numbers[2])) return wrong("is cut short");
    chunk_size = numbers[0], n_vocab = numbers[1], n_chunks = numbers[2];
  } else if (!cursor.read(n_vocab) || !cursor.read(chunk_size) || !cursor.read(n_chunks)) {
    return wrong("is cut short");
  }
  if (n_vocab < 1 || n_vocab > kMostVocab || chunk_size < 4 || chunk_size > kMostChunk || n_chunks < 1 ||
      n_chunks > kMostChunks) {
    return wrong(concat("sizes out of range: vocabulary ", n_vocab, ", chunks ", n_chunks, " of ", chunk_size));
  }
  n_vocab_ = static_cast<size_t>(n_vocab);
  chunk_size_ = static_cast<int64_t>(chunk_size);
  n_chunks_ = static_cast<int64_t>(n_chunks);
  tokens_at_ = static_cast<size_t>(cursor.offset());
  const uint64_t n_tokens = n_chunks * chunk_size;
  rows_at_ = tokens_at_ + static_cast<size_t>(n_tokens * 4 + (is_peers_ ? 0 : n_tokens % 2 * 4));
  row_bytes_ = is_peers_ ? (2 * ((n_vocab_ + 1) / 2) + 4) * 2 : PackedRow::bytes(n_vocab_);
  const uint64_t n_rows = n_chunks * static_cast<uint64_t>(scored_of(chunk_size_));
  const bool fits = rows_at_ <= bytes_.size() && n_rows <= (bytes_.size() - rows_at_) / row_bytes_;
  if (!fits) return wrong(concat("is cut short: ", n_rows, " rows do not fit in it"));
  for (const Token token : tokens()) {
    if (token < 0 || static_cast<size_t>(token) >= n_vocab_) return wrong("a token is not in the vocabulary");
  }
  return {};
}

Result<BaseLogitsReader> BaseLogitsReader::open(const std::string& path) {
  Result<FileBytes> bytes = FileBytes::open(path, /*use_mmap=*/true);
  if (!bytes) return bytes.error();
  BaseLogitsReader reader(*std::move(bytes));
  if (Status s = reader.read_header(path); !s) return s.error();
  return reader;
}

std::vector<Token> BaseLogitsReader::tokens() const {
  std::vector<Token> tokens(static_cast<size_t>(n_chunks_ * chunk_size_));
  const size_t n_bytes = std::min(tokens.size() * sizeof(Token), bytes_.size() - tokens_at_);
  std::memcpy(tokens.data(), bytes_.bytes().data() + tokens_at_, n_bytes);
  return tokens;
}

Result<Comparison> BaseLogitsReader::compare(int64_t i, const LogitsRow& row, Token next) const {
  const std::byte* packed = bytes_.bytes().data() + rows_at_ + static_cast<size_t>(i) * row_bytes_;
  if (is_peers_) return compare_peers_row(packed, row, next);
  return PackedRow::compare(packed, row, next);
}

}  // namespace hearth
