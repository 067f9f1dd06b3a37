// Lesson 3, second program: one seed under several ways of choosing, and a grammar that says what may be written.
//
//   same_seed MODEL
#include <hearth/hearth.h>

#include <cstdio>
#include <string>

namespace {

bool write(hearth::Session& session, const char* name, const char* prompt, const hearth::GenerateOptions& options) {
  auto text = session.generate(prompt, options);
  if (!text) return std::fprintf(stderr, "%s\n", text.error().message.c_str()), false;
  for (size_t at; (at = text->text.find('\n')) != std::string::npos;) text->text.replace(at, 1, "\\n");
  std::printf("%-22s%s\n", name, text->text.c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: same_seed MODEL\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  // Products of floats: the same text on every processor.
  auto session = hearth::Session::create(*model, {.n_ctx = 256, .exact_products = true});
  if (!session) return std::fprintf(stderr, "%s\n", session.error().message.c_str()), 1;

  const char* prompt = "Once upon a time there was a";
  hearth::GenerateOptions options{.max_tokens = 24};
  options.sampler.seed = 7;
  options.sampler.top_k = 0, options.sampler.top_p = 1, options.sampler.min_p = 0;
  for (const float temperature : {0.0f, 0.7f, 1.0f, 1.6f}) {
    options.sampler.temperature = temperature;
    char name[32];
    std::snprintf(name, sizeof name, "temperature %.1f", double(temperature));
    if (!write(*session, name, prompt, options)) return 1;
  }
  options.sampler.min_p = 0.1f;
  if (!write(*session, "1.6 and min-p 0.1", prompt, options)) return 1;
  options.sampler = {};
  options.sampler.greedy = true;
  options.sampler.repeat_penalty = 1.3f;
  if (!write(*session, "greedy, penalty 1.3", prompt, options)) return 1;

  // A grammar is a mask: before each choice, tokens that would leave it are struck out.
  auto grammar = hearth::Grammar::from_gbnf(R"(root ::= " " ("cat" | "dog" | "frog") " that could not " [a-z]+ ".")");
  if (!grammar) return std::fprintf(stderr, "%s\n", grammar.error().message.c_str()), 1;
  options.grammar = *grammar;
  options.sampler.repeat_penalty = 1;
  if (!write(*session, "greedy, in a grammar", prompt, options)) return 1;
}
