// A conversation with history: each line of standard input is a message, answers are printed as they are written.
#include <hearth/hearth.h>

#include <iostream>

int main(int argc, char** argv) {
  auto model = hearth::Model::open(argc > 1 ? argv[1] : "model.gguf");
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto session = hearth::Session::create(*model, {.n_ctx = 2048});
  if (!session) return std::cerr << session.error().message << '\n', 1;
  auto chat = hearth::Chat::create(*session, {.when_full = hearth::ContextFullPolicy::kDropOldest});
  if (!chat) return std::cerr << chat.error().message << '\n', 1;
  for (std::string line; std::getline(std::cin, line);) {
    auto answer = chat->say(line, [](std::string_view piece) { return bool(std::cout << piece << std::flush); });
    if (!answer) return std::cerr << answer.error().message << '\n', 1;
    std::cout << '\n';
  }
}
