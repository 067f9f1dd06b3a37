// Twin of hearth/adapter.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(HEARTH_ADAPTER_KIND_CONTROL_VECTOR == static_cast<int>(hearth::AdapterKind::kControlVector));

namespace hearth::c {

Result<std::vector<AdapterScale>> to_cpp(const HearthAdapterScale* adapters, size_t n) {
  std::vector<AdapterScale> all;
  if (n > 0) {
    if (auto s = needs({{adapters, "adapters"}}); !s) return s.error();
  }
  for (size_t i = 0; i < n; ++i) {
    if (auto s = needs({{adapters[i].adapter, "an adapter"}}); !s) return s.error();
    all.push_back({adapters[i].adapter->adapter, adapters[i].scale});
  }
  return all;
}

Status hand_out_adapter(std::span<const AdapterScale> all, size_t i, HearthAdapter** adapter, float* scale) {
  if (i >= all.size()) return Error{ErrorCode::kNotFound, "there are no more adapters"};
  *adapter = new HearthAdapter{all[i].adapter};
  if (scale != nullptr) *scale = all[i].scale;
  return {};
}

}  // namespace hearth::c

extern "C" {

HearthCode hearth_adapter_load(const char* path, const HearthModel* model, HearthAdapter** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {model, "model"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::Adapter::load(path, model->model), out);
  });
}
HearthCode hearth_adapter_from_memory(const void* bytes, size_t n, const HearthModel* model, HearthAdapter** out,
                                      HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{bytes, "bytes"}, {model, "model"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::Adapter::from_memory({static_cast<const std::byte*>(bytes), n}, model->model), out);
  });
}
void hearth_adapter_free(HearthAdapter* adapter) {
  delete adapter;
}
void hearth_adapter_info(const HearthAdapter* adapter, HearthAdapterInfo* out) {
  if (adapter == nullptr) return;
  const hearth::AdapterInfo& i = adapter->adapter.info();
  HearthAdapterInfo full{};
  full.kind = static_cast<int32_t>(i.kind);
  full.name = i.name.c_str();
  full.n_changed = i.n_changed;
  full.max_rank = i.max_rank;
  full.alpha = i.alpha;
  full.rank_stabilized = i.rank_stabilized;
  full.invocation_tokens = i.invocation_tokens.data();
  full.n_invocation_tokens = i.invocation_tokens.size();
  full.file_bytes = i.file_bytes;
  full.warning = i.warning.c_str();
  fill(out, full);
}
uint64_t hearth_adapter_content_hash(const HearthAdapter* adapter) {
  return adapter == nullptr ? 0 : adapter->adapter.content_hash();
}

}  // extern "C"
