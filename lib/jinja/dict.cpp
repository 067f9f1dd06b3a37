// The dictionary: entries in insertion order, and an open-addressing index over them once there are many.
#include <bit>
#include <cmath>
#include <ctime>

#include "lib/jinja/value.h"

namespace hearth::jinja {
namespace {

// Other in every process, so that nobody can prepare keys that collide. No result depends on it: dictionaries are
// ordered by insertion.
const uint64_t kSeed = 0xCBF29CE484222325u ^ static_cast<uint64_t>(std::time(nullptr)) ^
                       static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&kSeed)) << 16;

constexpr size_t kSmall = 8;  // up to here a linear scan is as fast

uint64_t mix(uint64_t x) {  // splitmix64 (Steele, Lea, Flood 2014)
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

}  // namespace

uint64_t hash_of(std::string_view key) {
  uint64_t h = kSeed ^ key.size();
  for (const char c : key) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return mix(h);
}

uint64_t String::hash() const {
  if (hash_ == 0) hash_ = hash_of(bytes());
  return hash_;
}

uint64_t hash_of(const Value& key) {
  switch (key.kind()) {
    case Kind::kBool:
    case Kind::kInt: return mix(static_cast<uint64_t>(key.as_int()));
    case Kind::kFloat: {
      const double value = key.as_float();
      if (std::trunc(value) == value && std::fabs(value) < 9.2e18) {
        return mix(static_cast<uint64_t>(static_cast<int64_t>(value)));
      }
      return mix(std::bit_cast<uint64_t>(value));
    }
    case Kind::kBigInt: return mix(std::bit_cast<uint64_t>(key.as<BigNumber>().value.to_double()));
    case Kind::kString: return key.as<String>().hash();
    case Kind::kTuple: {
      uint64_t h = 1;
      for (const Value& item : key.as<Sequence>().items) h = mix(h ^ hash_of(item));
      return h;
    }
    case Kind::kNone: return 2;
    case Kind::kUndefined: return 3;
    default: return mix(reinterpret_cast<uintptr_t>(key.object()));
  }
}

bool is_hashable(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kDict:
    case Kind::kDictView: return false;
    case Kind::kTuple:
      for (const Value& item : value.as<Sequence>().items) {
        // Tuples inside tuples are refused below this depth rather than walked without bound.
        if (item.is(Kind::kTuple)) {
          for (const Value& inner : item.as<Sequence>().items) {
            if (inner.is(Kind::kTuple) || !is_hashable(inner)) return false;
          }
        } else if (!is_hashable(item)) {
          return false;
        }
      }
      return true;
    default: return true;
  }
}

bool keys_equal(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return a.same_as(b) || a.as<String>().bytes() == b.as<String>().bytes();
  if (a.is_number() && b.is_number()) {
    if (a.is_small_int() && b.is_small_int()) return a.as_int() == b.as_int();
    if (a.is(Kind::kBigInt) && b.is(Kind::kBigInt)) {
      return BigInt::compare(a.as<BigNumber>().value, b.as<BigNumber>().value) == 0;
    }
    const auto number = [](const Value& value) {
      if (value.is(Kind::kFloat)) return value.as_float();
      if (value.is(Kind::kBigInt)) return value.as<BigNumber>().value.to_double();
      return static_cast<double>(value.as_int());
    };
    return number(a) == number(b);
  }
  if (a.is(Kind::kTuple) && b.is(Kind::kTuple)) {
    const auto& x = a.as<Sequence>().items;
    const auto& y = b.as<Sequence>().items;
    if (x.size() != y.size()) return false;
    for (size_t i = 0; i < x.size(); ++i) {
      if (!keys_equal(x[i], y[i])) return false;
    }
    return true;
  }
  if (a.is_undefined() && b.is_undefined()) return true;
  return a.same_as(b);
}

Dict::~Dict() {
  heap.discharge(charged_);
}

void Dict::drop_children() {
  std::vector<Entry>().swap(entries);
  slots_.clear();
}

template <typename Equal>
size_t Dict::find_index(uint64_t hash, Equal equal) const {
  if (slots_.empty()) {
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].hash == hash && equal(entries[i].key)) return i;
    }
    return SIZE_MAX;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t slot = static_cast<size_t>(hash) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const Entry& entry = entries[slots_[slot] - 1];
    if (entry.hash == hash && equal(entry.key)) return slots_[slot] - 1;
  }
  return SIZE_MAX;
}

const Value* Dict::find(const Value& key) const {
  const size_t i = find_index(hash_of(key), [&](const Value& other) { return keys_equal(key, other); });
  return i == SIZE_MAX ? nullptr : &entries[i].value;
}

const Value* Dict::find(std::string_view key) const {
  const size_t i = find_index(
      hash_of(key), [&](const Value& other) { return other.is_string() && other.as<String>().bytes() == key; });
  return i == SIZE_MAX ? nullptr : &entries[i].value;
}

void Dict::rebuild(size_t slots) {
  slots_.assign(slots, 0);
  const size_t mask = slots - 1;
  for (size_t i = 0; i < entries.size(); ++i) {
    size_t slot = static_cast<size_t>(entries[i].hash) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(i + 1);
  }
}

void Dict::set(Value key, Value value) {
  const uint64_t hash = hash_of(key);
  const size_t i = find_index(hash, [&](const Value& other) { return keys_equal(key, other); });
  if (i != SIZE_MAX) {
    entries[i].value = std::move(value);
    return;
  }
  constexpr size_t kEntryBytes = sizeof(Entry) + 2 * sizeof(uint32_t);
  heap.charge(kEntryBytes);
  charged_ += kEntryBytes;
  entries.push_back({std::move(key), std::move(value), hash});
  if (entries.size() <= kSmall) return;
  if (entries.size() * 2 > slots_.size()) {
    rebuild(std::bit_ceil(entries.size() * 4));
  } else {
    const size_t mask = slots_.size() - 1;
    size_t slot = static_cast<size_t>(hash) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(entries.size());
  }
}

bool Dict::erase(const Value& key) {
  const size_t i = find_index(hash_of(key), [&](const Value& other) { return keys_equal(key, other); });
  if (i == SIZE_MAX) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
  if (!slots_.empty()) rebuild(slots_.size());
  return true;
}

}  // namespace hearth::jinja
