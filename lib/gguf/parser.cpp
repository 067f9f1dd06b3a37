// Header and metadata of one GGUF file. Tensor infos are in parse_tensors.cpp.
#include "lib/gguf/parser.h"

#include <bit>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/gguf/limits.h"
#include "lib/gguf/name_index.h"

namespace hearth {
namespace {

constexpr uint32_t kMagic = 0x46554747;         // "GGUF"
constexpr uint32_t kMagicSwapped = 0x47475546;  // "FUGG"

/// What people take for a model by mistake; empty for others.
std::string what_it_may_be(std::string_view head) {
  if (head.starts_with("version https://git-lfs"))
    return "; this is a pointer of Git LFS: git lfs pull fetches the model";
  if (head.starts_with("<!DO") || head.starts_with("<!do") || head.starts_with("<htm")) {
    return "; a web page was saved instead of the model";
  }
  const bool has_json = head.size() > 9 && head[8] == '{' && head.substr(4, 4) == std::string_view("\0\0\0\0", 4);
  return has_json ? "; this looks like safetensors, which hearth convert turns into GGUF" : "";
}

}  // namespace

Error GgufParser::fail(uint64_t offset, const std::string& what, ErrorCode code) const {
  return Error{code, concat(label_, ": ", what, " (at offset ", offset, ")")};
}

Result<GgufShard> GgufParser::parse() {
  if (Status s = parse_header(); !s) return s.error();
  if (Status s = parse_entries(); !s) return s.error();
  if (Status s = index_entries(); !s) return s.error();
  if (Status s = find_alignment(); !s) return s.error();
  if (Status s = parse_tensors(); !s) return s.error();
  if (Status s = place_tensors(); !s) return s.error();
  if (Status s = check_overlap(); !s) return s.error();
  return std::move(shard_);
}

Status GgufParser::parse_header() {
  if (bytes_.empty()) return fail(0, "the file is empty");
  uint32_t magic = 0;
  if (!cursor_.read(magic)) return fail(0, concat("not a GGUF file: only ", bytes_.size(), " bytes"));
  if (magic == kMagicSwapped) return fail(0, "a big-endian GGUF file is not supported", ErrorCode::kUnsupported);
  if (magic != kMagic) {
    const std::string_view head(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    return fail(0, concat("not a GGUF file: it begins with ", quoted(head.substr(0, 4)), what_it_may_be(head)));
  }
  uint32_t version = 0;
  if (!cursor_.read(version)) return fail(4, "the file ends before the version");
  if (version != 0 && (version & 0xffff) == 0) {
    return fail(4, "a big-endian GGUF file is not supported", ErrorCode::kUnsupported);
  }
  if (version != 2 && version != 3) {
    return fail(4, concat("GGUF version ", version, " is not supported, only 2 and 3"), ErrorCode::kUnsupported);
  }
  shard_.version = version;
  if (!cursor_.read(n_tensors_) || !cursor_.read(n_entries_)) {
    return fail(cursor_.offset(), "the file ends in the header");
  }
  const uint64_t room = cursor_.remaining();
  if (n_tensors_ > room / gguf_limits::kMinTensorInfoBytes) {
    return fail(8, concat("tensor count ", n_tensors_, " is more than the file has room for"));
  }
  if (n_entries_ > room / gguf_limits::kMinEntryBytes) {
    return fail(16, concat("metadata count ", n_entries_, " is more than the file has room for"));
  }
  if (n_tensors_ > gguf_limits::kMaxTensors) {
    return fail(8, concat("tensor count ", n_tensors_, " is beyond the limit"), ErrorCode::kLimit);
  }
  if (n_entries_ > gguf_limits::kMaxEntries) {
    return fail(16, concat("metadata count ", n_entries_, " is beyond the limit"), ErrorCode::kLimit);
  }
  return {};
}

Status GgufParser::read_name(const std::string& what, uint64_t max_bytes, std::string_view& name) {
  const uint64_t offset = cursor_.offset();
  uint64_t length = 0;
  if (!Cursor(cursor_).read(length)) return fail(offset, "the file ends before the " + what);
  if (length == 0) return fail(offset, concat("the ", what, " is empty"));
  if (length > max_bytes) return fail(offset, concat("the ", what, " has ", length, " bytes, beyond the limit"));
  if (!cursor_.read_string(name)) return fail(offset, concat("the ", what, " passes the end of the file"));
  if (name.find('\0') != std::string_view::npos) {
    return fail(offset, concat("the ", what, " ", quoted(name), " contains a NUL character"));
  }
  return {};
}

Status GgufParser::parse_entries() {
  shard_.entries.reserve(static_cast<size_t>(n_entries_));
  for (uint64_t i = 0; i < n_entries_; ++i) {
    if (Status s = parse_entry(); !s) return s;
  }
  return {};
}

Status GgufParser::parse_entry() {
  GgufEntry entry;
  const std::string what = concat("key of metadata entry ", shard_.entries.size());
  if (Status s = read_name(what, gguf_limits::kMaxKeyBytes, entry.key); !s) return s;
  const uint64_t type_offset = cursor_.offset();
  uint32_t type = 0;
  if (!cursor_.read(type)) {
    return fail(type_offset, concat("key ", quoted(entry.key), ": the file ends before its type"));
  }
  if (!is_gguf_type(type)) {
    return fail(type_offset, concat("key ", quoted(entry.key), ": unknown value type ", type));
  }
  WalkProblem problem;
  if (!read_value(cursor_, static_cast<GgufType>(type), 0, entry.value, problem)) {
    const std::string where = concat("key ", quoted(entry.key), ": ");
    return fail(problem.offset, concat(where, problem.what, " (", problem.number, ")"), problem.code);
  }
  shard_.entries.push_back(entry);
  return {};
}

bool GgufParser::read_value(Cursor& cursor, GgufType type, int depth, GgufValue& value, WalkProblem& problem) {
  value.type_ = value.element_type_ = type;
  uint64_t n_elements = 1;
  if (type == GgufType::kArray) {
    if (!read_array_header(cursor, value.element_type_, value.count_, problem)) return false;
    n_elements = value.count_;
    ++depth;
  }
  value.data_ = cursor.here();
  const uint64_t begin = cursor.offset();
  if (!skip_elements(cursor, value.element_type_, n_elements, depth, problem)) return false;
  value.size_bytes_ = static_cast<size_t>(cursor.offset() - begin);
  if (type == GgufType::kString) {
    value.data_ += sizeof(uint64_t);
    value.size_bytes_ -= sizeof(uint64_t);
  }
  return true;
}

Status GgufParser::index_entries() {
  shard_.entries_by_key = index_by_name(shard_.entries, &GgufEntry::key);
  const GgufEntry* twice = find_duplicate(shard_.entries, shard_.entries_by_key, &GgufEntry::key);
  if (twice == nullptr) return {};
  const auto offset = reinterpret_cast<const std::byte*>(twice->key.data()) - bytes_.data();
  return fail(static_cast<uint64_t>(offset), concat("key ", quoted(twice->key), " occurs twice"));
}

Status GgufParser::find_alignment() {
  shard_.alignment = gguf_limits::kDefaultAlignment;
  const GgufEntry* entry =
      find_by_name(shard_.entries, shard_.entries_by_key, &GgufEntry::key, std::string_view("general.alignment"));
  if (entry == nullptr) return {};
  const auto offset = static_cast<uint64_t>(entry->value.bytes().data() - bytes_.data());
  if (entry->value.type() != GgufType::kUint32) {
    return fail(offset, concat("key 'general.alignment' is ", gguf_type_name(entry->value.type()), ", not uint32"));
  }
  shard_.alignment = load_unaligned<uint32_t>(entry->value.bytes().data());
  if (!std::has_single_bit(shard_.alignment) || shard_.alignment < gguf_limits::kMinAlignment ||
      shard_.alignment > gguf_limits::kMaxAlignment) {
    return fail(offset,
                concat("key 'general.alignment': ", shard_.alignment, " is not a power of two from 8 to 16777216"));
  }
  return {};
}

}  // namespace hearth
