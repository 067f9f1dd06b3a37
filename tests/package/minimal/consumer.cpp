// A program without an operating system to speak of: the model lies in memory, and every byte that hearth takes comes
// from here. consumer MODEL: reads the file as a stand-in for flash memory, and writes the story and what it took.
#include <hearth/hearth.h>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

size_t used = 0, peak = 0;

/// The size of a block stands before it.
void* take(size_t bytes, size_t alignment) {
  const size_t head = alignment > 16 ? alignment : 16;
  void* block = std::aligned_alloc(head, (bytes + 2 * head - 1) / head * head);
  if (block == nullptr) return nullptr;
  *static_cast<size_t*>(block) = bytes;
  used += bytes;
  if (used > peak) peak = used;
  return static_cast<char*>(block) + head;
}
void give_back(void* memory, size_t alignment) {
  if (memory == nullptr) return;
  void* block = static_cast<char*>(memory) - (alignment > 16 ? alignment : 16);
  used -= *static_cast<size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(size_t n) {
  void* memory = take(n, 16);
  if (memory == nullptr) std::abort();
  return memory;
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  return take(n, 16);
}
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept {
  give_back(p, 16);
}
void operator delete(void* p, size_t) noexcept {
  give_back(p, 16);
}
void operator delete(void* p, std::align_val_t a) noexcept {
  give_back(p, static_cast<size_t>(a));
}
void operator delete(void* p, size_t, std::align_val_t a) noexcept {
  give_back(p, static_cast<size_t>(a));
}

int main(int argc, char** argv) {
  std::FILE* flash = argc > 1 ? std::fopen(argv[1], "rb") : nullptr;
  if (flash == nullptr) return 2;
  std::fseek(flash, 0, SEEK_END);
  const auto n = static_cast<size_t>(std::ftell(flash));
  std::rewind(flash);
  auto* bytes = static_cast<std::byte*>(std::aligned_alloc(64, (n + 63) / 64 * 64));
  if (bytes == nullptr || std::fread(bytes, 1, n, flash) != n) return 2;
  std::fclose(flash);
  {
    const auto fail = [](const hearth::Error& error) { return std::fprintf(stderr, "%s\n", error.message.c_str()), 1; };
    auto model = hearth::Model::from_memory({bytes, n});
    if (!model) return fail(model.error());
    const size_t model_bytes = used;
    auto session = hearth::Session::create(*model, {.n_ctx = 64, .n_batch = 16});
    if (!session) return fail(session.error());
    auto made = session->generate("Tell me a story", {.max_tokens = 24, .sampler = {.greedy = true}});
    if (!made) return fail(made.error());
    std::printf("%s\n", made->text.c_str());
    std::fprintf(stderr, "bytes: %zu of the file in place, %zu for the model, %zu at most\n", n, model_bytes, peak);
    if (hearth::Model::open("a path")) return 3;  // there are no files
  }
  std::free(bytes);
  std::fprintf(stderr, "%zu left, for what is made once in a program\n", used);
  return used < 4096 ? 0 : 4;
}
