// The package at work: lists its instruction sets, and an error is a value.
#include <hearth/hearth.h>

#include <cstdio>

int main() {
  for (const hearth::IsaInfo& isa : hearth::list_isas()) std::printf("%s ", isa.name);
  const auto model = hearth::Model::open("no-such-file.gguf");
  std::printf("\n%s\n", model.error().message.c_str());
  return model ? 1 : 0;
}
