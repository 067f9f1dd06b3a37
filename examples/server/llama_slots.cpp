// llama-server's routes about slots: the sequences of an engine, which hold answers and what they left. A file of one
// lies in the folder of --slot-save-path, under a name that leads nowhere else.
#include <chrono>
#include <filesystem>

#include "fields.h"
#include "llama_server.h"

namespace hearth_server {
namespace {

namespace fs = std::filesystem;

HttpReply slots(Context& context) {
  const Lease lease = native_model(context, Json::object());
  Json list = Json::array();
  for (int32_t i = 0; i < lease->engine.options().session.n_seqs; ++i) {
    list.push_back({{"id", i}, {"n_ctx", lease->n_ctx}, {"is_processing", lease->engine.is_busy(i)}});
  }
  return json_reply(list);
}

/// The file that a request names.
fs::path slot_file(const ServerOptions& options, const std::string& name) {
  constexpr size_t kLongest = 200;  // bytes; file systems take 255, and what is being written has a longer name
  const auto is_odd = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '\x7f' || c == '/' || c == '\\';
  };
  if (name.empty() || name.size() > kLongest || name.front() == '.' || std::any_of(name.begin(), name.end(), is_odd)) {
    throw ApiError(400, "'filename' must be the name of a file: at most 200 bytes, no folder, no dot at its beginning",
                   "", "filename");
  }
  const fs::path path = fs::path(options.slot_folder) / name;
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type != fs::file_type::regular && type != fs::file_type::not_found) {
    throw ApiError(400, "'" + name + "' is no plain file", "", "filename");
  }
  return path;
}

hearth::SeqId slot_number(const std::string& text, const LoadedModel& model) {
  const int32_t n = model.engine.options().session.n_seqs;
  const bool is_number = !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
  const int32_t id = is_number ? std::stoi(text) : n;
  if (id < n) return id;
  throw ApiError(
      400,
      "there is no slot '" + text.substr(0, 20) + "': they are 0 to " + std::to_string(n - 1) + " (see --parallel)", "",
      "id_slot");
}

/// A message about a file without the folder, which is not the client's.
ApiError slot_error(hearth::Error error, const fs::path& path) {
  const std::string whole = path.string(), name = path.filename().string();
  for (size_t at = 0; (at = error.message.find(whole, at)) != std::string::npos; at += name.size())
    error.message.replace(at, whole.size(), name);
  return api_error(error);
}

HttpReply slot_action(Context& context) {
  const ServerOptions& options = context.server.options();
  if (options.slot_folder.empty()) throw ApiError(501, "start the server with --slot-save-path FOLDER");
  const std::string action = query_value(context.request.query, "action");
  const bool saves = action == "save", restores = action == "restore";
  if (!saves && !restores && action != "erase") throw ApiError(400, "'action' must be save, restore or erase");
  const bool has_body = context.request.body.find_first_not_of(" \t\r\n") != std::string::npos;
  Ask ask;  // says which adapters acted
  const Json body = has_body ? parse_body(context.request.body) : Json::object();
  if (const Json* lora = list_field(body, "lora"); lora != nullptr) ask.adapters = read_adapter_scales(*lora);
  const Lease lease = native_model(context, body);
  if (!lease->model.info().causal) throw ApiError(400, "'" + lease.entry.short_name() + "' has no slots");
  const hearth::SeqId seq = slot_number(context.tail, *lease);
  Json out = {{"id_slot", seq}};
  if (action == "erase") {
    const auto erased = lease->engine.erase(seq);
    if (!erased) throw api_error(erased.error());
    out["n_erased"] = *erased;
    return json_reply(out);
  }
  const std::string name = text_or(body, "filename");
  const fs::path path = slot_file(options, name);
  const auto begun = std::chrono::steady_clock::now();
  const auto held = saves ? lease->engine.save(seq, path.string())
                          : lease->engine.restore(seq, path.string(), chosen_adapters(*lease->adapters, ask));
  if (!held) throw slot_error(held.error(), path);
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  out["filename"] = name;
  out[saves ? "n_saved" : "n_restored"] = held->n_tokens;
  out[saves ? "n_written" : "n_read"] = held->bytes;
  out["timings"] = {{saves ? "save_ms" : "restore_ms", ms}};
  return json_reply(out);
}

}  // namespace

std::span<const Route> llama_slot_routes() {
  static const Route kRoutes[] = {
      {"GET", "/slots", slots},
      {"POST", "/slots/", slot_action},
  };
  return kRoutes;
}

}  // namespace hearth_server
