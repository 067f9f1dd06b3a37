// The pre-tokenizers of byte-pair vocabularies (tokenizer.ggml.pre) as a table: one row per behavior.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hearth {

struct PreRule {
  enum Flag : uint32_t {
    kWholeWordFirst = 1,  ///< a word that is a token needs no merges
    kAddBos = 2,          ///< BOS unless the file says otherwise
    kAddSep = 4,          ///< SEP unless the file says otherwise
    kCleanSpaces = 8,     ///< decoding removes spaces before punctuation
    kNoDefaultBos = 16,   ///< no BOS id unless the file names one
    kPlainSpaces = 32,    ///< spaces are written "▁"
    kNewlineRuns = 64,    ///< a run of newlines that is a token needs no merges
    kForceBos = 128,      ///< BOS even when the file says no
    kPlainBytes = 256,    ///< bytes are not mapped to letters: merges run on characters
    kKeepCase = 512,      ///< no lower-casing unless the file asks for it
    kNfc = 1024,          ///< text is put into Unicode's form NFC first
  };
  static constexpr size_t kMaxNames = 12;
  static constexpr size_t kMaxSteps = 7;

  std::array<std::string_view, kMaxNames> names;  ///< unused ones are empty
  std::array<std::string_view, kMaxSteps> steps;  ///< each splits every piece that the step before gave
  uint32_t flags;
};

/// Steps that are not regular: see pre_splitter.cpp.
inline constexpr std::string_view kTrailingSpaceStep = "@trailing-space";  ///< \s+$ of a piece
inline constexpr std::string_view kThousandsStep = "@thousands";           ///< digits in threes from the right
inline constexpr std::string_view kDigitGroupsStep = "@digit-groups";      ///< numbers in threes from the right

inline constexpr std::string_view kSpaceCascadeStep = "@space-cascade";  ///< blanks in powers of two, largest first

/// nullptr when the name is unknown.
const PreRule* find_pre_rule(std::string_view name);

}  // namespace hearth
