// Saving and restoring a sequence: the model's fingerprint, files and buffers.
#include <cstring>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/xxh64.h"
#include "lib/io/atomic_file.h"
#include "lib/io/file_bytes.h"
#include "lib/model/model_impl.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const T& x) {
  return std::as_bytes(std::span(&x, 1));
}

void add_text(Xxh64& hash, std::string_view text) {
  hash.update(bytes_of(static_cast<uint64_t>(text.size())));
  hash.update(std::as_bytes(std::span(text.data(), text.size())));
}

/// Of a tensor: its checksum where the file tells it, otherwise some of its bytes.
void add_tensor(Xxh64& hash, const GgufFile& file, size_t i) {
  constexpr size_t kSample = 1024;
  const GgufTensor& tensor = file.tensors()[i];
  add_text(hash, tensor.name);
  hash.update(bytes_of(tensor.type));
  hash.update(std::as_bytes(std::span(tensor.dims)));
  if (const auto noted = file.checksum(i)) return hash.update(bytes_of(*noted));
  const size_t n = static_cast<size_t>(tensor.size_bytes), sample = n < kSample ? n : kSample;
  if (tensor.data == nullptr) return;
  hash.update({tensor.data, sample});
  hash.update({tensor.data + (n - sample) / 2, sample});
  hash.update({tensor.data + n - sample, sample});
}

}  // namespace

uint64_t Session::Impl::fingerprint() const {
  Xxh64 hash;
  const GgufFile& file = ModelInternals::of(model).file;
  for (const GgufEntry& entry : file.entries()) {
    add_text(hash, entry.key);
    hash.update(entry.value.bytes());
  }
  for (size_t i = 0; i < file.tensors().size(); ++i) add_tensor(hash, file, i);
  for (const RopeTable& rope : ropes) {
    hash.update(std::as_bytes(std::span(rope.frequency)));
    hash.update(bytes_of(rope.magnitude));
  }
  return hash.digest();
}

Result<std::vector<std::byte>> Session::save(SeqId seq) const {
  return SessionInternals::save(*this, seq, 0);
}

Result<std::vector<std::byte>> SessionInternals::save(const Session& session, SeqId seq, uint64_t key) {
  return guard([&]() -> Result<std::vector<std::byte>> {
    const Session::Impl& impl = *session.impl_;
    std::vector<std::byte> bytes;
    const ByteSink append = [&](std::span<const std::byte> more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
      return Status();
    };
    const Status status = KVCacheInternals::of(*impl.cache).save(seq, impl.fingerprint() ^ key, append);
    if (!status) return status.error();
    return bytes;
  });
}

Status Session::save(SeqId seq, const std::string& path) const {
  return guard([&]() -> Status {
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file) return file.error();
    const ByteSink append = [&](std::span<const std::byte> more) { return file->write(more); };
    const Status status = KVCacheInternals::of(*impl_->cache).save(seq, impl_->fingerprint(), append);
    return status ? file->commit() : status;
  });
}

Status Session::restore(SeqId seq, std::span<const std::byte> bytes) {
  return SessionInternals::restore(*this, seq, bytes, 0);
}

Status SessionInternals::restore(Session& session, SeqId seq, std::span<const std::byte> bytes, uint64_t key) {
  Session::Impl& impl = of(session);
  return guard([&] {
    return KVCacheInternals::of(*impl.cache).restore(seq, impl.fingerprint() ^ key, bytes, [&](int32_t turn) {
      impl.take_turn(seq, turn);
    });
  });
}

Status Session::restore(SeqId seq, const std::string& path) {
  return guard([&]() -> Status {
    const Result<FileBytes> file = FileBytes::open(path, false);
    if (!file) return file.error();
    Status status = restore(seq, file->bytes());
    if (status) return status;
    return Error{status.error().code, concat(path, ": ", status.error().message)};
  });
}

}  // namespace hearth
