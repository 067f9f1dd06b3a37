// Two texts written at once: each step computes one token of both in one batch. One is the likeliest text, one is
// drawn.
#include <hearth/hearth.h>

#include <iostream>

int main(int argc, char** argv) {
  auto model = hearth::Model::open(argc > 1 ? argv[1] : "model.gguf");
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto session = hearth::Session::create(*model, {.n_ctx = 512, .n_seqs = 2});
  if (!session) return std::cerr << session.error().message << '\n', 1;
  auto prompt = model->tokenizer().encode("Once upon a time", {.add_special = true});
  if (!prompt) return std::cerr << prompt.error().message << '\n', 1;

  const hearth::SamplerOptions samplers[] = {{.greedy = true}, {.seed = 7, .temperature = 1.2f}};
  std::vector<hearth::Generator> texts;
  for (hearth::SeqId seq = 0; seq < 2; ++seq) {
    auto text = hearth::Generator::create(*model, *prompt, {.max_tokens = 40, .sampler = samplers[seq]});
    if (!text) return std::cerr << text.error().message << '\n', 1;
    auto status = session->prefill(*prompt, {.seq = seq});
    if (!status) return std::cerr << status.error().message << '\n', 1;
    auto first = text->accept(session->logits(0));
    if (!first) return std::cerr << first.error().message << '\n', 1;
    texts.push_back(std::move(*text));
  }
  for (std::vector<hearth::BatchToken> batch; batch.clear(), true;) {
    for (hearth::SeqId seq = 0; seq < 2; ++seq) {
      if (!texts[seq].finished()) batch.push_back(texts[seq].next(seq));
    }
    if (batch.empty()) break;
    if (auto status = session->decode(batch); !status) return std::cerr << status.error().message << '\n', 1;
    for (size_t i = 0; i < batch.size(); ++i) (void)texts[batch[i].seq].accept(session->logits(i));
  }
  std::cout << "likeliest:" << texts[0].text() << "\ndrawn:" << texts[1].text() << '\n';
}
