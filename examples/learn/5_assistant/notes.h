// A folder of notes and two ways to search it, as lesson 5 explains them: by words and by meaning. A note is a line
// "name: text" at the head of a file (up to the first empty line); "//" before it does not count, so that
// include/hearth is a folder of notes too.
#pragma once

#include <hearth/hearth.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

struct Note {
  std::string file, name, text;
  std::set<std::string> words{};
  std::vector<float> vector{};
};

inline std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  return words;
}

inline std::vector<Note> read_notes(const std::string& folder) {
  std::vector<Note> notes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("//")) line.erase(0, std::min(line.size(), line.find_first_not_of("/ ")));
      if (line.empty()) break;
      const size_t colon = line.find(": ");
      if (colon < 30) {
        notes.push_back({entry.path().filename().string(), line.substr(0, colon), line.substr(colon + 2)});
      } else if (!notes.empty() && notes.back().file == entry.path().filename()) {
        notes.back().text += " " + line;
      }
    }
  }
  for (Note& note : notes) note.words = words_of(note.name + " " + note.text);
  std::sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) { return a.file + a.name < b.file + b.name; });
  return notes;
}

class Library {
 public:
  static hearth::Result<Library> open(const std::string& folder, const hearth::Model& model) {
    auto embedder = hearth::Embedder::create(model, {.exact_products = true});
    if (!embedder) return embedder.error();
    Library made(read_notes(folder), std::move(*embedder));
    if (made.notes.empty()) return hearth::Error{hearth::ErrorCode::kNotFound, folder + ": no notes"};
    for (Note& note : made.notes) {
      auto vector = made.embedder_.embed(note.name + ": " + note.text);
      if (!vector) return vector.error();
      note.vector = vector->values;
      made.middle_.resize(note.vector.size());
      for (size_t i = 0; i < note.vector.size(); ++i) made.middle_[i] += note.vector[i] / float(made.notes.size());
    }
    return made;
  }

  /// By words: which part of the question a note covers, 0 to 1. Words count the more the fewer notes have them.
  std::vector<float> by_words(const std::string& question) const {
    std::vector<float> scores(notes.size());
    float all = 1e-6f;
    for (const std::string& word : words_of(question)) {
      const auto n = std::count_if(notes.begin(), notes.end(), [&](const Note& x) { return x.words.count(word) > 0; });
      const float weight = std::log((float(notes.size()) + 1) / (float(n) + 1));
      all += weight;
      for (size_t i = 0; i < notes.size(); ++i) scores[i] += notes[i].words.count(word) > 0 ? weight : 0;
    }
    for (float& score : scores) score /= all;
    return scores;
  }

  /// By meaning: the cosine of the angle between vectors, seen from the middle of all notes.
  hearth::Result<std::vector<float>> by_meaning(const std::string& question) {
    auto asked = embedder_.embed(question);
    if (!asked) return asked.error();
    std::vector<float> scores;
    for (const Note& note : notes)
      scores.push_back(hearth::cosine_similarity(from_middle(asked->values), from_middle(note.vector)));
    return scores;
  }

  /// The note with the largest sum of both, if it is at least `least`. Several threads may ask.
  hearth::Result<const Note*> nearest(const std::string& question, float least) {
    const std::lock_guard lock(*lock_);
    auto scores = by_meaning(question);
    if (!scores) return scores.error();
    const std::vector<float> words = by_words(question);
    for (size_t i = 0; i < words.size(); ++i) (*scores)[i] += words[i];
    const auto best = std::max_element(scores->begin(), scores->end());
    return *best < least ? nullptr : &notes[static_cast<size_t>(best - scores->begin())];
  }

  std::vector<Note> notes;

 private:
  Library(std::vector<Note> all, hearth::Embedder embedder) : notes(std::move(all)), embedder_(std::move(embedder)) {}
  std::vector<float> from_middle(std::vector<float> v) const {
    for (size_t i = 0; i < v.size(); ++i) v[i] -= middle_[i];
    return v;
  }
  hearth::Embedder embedder_;
  std::unique_ptr<std::mutex> lock_ = std::make_unique<std::mutex>();  ///< an embedder serves one at a time
  std::vector<float> middle_;
};
