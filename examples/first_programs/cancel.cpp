// Progress of a long prompt, the probability of each token, and Ctrl-C: the text so far stays, and nothing is torn
// down.
#include <hearth/hearth.h>

#include <csignal>
#include <iostream>

std::atomic<bool> cancel{false};

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { cancel = true; });
  const auto loading = [](uint64_t done, uint64_t total) {
    return std::cerr << "loading " << done * 100 / total << "%\n", !cancel;
  };
  auto model = hearth::Model::open(argc > 1 ? argv[1] : "model.gguf", {.prefetch = true, .progress = loading});
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto session = hearth::Session::create(*model, {.n_batch = 64});
  if (!session) return std::cerr << session.error().message << '\n', 1;

  hearth::GenerateOptions options{.max_tokens = -1, .cancel = &cancel};
  options.on_prompt = [](int32_t done, int32_t total) {
    return std::cerr << "prompt " << done << "/" << total << '\n', true;
  };
  options.on_token = [](const hearth::GeneratedToken& token) {
    return bool(std::cout << token.text << '(' << token.probability << ')' << std::flush);
  };
  std::string prompt;
  for (std::string line; std::getline(std::cin, line);) prompt += line + '\n';
  auto text = session->generate(prompt, options);
  if (!text) return std::cerr << text.error().message << '\n', 1;
  std::cout << '\n' << hearth::stop_reason_name(text->stop_reason) << '\n';
}
