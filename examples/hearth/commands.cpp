// The table of commands, in the order in which -h lists them.
#include "commands.h"

namespace hearth_tool {

std::span<const Command> commands() {
  static const Command kCommands[] = {
      {"run", "Continue a text", setup_run},
      {"chat", "Talk with a model", setup_chat},
      {"list", "Show the models that are here", setup_list},
      {"show", "Show what a name stands for", setup_show},
      {"ps", "Show what a running server has in memory", setup_ps},
      {"pull", "Fetch models from a registry, from Hugging Face, or from an address", setup_pull},
      {"import", "Take a GGUF file into the store, under a name", setup_import},
      {"create", "Make a model of a definition: a base, parameters, a system text", setup_create},
      {"cp", "Give a model another name", setup_cp},
      {"rm", "Forget models, and delete what no other name needs", setup_rm},
      {"template", "Show the prompt that a chat template makes of messages", setup_template},
      {"grammar", "Show where a text leaves a grammar or a JSON schema", setup_grammar},
      {"inspect", "Show what a model file holds, and the memory that it will take", setup_inspect},
      {"tokenize", "Show the token ids of a text", setup_tokenize},
      {"logits", "Write the logits for a list of tokens", setup_logits},
      {"explain", "Show one step: tokens, attention, and what each stage of the sampler leaves", setup_explain},
      {"embed", "Turn lines of text into vectors", setup_embed},
      {"perplexity", "Measure how well a model predicts a text, and how far it is from another model",
       setup_perplexity},
      {"imatrix", "Measure on a text which columns of the weights matter, for quantizing", setup_imatrix},
      {"convert", "Make a GGUF file from a Hugging Face folder or a LoRA adapter", setup_convert},
      {"compare", "Show what the tensors of one file differ from those of another", setup_compare},
      {"verify", "Check the bytes of every tensor against the checksums in the file", setup_verify},
      {"quantize", "Make a smaller file of a model", setup_quantize},
      {"serve", "Answer over HTTP, as OpenAI's, Ollama's and llama-server's clients expect it", setup_serve},
      {"merge", "Add LoRA adapters into the weights of a model", setup_merge},
      {"make-model", "Write a model of a published shape with random weights", setup_make_model},
      {"bench", "Measure prompt processing and generation", setup_bench},
      {"completions", "Print completions of the command line for bash, zsh or fish", setup_completions},
      {"man", "Print the manual page", setup_man},
      {"selftest", "Check every kernel against its reference on this machine", setup_selftest},
  };
  return kCommands;
}

}  // namespace hearth_tool
