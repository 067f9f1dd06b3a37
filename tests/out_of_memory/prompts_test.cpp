// Memory that runs out while prompts are reused and texts are drafted: an error, and everything usable.
#include <optional>

#include "hearth/hearth.h"
#include "out_of_memory/sweep.h"
#include "support/tiny_model.h"

namespace hearth::testing {
namespace {

const Model& tiny_model() {
  static const std::vector<std::byte> bytes = TinyModel().gguf();
  static const Model model = *Model::from_memory(bytes);
  return model;
}

/// The last of its layers predicts further tokens.
const Model& model_with_mtp() {
  static const std::vector<std::byte> bytes = [] {
    TinyModel made({.n_layers = 3});
    made.set_int("llama.nextn_predict_layers", 1);
    made.add("blk.2.nextn.eh_proj.weight", {96, 48});
    for (const char* norm : {"enorm", "hnorm"}) made.add(std::string("blk.2.nextn.") + norm + ".weight", {48}, 1.0f);
    return made.gguf();
  }();
  static const Model model = *Model::from_memory(bytes);
  return model;
}

Session make_session(const SessionOptions& more = {}, const Model& model = tiny_model()) {
  SessionOptions options = more;
  options.n_ctx = 512;
  options.n_threads = 1;
  options.batch_invariant = true;
  return *Session::create(model, options);
}

std::vector<Token> prompt(int n, int who) {
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) ids.push_back(3 + (i * i + i * (3 + who)) % 250);
  return ids;
}

std::string ids_of(const Generation& made) {
  std::string text;
  for (const Token id : made.ids) text += std::to_string(id) + " ";
  return text;
}

/// The text, written with what `make` gives.
template <typename Make>
void sweep_drafts(Session& session, GenerateOptions options, const Make& make) {
  const std::vector<Token> ids = prompt(40, 1);
  sweep(
      [&]() -> Result<Generation> {
        Result<Speculator> speculator = make();
        if (!speculator) return speculator.error();
        options.speculator = &*speculator;
        return session.generate(std::span<const Token>(ids), options);
      },
      ids_of);
}

TEST(OutOfMemoryOfDrafts, IsAnError) {
  Session session = make_session({.n_logits = 16});
  const SpeculationOptions drafts{.max_draft = 5, .adaptive = false};  // what is adaptive depends on times
  GenerateOptions options{.max_tokens = 12, .sampler = {.greedy = true}, .ignore_end = true};
  sweep_drafts(session, options, [&] { return Speculator::lookup({.min_match = 1}, drafts); });
  sweep_drafts(session, options, [&] { return Speculator::draft_model(session, tiny_model(), drafts); });
  options.grammar = *Grammar::from_gbnf("root ::= [a-z ]+");
  sweep_drafts(session, options, [&] { return Speculator::draft_model(session, tiny_model(), drafts); });
  sweep([] { return Speculator::lookup({.min_match = 0}); }, [](const Speculator&) { return std::string(); });
}

TEST(OutOfMemoryOfPredictions, IsAnError) {
  Session session = make_session({.n_logits = 16, .mtp = true}, model_with_mtp());
  GenerateOptions options{.max_tokens = 12, .sampler = {.greedy = true}, .ignore_end = true};
  sweep_drafts(session, options, [&] { return Speculator::mtp(session, {.max_draft = 5, .adaptive = false}); });
}

TEST(OutOfMemoryOfPrefixes, IsAnError) {
  Session session = make_session({.n_seqs = 2, .reuse_prefixes = true});
  const GenerateOptions options{.max_tokens = 3, .sampler = {.greedy = true}, .ignore_end = true};
  const auto first = prompt(150, 1), second = prompt(200, 1);
  sweep(
      [&] {
        (void)session.generate(std::span<const Token>(first), options);
        return session.generate(std::span<const Token>(second), options);
      },
      ids_of);
}

TEST(OutOfMemoryOfChangedTexts, IsAnError) {
  Session session = make_session();
  std::vector<Token> before = prompt(120, 1), after = before;
  after.erase(after.begin() + 30, after.begin() + 50);
  const auto call = [&]() -> Result<int32_t> {
    if (Status status = session.cache().remove(0, 0); !status) return status.error();
    if (Status status = session.prefill(before); !status) return status.error();
    Result<int32_t> kept = session.reuse_changed(0, after, 16);
    if (!kept) return kept;
    if (Status status = session.prefill(after, {.skip_held = true}); !status) return status.error();
    return kept;
  };
  sweep(call, [](int32_t kept) { return std::to_string(kept); });
  EXPECT_EQ(*call(), 99);
}

}  // namespace
}  // namespace hearth::testing
