// Fuzz entry of saved sequences: bytes of a valid one are changed, or cut, and the checksum is made right again. What
// is restored must compute, be shortened, shifted and saved; what is refused must leave the sequence as it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "lib/base/xxh64.h"
#include "tests/support/family_model.h"

namespace {

constexpr int32_t kTokens = 40;

hearth::Session make_session(const std::vector<std::byte>& file) {
  const auto model = hearth::Model::from_memory(file);
  if (!model) std::abort();
  auto session = hearth::Session::create(*model, {.n_ctx = 192, .n_seqs = 2, .n_batch = 32, .n_threads = 1});
  if (!session) std::abort();
  return std::move(*session);
}

/// A sequence of a small model and its saved bytes.
struct World {
  std::vector<std::byte> file;
  hearth::Session session;
  std::vector<std::byte> saved;

  explicit World(const char* family)
      : file(hearth::testing::FamilyModel(*hearth::find_architecture(family), {}).gguf()), session(make_session(file)) {
    std::vector<hearth::Token> ids;
    for (int32_t i = 0; i < kTokens; ++i) ids.push_back(i);
    if (!session.prefill(ids)) std::abort();
    saved = *session.save(0);
  }
};

/// Three bytes change one: two choose it, mostly among those before the first page's contents or after them.
void change(std::vector<std::byte>& bytes, const uint8_t* data, size_t size) {
  constexpr size_t kHead = 336;  // up to the contents of the first page
  uint64_t page_bytes = 0;
  std::memcpy(&page_bytes, bytes.data() + 44, sizeof page_bytes);
  for (size_t i = 0; i + 3 <= size; i += 3) {
    const size_t at = data[i] | (data[i + 1] & 1u) << 8;
    const size_t begin = (data[i + 1] & 2u) != 0 ? kHead - 8 + page_bytes : 0;
    if ((data[i + 1] & 0xf0u) == 0xf0) bytes.resize(bytes.size() - std::min<size_t>(bytes.size(), at));
    if (begin + at < bytes.size()) bytes[begin + at] ^= std::byte{data[i + 2]};
  }
  constexpr size_t kSum = sizeof(uint64_t);
  if (bytes.size() < kSum) return;
  const uint64_t sum = hearth::xxh64(std::span(bytes).first(bytes.size() - kSum));
  std::memcpy(bytes.data() + bytes.size() - kSum, &sum, kSum);
}

void use(hearth::Session& session, hearth::SeqId seq) {
  const int32_t length = session.cache().length(seq);
  for (int32_t i = 0; i < length; ++i) (void)session.cache().token(seq, i);
  for (int32_t i = 0; i < 3; ++i) {
    const hearth::BatchToken next{i, session.cache().length(seq), seq, true};
    (void)session.decode({&next, 1});
  }
  (void)session.make_room(seq, hearth::OnFull::kShift, 2);
  (void)session.cache().remove(seq, 3, 9);
  (void)session.save(seq);
  const hearth::BatchToken last{1, session.cache().length(seq), seq, true};
  (void)session.decode({&last, 1});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One group of pages; two, for sliding windows; a state of recurrent layers as well.
  static World worlds[] = {World("llama"), World("gemma3"), World("qwen35")};
  if (size == 0) return 0;
  World& world = worlds[data[0] % 3];
  std::vector<std::byte> bytes = world.saved;
  change(bytes, data + 1, size - 1);
  if (const auto status = world.session.restore(1, bytes); status) {
    use(world.session, 1);
  } else if (status.error().message.find('\n') != std::string::npos) {
    std::abort();
  }
  (void)world.session.cache().remove(1, 0);
  if (world.session.cache().length(0) != kTokens) std::abort();  // the neighbor
  return 0;
}
