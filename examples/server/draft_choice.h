// Which models may guess for another: smaller ones of the same vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model_store.h"

namespace hearth_server {

/// What tells vocabularies apart: loading compares every token, this only the first of them.
struct VocabularyKey {
  uint64_t hash = 0;  ///< of the first tokens, and of the ids that begin and end a text; 0: the file has none
  size_t n_tokens = 0;
};

/// Of a file, remembered until it changes.
VocabularyKey vocabulary_key(const ModelEntry& entry);

/// Short names of the entries that may guess for `target`.
std::vector<std::string> drafts_for(const ModelStore& store, const std::vector<ModelEntry>& entries,
                                    const ModelEntry& target);

}  // namespace hearth_server
