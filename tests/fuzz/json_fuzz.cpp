// Fuzz entry: any bytes as a JSON document. What the reader accepts, the writer writes; that must read back as the same
// events, within the bounds on depth.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/json/reader.h"
#include "lib/json/writer.h"

namespace {

using hearth::json::Event;
using hearth::json::Reader;
using hearth::json::Writer;

constexpr int kMaxDepth = 50;

void write(Writer& writer, Event event, const Reader& reader) {
  switch (event) {
    case Event::kObject: writer.begin_object(); break;
    case Event::kEndObject: writer.end_object(); break;
    case Event::kArray: writer.begin_array(); break;
    case Event::kEndArray: writer.end_array(); break;
    case Event::kKey: writer.key(reader.text()); break;
    case Event::kString: writer.string(reader.text()); break;
    case Event::kInteger:
    case Event::kReal: writer.raw(reader.text()); break;
    case Event::kTrue:
    case Event::kFalse: writer.boolean(event == Event::kTrue); break;
    default: writer.null(); break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Reader lenient(text, {.max_depth = kMaxDepth, .python_numbers = true, .any_bytes = true});
  for (Event event = lenient.next(); event != Event::kEnd && event != Event::kError; event = lenient.next()) {
    if (lenient.depth() > kMaxDepth || lenient.offset() > size) __builtin_trap();
    (void)lenient.integer();
    (void)lenient.number();
  }
  if (lenient.next() == Event::kError && lenient.error().message.empty()) __builtin_trap();

  std::string written;
  Writer writer(written, size % 3 == 0 ? 2 : 0);
  Reader reader(text, {.max_depth = kMaxDepth});
  Event event = reader.next();
  for (; event != Event::kEnd && event != Event::kError; event = reader.next()) write(writer, event, reader);
  if (event == Event::kError) return 0;
  Reader first(text), again(written);
  do {
    event = first.next();
    if (again.next() != event || again.text() != first.text()) __builtin_trap();
  } while (event != Event::kEnd);
  return 0;
}
