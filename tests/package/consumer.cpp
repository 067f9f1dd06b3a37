// A program of somebody else: links everything from the tokenizer to the kernels and runs without a model file.
#include <hearth/hearth.h>

#include <cstdio>
#include <string>

int main() {
  hearth::Result<hearth::Model> model = hearth::Model::open("no such file.gguf");
  if (model.ok() || model.error().message.find("no such file.gguf") == std::string::npos) return 1;
  if (hearth::list_isas().empty() || std::string(hearth::active_isa()).empty()) return 2;
  const auto chat = hearth::ChatTemplate::compile("{{ messages[0].content }}");
#ifdef WITHOUT_JINJA
  if (chat.ok() || chat.error().code != hearth::ErrorCode::kUnsupported) return 3;
#else
  if (!chat.ok()) return 3;
#endif
  std::printf("hearth %s, %s: %s\n", hearth::version(), hearth::active_isa(), model.error().message.c_str());
  return 0;
}
