// Anonymous mappings where the system has them (and may be asked), aligned nothrow allocation elsewhere: a host's, if
// it replaces operator new.
#include "lib/base/buffer.h"

#include <cstring>
#include <new>
#include <string>

#include "lib/base/concat.h"

#if (defined(__unix__) || defined(__APPLE__)) && !defined(HEARTH_NO_FILES)
#include <sys/mman.h>
#define HEARTH_HAVE_MMAP 1
#endif

namespace hearth {

Result<AlignedBuffer> AlignedBuffer::allocate(uint64_t bytes, const char* what) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  const Error error{ErrorCode::kOutOfMemory, concat("cannot allocate ", bytes, " bytes for ", what)};
  if (bytes > SIZE_MAX / 2) return error;
#ifdef HEARTH_HAVE_MMAP
  void* memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return error;
#ifdef MADV_HUGEPAGE
  if (bytes >= (4u << 20)) madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
#else
  const auto size = static_cast<size_t>(bytes);
  void* memory = ::operator new (size, std::align_val_t{kAlignment}, std::nothrow);
  if (!memory) return error;
  std::memset(memory, 0, size);
#endif
  buffer.data_ = static_cast<std::byte*>(memory);
  buffer.size_ = bytes;
  return buffer;
}

AlignedBuffer::~AlignedBuffer() {
  if (!data_) return;
#ifdef HEARTH_POISONS_GAPS
  ASAN_UNPOISON_MEMORY_REGION(data_, size_);
#endif
#ifdef HEARTH_HAVE_MMAP
  munmap(data_, static_cast<size_t>(size_));
#else
  ::operator delete (data_, std::align_val_t{kAlignment});
#endif
}

}  // namespace hearth
