// Making the lists of nearest entries.
#include "kernels/reference/codebook_lists.h"

#include "kernels/reference/codebook_vectors.h"

namespace hearth::kernels::reference {
namespace {

constexpr int8_t kLevelsIQ2[3] = {8, 25, 43};
constexpr int8_t kLevelsIQ3_XXS[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr int8_t kLevelsIQ3_S[8] = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr int8_t kLevelsIQ1[3] = {-8, 0, 8};

/// Room for one book, filled once.
template <int kEntries, int kPatterns>
struct Lists {
  int8_t value[kEntries][8];
  uint8_t half[kEntries][2];
  uint16_t near[kPatterns][Book::kNear];
  uint16_t first[Book::kMaxHalf + 1];
  uint16_t by_low[kEntries];
};

int level_of(const Book& book, int value) {
  int level = 0;
  while (level + 1 < book.n_levels && book.levels[level] != value) ++level;
  return level;
}

/// Number of a half of an entry.
int half_of(const Book& book, const int8_t* value) {
  const auto level = [&](int k) { return level_of(book, value[k]); };
  if (book.dims == 4) return level(0) + book.stride * level(1);
  return level(0) + 3 * level(1) + book.stride * (level(2) + 3 * level(3));
}

/// Keeps the list of `count` entries sorted by distance; the last falls off.
void insert(uint16_t* list, int* distance, int* count, int entry, int d) {
  if (*count == Book::kNear && d >= distance[*count - 1]) return;
  int at = *count < Book::kNear ? (*count)++ : *count - 1;
  for (; at > 0 && distance[at - 1] > d; --at) {
    distance[at] = distance[at - 1];
    list[at] = list[at - 1];
  }
  distance[at] = d;
  list[at] = static_cast<uint16_t>(entry);
}

void find_near(uint16_t* list, const Book& book, int pattern) {
  int wanted[8], distance[Book::kNear], count = 0;
  for (int k = 0; k < book.dims; ++k, pattern /= book.n_levels) wanted[k] = book.levels[pattern % book.n_levels];
  for (int e = 0; e < book.n_entries; ++e) {
    int d = 0;
    for (int k = 0; k < book.dims; ++k) d += (wanted[k] - book.value[e][k]) * (wanted[k] - book.value[e][k]);
    insert(list, distance, &count, e, d);
  }
}

template <typename Entry, int kCount, int kPatterns>
Book make_book(Lists<kCount, kPatterns>& lists, const int8_t* levels, int n_levels, const Entry (&vectors)[kCount]) {
  const bool pairs = n_levels == 3;
  Book book{sizeof(Entry), n_levels,   kCount,     pairs ? 9 : 8, pairs ? 16 : 8, levels,
            lists.value,   lists.near, lists.half, lists.first,   lists.by_low,   {}};
  for (int e = 0; e < kCount; ++e) {
    for (int k = 0; k < book.dims; ++k) lists.value[e][k] = static_cast<int8_t>(vectors[e] >> (8 * k));
    lists.half[e][0] = static_cast<uint8_t>(half_of(book, lists.value[e]));
    lists.half[e][1] = static_cast<uint8_t>(half_of(book, lists.value[e] + book.dims / 2));
  }
  for (int digit = 0; digit < book.n_digit; ++digit) {
    book.digit[0][digit] = static_cast<float>(levels[digit % n_levels]);
    if (pairs) book.digit[1][digit] = static_cast<float>(levels[digit / n_levels]);
  }
  int n = 0;
  for (int low = 0; low < Book::kMaxHalf; ++low) {
    lists.first[low] = static_cast<uint16_t>(n);
    for (int e = 0; e < kCount; ++e) {
      if (lists.half[e][0] == low) lists.by_low[n++] = static_cast<uint16_t>(e);
    }
  }
  lists.first[Book::kMaxHalf] = static_cast<uint16_t>(n);
  for (int pattern = 0; pattern < kPatterns; ++pattern) find_near(lists.near[pattern], book, pattern);
  return book;
}

/// A book whose room is static: nothing is allocated.
template <typename Entry, int kCount, int kPatterns>
const Book& book_of(const int8_t* levels, int n_levels, const Entry (&vectors)[kCount]) {
  static Lists<kCount, kPatterns> lists;
  static const Book book = make_book(lists, levels, n_levels, vectors);
  return book;
}

}  // namespace

const Book& find_book(BookName name) {
  const Codebooks& books = unpack_codebooks();
  switch (name) {
    case BookName::kIQ2_XXS: return book_of<uint64_t, 256, 6561>(kLevelsIQ2, 3, books.iq2_xxs.entry);
    case BookName::kIQ2_XS: return book_of<uint64_t, 512, 6561>(kLevelsIQ2, 3, books.iq2_xs.entry);
    case BookName::kIQ2_S: return book_of<uint64_t, 1024, 6561>(kLevelsIQ2, 3, books.iq2_s.entry);
    case BookName::kIQ3_XXS: return book_of<uint32_t, 256, 4096>(kLevelsIQ3_XXS, 8, books.iq3_xxs.entry);
    case BookName::kIQ3_S: return book_of<uint32_t, 512, 4096>(kLevelsIQ3_S, 8, books.iq3_s.entry);
    default: return book_of<uint64_t, 2048, 6561>(kLevelsIQ1, 3, books.iq1.entry);
  }
}

}  // namespace hearth::kernels::reference
