// Learning counts pairs over the distinct words of the text; there are few of them, so nothing is cached.
#include "examples/train/bpe.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>

namespace train {
namespace {

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_newline(char c) {
  return c == '\n' || c == '\r';
}
bool is_mark(char c) {
  return !is_letter(c) && !is_digit(c) && !is_space(c);
}

template <typename Test>
size_t run(std::string_view text, size_t from, Test test) {
  while (from < text.size() && test(text[from])) ++from;
  return from;
}

/// Length of 's, 't, 're, ... at the start, else 0.
size_t contraction(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto lower = [&](size_t i) { return i < text.size() ? std::tolower(static_cast<unsigned char>(text[i])) : 0; };
  const int a = lower(1), b = lower(2);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return a == 's' || a == 't' || a == 'm' || a == 'd' ? 2 : 0;
}

size_t space_length(std::string_view text) {
  const size_t end = run(text, 0, is_space);
  for (size_t i = end; i > 0; --i) {
    if (is_newline(text[i - 1])) return i;  // \s*[\r\n]+
  }
  return end == text.size() || end == 1 ? end : end - 1;  // \s+(?!\S): leaves one space for the word
}

/// Length of the first piece of a text that is not empty; one line for each alternative of the rule.
size_t piece_length(std::string_view text) {
  if (const size_t n = contraction(text); n > 0) return n;
  const bool lead = !is_letter(text[0]) && !is_digit(text[0]) && !is_newline(text[0]);
  if (const size_t end = run(text, lead ? 1 : 0, is_letter); end > (lead ? 1u : 0u)) return end;
  if (is_digit(text[0])) return 1;
  const size_t from = text[0] == ' ' ? 1 : 0;
  if (const size_t end = run(text, from, is_mark); end > from) return run(text, end, is_newline);
  return space_length(text);
}

using Word = std::vector<int>;

/// Replaces each pair (a, b) by `merged`, from left to right.
void apply_merge(Word& word, int a, int b, int merged) {
  size_t out = 0;
  for (size_t i = 0; i < word.size(); ++i) {
    if (i + 1 < word.size() && word[i] == a && word[i + 1] == b) {
      word[out++] = merged;
      ++i;
    } else {
      word[out++] = word[i];
    }
  }
  word.resize(out);
}

/// How often each word occurs between special tokens.
std::map<std::string_view, int64_t> count_words(std::string_view text, const std::vector<std::string>& special) {
  std::map<std::string_view, int64_t> counts;
  while (!text.empty()) {
    size_t end = text.size(), skip = 0;
    for (const std::string& mark : special) {
      if (const size_t at = text.find(mark); at < end) end = at, skip = mark.size();
    }
    for (const std::string_view word : split_words(text.substr(0, end))) ++counts[word];
    text.remove_prefix(end + skip);
  }
  return counts;
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t n = piece_length(text);
    words.push_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return words;
}

Vocabulary learn_vocabulary(std::string_view text, size_t n_vocab, std::vector<std::string> special) {
  std::vector<std::pair<Word, int64_t>> words;
  for (const auto& [word, count] : count_words(text, special)) {
    words.emplace_back(Word{}, count);
    for (const char c : word) words.back().first.push_back(static_cast<unsigned char>(c));
  }
  Vocabulary vocabulary;
  vocabulary.special = std::move(special);
  std::vector<std::string>& tokens = vocabulary.tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  while (vocabulary.size() < n_vocab) {
    std::map<std::pair<int, int>, int64_t> pairs;
    for (const auto& [word, count] : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) pairs[{word[i], word[i + 1]}] += count;
    }
    auto best = pairs.end();
    for (auto it = pairs.begin(); it != pairs.end(); ++it) {
      if (best == pairs.end() || it->second > best->second) best = it;  // ties: the lowest ids
    }
    if (best == pairs.end() || best->second < 2) break;
    const auto [a, b] = best->first;
    vocabulary.merges.emplace_back(tokens[static_cast<size_t>(a)], tokens[static_cast<size_t>(b)]);
    // Two ways to the same bytes are two merges but one token.
    const std::string joined = vocabulary.merges.back().first + vocabulary.merges.back().second;
    const auto merged = std::find(tokens.begin(), tokens.end(), joined) - tokens.begin();
    if (static_cast<size_t>(merged) == tokens.size()) tokens.push_back(joined);
    for (auto& [word, count] : words) apply_merge(word, a, b, static_cast<int>(merged));
  }
  return vocabulary;
}

std::string byte_letters(std::string_view bytes) {
  const auto prints = [](int b) { return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae; };
  std::string out;
  for (const char c : bytes) {
    const int b = static_cast<unsigned char>(c);
    int code = b;
    if (!prints(b)) {
      code = 256;
      for (int other = 0; other < b; ++other) code += prints(other) ? 0 : 1;
    }
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else {
      out += static_cast<char>(0xc0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return out;
}

}  // namespace train
