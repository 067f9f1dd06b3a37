// Initial values. Small models take most of their training to discover one mechanism, the induction head (Olsson et
// al. 2022): one layer notes at each token what stood before it, the next layer looks for the place that notes the
// token at hand, and copies what it finds there. Answering from a text rests on it. Here the first two layers begin in
// that shape, approximately, and training refines it (structured initial values: Trockman and Kolter 2023). It takes
// four steps:
//
//   1. Every embedding is a random vector plus one that all share. Projections onto the shared vector are the same for
//      every token, as a bias would be: so a query and a key can depend on position alone.
//   2. Layer 0, key-value head g: such a query and key, turned against each other by g + 1 positions of the rotary
//      embedding, make its heads look g + 1 tokens back. They copy the subspace "own" of what they see to the subspace
//      "back[g]".
//   3. Layer 1, key-value head g: its keys are "back[g]", its queries what should stand there: "own" for g = 0, and
//      "back[g - 1]" after that, which finds words in lists, where a comma stands between them.
//   4. What layer 1 finds it copies in the subspace "found", and the tied output layer reads it as the next token.
//
// That finds what followed a word. What belongs to it, such as the colour that stands before it or the name at the
// other end of its sentence, takes two more steps, where a model has three layers:
//
//   5. Layer 0, the last head of each group: a weaker query to slower turning pairs sees not one place but some eight,
//      about 4 and 9 tokens back. The heads add the "own" of all of them to the subspace "near".
//   6. Layer 2 matches places by what is near them: group 0 copies tokens whose neighbours are the neighbours of the
//      token at hand, group 1 looks for those neighbours themselves and copies what stood near them and before them.
//
// Queries and keys that compare content do so in the slowly turning pairs of the rotary embedding: in the others a
// match would depend on the distance.
//
// A word after a space and the same word at the start of a line or in quotation marks are two tokens, and an answer
// often begins with what the text had in its middle: so two such tokens begin with similar embeddings.
//
// "own", "back[..]" and "found" are orthogonal subspaces, as wide as a head, of one random rotation; "near" is one of
// another rotation.
#include "examples/train/initial.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "hearth/sampler.h"

namespace train {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Weights = Eigen::Map<RowMajor>;

// Found by a few short trials, not tuned.
constexpr float kEmbedding = 0.15f;             ///< deviation of embeddings, and the size of their shared part
constexpr float kLogitScale = 0.05f;            ///< deviation of embeddings times the last norm: what logits begin with
constexpr float kBackAngle = 4.7f;              ///< size of positional queries and keys
constexpr int64_t kBackPairs = 8;               ///< pairs of a head that carry them: the fastest turning
constexpr float kMatch = 2.5f;                  ///< size of queries and keys that look for the same token
constexpr float kMatchTurn = 1.0f / 40;         ///< radians a position, at most, of the pairs that carry them
constexpr float kNoise = 0.3f;                  ///< what stays of the random values beside a subspace
constexpr float kNoted = 0.2f, kCopied = 0.5f;  ///< what the two layers write
constexpr float kNearAngle = 2.1f;              ///< size of the queries that see several places
constexpr int64_t kNearFirst = 4;               ///< the first of the pairs that carry them; kBackPairs ends them
constexpr int64_t kNear[] = {4, 9};  ///< tokens back, the middle of what a head sees; for even and odd groups
constexpr float kNearNoted = 0.6f, kNearMatch = 3.0f, kNearCopied = 0.25f;

constexpr float kTwin = 0.9f;  ///< correlation of a token's embedding with its twin's

class Normal {
 public:
  explicit Normal(uint64_t seed) : rng_(seed) {}
  float operator()() {  // Box and Muller's method
    const double radius = std::sqrt(-2.0 * std::log(1.0 - rng_.uniform()));
    return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * rng_.uniform()));
  }

 private:
  hearth::Rng rng_;
};

/// The heads described above; the layers hold random values.
class InductionHeads {
 public:
  InductionHeads(const Layout& layout, Floats& values, Normal& normal)
      : layout_(layout), s_(layout.sizes), values_(values), shared_(s_.d_model) {
    for (float& x : shared_) x = normal() < 0 ? -1.0f : 1.0f;
    RowMajor random(s_.d_model, s_.d_model);
    for (float& x : random.reshaped()) x = normal();
    rotation_ = Eigen::HouseholderQR<RowMajor>(random).householderQ();
    for (float& x : random.reshaped()) x = normal();
    near_ = RowMajor(Eigen::HouseholderQR<RowMajor>(random).householderQ()).leftCols(s_.head_dim);
  }

  static constexpr int64_t kOwn = 0;  ///< where the subspace begins

  static bool fit(const ModelSizes& s) {
    return s.n_layers >= 2 && (s.n_kv_heads + 2) * s.head_dim <= s.d_model && 2 * kBackPairs <= s.head_dim;
  }

  void set() {
    map(layout_.embedding, s_.n_vocab).rowwise() += kEmbedding * shared_;
    const int64_t found = (s_.n_kv_heads + 1) * s_.head_dim, group = s_.n_heads / s_.n_kv_heads;
    const bool near = s_.n_layers >= 3 && group >= 2;
    for (int64_t g = 0; g < s_.n_kv_heads; ++g) {
      const int64_t first = g * group, last = first + group - 1;
      for (int64_t h = first; h <= last; ++h) {
        if (near && h == last) {
          look_back(query(0, h), (g + 1) - kNear[g % 2], kNearAngle, kNearFirst);
          write(0, h, near_, kNearNoted);
        } else {
          look_back(query(0, h), 0, kBackAngle);
          write(0, h, part((g + 1) * s_.head_dim), near ? 2 * kNoted : kNoted);
        }
        match(query(1, h), part(g * s_.head_dim), kMatch);
        write(1, h, part(found), kCopied);
      }
      look_back(key(0, g), g + 1, kBackAngle);
      read(value(0, g), part(kOwn), 1.0f);
      match(key(1, g), part((g + 1) * s_.head_dim), kMatch);
      read(value(1, g), part(found), 1.0f);
    }
    if (near) match_neighbours(group);
  }

 private:
  Weights map(int64_t offset, int64_t rows) { return {values_.data() + offset, rows, s_.d_model}; }
  Weights head(size_t layer, int64_t row) { return map(layout_.layers[layer].wqkv + row * s_.d_model, s_.head_dim); }
  Weights query(size_t layer, int64_t h) { return head(layer, h * s_.head_dim); }
  Weights key(size_t layer, int64_t g) { return head(layer, s_.d_q() + g * s_.head_dim); }
  Weights value(size_t layer, int64_t g) { return head(layer, s_.d_q() + s_.d_kv() + g * s_.head_dim); }

  /// The sixth step. What is copied is "own", and the output layer reads that as well as "found".
  void match_neighbours(int64_t group) {
    for (int64_t g = 0; g < s_.n_kv_heads; ++g) {
      for (int64_t h = g * group; h < (g + 1) * group; ++h) {
        if (h % group == 0) {
          match(query(2, h), near_, kNearMatch);
        } else {
          match(query(2, h), part(s_.head_dim), kMatch);  // the word before
        }
        write(2, h, part(kOwn), kNearCopied);
      }
      match(key(2, g), g % 2 == 0 ? near_ : part(kOwn), g % 2 == 0 ? kNearMatch : kMatch);
      read(value(2, g), g % 2 == 0 ? part(kOwn) : RowMajor(near_ + part(s_.head_dim)), 1.0f);
    }
  }

  /// A vector that is the same for every token, turned as `distance` positions would turn it.
  void look_back(Weights w, int64_t distance, float angle, int64_t first_pair = 0) {
    for (int64_t i = first_pair; i < kBackPairs; ++i) {
      const float turn = static_cast<float>(distance) * turn_of(i);
      // A normalised embedding has sqrt(1/2) of the shared vector in it.
      const float size = angle * std::numbers::sqrt2_v<float> / static_cast<float>(s_.d_model);
      w.row(2 * i) += size * std::cos(turn) * shared_;
      w.row(2 * i + 1) += size * std::sin(turn) * shared_;
    }
  }

  /// The columns of a subspace, from the rotation's column `at` on.
  RowMajor part(int64_t at) const { return rotation_.middleCols(at, s_.head_dim); }

  /// The head's values are that subspace.
  void read(Weights w, const RowMajor& subspace, float size) { w = kNoise * w + size * subspace.transpose(); }

  /// Queries or keys that look for the same content: in the pairs alone that turn little over the length of a text, so
  /// that the match does not depend on the distance.
  void match(Weights w, const RowMajor& subspace, float size) {
    const auto pairs = static_cast<Eigen::Index>(s_.head_dim / 2);
    Eigen::Index first = 0;
    while (first + 1 < pairs && turn_of(first) > kMatchTurn) ++first;
    const Eigen::Index rows = 2 * (pairs - first);
    size *= std::sqrt(static_cast<float>(w.rows()) / static_cast<float>(rows));
    w *= kNoise;
    w.bottomRows(rows) += size * subspace.rightCols(rows).transpose();
  }

  /// Radians that a pair of dimensions turns from one position to the next.
  float turn_of(Eigen::Index pair) const {
    return std::pow(s_.rope_base, -2.0f * static_cast<float>(pair) / static_cast<float>(s_.head_dim));
  }

  /// Head h writes into that subspace.
  void write(size_t layer, int64_t h, const RowMajor& subspace, float size) {
    Eigen::Map<RowMajor> wo(values_.data() + layout_.layers[layer].wo, s_.d_model, s_.d_q());
    wo.middleCols(h * s_.head_dim, s_.head_dim) += size * subspace;
  }

  const Layout& layout_;
  const ModelSizes& s_;
  Floats& values_;
  Eigen::RowVectorXf shared_;
  RowMajor rotation_, near_;
};

bool writes_residual(const Tensor& tensor) {
  return tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight");
}

}  // namespace

std::vector<int32_t> twins_of(const hearth::Tokenizer& tokenizer) {
  std::vector<int32_t> twins;
  for (int32_t id = 0; id < tokenizer.n_vocab(); ++id) {
    const std::string_view piece = tokenizer.piece(id);
    const bool spaced = piece.size() > 1 && piece[0] == ' ';
    twins.push_back(spaced ? tokenizer.find(piece.substr(1)).value_or(-1) : -1);
  }
  return twins;
}

Floats initial_parameters(const Layout& layout, uint64_t seed, const std::vector<int32_t>& twins) {
  const ModelSizes& s = layout.sizes;
  Floats values(static_cast<size_t>(layout.n_parameters), 1.0f);
  Normal normal(seed);
  for (const Tensor& tensor : layout.tensors) {
    if (tensor.is_norm()) continue;
    float deviation = 1 / std::sqrt(static_cast<float>(tensor.cols));
    if (writes_residual(tensor)) deviation /= std::sqrt(2.0f * static_cast<float>(s.n_layers));
    if (tensor.offset == layout.embedding) deviation = kEmbedding;
    for (int64_t i = 0; i < tensor.size(); ++i) values[static_cast<size_t>(tensor.offset + i)] = deviation * normal();
  }
  Weights embedding(values.data() + layout.embedding, s.n_vocab, s.d_model);
  for (size_t i = 0; i < twins.size(); ++i) {
    if (twins[i] < 0) continue;
    auto row = embedding.row(static_cast<Eigen::Index>(i));
    row = kTwin * embedding.row(twins[i]) + std::sqrt(1 - kTwin * kTwin) * row;
  }
  std::fill_n(values.begin() + layout.output_norm, s.d_model, kLogitScale / kEmbedding);
  if (InductionHeads::fit(s)) InductionHeads(layout, values, normal).set();
  return values;
}

Floats deepened(const Floats& trained, const Layout& from, const Layout& to, uint64_t seed) {
  ModelSizes same = from.sizes;
  same.n_layers = to.sizes.n_layers;
  if (same != to.sizes || from.sizes.n_layers > to.sizes.n_layers ||
      trained.size() != static_cast<size_t>(from.n_parameters)) {
    return {};
  }
  Floats values = initial_parameters(to, seed);
  for (const Tensor& tensor : to.tensors) {
    const auto begin = values.begin() + tensor.offset;
    const auto known = std::find_if(from.tensors.begin(), from.tensors.end(),
                                    [&](const Tensor& other) { return other.name == tensor.name; });
    if (known != from.tensors.end()) {
      std::copy_n(trained.begin() + known->offset, tensor.size(), begin);
    } else if (writes_residual(tensor)) {
      std::fill_n(begin, tensor.size(), 0.0f);
    }
  }
  return values;
}

}  // namespace train
