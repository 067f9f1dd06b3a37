// Fuzz entry of adapters: any bytes as an adapter of a small model. What loads must compute.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "tests/support/family_model.h"

namespace {

const hearth::Model& small_model() {
  static const std::vector<std::byte> bytes =
      hearth::testing::FamilyModel(*hearth::find_architecture("llama"), {.output = true}).gguf();
  static const hearth::Model model = *hearth::Model::from_memory(bytes);
  return model;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto adapter = hearth::Adapter::from_memory(std::as_bytes(std::span(data, size)), small_model());
  if (!adapter) {
    if (adapter.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  hearth::SessionOptions options{.n_ctx = 64, .n_seqs = 2, .n_batch = 8, .n_logits = 8, .n_threads = 1};
  options.adapters = {{*adapter, 0.5f}};
  auto session = hearth::Session::create(small_model(), options);
  if (!session) return 0;
  std::vector<hearth::BatchToken> batch;
  for (int32_t i = 0; i < 8; ++i) batch.push_back({i, i / 2, i % 2, true});
  (void)session->decode(batch);
  const hearth::BatchToken next{9, 4, 0, true};
  (void)session->decode({&next, 1});
  return 0;
}
