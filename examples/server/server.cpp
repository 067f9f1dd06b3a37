// Dispatch: who may ask, which route answers, and how failures are told.
#include "server.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <unordered_map>

#include "fields.h"

namespace hearth_server {
namespace {

/// All routes by their paths; those that end in "/" take all that begin so.
struct RouteTable {
  RouteTable() {
    for (const auto& table :
         {openai_routes(), openai_embedding_routes(), ollama_routes(), ollama_model_routes(), ollama_create_routes(),
          llama_routes(), llama_state_routes(), llama_slot_routes(), lmstudio_routes(), anthropic_routes(),
          responses_routes(), page_routes(), page_model_routes()}) {
      for (const Route& route : table) {
        const std::string_view path = route.path;
        (path.size() > 1 && path.back() == '/' ? open[path] : whole[path]).push_back(&route);
      }
    }
  }
  std::unordered_map<std::string_view, std::vector<const Route*>> whole, open;
};

const RouteTable& all_routes() {
  static const RouteTable kTable;
  return kTable;
}

/// The routes that take a path; `tail` is what it has behind theirs.
std::vector<const Route*> routes_of(const std::string& path, std::string& tail) {
  const RouteTable& table = all_routes();
  if (const auto found = table.whole.find(path); found != table.whole.end()) return found->second;
  for (size_t at = path.rfind('/'); at != std::string::npos && at > 0; at = path.rfind('/', at - 1)) {
    const auto found = table.open.find(std::string_view(path).substr(0, at + 1));
    if (found == table.open.end() || at + 1 == path.size()) continue;
    tail = path.substr(at + 1);
    return found->second;
  }
  return {};
}

/// The route of a request; ApiError 404 or 405.
const Route& find_route(const HttpRequest& request, std::string& tail) {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const auto routes = routes_of(request.path, tail);
  const Route* any = nullptr;
  for (const Route* route : routes) {
    if (request.method == route->method) return *route;
    if (method == route->method) any = route;
  }
  if (any != nullptr) return *any;
  if (!routes.empty()) throw ApiError(405, "the method " + request.method + " is not taken by " + request.path);
  throw ApiError(404, "there is no route " + request.method + " " + request.path);
}

}  // namespace

Server::Server(ModelStore& store, ServerOptions options)
    : options_(std::move(options)), store_(store), models_(store, options_.models), access_(options_.access) {}

Server::~Server() {
  stop(0);
}

hearth::Status Server::start() {
  HttpServer::Handlers handlers;
  handlers.refuse = [this](const HttpRequest& request, HttpReply& reply) { return refuse(request, reply); };
  handlers.is_small = [this](std::string_view method, std::string_view path) { return is_small(method, path); };
  handlers.sink = [this](const HttpRequest& request) { return sink(request); };
  handlers.answer = [this](HttpRequest& request, const StillThere& still_there) {
    return answer(request, still_there);
  };
  handlers.log = [this](const HttpRequest& request, int status, size_t bytes, double seconds) {
    log(request, status, bytes, seconds);
  };
  handlers.fault = [](const HttpRequest& request, int status, const std::string& message) {
    return error_reply(protocol_of(request.path), ApiError(status, message));
  };
  http_ = std::make_unique<HttpServer>(options_.limits, std::move(handlers));
  for (const std::string& text : options_.hosts)
    if (auto status = listen(text); !status) return status;
  access_.set_loopback_only(std::all_of(addresses_.begin(), addresses_.end(),
                                        [](const Address& address) { return is_loopback(address.host); }));
  if (!options_.unix_path.empty()) {
    if (auto status = http_->listen_unix(options_.unix_path); !status) return status;
  }
  return http_->start();
}

hearth::Status Server::listen(const std::string& text) {
  std::string host = text;
  int own = -1;
  read_address(text, host, own);
  if (own == 0 || own > 65535)
    return hearth::Error{hearth::ErrorCode::kInvalidArgument, text + ": there is no such port"};
  const bool both = host == "localhost";
  const auto port = http_->listen(both ? "127.0.0.1" : host, own > 0 ? own : options_.port);
  if (!port) return port.error();
  if (own < 0) options_.port = *port;  // where it was any
  // Machines without IPv6 have no ::1.
  if (both || host == "127.0.0.1") (void)http_->listen("::1", *port);
  addresses_.push_back({std::move(host), *port});
  return {};
}

void Server::stop(double seconds) {
  draining_ = true;
  if (http_) http_->stop(seconds);
}

hearth::Status Server::preload(const std::string& name) {
  try {
    (void)models_.use(name, false);
    return {};
  } catch (const ApiError& error) {
    return hearth::Error{hearth::ErrorCode::kIo, error.what()};
  }
}

bool Server::refuse(const HttpRequest& request, HttpReply& reply) const {
  std::optional<ApiError> error = access_.check(request);
  if (!error && draining_ && request.path != "/health") error = ApiError(503, "the server is being stopped");
  if (error) {
    reply = error_reply(protocol_of(request.path), *error);
  } else if (request.method == "OPTIONS") {
    reply = access_.preflight(request);
  } else {
    return false;
  }
  access_.add_headers(request, reply);
  return true;
}

bool Server::is_small(std::string_view method, std::string_view path) const {
  if (method != "GET" && method != "HEAD") return false;
  const auto& routes = all_routes().whole;
  const auto found = routes.find(path);
  if (found == routes.end() || !found->second.front()->small) return false;
  return path != "/v1/models" || listing_text_.is_recent(store_);
}

std::shared_ptr<BodySink> Server::sink(const HttpRequest& request) {
  try {
    std::string tail;
    const Route& route = find_route(request, tail);
    return route.sink != nullptr ? route.sink(*this, request, tail) : nullptr;
  } catch (const std::exception&) {
    return nullptr;  // whatever is wrong, the answer will say so
  }
}

HttpReply Server::dispatch(HttpRequest& request, const StillThere& still_there) {
  Context context{*this, request, still_there, ""};
  const Route& route = find_route(request, context.tail);
  return route.handler(context);
}

HttpReply Server::answer(HttpRequest& request, const StillThere& still_there) {
  const Protocol protocol = protocol_of(request.path);
  HttpReply reply;
  try {
    reply = dispatch(request, still_there);
  } catch (const ApiError& error) {
    reply = error_reply(protocol, error);
  } catch (const Json::exception& error) {
    reply = error_reply(protocol, ApiError(400, "a field of the request has the wrong type"));
  } catch (const std::bad_alloc&) {
    reply = error_reply(protocol, ApiError(503, "out of memory"));
  } catch (const std::exception&) {
    reply = error_reply(protocol, ApiError(500, "the server failed at this request"));
  }
  access_.add_headers(request, reply);
  return reply;
}

/// One line a request: time, client, method, path, status, bytes, milliseconds, and what its answer took. No prompts.
void Server::log(const HttpRequest& request, int status, size_t bytes, double seconds) {
  metrics_.count_request(status, seconds);
  if (options_.log == LogLevel::kNone || (options_.log == LogLevel::kError && status < 500)) return;
  if (request.path == "/hearth/state" && status < 400) return;  // the page asks every few seconds
  Json line = {
      {"time", rfc3339(std::time(nullptr))},       {"client", request.peer}, {"method", request.method.substr(0, 16)},
      {"path", request.path.substr(0, 200)},       {"status", status},       {"bytes", bytes},
      {"ms", static_cast<int64_t>(seconds * 1000)}};
  for (const auto& [name, value] : *request.notes) line[name] = Json::parse(value, nullptr, false);
  const std::string text = to_text(line);
  if (options_.log_line) return options_.log_line(text);
  std::fprintf(stderr, "%s\n", text.c_str());
}

Json Context::body() const {
  Json body = parse_body(request.body);
  const Json* name = field(body, "model");
  if (name == nullptr || !name->is_string()) return body;
  auto entry = server.store().find(name->get<std::string>());
  if (!entry && server.store().is_single()) entry = server.store().first();
  if (!entry) return body;
  const Json defaults = server.store().defaults(*entry);
  for (const auto& [key, value] : defaults.items())
    if (!body.contains(key)) body[key] = value;
  return body;
}

/// What conversations with this name begin with: its messages, and its system text unless there is one.
static void begin_as_settled(const ModelEntry& entry, Ask& ask) {
  std::vector<hearth::ChatMessage> messages = read_messages(entry.messages);
  const bool has_system = !ask.messages.empty() && ask.messages.front().role == "system";
  if (!entry.system.empty() && !has_system)
    ask.messages.insert(ask.messages.begin(), {.role = "system", .content = entry.system});
  const auto at = ask.messages.begin() + (ask.messages.empty() || ask.messages.front().role != "system" ? 0 : 1);
  ask.messages.insert(at, messages.begin(), messages.end());
}

std::shared_ptr<Answering> begin(Context& context, Ask ask, bool any_name) {
  Lease lease = context.server.models().use(ask.model, any_name, ask.keep_alive);
  if (ask.is_chat) begin_as_settled(lease.entry, ask);
  if (ask.model.empty()) ask.model = lease.entry.short_name();
  return std::make_shared<Answering>(std::move(lease), std::move(ask), &context.server.metrics(),
                                     context.request.notes);
}

HttpReply gone_reply() {
  HttpReply reply = json_reply(Json::object(), 499);
  reply.close = true;
  return reply;
}

}  // namespace hearth_server
