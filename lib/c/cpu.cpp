// Twin of hearth/cpu.h.
#include "lib/c/call.h"

using namespace hearth::c;

extern "C" {

bool hearth_list_isas(size_t i, HearthIsaInfo* out) {
  const auto all = hearth::list_isas();
  if (i >= all.size()) return false;
  fill(out, {0, all[i].name, all[i].needs, all[i].usable, all[i].active, all[i].wide_products});
  return true;
}

const char* hearth_active_isa(void) {
  return hearth::active_isa();
}

HearthCode hearth_force_isa(const char* name, HearthError* error) {
  return call(error, [&] { return hearth::force_isa(view(name)); });
}

HearthCode hearth_isa_override_error(HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    const std::string why = hearth::isa_override_error();
    if (why.empty()) return {};
    return hearth::Error{hearth::ErrorCode::kInvalidArgument, why};
  });
}

HearthCode hearth_measure_machine_limits(int32_t n_threads, HearthMachineLimits* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    const auto limits = hearth::measure_machine_limits(n_threads);
    if (!limits) return limits.error();
    fill(out, {0, limits->n_threads, limits->read_gb_per_s, limits->int8_gmac_per_s, limits->bf16_gmac_per_s});
    return {};
  });
}

size_t hearth_self_test(HearthShowKernelCheck show, void* user) {
  const auto checks = hearth::self_test();
  for (const hearth::KernelCheck& check : checks) {
    const HearthKernelCheck seen{sizeof seen, check.name.c_str(), check.isa.c_str(), check.passed,
                                 check.detail.c_str()};
    if (show != nullptr) show(user, &seen);
  }
  return checks.size();
}

}  // extern "C"
