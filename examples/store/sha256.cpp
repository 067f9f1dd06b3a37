// SHA-256: OpenSSL's where the build found it, else the text of the standard.
#include "sha256.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <vector>

#include "system.h"

#ifdef HEARTH_OPENSSL
#include <openssl/evp.h>
#endif

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;

namespace {

std::string hex_of(const unsigned char* bytes, size_t n) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < n; ++i) text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return text;
}

}  // namespace

#ifdef HEARTH_OPENSSL

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() {
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  void add(const void* bytes, size_t n) { EVP_DigestUpdate(context, bytes, n); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context, digest, &size);
    return hex_of(digest, size);
  }
};

#else

namespace {

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr uint32_t rotate(uint32_t x, int n) {
  return (x >> n) | (x << (32 - n));
}

}  // namespace

struct Sha256::State {
  std::array<uint32_t, 8> h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> block{};
  size_t n_block = 0;
  uint64_t n_bytes = 0;

  void compress(const unsigned char* bytes) {
    std::array<uint32_t, 64> w;
    for (size_t t = 0; t < 16; ++t, bytes += 4) {
      w[t] = uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
    }
    for (size_t t = 16; t < 64; ++t) {
      const uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3);
      const uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    auto v = h;  // a to h
    for (size_t t = 0; t < 64; ++t) {
      const uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]), most = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
      const uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + kRound[t] + w[t];
      const uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + most;
      v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (size_t i = 0; i < 8; ++i) h[i] += v[i];
  }

  void add(const void* data, size_t n) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    n_bytes += n;
    while (n > 0) {
      if (n_block == 0 && n >= 64) {
        compress(bytes);
        bytes += 64, n -= 64;
        continue;
      }
      const size_t take = std::min(n, 64 - n_block);
      std::memcpy(block.data() + n_block, bytes, take);
      bytes += take, n -= take, n_block += take;
      if (n_block == 64) compress(block.data()), n_block = 0;
    }
  }

  std::string hex() {
    const uint64_t n_bits = n_bytes * 8;
    const unsigned char one = 0x80, zero = 0;
    add(&one, 1);
    while (n_block != 56) add(&zero, 1);
    unsigned char length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(n_bits >> (56 - 8 * i));
    add(length, 8);
    unsigned char digest[32];
    for (size_t i = 0; i < 32; ++i) digest[i] = static_cast<unsigned char>(h[i / 4] >> (24 - 8 * (i % 4)));
    return hex_of(digest, 32);
  }
};

#endif

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

void Sha256::add(const void* bytes, size_t n) {
  state_->add(bytes, n);
}

std::string Sha256::hex() {
  return state_->hex();
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sum;
  sum.add(bytes.data(), bytes.size());
  return sum.hex();
}

hearth::Result<std::string> sha256_of_file(const std::string& path, const ByteProgress& progress) {
  std::ifstream in(path_of(path), std::ios::binary | std::ios::ate);
  if (!in) return Error{ErrorCode::kIo, path + ": cannot be read"};
  const auto total = static_cast<uint64_t>(in.tellg());
  in.seekg(0);
  Sha256 sum;
  std::vector<char> buffer(1 << 20);
  for (uint64_t done = 0; in;) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<size_t>(in.gcount());
    sum.add(buffer.data(), n);
    done += n;
    if (progress && !progress(done, total)) return Error{ErrorCode::kCancelled, path + ": reading was stopped"};
  }
  if (in.bad()) return Error{ErrorCode::kIo, path + ": cannot be read to its end"};
  return sum.hex();
}

std::optional<std::string> digest_hex(std::string_view text) {
  if (text.size() != 71 || !text.starts_with("sha256") || (text[6] != ':' && text[6] != '-')) return std::nullopt;
  std::string hex(text.substr(7));
  for (char& c : hex) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return std::nullopt;
  }
  return hex;
}

}  // namespace hearth_store
