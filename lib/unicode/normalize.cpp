// Canonical decomposition, order and composition. Hangul syllables are computed (Unicode Standard, section 3.12).
#include "lib/unicode/normalize.h"

#include "lib/unicode/table_lookup.h"
#include "lib/unicode/utf8.h"

namespace hearth::unicode {
namespace {

constexpr uint32_t kSyllableFirst = 0xAC00, kLeadFirst = 0x1100, kVowelFirst = 0x1161, kTailFirst = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;
constexpr uint32_t kCodeBits = 21, kCodeMask = (1u << kCodeBits) - 1;

uint32_t code_of(uint64_t entry) {
  return static_cast<uint32_t>(entry >> 2 * kCodeBits);
}
/// First and second part, as one number to compare.
uint64_t parts_of(uint64_t entry) {
  return entry & ((uint64_t{1} << 2 * kCodeBits) - 1);
}

/// Entry of the table; 0 when `c` stands for itself.
uint64_t find_decomposition(uint32_t c) {
  const uint64_t* at = std::lower_bound(std::begin(tables::kDecompositions), std::end(tables::kDecompositions), c,
                                        [](uint64_t entry, uint32_t code) { return code_of(entry) < code; });
  return at != std::end(tables::kDecompositions) && code_of(*at) == c ? *at : 0;
}

/// What two code points are together; 0 when they stay two.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first - kLeadFirst < kLeads && second - kVowelFirst < kVowels)
    return kSyllableFirst + ((first - kLeadFirst) * kVowels + (second - kVowelFirst)) * kTails;
  const uint32_t syllable = first - kSyllableFirst;
  if (syllable < kSyllables && syllable % kTails == 0 && second > kTailFirst && second - kTailFirst < kTails)
    return first + (second - kTailFirst);
  const uint64_t wanted = uint64_t{first} << kCodeBits | second;
  const uint16_t* at =
      std::lower_bound(std::begin(tables::kCompositions), std::end(tables::kCompositions), wanted,
                       [](uint16_t i, uint64_t parts) { return parts_of(tables::kDecompositions[i]) < parts; });
  if (at == std::end(tables::kCompositions)) return 0;
  const uint64_t entry = tables::kDecompositions[*at];
  return parts_of(entry) == wanted ? code_of(entry) : 0;
}

/// Composes decomposed text in place (Unicode Standard, section 3.11, D117).
void compose_all(std::vector<uint32_t>& text) {
  constexpr size_t kNone = SIZE_MAX;
  size_t starter = kNone, end = 0;
  uint32_t last_class = 0;  // of what stands between the starter and the next code point; 0: nothing
  for (const uint32_t c : text) {
    const uint32_t combining = combining_class(c);
    const bool adjacent = starter != kNone && end == starter + 1;
    const bool open = starter != kNone && (adjacent || (last_class != 0 && last_class < combining));
    const uint32_t composed = open ? compose(text[starter], c) : 0;
    if (composed != 0) {
      text[starter] = composed;
      continue;
    }
    if (combining == 0) starter = end;
    last_class = combining;
    text[end++] = c;
  }
  text.resize(end);
}

bool changes_in_nfc(uint32_t c) {
  return (tables::properties(c) & tables::kChangesInNfc) != 0;
}

}  // namespace

uint32_t combining_class(uint32_t c) {
  if ((tables::properties(c) & tables::kChangesInNfd) == 0) return 0;
  const uint32_t* after = std::upper_bound(std::begin(tables::kCombiningClasses), std::end(tables::kCombiningClasses),
                                           c, [](uint32_t code, uint32_t entry) { return code < entry >> 8; });
  return after[-1] & 0xFF;
}

void Decomposer::decompose(uint32_t c) {
  if ((tables::properties(c) & tables::kChangesInNfd) == 0) return parts_.push_back(c);
  const uint32_t syllable = c - kSyllableFirst;
  if (syllable < kSyllables) {
    parts_.push_back(kLeadFirst + syllable / (kVowels * kTails));
    parts_.push_back(kVowelFirst + syllable / kTails % kVowels);
    if (syllable % kTails != 0) parts_.push_back(kTailFirst + syllable % kTails);
    return;
  }
  // Only the first part can be taken apart again.
  uint32_t rest[8];
  size_t n = 0;
  for (uint64_t entry; n < std::size(rest) && (entry = find_decomposition(c)) != 0;) {
    rest[n++] = static_cast<uint32_t>(entry) & kCodeMask;
    c = static_cast<uint32_t>(entry >> kCodeBits) & kCodeMask;
  }
  parts_.push_back(c);
  while (n > 0) {
    if (rest[--n] != 0) parts_.push_back(rest[n]);
  }
}

bool Decomposer::add(uint32_t c) {
  const uint32_t combining = combining_class(c);
  if (combining == 0) return true;
  pending_.push_back({c, combining});
  return false;
}

void Decomposer::sort() {
  if (pending_.size() < 2) return;
  std::stable_sort(pending_.begin(), pending_.end(),
                   [](const Mark& a, const Mark& b) { return a.combining < b.combining; });
}

bool is_surely_nfc(std::string_view text) {
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const utf8::CodePoint c = utf8::decode_clean(p);
    if (c.value >= 0x300 && changes_in_nfc(c.value)) return false;
    p += c.n_bytes;
  }
  return true;
}

std::string nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<uint32_t> part;
  Decomposer decomposer;
  const auto keep = [&part](uint32_t c) { part.push_back(c); };
  const char* end = text.data() + text.size();
  const char* copied = text.data();    // up to here it is in `out`
  const char* previous = text.data();  // the last character before p, to which p may belong
  for (const char* p = text.data(); p < end;) {
    utf8::CodePoint c = utf8::decode_clean(p);
    if (!changes_in_nfc(c.value)) {
      previous = p;
      p += c.n_bytes;
      continue;
    }
    out.append(copied, previous);
    for (p = previous; p < end; p += c.n_bytes) {
      c = utf8::decode_clean(p);
      if (p != previous && !changes_in_nfc(c.value)) break;
      decomposer.push(c.value, keep);
    }
    decomposer.finish(keep);
    compose_all(part);
    for (const uint32_t code : part) utf8::append(out, code);
    part.clear();
    copied = previous = p;
  }
  return out.append(copied, end);
}

}  // namespace hearth::unicode
