// A text as chunks of tokens, and a session that computes them.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "hearth/quality.h"
#include "hearth/session.h"

namespace hearth {

struct TextChunks {
  std::vector<Token> tokens;  ///< [n_chunks * chunk_size], as in the text
  int64_t chunk_size = 0;
  int64_t n_chunks = 0;

  std::span<const Token> chunk(int64_t i) const {
    return std::span(tokens).subspan(static_cast<size_t>(i * chunk_size), static_cast<size_t>(chunk_size));
  }
};

/// Tokens of a text, cut; what does not fill a chunk is dropped. kInvalidArgument names an option out of range or says
/// that the text has less than `min_chunks`.
Result<TextChunks> cut_text(const Model& model, std::string_view text, const MeasureOptions& options,
                            int64_t min_chunks);

/// Computes chunks, each from an empty cache.
class ChunkSession {
 public:
  /// With `hidden_only` no logits are made (and calls of compute() that ask for rows leave hidden states).
  static Result<ChunkSession> create(const Model& model, const MeasureOptions& options, bool hidden_only);

  /// Takes part of a chunk: rows i of the session belong to tokens first + i.
  using TakeRows = std::function<void(int64_t first, int64_t n)>;
  /// Computes all tokens but the last `n_unused`; those from `first_row` on leave rows, handed out in pieces.
  Status compute(std::span<const Token> chunk, int64_t first_row, int64_t n_unused, const std::atomic<bool>* cancel,
                 const TakeRows& take_rows);
  Session& session() { return session_; }

 private:
  ChunkSession(Session session, std::optional<Token> bos) : session_(std::move(session)), bos_(bos) {}

  Session session_;
  std::optional<Token> bos_;  ///< that replaces the first token
  std::vector<BatchToken> batch_;
};

}  // namespace hearth
