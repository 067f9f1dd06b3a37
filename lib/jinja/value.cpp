// Memory account, strings and sequences; the dictionary is in dict.cpp.
#include "lib/jinja/value.h"

#include "lib/unicode/characters.h"

namespace hearth::jinja {

Object::Object(Heap& heap_, Kind kind_, size_t bytes) : heap(heap_), kind(kind_), bytes_(bytes) {
  heap.charge(bytes_);
  next_ = heap.objects_;
  if (next_) next_->previous_ = this;
  heap.objects_ = this;
}

Object::~Object() {
  heap.discharge(bytes_);
  if (listed_) heap.unlist(this);  // its construction failed
}

Heap::~Heap() {
  while (objects_) {
    // What is left refers to itself in a circle: an owner of its own keeps the object while its children go.
    Value keep(objects_);
    objects_->drop_children();
    if (keep.object() == objects_) unlist(objects_);
  }
}

bool Heap::has_room(size_t bytes) {
  if (bytes <= limit_ && used_ <= limit_ - bytes) return true;
  overflowed_ = true;
  return false;
}

void Heap::destroy(Object* object) {
  if (object->listed_) unlist(object);
  object->next_ = dead_;
  dead_ = object;
  if (draining_) return;
  draining_ = true;
  while (dead_) {
    Object* next = dead_;
    dead_ = next->next_;
    delete next;
  }
  draining_ = false;
}

void Heap::unlist(Object* object) {
  if (object->previous_) object->previous_->next_ = object->next_;
  if (object->next_) object->next_->previous_ = object->previous_;
  if (objects_ == object) objects_ = object->next_;
  object->listed_ = false;
}

size_t String::length() const {
  if (length_ == SIZE_MAX) length_ = unicode::count(bytes());
  return length_;
}

const std::string& BigNumber::decimal() const {
  if (decimal_.empty()) decimal_ = value.to_string();
  return decimal_;
}

void Sequence::push(Value value) {
  heap.charge(sizeof(Value));  // never given back: a bound, not an exact account
  items.push_back(std::move(value));
}

}  // namespace hearth::jinja
