// Lesson 2, second program: a full context, a shared beginning, and entries of fewer bits.
//
//   sharing MODEL
#include <hearth/hearth.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// A text of `n` tokens: a story, told again and again.
std::vector<hearth::Token> story(const hearth::Model& model, size_t n) {
  auto text = model.tokenizer().encode(
      "Once upon a time there was a brave dog called Max. He lived in a house at the sea with Anna. One day the wind "
      "took "
      "her red kite. Max ran to the hill and found it in an old tree. \"Thank you, Max,\" said Anna, and they went "
      "home.\n");
  std::vector<hearth::Token> ids;
  while (text && ids.size() < n) ids.push_back((*text)[ids.size() % text->size()]);
  return ids;
}

bool fill_and_make_room(const hearth::Model& model, const std::vector<hearth::Token>& ids) {
  auto session = hearth::Session::create(model, {.n_ctx = 128, .n_threads = 1});
  const hearth::Status filled = session->prefill({ids.data(), 128});
  const hearth::Status more = session->decode({{{ids[128], 128, 0, true}}});
  std::printf("128 tokens in a context of 128: %s; one more: %s\n", filled ? "done" : "failed",
              hearth::error_code_name(more.error().code));
  auto gone = session->make_room(0, hearth::OnFull::kShift, 4);
  if (!gone) return false;
  std::printf("shift, keeping the first 4: %d forgotten, %d left\n", *gone, session->cache().length(0));
  return bool(session->decode({{{ids[128], session->cache().length(0), 0, true}}}));
}

bool share(const hearth::Model& model, const std::vector<hearth::Token>& ids) {
  auto session = hearth::Session::create(model, {.n_ctx = 2048, .n_seqs = 8, .n_threads = 1});
  if (!session->prefill({ids.data(), 256})) return false;
  std::printf("\none sequence of 256 tokens: %lld pages of %d tokens\n", (long long)session->cache().stats().pages_used,
              hearth::KVCache::kPageTokens);
  for (hearth::SeqId seq = 1; seq < 8; ++seq) {
    if (!session->cache().copy(0, seq)) return false;
  }
  std::printf("eight that begin with it: %lld pages\n", (long long)session->cache().stats().pages_used);
  for (hearth::SeqId seq = 0; seq < 8; ++seq) {
    if (!session->decode({{{ids[size_t(256 + seq)], 256, seq, false}}})) return false;
  }
  std::printf("each with one token of its own more: %lld pages\n", (long long)session->cache().stats().pages_used);
  return true;
}

// The mean square of the difference of the logits, as a share of their own mean square.
bool round_entries(const hearth::Model& model, const std::vector<hearth::Token>& ids) {
  std::vector<float> exact;
  std::printf("\ntype of keys and values   error of the logits\n");
  for (const hearth::KVType type : {hearth::KVType::kF32, hearth::KVType::kF16, hearth::KVType::kQ8_0,
                                    hearth::KVType::kQ5_0, hearth::KVType::kQ4_0}) {
    auto session = hearth::Session::create(
        model, {.n_ctx = 512, .k_type = type, .v_type = type, .n_threads = 1, .exact_products = true});
    if (!session->prefill({ids.data(), 192})) return false;
    const auto logits = session->logits(0);
    if (exact.empty()) exact.assign(logits.begin(), logits.end());
    double difference = 0, size = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      difference += (double(logits[i]) - exact[i]) * (double(logits[i]) - exact[i]);
      size += double(exact[i]) * exact[i];
    }
    std::printf("%-25s %.1e\n", hearth::kv_type_name(type), difference / size);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: sharing MODEL\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  const std::vector<hearth::Token> ids = story(*model, 300);
  return fill_and_make_room(*model, ids) && share(*model, ids) && round_entries(*model, ids) ? 0 : 1;
}
