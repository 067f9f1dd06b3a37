// Measures every stage of a model on one thread while others do the same on the other cores, lets the model of the
// schedule (tests/support/schedule_model.h) share them out, and compares with what the threads of this machine take
// together. Prints, when asked to, the stages of a layer as tests/matmul/schedule_test.cpp has them.
//   hearth_bench_schedule MODEL.gguf [THREADS=2] [ROUNDS=5] [TOKENS=0 for a prompt of 512 and generation] [print]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hearth/model.h"
#include "hearth/session.h"
#include "lib/model/linear.h"
#include "lib/model/model_impl.h"
#include "lib/session/session_impl.h"
#include "tests/support/schedule_stages.h"

namespace hearth {
namespace {

using Kind = ScheduleStage::Kind;

double now_ns() {
  using namespace std::chrono;
  return static_cast<double>(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

/// A product that is about to be computed (name set), or a fork that was.
struct Event {
  std::string name;
  int64_t n_tokens = 0;
  double begin = 0, end = 0;
};

/// "attn_q" of "blk.0.attn_q.weight".
std::string short_name(const std::string& name) {
  const size_t end = name.rfind('.');
  const size_t begin = name.rfind('.', end - 1);
  return begin == std::string::npos ? name.substr(0, end) : name.substr(begin + 1, end - begin - 1);
}

/// 7 of "blk.7.attn_q.weight"; -1 of others.
int layer_number(const std::string& name) {
  return name.rfind("blk.", 0) == 0 ? std::atoi(name.c_str() + 4) : -1;
}

/// A session that computes a prompt, or one token after another.
class Run {
 public:
  Run(const Model& model, const SessionOptions& options) : session_(std::move(*Session::create(model, options))) {}

  /// Computes n tokens, a prompt or one that follows what is there, and returns how long it took.
  double decode(int n, double* begin = nullptr) {
    if (n > 1 || past_ < kDepth || past_ > 1000) {
      session_.cache().clear();
      past_ = 0;
    }
    if (n == 1 && past_ == 0) decode(kDepth);
    std::vector<BatchToken> batch(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) batch[static_cast<size_t>(i)] = {100 + i % 900, past_ + i, 0, i + 1 == n};
    past_ += n;
    const double started = now_ns();
    if (begin != nullptr) *begin = started;
    if (Status s = session_.decode(batch); !s) {
      std::fprintf(stderr, "%s\n", s.error().message.c_str());
      std::exit(1);
    }
    return now_ns() - started;
  }
  Session& session() { return session_; }

 private:
  static constexpr int kDepth = 128;
  Session session_;
  int past_ = 0;
};

/// A session whose forks run on the calling thread, one task after the other, and are noted.
class Recorder {
 public:
  explicit Recorder(const Model& model) : model_(model) {
    host_.n_threads = 2;  // one thread would not ask the pool
    host_.run = [this](int n, const std::function<void(int)>& task) {
      Event fork;
      fork.begin = now_ns();
      for (int i = 0; i < n; ++i) task(i);
      fork.end = now_ns();
      events_.push_back(fork);
    };
    SessionOptions options;
    options.n_ctx = 2048;
    options.pool = &host_;
    run_.emplace(model, options);
    SessionInternals::of(run_->session()).observe_linear = [this](const LinearCall& call) {
      Event seen;
      seen.name = std::string(call.name);
      seen.n_tokens = call.x.n;
      seen.begin = seen.end = now_ns();
      events_.push_back(seen);
    };
  }

  /// The stages of one decode of n tokens, in order; their times add up to all of it.
  std::vector<ScheduleStage> record(int n) {
    double begin = 0;
    events_.clear();
    const double took = run_->decode(n, &begin);
    std::erase_if(events_, [&](const Event& event) { return event.begin < begin; });  // of what came before the token
    return stages(begin, begin + took);
  }

  /// The same while others compute, too: cores share memory, and what seems a core may share one with another.
  std::vector<ScheduleStage> record_beside(std::vector<std::unique_ptr<Recorder>>& others, int n) {
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (auto& other : others) {
      threads.emplace_back([&] {
        while (!done.load()) other->record(n);
      });
    }
    if (n == 1) record(1);
    std::vector<ScheduleStage> stages = record(n);
    done.store(true);
    for (std::thread& thread : threads) thread.join();
    return stages;
  }

  /// The layer of each stage of the latest recording; -1: none.
  const std::vector<int>& layers() const { return layer_of_; }

 private:
  std::vector<ScheduleStage> stages(double begin, double end) {
    std::vector<ScheduleStage> out;
    layer_of_.clear();
    double at = begin;
    std::vector<const Event*> group;  // products of one input
    std::vector<const Event*> forks;  // since the group
    const auto flush = [&] {
      for (size_t i = 0; i < forks.size(); ++i) {
        out.push_back({"alone", Kind::kSerial, forks[i]->begin - at});
        ScheduleStage stage = stage_of(group, i, forks.size());
        stage.ns = forks[i]->end - forks[i]->begin;
        out.push_back(stage);
        at = forks[i]->end;
        layer_of_.resize(out.size(), group.empty() ? -1 : layer_number(group[0]->name));
      }
    };
    for (const Event& event : events_) {
      if (event.name.empty()) {
        forks.push_back(&event);
        continue;
      }
      if (!forks.empty()) {
        flush();
        group.clear();
        forks.clear();
      }
      group.push_back(&event);
    }
    flush();
    out.push_back({"alone", Kind::kSerial, end - at});
    layer_of_.resize(out.size(), -1);
    return out;
  }

  /// What the i-th of n forks after the products of a group is.
  ScheduleStage stage_of(const std::vector<const Event*>& group, size_t i, size_t n) const {
    constexpr int64_t kSerialPack = 32768;
    if (group.empty()) return {"begin", Kind::kRows, 0, 512};
    const int64_t tokens = group[0]->n_tokens;
    const bool packs = tokens * model_.file().tensor(group[0]->name)->dims[0] >= kSerialPack;
    const std::string name = short_name(group[0]->name);
    if (packs && i == 0) return {"quantize", Kind::kGroups, 0, tokens};
    if (i == (packs ? 1U : 0U)) {
      ScheduleStage tiles{"tiles", Kind::kTiles, 0, tokens};
      for (const Event* one : group) {
        const GgufTensor& w = *model_.file().tensor(one->name);
        tiles.matrices.push_back({w.dims[1], static_cast<int64_t>(w.size_bytes) / w.dims[1]});
      }
      tiles.gated = name == "ffn_gate";
      return tiles;
    }
    if (name.rfind("attn_q", 0) == 0 && i + 1 == n) return {"attend", Kind::kAttend, 0, tokens};
    return {"rows", Kind::kRows, 0, tokens};
  }

  const Model& model_;
  ThreadPool host_;
  std::vector<Event> events_;
  std::vector<int> layer_of_;
  std::optional<Run> run_;
};

double total(const std::vector<ScheduleStage>& stages) {
  double sum = 0;
  for (const ScheduleStage& stage : stages) sum += stage.ns;
  return sum;
}

void print_stages(const char* what, const std::vector<ScheduleStage>& stages) {
  static constexpr const char* kKinds[] = {"kSerial", "kQuantize", "kPosition", "kRows",
                                           "kGroups", "kAttend",   "kTiles"};
  std::printf("  %s:\n", what);
  for (const ScheduleStage& s : stages) {
    std::printf("    {\"%s\", Kind::%s, %.0f, %lld, {", s.name, kKinds[static_cast<int>(s.kind)], s.ns,
                static_cast<long long>(s.n_tokens));
    for (const ScheduleMatrix& w : s.matrices) {
      std::printf("%s{%lld, %lld}", &w == s.matrices.data() ? "" : ", ", static_cast<long long>(w.rows),
                  static_cast<long long>(w.row_bytes));
    }
    std::printf("}, %s},\n", s.gated ? "true" : "false");
  }
}

/// The stages before and after the layers, the mean of all layers but the last, and the last.
void print_layers(const std::vector<ScheduleStage>& stages, const std::vector<int>& layer_of, int n_layers) {
  std::vector<ScheduleStage> before, mean, last;
  std::vector<std::vector<ScheduleStage>> layers(static_cast<size_t>(n_layers));
  for (size_t i = 0; i < stages.size(); ++i) {
    if (layer_of[i] < 0) {
      (i < stages.size() / 2 ? before : last).push_back(stages[i]);
    } else {
      layers[static_cast<size_t>(layer_of[i])].push_back(stages[i]);
    }
  }
  mean = layers[0];
  for (size_t i = 0; i < mean.size(); ++i) {
    for (int l = 1; l + 1 < n_layers; ++l) mean[i].ns += layers[static_cast<size_t>(l)][i].ns;
    mean[i].ns /= n_layers - 1;
  }
  print_stages("before the layers", before);
  print_stages("a layer", mean);
  print_stages("the last layer", layers.back());
  print_stages("after the layers", last);
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "hearth_bench_schedule MODEL.gguf [THREADS=2] [ROUNDS=5] [TOKENS=0] [print]\n");
    return 2;
  }
  const int threads = argc > 2 ? std::atoi(argv[2]) : 2, rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  const int only = argc > 4 ? std::atoi(argv[4]) : 0;
  Result<Model> model = Model::open(argv[1]);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  const ScheduleAttention attention{model->info().n_heads, model->info().n_kv_heads};
  Recorder recorder(*model);
  // What is computed beside has weights of its own: of the same, whoever comes second would find what a large cache
  // still holds, which the threads of one session never do.
  std::vector<Model> copies;
  std::vector<std::unique_ptr<Recorder>> others;
  ModelOptions in_memory;
  in_memory.use_mmap = false;
  for (int i = 1; i < threads; ++i) {
    Result<Model> copy = Model::open(argv[1], in_memory);
    if (!copy) {
      std::fprintf(stderr, "%s\n", copy.error().message.c_str());
      return 1;
    }
    copies.push_back(std::move(*copy));
  }
  for (const Model& copy : copies) others.push_back(std::make_unique<Recorder>(copy));
  SessionOptions options;
  options.n_ctx = 2048;
  options.n_threads = threads;
  Run threaded(*model, options);
  for (const int n : {512, 1}) {
    if (only > 0 && n != only) continue;
    const int turns = n == 1 ? rounds * 8 : rounds;
    for (auto& other : others) {
      if (n == 1) other->record(n);  // its prompt is in place
    }
    std::vector<std::vector<ScheduleStage>> recorded;
    std::vector<double> took;
    for (int turn = 0; turn < turns; ++turn) {  // in turns, since machines change from one moment to the next
      recorded.push_back(recorder.record_beside(others, n));
      took.push_back(threaded.decode(n));
    }
    const auto middle = static_cast<std::ptrdiff_t>(turns / 4);
    std::nth_element(recorded.begin(), recorded.begin() + middle, recorded.end(),
                     [](const auto& x, const auto& y) { return total(x) < total(y); });
    std::nth_element(took.begin(), took.begin() + middle, took.end());
    const std::vector<ScheduleStage>& stages = recorded[static_cast<size_t>(middle)];
    const double measured = took[static_cast<size_t>(middle)];
    if (argc > 5) print_layers(stages, recorder.layers(), model->info().n_layers);
    std::printf("%d tokens: one thread %.2f ms, %d threads %.2f ms measured", n, total(stages) / 1e6, threads,
                measured / 1e6);
    for (const int t : {threads, 4, 8, 16, 32, 48, 64, 96, 128}) {
      SchedulePlayer player(t, attention, {});
      for (const ScheduleStage& stage : stages) player.play(stage);
      if (t == threads) {
        std::printf(", the model says %.2f (%.3f)\n", player.model().now_ns() / 1e6,
                    player.model().now_ns() / measured);
      }
      double most = 0;
      for (int i = 0; i < t; ++i) most = std::max(most, player.model().wait_ns(i));
      std::printf("  %3d threads: %8.2f ms, %.1f%% in kernels, longest wait of a thread %.2f ms\n", t,
                  player.model().now_ns() / 1e6, 100 * player.model().kernel_share(), most / 1e6);
    }
  }
  return 0;
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  return hearth::run(argc, argv);
}
