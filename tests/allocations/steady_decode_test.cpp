// Steady decoding allocates nothing: every operator new of this program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "lib/session/session_impl.h"
#include "support/adapter_file.h"
#include "support/family_model.h"

namespace {

std::atomic<int64_t> n_allocations{0};

void* counted(size_t bytes) {
  n_allocations.fetch_add(1);
  return std::malloc(bytes > 0 ? bytes : 1);
}
void* counted_or_die(size_t bytes) {
  void* memory = counted(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

// All other forms of new and delete of the standard library end in these.
void* operator new(size_t bytes) {
  return counted_or_die(bytes);
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::FamilyOptions;

constexpr int kSequences = 3;

/// n_each tokens at `pos` for each of the sequences [first, end).
std::vector<BatchToken> batch_of(SeqId first, SeqId end, int32_t pos, int n_each) {
  std::vector<BatchToken> batch;
  for (SeqId seq = first; seq < end; ++seq) {
    for (int i = 0; i < n_each; ++i) batch.push_back({(pos + i * 7 + seq) % FamilyModel::kVocab, pos + i, seq, true});
  }
  return batch;
}

/// Allocations of a decode().
int64_t allocations_of(Session& session, const std::vector<BatchToken>& batch) {
  const int64_t before = n_allocations.load();
  const Status status = session.decode(batch);
  const int64_t counted = n_allocations.load() - before;
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(session.n_logits(), batch.size());
  return counted;
}

/// Another adapter for each sequence but the first, the last one's with invocation tokens.
void adapt(Session& session, const FamilyModel& family) {
  for (SeqId seq = 1; seq < kSequences; ++seq) {
    testing::AdapterFile file(family.tiny, 4, static_cast<unsigned>(seq));
    if (seq == kSequences - 1) file.tiny.int_arrays["adapter.alora.invocation_tokens"] = {9, 16};
    static std::vector<std::vector<std::byte>> kept;  // adapters borrow their bytes
    kept.push_back(file.gguf());
    const auto adapter = Adapter::from_memory(kept.back(), session.model());
    ASSERT_TRUE(adapter) << adapter.error().message;
    ASSERT_TRUE(session.set_adapters(seq, {{*adapter, 1.0f}}));
  }
}

void expect_none(const std::string& name, const FamilyOptions& options, const SessionOptions& session_options,
                 bool adapters = false) {
  FamilyModel family(*find_architecture(name), options);
  if (options.experts) family.integer("expert_group_count", 2), family.integer("expert_group_used_count", 1);
  const auto bytes = family.gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model) << name << ": " << model.error().message;
  auto session = Session::create(*model, session_options);
  ASSERT_TRUE(session) << name << ": " << session.error().message;
  if (adapters) adapt(*session, family);
  ASSERT_TRUE(session->decode(batch_of(0, kSequences, 0, 40)));  // a prompt; the first of anything may allocate
  int32_t pos = 40;
  for (; pos < 140; ++pos) {  // over the ends of pages and windows
    EXPECT_EQ(allocations_of(*session, batch_of(0, 1, pos, 1)), 0) << name << ", one token at " << pos;
    EXPECT_EQ(allocations_of(*session, batch_of(1, kSequences, pos, 1)), 0) << name << ", a batch at " << pos;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(allocations_of(*session, batch_of(0, kSequences, pos, 40)), 0) << name << ", a prompt";
}

void expect_none(const std::string& name, const FamilyOptions& options = {}, bool adapters = false) {
  SessionOptions session_options;
  session_options.n_ctx = 600;
  session_options.n_seqs = kSequences;
  session_options.n_logits = 40 * kSequences;
  for (const int threads : {1, 2}) {
    session_options.n_threads = threads;
    expect_none(name, options, session_options, adapters);
  }
}

TEST(SteadyDecode, DenseAllocatesNothing) {
  expect_none("llama");
  expect_none("qwen2");
}

TEST(SteadyDecode, WindowsAllocateNothing) {
  expect_none("gemma2");
  expect_none("gemma3");
}

TEST(SteadyDecode, ExpertsAllocateNothing) {
  expect_none("granitemoe", {.experts = true});
  expect_none("gpt-oss", {.experts = true, .shared_experts = false});
  expect_none("gemma4", {.experts = true, .shared_experts = false});
}

TEST(SteadyDecode, LatentAttentionAllocatesNothing) {
  expect_none("deepseek2", {.experts = true});
}

TEST(SteadyDecode, RecurrentLayersAllocateNothing) {
  expect_none("qwen3next");
  expect_none("qwen35moe", {.experts = true, .shared_scale = true});
}

TEST(SteadyDecode, PerLayerEmbeddingsAllocateNothing) {
  expect_none("gemma4", {.layer_embedding = 8});
}

TEST(SteadyDecode, AdaptersAllocateNothing) {
  expect_none("llama", {}, true);
  expect_none("granitemoe", {.experts = true}, true);
}

TEST(SteadyDecode, TheCounterCounts) {
  const int64_t before = n_allocations.load();
  const std::vector<int> some(1000, 1);
  EXPECT_EQ(n_allocations.load() - before, 1);
  EXPECT_EQ(some.back(), 1);
}

}  // namespace
}  // namespace hearth
