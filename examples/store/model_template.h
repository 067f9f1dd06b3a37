// Which template a model is talked to with: the one of its file (Jinja) or the one that its store adds (Go's language),
// and what can be done with it.
#pragma once

#include <string>
#include <vector>

#include "entry.h"
#include "facts.h"
#include "hearth/chat_template.h"

namespace hearth_store {

/// As Ollama chooses: the store's, unless the file's can do more.
struct TemplateChoice {
  bool is_go = false;
  std::string shown{};                      ///< its text, as /api/show tells it
  std::vector<std::string> capabilities{};  ///< "completion" or "embedding", "tools", "thinking", "insert"

  bool can(std::string_view capability) const;
};

TemplateChoice choose_template(const Entry& entry, const ModelFacts& facts);

/// Compiles the chosen template. kFormat, kUnsupported: the store's is none that can be used.
hearth::Result<hearth::ChatTemplate> compile_template(const TemplateChoice& choice, const hearth::GgufFile& file,
                                                      const hearth::Tokenizer& tokenizer);

}  // namespace hearth_store
