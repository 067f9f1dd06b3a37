// Gate activations of the feed-forward block: a word that rows of lib/arch and the kernels share.
#pragma once

#include <cstdint>

namespace hearth::kernels {

enum class Gate : uint8_t {
  kSilu,  ///< x * sigmoid(x)
  kGelu,  ///< tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  kReluSquared,
  kSwigluClamped,  ///< gpt-oss: g = min(g, 7); u = clamp(u, -7, 7); g * sigmoid(1.702 g) * (u + 1)
};

}  // namespace hearth::kernels
