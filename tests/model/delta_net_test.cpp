// Recurrent layers against the gated delta rule in double precision, written from the paper (Yang et al. 2024, equation
// 10).
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;
using testing::Vec;

constexpr size_t kConv = FamilyModel::kConv, kKeyHeads = FamilyModel::kKeyHeads, kValueHeads = FamilyModel::kValueHeads,
                 kDim = FamilyModel::kStateDim, kChannels = (2 * kKeyHeads + kValueHeads) * kDim,
                 kShare = kValueHeads / kKeyHeads;
constexpr double kEps = 1e-5;
/// Errors of a token are carried on by the state, and the norm of small outputs enlarges them.
constexpr double kBound = 5e-5;

/// One layer over one sequence, token by token.
class Oracle {
 public:
  Oracle(const Architecture& arch, const FamilyModel& family, bool joined)
      : tiled_(arch.value_heads_tiled), joined_(joined), family_(family) {
    past_.assign(kConv - 1, Vec(kChannels, 0.0));
    states_.assign(kValueHeads, std::vector<Vec>(kDim, Vec(kDim, 0.0)));
  }

  Vec next(const Vec& h) {
    past_.push_back(times("attn_qkv.weight", h));
    const Vec qkv = convolved();
    past_.erase(past_.begin());
    const Vec z = times("attn_gate.weight", h);
    const auto [beta, alpha] = rates(h);
    Vec heads;
    for (size_t head = 0; head < kValueHeads; ++head) {
      const size_t key_head = tiled_ ? head % kKeyHeads : head / kShare;
      const Vec q = unit(qkv, key_head * kDim, 1 / std::sqrt(static_cast<double>(kDim)));
      const Vec k = unit(qkv, (kKeyHeads + key_head) * kDim, 1);
      const double* v = qkv.data() + (2 * kKeyHeads + head) * kDim;
      const double dt = value("ssm_dt.bias", head), a = value("ssm_a", head);
      const double decay = std::exp(a * std::log1p(std::exp(alpha[head] + dt)));
      const Vec read = step(states_[head], q, k, v, decay, testing::sigmoid(beta[head]));
      const Vec normed = testing::rms_norm(read, tensor("ssm_norm.weight").values, kEps);
      for (size_t d = 0; d < kDim; ++d) heads.push_back(normed[d] * testing::silu(z[head * kDim + d]));
    }
    return times("ssm_out.weight", heads);
  }

 private:
  const testing::TinyModel::Tensor& tensor(const std::string& name) const {
    return family_.tiny.tensors.at("blk.0." + name);
  }
  Vec times(const std::string& name, const Vec& x) const { return testing::times(tensor(name), x); }
  double value(const std::string& name, size_t i) const { return double{tensor(name).values[i]}; }

  Vec convolved() const {
    Vec out(kChannels);
    for (size_t c = 0; c < kChannels; ++c) {
      double sum = 0;
      for (size_t j = 0; j < kConv; ++j) sum += value("ssm_conv1d.weight", c * kConv + j) * past_[j][c];
      out[c] = testing::silu(sum);
    }
    return out;
  }

  /// beta and alpha of every value head; joined: [beta | alpha] of the value heads of each key head in turn.
  std::pair<Vec, Vec> rates(const Vec& h) const {
    if (!joined_) return {times("ssm_beta.weight", h), times("ssm_alpha.weight", h)};
    const Vec both = times("ssm_ba.weight", h);
    Vec beta, alpha;
    for (size_t head = 0; head < kValueHeads; ++head) {
      const size_t at = head / kShare * 2 * kShare + head % kShare;
      beta.push_back(both[at]);
      alpha.push_back(both[at + kShare]);
    }
    return {beta, alpha};
  }

  static Vec unit(const Vec& x, size_t at, double scale) {
    Vec y(x.begin() + static_cast<std::ptrdiff_t>(at), x.begin() + static_cast<std::ptrdiff_t>(at + kDim));
    const double length = std::sqrt(testing::dot(y.data(), y.data(), kDim) + kEps);
    for (double& value : y) value *= scale / length;
    return y;
  }

  /// S = decay S (I - beta k k^T) + beta v k^T, stored as [k][v]; returns S q.
  static Vec step(std::vector<Vec>& state, const Vec& q, const Vec& k, const double* v, double decay, double beta) {
    Vec out(kDim, 0.0);
    for (size_t d = 0; d < kDim; ++d) {
      double answer = 0;
      for (size_t i = 0; i < kDim; ++i) answer += k[i] * (state[i][d] *= decay);
      for (size_t i = 0; i < kDim; ++i) {
        state[i][d] += beta * k[i] * (v[d] - answer);
        out[d] += q[i] * state[i][d];
      }
    }
    return out;
  }

  bool tiled_, joined_;
  const FamilyModel& family_;
  std::vector<Vec> past_;                 ///< inputs of the convolution, the newest last
  std::vector<std::vector<Vec>> states_;  ///< of each value head
};

/// Two sequences, interleaved in batches of 2 * step tokens.
void expect_stage(const Architecture& arch, const FamilyModel& family, bool joined, int step) {
  StageWorld world(arch, family.tiny);
  std::vector<Oracle> oracles(2, Oracle(arch, family, joined));
  for (int32_t pos = 0; pos < 12; pos += step) {
    std::vector<BatchToken> batch;
    for (int32_t i = 0; i < step; ++i) {
      for (SeqId seq = 0; seq < 2; ++seq) batch.push_back({1, pos + i, seq, true});
    }
    world.reserve(batch);
    const auto h =
        testing::random_rows(world.scratch().h, 2 * step, FamilyModel::kWidth, 7u + static_cast<unsigned>(pos));
    std::vector<int32_t> rows(batch.size());
    std::iota(rows.begin(), rows.end(), 0);
    delta_net(world.c, 0, batch, rows);
    for (size_t t = 0; t < batch.size(); ++t) {
      testing::expect_close(world.scratch().y + t * FamilyModel::kWidth,
                            oracles[static_cast<size_t>(batch[t].seq)].next(h[t]),
                            "position " + std::to_string(batch[t].pos) + " by " + std::to_string(step), kBound);
    }
  }
}

TEST(DeltaNet, IsTheGatedDeltaRule) {
  const Architecture arch{.name = "delta", .recurrent = true};
  for (const int step : {1, 3, 12}) expect_stage(arch, FamilyModel(arch), false, step);
}

TEST(DeltaNet, ValueHeadsMayBeTiledOverKeyHeads) {
  const Architecture arch{.name = "delta", .recurrent = true, .value_heads_tiled = true};
  expect_stage(arch, FamilyModel(arch), false, 4);
}

TEST(DeltaNet, RatesMayBeOneTensor) {
  const Architecture arch{.name = "delta", .recurrent = true};
  FamilyModel family(arch);
  for (int i = 0; i < FamilyModel::kLayers - 1; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    family.tiny.tensors.erase(blk + "ssm_beta.weight");
    family.tiny.tensors.erase(blk + "ssm_alpha.weight");
    family.tiny.add(blk + "ssm_ba.weight", {FamilyModel::kWidth, 2 * FamilyModel::kValueHeads});
  }
  expect_stage(arch, family, true, 4);
}

TEST(DeltaNet, ASequenceThatBeginsAgainForgets) {
  const Architecture arch{.name = "delta", .recurrent = true};
  const FamilyModel family(arch);
  StageWorld world(arch, family.tiny);
  const int32_t rows[1] = {0};
  for (int round = 0; round < 2; ++round) {
    Oracle oracle(arch, family, false);
    const BatchToken token{1, 0, 0, true};
    world.c.cache->clear();
    world.reserve({&token, 1});
    const auto h = testing::random_rows(world.scratch().h, 1, FamilyModel::kWidth, 7u + static_cast<unsigned>(round));
    delta_net(world.c, 0, {&token, 1}, rows);
    testing::expect_close(world.scratch().y, oracle.next(h[0]), "round " + std::to_string(round), kBound);
  }
}

}  // namespace
}  // namespace hearth
