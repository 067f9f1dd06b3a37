// How well a folder of notes is searched, as lesson 5 explains it: by words, by meaning, by the sum of both.
//
//   search EMBEDDER NOTES QUESTIONS
//
// A line of QUESTIONS is "file: question", with the file that has the answer.
#include <cstdio>
#include <numeric>

#include "notes.h"

namespace {

/// The place of the best note of a file when the notes stand in the order of their scores: 1 is the first.
int place(const std::vector<float>& scores, const std::vector<Note>& notes, const std::string& file) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  const auto found = std::find_if(order.begin(), order.end(), [&](size_t i) { return notes[i].file == file; });
  return static_cast<int>(found - order.begin()) + 1;
}

int fail(const hearth::Error& error) {
  return std::fprintf(stderr, "%s\n", error.message.c_str()), 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: search EMBEDDER NOTES QUESTIONS\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return fail(model.error());
  auto library = Library::open(argv[2], *model);
  if (!library) return fail(library.error());
  std::printf("%zu notes, vectors of %zu numbers\n", library->notes.size(), library->notes[0].vector.size());

  std::printf("place of the right note                                 words  meaning  both\n");
  int n = 0, first[3] = {}, near[3] = {};
  std::ifstream questions(argv[3]);
  for (std::string line; std::getline(questions, line); ++n) {
    const std::string file = line.substr(0, line.find(": ")), question = line.substr(file.size() + 2);
    const std::vector<float> words = library->by_words(question);
    const auto meaning = library->by_meaning(question);
    if (!meaning) return fail(meaning.error());
    std::vector<float> both = words;
    for (size_t i = 0; i < both.size(); ++i) both[i] += (*meaning)[i];
    const std::vector<float>* scores[] = {&words, &*meaning, &both};
    int places[3];
    for (int k = 0; k < 3; ++k) {
      places[k] = place(*scores[k], library->notes, file);
      first[k] += places[k] == 1;
      near[k] += places[k] <= 3;
    }
    std::printf("  %-52s %6d %8d %5d\n", question.c_str(), places[0], places[1], places[2]);
  }
  std::printf("  %-52s %6d %8d %5d\n", "first", first[0], first[1], first[2]);
  std::printf("  %-52s %6d %8d %5d\n", "among the first three", near[0], near[1], near[2]);
  return n > 0 ? 0 : 1;
}
