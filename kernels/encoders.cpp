// Which encoders run.
#include "kernels/encoders.h"

#include <iterator>

#include "kernels/cpu_features.h"

namespace hearth::kernels {

namespace any {
const EncoderTable& encoder_table();
}
namespace x86 {
const EncoderTable& encoder_table();
}

namespace {

struct EncoderSet {
  const char* needs;  ///< processor features, as cpu_has() takes them
  const EncoderTable& (*table)();
};

constexpr EncoderSet kSets[] = {
    {"", any::encoder_table},
#if defined(HEARTH_X86_ENCODERS)
    {"AVX2 FMA F16C BMI1 BMI2", x86::encoder_table},
#endif
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
