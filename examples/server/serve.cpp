// From settings and the environment to a server, and its life.
#include "serve.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fields.h"
#include "server.h"

namespace hearth_server {
namespace {

volatile sig_atomic_t read_keys_again = 0, n_terminations = 0;

int say(const std::string& message) {
  std::fprintf(stderr, "hearth: %s\n", message.c_str());
  return 1;
}

/// Large bodies go back to the system when they are done with, and threads that come and go share what they left: glibc
/// would keep both for later, in several places.
void keep_memory_small() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 512 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  ::mallopt(M_ARENA_MAX, 1);
#endif
}

/// As many sockets as the system allows.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A variable of the environment without blanks and quotes around it.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  const auto strip = [](char c) { return c == ' ' || c == '\t' || c == '"' || c == '\''; };
  while (!text.empty() && strip(text.front())) text.erase(0, 1);
  while (!text.empty() && strip(text.back())) text.pop_back();
  return text;
}

int environment_int(const char* name, int otherwise) {
  const int value = std::atoi(environment(name).c_str());
  return value > 0 ? value : otherwise;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// One key a line; empty lines and those that begin with # do not count.
hearth::Result<std::vector<std::string>> read_keys(const ServeSettings& settings) {
  std::vector<std::string> keys;
  if (!settings.api_key.empty()) keys.push_back(settings.api_key);
  if (settings.api_key_file.empty()) return keys;
  std::ifstream in(settings.api_key_file);
  if (!in) return hearth::Error{hearth::ErrorCode::kIo, settings.api_key_file + ": cannot be read"};
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty() && line[0] != '#') keys.push_back(line);
  }
  if (keys.empty()) return hearth::Error{hearth::ErrorCode::kFormat, settings.api_key_file + ": holds no key"};
  return keys;
}

hearth::Status fill_addresses(const ServeSettings& settings, ServerOptions& options) {
  std::string host = "127.0.0.1";
  int port = 11434;
  if (const std::string text = environment("OLLAMA_HOST"); !text.empty()) read_address(text, host, port);
  options.hosts = settings.hosts.empty() ? std::vector<std::string>{host} : settings.hosts;
  options.port = settings.port > 0 ? settings.port : port;
  options.unix_path = settings.unix_path;
  if (options.port < 1 || options.port > 65535) {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument,
                         "--port: " + std::to_string(options.port) + " is no port"};
  }
  return {};
}

hearth::Status fill_models(const ServeSettings& settings, ServerOptions& options) {
  ModelsOptions& models = options.models;
  models.session = settings.session;
  if (models.session.n_ctx == 0) models.session.n_ctx = environment_int("OLLAMA_CONTEXT_LENGTH", 0);
  models.session.n_seqs = settings.parallel > 0 ? settings.parallel : environment_int("OLLAMA_NUM_PARALLEL", 4);
  models.max_queue = settings.max_queue;
  models.loras = settings.loras;
  models.draft = settings.draft;
  models.lookup = settings.lookup;
  models.mtp = settings.mtp;
  models.reuse_stretches = settings.reuse_stretches;
  models.max_draft = settings.max_draft;
  models.max_loaded = settings.max_loaded > 0 ? settings.max_loaded : environment_int("OLLAMA_MAX_LOADED_MODELS", 3);
  std::string text = settings.keep_alive.empty() ? environment("OLLAMA_KEEP_ALIVE") : settings.keep_alive;
  if (text.empty()) text = "5m";
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const auto seconds = *end == '\0' ? std::optional<double>(number) : parse_duration(text);
  if (!seconds) {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument, "--keep-alive: '" + text + "' is no duration such as 5m"};
  }
  models.keep_alive = *seconds;
  options.limits.max_threads = static_cast<size_t>(std::min(models.session.n_seqs + models.max_queue + 64, 2000));
  return {};
}

hearth::Result<ServerOptions> make_options(const ServeSettings& settings) {
  ServerOptions options;
  if (auto status = fill_addresses(settings, options); !status) return status.error();
  if (auto status = fill_models(settings, options); !status) return status.error();
  auto keys = read_keys(settings);
  if (!keys) return keys.error();
  options.access.keys = std::move(*keys);
  options.access.cors = settings.cors;
  for (const std::string& origin : split(environment("OLLAMA_ORIGINS"), ',')) options.access.cors.push_back(origin);
  options.has_metrics = settings.metrics;
  options.slot_folder = settings.slot_folder;
  std::error_code error;
  if (!settings.slot_folder.empty() && !std::filesystem::is_directory(settings.slot_folder, error)) {
    return hearth::Error{hearth::ErrorCode::kNotFound,
                         "--slot-save-path: " + settings.slot_folder + ": there is no such folder"};
  }
  options.limits.max_upload = static_cast<uint64_t>(settings.max_upload) << 30;
  if (settings.log_level == "none") {
    options.log = LogLevel::kNone;
  } else if (settings.log_level == "error") {
    options.log = LogLevel::kError;
  } else if (settings.log_level != "info") {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument,
                         "--log-level: '" + settings.log_level + "' is none of none, error, info"};
  }
  return options;
}

/// The trained model of the repository, for a program that was built in it; empty when it is not there.
std::string example_model() {
  namespace fs = std::filesystem;
  constexpr const char* kModel = "examples/models/small-world-q8_0.gguf";
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& path : {program.parent_path().parent_path() / kModel, fs::path(kModel)}) {
    if (fs::is_regular_file(path, error)) return path.string();
  }
  return {};
}

hearth::Status fill_store(const ServeSettings& settings, ModelStore& store) {
  for (const std::string& path : settings.models) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      store.add_folder(path);
    } else if (auto entry = hearth_store::Store::standard().find(path);
               entry && !std::filesystem::exists(path, error)) {
      store.add_entry(std::move(*entry));
    } else if (auto status = store.add_file(path); !status) {
      return status;
    }
  }
  std::vector<std::string> folders = settings.folders;
  if (const std::string text = environment("OLLAMA_MODELS"); !text.empty() && settings.models.empty()) {
    folders.push_back(text);
  }
  for (const std::string& folder : folders) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) {
      return hearth::Error{hearth::ErrorCode::kNotFound, folder + ": there is no such folder"};
    }
    store.add_folder(folder);
  }
  if (!settings.models.empty() || !folders.empty()) return {};
  store.offer_store();
  if (!store.list().empty()) return {};
  const std::string example = example_model();
  if (example.empty() && store.store().own().empty()) {
    return hearth::Error{hearth::ErrorCode::kInvalidArgument, "which models? Name files, or folders with --models"};
  }
  if (example.empty()) {  // a service may be there before its first model
    std::fprintf(stderr,
                 "hearth: there is no model yet: hearth pull and hearth import bring some, which are offered "
                 "at once\n");
    return {};
  }
  std::fprintf(stderr, "hearth: no model was named: serving the little one of the examples, %s\n", example.c_str());
  return store.add_file(example);
}

/// What is in force, for the log.
void show_model(const ServeSettings&, const Models::State& state) {
  const auto& session = state.model->engine.options().session;
  std::fprintf(
      stderr,
      "hearth: %s loaded in %.2f s: %d answers at once with a context of %d each, cache %s/%s, %.1f MB in all, "
      "%d threads\n",
      state.entry.short_name().c_str(), state.model->load_seconds, session.n_seqs, state.model->n_ctx,
      hearth::kv_type_name(session.k_type), hearth::kv_type_name(session.v_type),
      static_cast<double>(state.model->bytes) / 1e6, session.n_threads);
}

void show_ready(const Server& server) {
  for (const auto& [host, port] : server.addresses()) {
    const bool bare = host.find(':') != std::string::npos;
    std::fprintf(stderr, "hearth: serving on http://%s%s%s:%d (open it in a browser to talk)\n", bare ? "[" : "",
                 host.c_str(), bare ? "]" : "", port);
    if (!is_loopback(host) && server.options().access.keys.empty()) {
      std::fprintf(stderr, "hearth: warning: %s can be reached from other machines, and no --api-key is set\n",
                   host.c_str());
    }
  }
  if (!server.options().unix_path.empty()) {
    std::fprintf(stderr, "hearth: serving on the socket %s\n", server.options().unix_path.c_str());
  }
}

/// Tells a service manager that started this (systemd, Type=notify) how the server stands: sd_notify(3).
void notify_manager(const char* state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = path != nullptr ? std::strlen(path) : 0;
  if (length == 0 || length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)!::sendto(fd, state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

void read_keys_anew(const ServeSettings& settings, Server& server) {
  auto keys = read_keys(settings);
  if (!keys) {
    say(keys.error().message + "; the keys stay as they were");
  } else {
    std::fprintf(stderr, "hearth: %zu keys read again\n", keys->size());
    server.access().set_keys(std::move(*keys));
  }
}

/// Until Ctrl-C, or SIGTERM and the end of what runs then (a second SIGTERM waits for nothing).
void wait_for_end(const ServeSettings& settings, Server& server, const std::atomic<bool>& stop) {
  const auto handle = [](int number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(number, &action, nullptr);
  };
  handle(SIGHUP, [](int) { read_keys_again = 1; });
  handle(SIGTERM, [](int) { n_terminations = n_terminations + 1; });
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };
  while (!stop && n_terminations == 0) {
    pause();
    if (read_keys_again == 0) continue;
    read_keys_again = 0;
    read_keys_anew(settings, server);
  }
  server.drain();
  notify_manager("STOPPING=1");
  if (stop) return;
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(int64_t{1000} * settings.drain_seconds);
  if (!server.is_idle()) std::fprintf(stderr, "hearth: finishing what runs, refusing what is new\n");
  while (!server.is_idle() && !stop && n_terminations < 2 && std::chrono::steady_clock::now() < until) pause();
}

}  // namespace

int serve(const ServeSettings& settings, const std::atomic<bool>& stop) {
  auto options = make_options(settings);
  if (!options) return say(options.error().message);
  raise_file_limit();
  keep_memory_small();
  // Where models are named, the store's others are not offered; what clients make goes into its own folder all the
  // same.
  const bool is_named = !settings.models.empty() || !settings.folders.empty();
  const auto all = hearth_store::Store::standard();
  ModelStore store(is_named ? hearth_store::Store(all.own()) : all);
  if (auto status = fill_store(settings, store); !status) return say(status.error().message);
  Server server(store, *options);
  if (auto status = server.start(); !status) return say(status.error().message);
  for (const std::string& path : settings.models) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) continue;
    const bool is_file = std::filesystem::exists(path, error);
    if (auto status = server.preload(is_file ? std::filesystem::absolute(path, error).string() : path); !status) {
      return say(status.error().message);
    }
    if (stop) break;
  }
  for (const auto& state : server.models().loaded()) show_model(settings, state);
  show_ready(server);
  notify_manager("READY=1");
  wait_for_end(settings, server, stop);
  server.stop(0.8);
  return 0;
}

}  // namespace hearth_server
