// A sampler stage of one's own: no word that contains the letter given on the command line is ever written.
#include <hearth/hearth.h>

#include <iostream>

int main(int argc, char** argv) {
  auto model = hearth::Model::open(argc > 1 ? argv[1] : "model.gguf");
  if (!model) return std::cerr << model.error().message << '\n', 1;
  const char letter = argc > 2 ? argv[2][0] : 'o';
  auto session = hearth::Session::create(*model);
  if (!session) return std::cerr << session.error().message << '\n', 1;

  const hearth::Tokenizer& tokenizer = model->tokenizer();
  auto sampler = hearth::Sampler::create(model->info().n_vocab, {.top_k = 0}, &tokenizer);
  if (!sampler) return std::cerr << sampler.error().message << '\n', 1;
  sampler->add_stage(hearth::StagePosition::kBeforeTruncation, [&](hearth::Candidates& candidates) {
    std::erase_if(candidates.items, [&](const hearth::Candidate& c) {
      return tokenizer.piece(c.id).find(letter) != std::string_view::npos;
    });
  });
  auto text = session->generate("Once up", {.max_tokens = 40, .own_sampler = &*sampler},
                                [](std::string_view piece) { return bool(std::cout << piece << std::flush); });
  if (!text) return std::cerr << text.error().message << '\n', 1;
  std::cout << '\n';
}
