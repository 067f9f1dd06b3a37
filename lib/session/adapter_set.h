// AdapterSet: which adapters each sequence of a session uses, from which position on, and the work memory of them all.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "hearth/adapter.h"
#include "lib/base/buffer.h"
#include "lib/model/adapter_pass.h"
#include "lib/model/hparams.h"

namespace hearth {

struct SessionOptions;

class AdapterSet {
 public:
  /// Chooses adapters for sequence `seq`, or for all of `n_seqs` sequences when seq is -1. On an error nothing has
  /// changed: kInvalidArgument (an adapter of another model, a scale that is not finite), kOutOfMemory.
  Status set(const HParams& hp, const SessionOptions& options, SeqId seq, std::span<const AdapterScale> adapters);
  std::span<const AdapterScale> of(SeqId seq) const;
  /// Bytes that adapters take: their files and vectors, and the work memory of a session.
  static uint64_t bytes_of(const HParams& hp, const SessionOptions& options, std::span<const AdapterScale> adapters);
  uint64_t bytes() const { return bytes_; }

  /// What is ready for these tokens; nullptr when none of them uses an adapter.
  AdapterPass* begin(std::span<const BatchToken> batch);
  /// As AdapterPass::take_status.
  Status take_status() { return pass_.take_status(); }
  /// Names the set that acts on a position; 0: none does.
  uint64_t key(SeqId seq, int32_t pos) const;

  /// Tokens that a sequence held before, by position; negative: none there.
  using TokenAt = std::function<Token(int32_t pos)>;
  bool waits_for_tokens() const { return waits_; }
  /// Finds where adapters with invocation tokens begin to act, given all tokens [pos, pos + n) that are about to be
  /// computed of a sequence.
  void look_ahead(SeqId seq, int32_t pos, std::span<const Token> tokens, const TokenAt& before);
  /// The same for each sequence of a batch, but for one whose tokens look_ahead() has seen and that is not done yet.
  void look_at(std::span<const BatchToken> batch, const std::function<Token(SeqId, int32_t)>& before);
  void end_look_ahead() { ahead_ = -1; }

 private:
  static constexpr int32_t kNever = std::numeric_limits<int32_t>::max();
  /// An adapter of a sequence.
  struct Use {
    uint32_t adapter = 0;  ///< index into pass_.adapters()
    float scale = 0.0f;
    int32_t from = 0;  ///< first position that it acts on
  };
  struct Sequence {
    std::vector<AdapterScale> wanted;
    std::vector<Use> uses;
  };
  static std::vector<const Adapter::Impl*> distinct(std::span<const AdapterScale> adapters);
  Status rebuild(const HParams& hp, const SessionOptions& options, std::vector<Sequence> sequences,
                 std::span<const AdapterScale> together);
  static void rebuild_uses(Sequence& s, std::span<const ActiveAdapter> adapters);
  void locate(Use& use, int32_t pos, std::span<const Token> tokens, const TokenAt& before);

  std::vector<Sequence> sequences_;  ///< [n_seqs], or empty while none was chosen
  AdapterPass pass_;
  AlignedBuffer memory_;
  uint64_t bytes_ = 0;
  bool waits_ = false;       ///< some adapter has invocation tokens
  SeqId ahead_ = -1;         ///< the sequence of look_ahead()
  std::vector<Token> text_;  ///< work memory of look_at()
};

}  // namespace hearth
