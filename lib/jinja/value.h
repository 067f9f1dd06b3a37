// Values of a running template: Python's objects as far as templates can see them.
//
// A Value is 16 bytes: a number, a constant, or a counted reference to an Object. Objects belong to a Heap, which
// bounds their memory and breaks reference cycles when it ends. One Heap belongs to one rendering: no threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/jinja/big_int.h"
#include "lib/jinja/text.h"

namespace hearth::jinja {

enum class Kind : uint8_t {
  kNone,
  kBool,
  kInt,
  kFloat,
  kMissing,  ///< a variable's place that holds nothing; never seen by templates
  // Objects from here on.
  kUndefined,
  kBigInt,
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,
  kRange,
  kNamespace,
  kFunction,
  kMethod,
  kMacro,
  kLoop,
  kIterator,
  kCycler,
  kJoiner,
  kBlockTable,
  kFrame,  ///< variables of a running function; never seen by templates
};

class Heap;

class Object {
 public:
  Object(Heap& heap, Kind kind, size_t bytes);
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object();
  /// Lets go of every Value held, so that cycles end.
  virtual void drop_children() {}

  Heap& heap;
  const Kind kind;

 private:
  friend class Value;
  friend class Heap;
  uint32_t references_ = 0;
  bool listed_ = true;  // in the heap's list of living objects
  const size_t bytes_;  // charged to the heap
  Object* previous_ = nullptr;
  Object* next_ = nullptr;
};

/// Keeps the account of memory. Destroyed after every Value of it.
class Heap {
 public:
  explicit Heap(size_t limit_bytes) : limit_(limit_bytes) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  /// True while `bytes` more fit. A refusal is remembered by overflowed().
  bool has_room(size_t bytes);
  void charge(size_t bytes) { used_ += bytes; }
  void discharge(size_t bytes) { used_ -= bytes < used_ ? bytes : used_; }
  bool overflowed() const { return overflowed_ || used_ > limit_; }

 private:
  friend class Object;
  friend class Value;
  void destroy(Object* object);
  void unlist(Object* object);

  size_t limit_;
  size_t used_ = 0;
  bool overflowed_ = false;
  Object* objects_ = nullptr;  // all living objects
  Object* dead_ = nullptr;     // waiting to be deleted: deep structures die without recursion
  bool draining_ = false;
};

class Value {
 public:
  Value() : kind_(Kind::kNone) { int_ = 0; }
  explicit Value(bool value) : kind_(Kind::kBool) { int_ = value; }
  explicit Value(int64_t value) : kind_(Kind::kInt) { int_ = value; }
  explicit Value(int value) : Value(static_cast<int64_t>(value)) {}
  explicit Value(size_t value) : Value(static_cast<int64_t>(value)) {}
  explicit Value(double value) : kind_(Kind::kFloat) { float_ = value; }
  explicit Value(Object* object) : kind_(object->kind) {
    object_ = object;
    ++object->references_;
  }
  Value(const Value& other) : kind_(other.kind_) {
    int_ = other.int_;
    if (is_object()) ++object_->references_;
  }
  Value(Value&& other) noexcept : kind_(std::exchange(other.kind_, Kind::kNone)) { int_ = other.int_; }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(int_, other.int_);
    return *this;
  }
  ~Value() {
    if (is_object() && --object_->references_ == 0) object_->heap.destroy(object_);
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_object() const { return kind_ >= Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  /// bool, int or big int: Python's int.
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool || kind_ == Kind::kBigInt; }
  bool is_small_int() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }

  bool as_bool() const { return int_ != 0; }
  int64_t as_int() const { return int_; }
  double as_float() const { return float_; }
  Object* object() const { return object_; }
  /// The object as its class; the caller has looked at kind().
  template <typename T>
  T& as() const {
    return *static_cast<T*>(object_);
  }
  static Value missing() {
    Value out;
    out.kind_ = Kind::kMissing;
    return out;
  }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  /// Python's `is`.
  bool same_as(const Value& other) const { return kind_ == other.kind_ && int_ == other.int_; }

 private:
  Kind kind_;
  union {
    int64_t int_;
    double float_;
    Object* object_;
  };
};
static_assert(sizeof(Value) == 16 && sizeof(Object*) <= sizeof(int64_t));

struct String : Object {
  String(Heap& heap_, Text text_, bool markup_)
      : Object(heap_, Kind::kString, sizeof(String) + text_.size()), text(std::move(text_)), markup(markup_) {}
  std::string_view bytes() const { return text.bytes(); }
  /// Number of characters, counted once.
  size_t length() const;
  /// Hash of a dictionary's key, made once.
  uint64_t hash() const;
  bool is_ascii() const { return length() == text.size(); }

  const Text text;
  const bool markup;  ///< escaped for HTML: what is joined to it is escaped first

 private:
  mutable size_t length_ = SIZE_MAX;
  mutable uint64_t hash_ = 0;
};

struct BigNumber : Object {
  BigNumber(Heap& heap_, BigInt value_)
      : Object(heap_, Kind::kBigInt, sizeof(BigNumber) + value_.bits() / 2), value(std::move(value_)) {}
  /// As text, made once: that takes the square of the length.
  const std::string& decimal() const;
  const BigInt value;

 private:
  mutable std::string decimal_;
};

/// What an absent variable, attribute or item gives. Printing it is fine, most other uses are errors.
struct Undefined : Object {
  Undefined(Heap& heap_, std::string message_, bool sandbox_)
      : Object(heap_, Kind::kUndefined, sizeof(Undefined) + message_.size()),
        message(std::move(message_)),
        sandbox(sandbox_) {}
  const std::string message;
  const bool sandbox;  ///< access was refused, not missing
};

/// list and tuple.
struct Sequence : Object {
  Sequence(Heap& heap_, Kind kind_, std::vector<Value> items_ = {})
      : Object(heap_, kind_, sizeof(Sequence) + items_.size() * sizeof(Value)), items(std::move(items_)) {}
  void drop_children() override { std::vector<Value>().swap(items); }
  void push(Value value);
  std::vector<Value> items;
  bool is_group = false;  ///< a tuple of groupby, with attributes `grouper` and `list`
};

/// Insertion-ordered hash table.
struct Dict : Object {
  explicit Dict(Heap& heap_) : Object(heap_, Kind::kDict, sizeof(Dict)) {}
  ~Dict() override;
  void drop_children() override;
  struct Entry {
    Value key, value;
    uint64_t hash;
  };
  size_t size() const { return entries.size(); }
  /// nullptr when absent. `key` must be hashable.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  void set(Value key, Value value);
  bool erase(const Value& key);
  std::vector<Entry> entries;

 private:
  template <typename Equal>
  size_t find_index(uint64_t hash, Equal equal) const;
  void rebuild(size_t slots);
  std::vector<uint32_t> slots_;  // index + 1 into entries; 0: free; empty while the dict is small
  size_t charged_ = 0;
};

struct DictView : Object {
  enum class What : uint8_t { kKeys, kValues, kItems };
  DictView(Heap& heap_, Value dict_, What what_)
      : Object(heap_, Kind::kDictView, sizeof(DictView)), dict(std::move(dict_)), what(what_) {}
  void drop_children() override { dict = Value(); }
  const Dict* get() const { return dict.is(Kind::kDict) ? &dict.as<Dict>() : nullptr; }
  Value dict;
  const What what;
};

struct Range : Object {
  Range(Heap& heap_, int64_t start_, int64_t stop_, int64_t step_, int64_t length_)
      : Object(heap_, Kind::kRange, sizeof(Range)), start(start_), stop(stop_), step(step_), length(length_) {}
  /// Wraps around where a slice asks for a place beyond 64 bits.
  int64_t at(int64_t i) const {
    return static_cast<int64_t>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(step));
  }
  const int64_t start, stop, step, length;
};

struct Namespace : Object {
  Namespace(Heap& heap_, Value attributes_)
      : Object(heap_, Kind::kNamespace, sizeof(Namespace)), attributes(std::move(attributes_)) {}
  void drop_children() override { attributes = Value(); }
  Value attributes;  ///< a Dict
};

/// Hash and equality of dictionary keys, as Python has them (1 == 1.0 == True).
uint64_t hash_of(const Value& key);
uint64_t hash_of(std::string_view key);
bool is_hashable(const Value& value);
bool keys_equal(const Value& a, const Value& b);

}  // namespace hearth::jinja
