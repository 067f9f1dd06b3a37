// What the sweeps of calls have in common: a tiny model with a template, sessions over it, successes as texts.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "hearth/hearth.h"
#include "out_of_memory/sweep.h"
#include "support/tiny_model.h"

namespace hearth::testing {

inline constexpr const char* kTemplate =
    "{% macro say(m) %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endmacro %}"
    "{% set ns = namespace(n=0) %}{% for m in messages %}{{ say(m) }}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{{ messages | map(attribute='role') | join(', ') }}"
    "{{ '%s of %d' | format('n', ns.n) }}{{ 2 ** 100 }}<|assistant|>";

/// A small model's file, with a template.
inline const std::vector<std::byte>& tiny_file() {
  static const std::vector<std::byte> bytes = [] {
    TinyModel tiny;
    tiny.texts["tokenizer.chat_template"] = kTemplate;
    tiny.texts["general.name"] = "a tiny model of this test";
    return tiny.gguf();
  }();
  return bytes;
}

inline const Model& tiny_model() {
  static const Model model = *Model::from_memory(tiny_file());
  return model;
}

inline Session make_session(const SessionOptions& more = {}) {
  SessionOptions options = more;
  options.n_ctx = 256;
  options.n_threads = 2;
  return *Session::create(tiny_model(), options);
}

inline std::string describe(const Model& model) {
  return model.info().name + " " + std::to_string(model.info().n_parameters) + " " +
         std::to_string(model.tokenizer().n_vocab()) + model.info().quantization;
}

inline std::string joined(std::span<const Token> ids) {
  std::string text;
  for (const Token id : ids) text += std::to_string(id) + " ";
  return text;
}

}  // namespace hearth::testing
