// Cuts texts and feeds chunks to a session in batches.
#include "lib/quantize/text_chunks.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/concat.h"

namespace hearth {
namespace {

constexpr int32_t kLongestChunk = 1 << 20;
constexpr int64_t kLogitsBytes = int64_t{64} << 20;  ///< of rows that are kept at once
constexpr int64_t kBatchTokens = 512;

Error invalid_text(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

std::optional<Token> added_bos(const Tokenizer& tokenizer) {
  return tokenizer.add_bos() ? tokenizer.bos() : std::nullopt;
}

}  // namespace

Result<TextChunks> cut_text(const Model& model, std::string_view text, const MeasureOptions& options,
                            int64_t min_chunks) {
  if (options.chunk_size < 2 || options.chunk_size > kLongestChunk) {
    return invalid_text(concat("chunk_size ", options.chunk_size, " is not in 2..1048576"));
  }
  if (options.max_chunks < 0) return invalid_text(concat("max_chunks ", options.max_chunks, " is negative"));
  Result<std::vector<Token>> ids = model.tokenizer().encode(text, {.parse_special = options.parse_special});
  if (!ids) return ids.error();
  TextChunks chunks;
  chunks.tokens = *std::move(ids);
  if (const auto bos = added_bos(model.tokenizer())) chunks.tokens.insert(chunks.tokens.begin(), *bos);
  chunks.chunk_size = options.chunk_size;
  const auto n_tokens = static_cast<int64_t>(chunks.tokens.size());
  chunks.n_chunks = n_tokens / chunks.chunk_size;
  if (chunks.n_chunks < min_chunks) {
    return invalid_text(concat("the text has ", n_tokens, " tokens, but ", min_chunks,
                               (min_chunks == 1 ? " chunk takes " : " chunks take "), min_chunks * chunks.chunk_size));
  }
  if (options.max_chunks > 0) chunks.n_chunks = std::min(chunks.n_chunks, options.max_chunks);
  chunks.tokens.resize(static_cast<size_t>(chunks.n_chunks * chunks.chunk_size));
  return chunks;
}

Result<ChunkSession> ChunkSession::create(const Model& model, const MeasureOptions& options, bool hidden_only) {
  SessionOptions wanted;
  wanted.n_ctx = options.chunk_size;
  const bool causal = model.info().causal;
  wanted.n_batch = causal ? static_cast<int32_t>(std::min<int64_t>(options.chunk_size, kBatchTokens)) : wanted.n_ctx;
  const int64_t row_bytes = int64_t{hidden_only ? model.info().d_model : model.info().n_vocab} * 4;
  const int64_t rows = std::max<int64_t>(kLogitsBytes / std::max<int64_t>(row_bytes, 1), 1);
  wanted.n_logits = causal ? static_cast<int32_t>(std::min<int64_t>(rows, wanted.n_batch)) : wanted.n_batch;
  wanted.k_type = options.k_type;
  wanted.v_type = options.v_type;
  wanted.n_threads = options.n_threads;
  wanted.exact_products = options.exact_products;
  wanted.hidden_only = hidden_only;
  wanted.pool = options.pool;
  Result<Session> session = Session::create(model, wanted);
  if (!session) return session.error();
  return ChunkSession(*std::move(session), added_bos(model.tokenizer()));
}

Status ChunkSession::compute(std::span<const Token> chunk, int64_t first_row, int64_t n_unused,
                             const std::atomic<bool>* cancel, const TakeRows& take_rows) {
  session_.cache().clear();
  const SessionOptions& options = session_.options();
  const auto n = static_cast<int64_t>(chunk.size()) - n_unused;
  for (int64_t at = 0; at < n;) {
    const bool has_rows = at >= first_row;
    const int64_t end = has_rows ? std::min<int64_t>(n, at + options.n_logits)
                                 : std::min<int64_t>(std::min(n, first_row), at + options.n_batch);
    batch_.clear();
    for (int64_t i = at; i < end; ++i) {
      const Token id = i == 0 && bos_ ? *bos_ : chunk[static_cast<size_t>(i)];
      batch_.push_back({id, static_cast<int32_t>(i), 0, has_rows});
    }
    if (Status s = session_.decode(batch_, cancel); !s) return s;
    if (has_rows && take_rows) take_rows(at, end - at);
    at = end;
  }
  return {};
}

}  // namespace hearth
