// Building of the string hash table.
#include "lib/tokenizer/string_table.h"

#include <bit>

namespace hearth {

void StringTable::reserve(size_t n) {
  if (2 * n < slots_.size()) return;
  std::vector<Slot> old(std::bit_ceil(n * 2 + 2));
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    const StringKey key(std::string_view(texts_[static_cast<size_t>(slot.id)], slot.size));
    size_t i = static_cast<size_t>(key.hash) & mask_;
    while (slots_[i].id >= 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

int32_t StringTable::insert(std::string_view text, int32_t id) {
  if (2 * (size_ + 1) > slots_.size()) reserve(2 * size_ + 16);
  const StringKey key(text);
  size_t i = static_cast<size_t>(key.hash) & mask_;
  for (; slots_[i].id >= 0; i = (i + 1) & mask_) {
    const Slot& slot = slots_[i];
    if (slot.head == key.head && slot.size == text.size() && same_rest(slot, text)) break;
  }
  const int32_t before = slots_[i].id;
  slots_[i] = {key.head, static_cast<uint32_t>(text.size()), id};
  if (texts_.size() <= static_cast<size_t>(id)) texts_.resize(static_cast<size_t>(id) + 1);
  texts_[static_cast<size_t>(id)] = text.data();
  size_ += before < 0;
  return before;
}

}  // namespace hearth
