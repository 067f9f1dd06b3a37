#include <hearth/hearth.h>

#include <iostream>

int main(int argc, char** argv) {
  auto model = hearth::Model::open(argc > 1 ? argv[1] : "model.gguf");
  if (!model) return std::cerr << model.error().message << '\n', 1;
  auto session = hearth::Session::create(*model);
  if (!session) return std::cerr << session.error().message << '\n', 1;
  auto text = session->generate("Once upon a time", {.max_tokens = 64},
                                [](std::string_view piece) { return bool(std::cout << piece << std::flush); });
  if (!text) return std::cerr << text.error().message << '\n', 1;
}
