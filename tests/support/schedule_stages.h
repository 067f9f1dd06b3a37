// The stages of a model as the schedule sees them: what each takes on one thread, and into how many tasks the library
// cuts it for a number of threads, by the library's own rules.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lib/base/buffer.h"
#include "lib/matmul/matmul_pass.h"
#include "tests/support/schedule_model.h"

namespace hearth {

struct ScheduleMatrix {
  int64_t rows = 0;
  int64_t row_bytes = 0;
};

struct ScheduleStage {
  enum class Kind {
    kSerial,    ///< the caller alone
    kQuantize,  ///< the activations of one token, `width` of them
    kPosition,  ///< queries and keys of one token are turned, keys and values stored
    kRows,      ///< for_rows: eight tokens a task
    kGroups,    ///< quantizing activations: a group of tokens a task
    kAttend,    ///< blocks of queries times KV heads; later ones see more, and come first
    kTiles,     ///< row tiles of the matrices, or of the first with those of the others beside them
  };
  const char* name = "";
  Kind kind = Kind::kSerial;
  double ns = 0;         ///< on one thread, all tokens
  int64_t n_tokens = 1;  ///< that meet it
  std::vector<ScheduleMatrix> matrices{};
  bool gated = false;  ///< rows of two matrices make one tile
  int64_t width = 0;
};

/// What the schedule has to know of a model's attention.
struct ScheduleAttention {
  int64_t n_heads = 0;
  int64_t n_kv_heads = 0;
};

/// How a machine differs from one thread alone.
struct ScheduleMachine {
  LineCosts lines{};
  double spread = 0.1;  ///< tasks of one kind take between 1 - spread and 1 + spread of their mean
  double bytes_per_ns =
      0.0;  ///< that all threads together read from memory; 0: as many times one thread's as there are
};

class SchedulePlayer {
 public:
  SchedulePlayer(int n_threads, const ScheduleAttention& attention, const ScheduleMachine& machine)
      : model_(n_threads, machine.lines), attention_(attention), machine_(machine) {
    host_.n_threads = n_threads;
    host_.run = [this](int n, const std::function<void(int)>& task) {
      n_lanes_ = n;
      for (int i = 0; i < n; ++i) task(i);
    };
    parallel_ = std::move(*Parallel::create(n_threads, &host_));
    memory_.resize(MatmulScratch::bytes_needed(1, kMaxK, 1) + 64);
    std::byte* aligned = memory_.data() + (64 - reinterpret_cast<uintptr_t>(memory_.data()) % 64) % 64;
    scratch_.bind(aligned, 1, kMaxK, 1);
    context_.parallel = parallel_.get();
    context_.scratch = &scratch_;
  }

  void play(const ScheduleStage& stage) {
    using Kind = ScheduleStage::Kind;
    switch (stage.kind) {
      case Kind::kSerial: return model_.serial(stage.ns);
      case Kind::kQuantize: return play_parts(stage, quantizing_tasks(stage.width));
      case Kind::kPosition: return play_parts(stage, model_.n_threads() > 8 ? attention_.n_kv_heads : 1);
      case Kind::kRows: return play_even(stage, 8);
      case Kind::kGroups: return play_even(stage, kernels::kGroupCols);
      case Kind::kAttend: return play_attention(stage);
      case Kind::kTiles: return play_tiles(stage);
    }
  }

  const ScheduleModel& model() const { return model_; }

 private:
  static constexpr int64_t kMaxK = 16384;

  double vary() {
    random_ = random_ * 1664525u + 1013904223u;
    return 1.0 + machine_.spread * (static_cast<double>(random_ >> 8) / (1 << 23) - 1.0);
  }

  /// Into how many tasks the library cuts the activations of one token, which it shows by doing so.
  int64_t quantizing_tasks(int64_t width) {
    const std::vector<float> x(static_cast<size_t>(width), 1.0f);
    MatmulPass pass(context_, width);
    pass.begin_segment(0);
    pass.add_token(x.data(), 0);
    n_lanes_ = 1;
    pass.pack({.codes = true});
    return n_lanes_;
  }

  void play_even(const ScheduleStage& stage, int64_t tokens_per_task) {
    play_parts(stage, (stage.n_tokens + tokens_per_task - 1) / tokens_per_task);
  }

  void play_parts(const ScheduleStage& stage, int64_t n) {
    times_.assign(static_cast<size_t>(n), 0.0);
    for (double& one : times_) one = stage.ns / static_cast<double>(n) * vary();
    model_.tasks(times_);
  }

  /// As PagedAttention cuts it: every thread should find some tasks.
  void play_attention(const ScheduleStage& stage) {
    constexpr int64_t kTasksPerThread = 8;
    const int64_t group = std::min<int64_t>(attention_.n_heads / attention_.n_kv_heads, kernels::kAttendMaxQueries);
    const int64_t share = stage.n_tokens * attention_.n_heads / (kTasksPerThread * model_.n_threads());
    const int64_t queries = std::clamp<int64_t>(share, kernels::kAttendMaxQueries, kernels::kRunMaxQueries);
    const int64_t per_block = std::max<int64_t>(1, queries / group);
    const int64_t n = (stage.n_tokens + per_block - 1) / per_block;
    times_.clear();
    for (int64_t block = n; block-- > 0;) {
      for (int64_t head = 0; head < attention_.n_kv_heads; ++head) {
        const double seen = (2.0 * static_cast<double>(block) + 1.0) / static_cast<double>(n);  // of the mean
        times_.push_back(stage.ns / static_cast<double>(n * attention_.n_kv_heads) * seen * vary());
      }
    }
    model_.tasks(times_);
  }

  void play_tiles(const ScheduleStage& stage) {
    MatmulPass pass(context_, kMaxK);
    pass.begin_segment(0);
    for (int i = 0; i < std::min<int64_t>(stage.n_tokens, 2); ++i) pass.add_token(nullptr, i);
    double bytes = 0, read = 0;
    for (const ScheduleMatrix& w : stage.matrices) bytes += static_cast<double>(w.rows * w.row_bytes);
    if (machine_.bytes_per_ns > 0) read = bytes / machine_.bytes_per_ns;
    const double ns = std::max(stage.ns, read * model_.n_threads());
    times_.clear();
    for (const ScheduleMatrix& w : stage.matrices) {
      const int64_t rows = pass.tile_rows(w.rows, w.row_bytes);
      const double share = stage.gated ? 1.0 : static_cast<double>(w.rows * w.row_bytes) / bytes;
      for (int64_t row = 0; row < w.rows; row += rows) {
        const auto part = static_cast<double>(std::min(rows, w.rows - row)) / static_cast<double>(w.rows);
        times_.push_back(ns * share * part * vary());
      }
      if (stage.gated) break;
    }
    model_.tiles(times_);
  }

  ScheduleModel model_;
  ScheduleAttention attention_;
  ScheduleMachine machine_;
  ThreadPool host_;
  std::unique_ptr<Parallel> parallel_;
  std::vector<std::byte> memory_;
  MatmulScratch scratch_;
  MatmulContext context_;
  int n_lanes_ = 0;  ///< of the library's latest fork
  std::vector<double> times_;
  uint32_t random_ = 1;
};

}  // namespace hearth
