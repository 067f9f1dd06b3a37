// Which encoders run.
#include "kernels/encoders.h"

#include <iterator>

#include "kernels/cpu_features.h"

namespace hearth::kernels {

// <folder>::encoder_table() is what a folder's encode.cpp has.
namespace any {
const EncoderTable& encoder_table();
}
#define HEARTH_ENCODERS(folder, needs) \
  namespace folder {                   \
  const EncoderTable& encoder_table(); \
  }
#include "encoder_sets.inc"
#undef HEARTH_ENCODERS

namespace {

struct EncoderSet {
  const char* needs;  ///< processor features, as cpu_has() takes them
  const EncoderTable& (*table)();
};

/// Slowest first.
constexpr EncoderSet kSets[] = {
    {"", any::encoder_table},
#define HEARTH_ENCODERS(folder, needs) {needs, folder::encoder_table},
#include "encoder_sets.inc"
#undef HEARTH_ENCODERS
};

}  // namespace

int encoder_set_count() {
  return static_cast<int>(std::size(kSets));
}

const EncoderTable* encoder_set(int index) {
  return cpu_has(kSets[index].needs) ? &kSets[index].table() : nullptr;
}

const EncoderTable& encoders() {
  static const EncoderTable& best = []() -> const EncoderTable& {
    int last = 0;
    for (int i = 0; i < encoder_set_count(); ++i) {
      if (encoder_set(i) != nullptr) last = i;
    }
    return *encoder_set(last);
  }();
  return best;
}

}  // namespace hearth::kernels
