// Asks every question with greedy decoding.
#include "examples/train/evaluate.h"

#include "hearth/session.h"

namespace train {

hearth::Result<Evaluation> evaluate(const std::string& model_path, const std::vector<HeldOutQuestion>& questions,
                                    int n_threads) {
  const auto model = hearth::Model::open(model_path);
  if (!model) return model.error();
  auto session = hearth::Session::create(*model, {.n_ctx = 512, .n_threads = n_threads});
  if (!session) return session.error();
  const hearth::GenerateOptions options{
      .max_tokens = 64, .sampler = {.greedy = true}, .add_special = false, .parse_special = true};
  Evaluation result;
  for (const HeldOutQuestion& question : questions) {
    const auto answer = session->generate(question.prompt, options);
    if (!answer) return answer.error();
    const bool right = answer->text == question.answer;
    for (Score* score : {&result.total, &result.by_kind[question.kind]}) {
      score->asked += 1;
      score->right += right ? 1 : 0;
    }
    if (!right) result.mistakes.push_back(question.kind + ": " + question.answer + " | " + answer->text);
  }
  return result;
}

}  // namespace train
