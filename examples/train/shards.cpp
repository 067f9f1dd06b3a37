// Packing documents into shards, and what each token counts.
#include "examples/train/shards.h"

#include <algorithm>

#include "examples/train/chat_text.h"

namespace train {
namespace {

std::vector<hearth::Token> encode(const hearth::Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = true});
  return ids ? *ids : std::vector<hearth::Token>();
}

}  // namespace

ShardSource::ShardSource(hearth::Tokenizer tokenizer, uint64_t seed, int64_t tokens, int64_t n_ctx)
    : tokenizer_(std::move(tokenizer)),
      seed_(seed),
      tokens_(tokens),
      n_ctx_(n_ctx),
      answer_start_(encode(tokenizer_, kAnswerStart)),
      message_start_(tokenizer_.find(kMessageStart).value_or(-1)),
      message_end_(tokenizer_.find(kMessageEnd).value_or(-1)) {}

Shard ShardSource::make(uint64_t number, Stage stage) const {
  Dice dice(seed_ * 0x9e3779b97f4a7c15ull + number, Split::kTraining);
  Shard shard;
  while (append(shard, document(dice, stage))) {
  }
  return shard;
}

bool ShardSource::append(Shard& shard, const Document& document) const {
  const std::string_view text = document.text;
  std::vector<hearth::Token> ids = encode(tokenizer_, text.substr(0, document.known));
  const size_t known = ids.size();  // tokens before what is repeated
  const std::vector<hearth::Token> rest = encode(tokenizer_, text.substr(document.known));
  ids.insert(ids.end(), rest.begin(), rest.end());
  ids.resize(std::min(ids.size(), static_cast<size_t>(n_ctx_)));
  const bool full = static_cast<int64_t>(shard.ids.size() + ids.size()) > tokens_;
  if (full && !shard.ids.empty()) return false;

  const bool chat = !ids.empty() && ids[0] == message_start_;
  const bool sums = !chat && known == 0 && text.find('=') != text.npos;
  bool answering = !chat && !sums;
  for (size_t i = 0; i < ids.size(); ++i) {
    const size_t seen = i + 1;
    if (chat && seen >= answer_start_.size() &&
        std::equal(answer_start_.begin(), answer_start_.end(),
                   ids.begin() + static_cast<std::ptrdiff_t>(seen - answer_start_.size()))) {
      answering = true;
    }
    if (sums) {
      const std::string_view piece = tokenizer_.piece(ids[i]);
      answering = piece.find('=') != piece.npos || (answering && piece.find('\n') == piece.npos);
    }
    if (known > 0) answering = seen > known;
    const bool last = seen == ids.size();
    shard.ids.push_back(ids[i]);
    shard.targets.push_back(last ? 0 : ids[seen]);
    shard.weights.push_back(last ? 0.0f : answering ? 1.0f : kContextWeight);
    if (chat && !last && ids[seen] == message_end_) answering = false;
  }
  shard.starts.push_back(static_cast<int64_t>(shard.ids.size()));
  return !full;
}

}  // namespace train
