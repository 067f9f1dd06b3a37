// The loop of generation that Session::generate and Chat share.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "hearth/session.h"

namespace hearth {

/// Samples and decodes in sequence 0, from the logits of the prompt on, until something ends the text; a full context
/// and a cancelled decode end it, other errors are returned. With GenerateOptions::speculator drafts are checked.
/// `on_first` is called once the first token is there.
Status write_text(Session& session, Generator& generator, const GenerateOptions& options, const TextCallback& on_text,
                  const std::function<void()>& on_first);

/// Ids that a sequence holds, position by position; -1 where it holds none.
std::vector<Token> cached_tokens(const KVCache& cache, SeqId seq);

/// Keeps of sequence 0 what begins as `prompt` does, less than all of it; or else begins with a known prefix. How many
/// tokens that is.
Result<int32_t> keep_common(Session& session, SeqId seq, std::span<const Token> cached, std::span<const Token> prompt);

/// Tokens of `text` that Session::reuse_changed() would keep of an old text at best, where it keeps what stands behind
/// a change.
int32_t kept_of(std::span<const Token> old_text, std::span<const Token> text, int32_t min_stretch);

/// Computes a prompt in sequence 0, but for what is known of it; with `continues` also for what the sequence holds. How
/// many tokens that is.
Result<int32_t> compute_prompt(Session& session, std::span<const Token> prompt, const GenerateOptions& options,
                               bool continues);

}  // namespace hearth
