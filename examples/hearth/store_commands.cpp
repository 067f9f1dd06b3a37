// hearth import, create, cp, rm: changing the store.
#include <filesystem>
#include <memory>

#include "../store/modelfile.h"
#include "../store/system.h"
#include "commands.h"
#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {
namespace {

using hearth_store::ModelName;
using hearth_store::Store;

/// Runs what may take long, with its progress; Ctrl-C stops it.
template <typename Work>
int with_progress(const std::string& label, const Work& work) {
  catch_interrupts();
  Progress progress(label);
  const auto entry = work([&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return !interrupted();
  });
  progress.clear();
  if (interrupted()) return fail_interrupted();
  if (!entry) return fail(entry.error());
  print(entry->id.text() + "\n");
  return finish_output();
}

struct ImportOptions {
  std::string file, name;
};

int import(const ImportOptions& o) {
  const auto file = hearth_store::path_of(o.file);
  const auto name =
      o.name.empty() ? hearth::Result<ModelName>(hearth_store::name_of_file(file)) : ModelName::parse(o.name);
  if (!name) return fail_usage(name.error().message);
  return with_progress("taking " + o.file, [&](const hearth_store::ByteProgress& progress) {
    return Store::standard().import(file, *name, progress);
  });
}

struct CreateOptions {
  std::string name, file = "Modelfile";
};

int create(const CreateOptions& o) {
  const auto name = ModelName::parse(o.name);
  if (!name) return fail_usage(name.error().message);
  const auto text = read_text(o.file);
  if (!text) return fail(text.error());
  const auto definition = hearth_store::Modelfile::parse(*text);
  if (!definition) return fail(o.file + ": " + definition.error().message);
  std::error_code error;
  const auto folder = o.file == "-" ? std::filesystem::current_path(error)
                                    : std::filesystem::absolute(hearth_store::path_of(o.file), error).parent_path();
  return with_progress("making " + o.name, [&](const hearth_store::ByteProgress& progress) {
    return create_model(Store::standard(), *name, *definition, folder, progress);
  });
}

struct CopyOptions {
  std::string from, to;
};

int copy(const CopyOptions& o) {
  return with_progress("copying " + o.from, [&](const hearth_store::ByteProgress& progress) {
    return Store::standard().copy(o.from, o.to, progress);
  });
}

int remove(const std::vector<std::string>& names) {
  if (names.empty()) return fail_usage("rm: which models?");
  const auto store = Store::standard();
  int code = 0;
  for (const std::string& name : names) {
    const auto status = store.remove(name);
    if (status) {
      print("removed " + name + "\n");
    } else {
      code = fail(status.error());
    }
  }
  return finish_output(code);
}

}  // namespace

Action setup_import(Options& options) {
  auto values = std::make_shared<ImportOptions>();
  options.add("file", values->file, "!GGUF file; of a split model the first");
  options.add("name", values->name, "Name for it (default: that of the file, its quantization as the tag)");
  options.footer(
      "The file is copied into hearth's own folder, without taking space where the file system can share it.");
  return [values] { return import(*values); };
}

Action setup_create(Options& options) {
  auto values = std::make_shared<CreateOptions>();
  options.add("name", values->name, "!Name for the new model");
  options.add("-f,--file", values->file, "Definition: FROM, PARAMETER, SYSTEM, TEMPLATE, ADAPTER, MESSAGE, LICENSE");
  options.footer("A definition is what Ollama calls a Modelfile; hearth show NAME --modelfile prints one.");
  return [values] { return create(*values); };
}

Action setup_cp(Options& options) {
  auto values = std::make_shared<CopyOptions>();
  options.add("from", values->from, "!Name of a model");
  options.add("to", values->to, "!Another name for it");
  return [values] { return copy(*values); };
}

Action setup_rm(Options& options) {
  auto values = std::make_shared<std::vector<std::string>>();
  options.add("names", *values, "Names of models");
  options.footer("Files that no other name needs are deleted. Other programs' stores are never changed.");
  return [values] { return remove(*values); };
}

}  // namespace hearth_tool
