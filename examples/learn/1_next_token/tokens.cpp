// Lesson 1, first program: what is in a model file, and how a text becomes numbers.
//
//   tokens MODEL [TEXT]...
#include <hearth/hearth.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// One token as it should be seen: blanks and line ends are part of the text that a token stands for.
std::string visible(std::string_view piece) {
  std::string shown;
  for (const char c : piece) shown += c == ' ' ? "_" : c == '\n' ? "\\n" : std::string(1, c);
  return shown;
}

bool show_tokens(const hearth::Tokenizer& tokenizer, const std::string& text, bool add_special) {
  auto ids = tokenizer.encode(text, {.add_special = add_special});
  if (!ids) return std::fprintf(stderr, "%s\n", ids.error().message.c_str()), false;
  std::printf("%-34s %2zu tokens:", ("\"" + visible(text) + "\"").c_str(), ids->size());
  for (const hearth::Token id : *ids) std::printf(" %d=%s", id, visible(tokenizer.piece(id)).c_str());
  std::printf("\n");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: tokens MODEL [TEXT]...\n"), 2;
  auto file = hearth::GgufFile::open(argv[1]);
  if (!file) return std::fprintf(stderr, "%s\n", file.error().message.c_str()), 1;
  auto tokenizer = hearth::Tokenizer::from_gguf(*file);
  if (!tokenizer) return std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str()), 1;

  // Three parts: numbers and texts by name, a list of tensors, and the bytes of the tensors. Opening read the first
  // two; the third is mapped: its pages come from the disk when somebody looks at them.
  int64_t numbers = 0;
  uint64_t tensor_bytes = 0;
  for (const hearth::GgufTensor& tensor : file->tensors()) {
    numbers += tensor.n_elements;
    tensor_bytes += tensor.size_bytes;
  }
  std::printf("%llu bytes: %zu metadata entries, %zu tensors with %lld numbers in %llu bytes (%.2f bits a number)\n",
              (unsigned long long)file->file_bytes(), file->entries().size(), file->tensors().size(),
              (long long)numbers, (unsigned long long)tensor_bytes, 8.0 * double(tensor_bytes) / double(numbers));
  for (const char* name : {"token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_k.weight",
                           "blk.0.attn_output.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_down.weight"}) {
    const hearth::GgufTensor* tensor = file->tensor(name);
    if (!tensor) continue;
    std::printf("  %-26s %-5s %5lld rows of %lld\n", name, hearth::tensor_type_info(tensor->type)->name,
                (long long)tensor->dims[1], (long long)tensor->dims[0]);
  }

  // The vocabulary: pieces of text that were frequent in the texts of training. Encoding begins with bytes and joins
  // neighbours in the order in which training learned to join them.
  std::printf("vocabulary of %d tokens; %s before a text; end tokens:", tokenizer->n_vocab(),
              tokenizer->add_bos() ? "BOS" : "nothing");
  for (hearth::Token id = 0; id < tokenizer->n_vocab(); ++id) {
    if (tokenizer->is_end(id)) std::printf(" %d=%s", id, std::string(tokenizer->piece(id)).c_str());
  }
  std::printf("\n");
  std::vector<std::string> texts(argv + 2, argv + argc);
  if (texts.empty())
    texts = {"kite", " kite", "Kite", "strawberry", " strawberry", "27 + 45", "a kite.\nA boat", "\xc3\xa9"};
  for (const std::string& text : texts) {
    if (!show_tokens(*tokenizer, text, false)) return 1;
  }
}
