// hearth verify: the bytes of every tensor against the checksums that the file holds.
#include <memory>

#include "../store/entry.h"
#include "commands.h"
#include "hearth/gguf.h"
#include "json_output.h"
#include "model_names.h"

namespace hearth_tool {
namespace {

using hearth::GgufFile;

struct VerifyArguments {
  std::string model;
  bool json = false;
};

struct Verdict {
  std::vector<std::string> damaged, errors;
  size_t n_checked = 0;
  bool interrupted = false;
};

Verdict check_all(const GgufFile& file) {
  Verdict verdict;
  Progress progress("checking");
  uint64_t done = 0;
  for (size_t i = 0; i < file.tensors().size() && !interrupted(); ++i) {
    const auto& tensor = file.tensors()[i];
    ++verdict.n_checked;
    if (auto sound = file.check_tensor(i); !sound) {
      verdict.damaged.emplace_back(tensor.name);
      verdict.errors.push_back(sound.error().message);
    }
    done += tensor.size_bytes;
    progress.update(done, file.file_bytes());
  }
  return verdict;
}

int verify(const VerifyArguments& o) {
  catch_interrupts();
  const auto named = find_model(o.model);  // compares weights of the store with their digests
  if (!named) return fail(named.error());
  const auto file = GgufFile::open(named->path);
  if (!file) return fail(file.error());
  const bool has_checksums = file->tensors().empty() || file->checksum(0).has_value();
  if (!has_checksums && named->entry && !named->entry->weights_digest.empty()) {
    print("sha256:" + named->entry->weights_digest + ": all sound\n");
    return finish_output();
  }
  if (!has_checksums) return fail(o.model + ": has no checksums (hearth quantize and hearth convert write them)");
  const Verdict verdict = check_all(*file);
  if (interrupted()) return fail_interrupted();
  if (o.json) {
    print_json({{"file", o.model}, {"tensors", verdict.n_checked}, {"damaged", verdict.damaged}});
  } else if (verdict.damaged.empty()) {
    print(std::to_string(verdict.n_checked) + " tensors, " + format_bytes(file->file_bytes()) + ": all sound\n");
  }
  for (const std::string& error : verdict.errors) fail(error);
  return finish_output(verdict.damaged.empty() ? 0 : kExitError);
}

}  // namespace

Action setup_verify(Options& options) {
  auto values = std::make_shared<VerifyArguments>();
  options.add("model", values->model, "!GGUF file with checksums (the first of a split set)");
  options.add("--json", values->json, "Print a JSON object with the names of damaged tensors");
  options.footer("Every damaged tensor is named; the exit code is 1 then.");
  return [values] { return verify(*values); };
}

}  // namespace hearth_tool
