// The server: models, routes, and what they share.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "access.h"
#include "answering.h"
#include "metrics.h"
#include "models.h"

namespace hearth_server {

class Server;

/// A request on its way through a handler.
struct Context {
  Server& server;
  HttpRequest& request;
  const StillThere& still_there;
  std::string tail;  ///< of the path, behind a route that ends in "/"

  /// The request, and where it says nothing about sampling, what the model's store or its file does.
  Json body() const;
};

/// The answer to GET /v1/models, kept for the listing that it was made of.
class ListingText {
 public:
  using Listing = std::shared_ptr<const std::vector<ModelEntry>>;
  std::optional<std::string> find(const Listing& listing) const {
    const std::lock_guard lock(mutex_);
    return listing == of_ ? std::optional(text_) : std::nullopt;
  }
  void keep(Listing listing, std::string text) {
    const std::lock_guard lock(mutex_);
    of_ = std::move(listing);
    text_ = std::move(text);
  }
  bool is_recent(const ModelStore& store) const {
    const std::lock_guard lock(mutex_);
    return store.is_recent(of_);
  }

 private:
  mutable std::mutex mutex_;
  Listing of_;
  std::string text_;
};

struct Route {
  const char* method;
  const char* path;  ///< one that ends in "/" takes all that begin so
  HttpReply (*handler)(Context& context);
  /// Given: the body goes to what this makes (`tail` as above) and not into memory.
  std::shared_ptr<BodySink> (*sink)(Server& server, const HttpRequest& request, const std::string& tail) = nullptr;
  bool small = false;  ///< answered in microseconds: HttpServer::Handlers::is_small
};

// The routes of each protocol, in a file of its own.
std::span<const Route> openai_routes();
std::span<const Route> openai_embedding_routes();
std::span<const Route> ollama_routes();
std::span<const Route> ollama_model_routes();
std::span<const Route> ollama_create_routes();
std::span<const Route> llama_routes();
std::span<const Route> llama_state_routes();
std::span<const Route> llama_slot_routes();
std::span<const Route> lmstudio_routes();
std::span<const Route> anthropic_routes();
std::span<const Route> responses_routes();
std::span<const Route> page_routes();
std::span<const Route> page_model_routes();

enum class LogLevel { kNone, kError, kRequest };

struct ServerOptions {
  std::vector<std::string> hosts{"127.0.0.1"};  ///< "localhost" is 127.0.0.1 and ::1; "host:port" has its own port
  int port = 11434;                             ///< of those without one; 0: any
  std::string unix_path;                        ///< empty: none
  AccessOptions access{};
  ModelsOptions models{};
  HttpLimits limits{};
  bool has_metrics = false;
  std::string slot_folder{};  ///< where files of slots lie; empty: there are none
  LogLevel log = LogLevel::kRequest;
  /// Called with each line of the log; empty: to standard error.
  std::function<void(const std::string&)> log_line{};
};

class Server {
 public:
  /// The store must outlive it.
  Server(ModelStore& store, ServerOptions options);
  ~Server();

  /// Listens and serves. Afterwards port() tells the port.
  hearth::Status start();
  /// From now on new requests are refused (503), while those that run go on; is_idle() tells when they have ended.
  void drain() { draining_ = true; }
  bool is_idle() const { return !http_ || http_->n_active() == 0; }
  /// Listens no more; what runs gets at most so long to end.
  void stop(double seconds);
  /// The first.
  int port() const { return addresses_.empty() ? 0 : addresses_.front().port; }
  struct Address {
    std::string host;
    int port;
  };
  /// Where it listens, as the options name it.
  const std::vector<Address>& addresses() const { return addresses_; }

  /// Loads a model now, so that the first request need not wait.
  hearth::Status preload(const std::string& name);

  ModelStore& store() { return store_; }
  Models& models() { return models_; }
  Access& access() { return access_; }
  Metrics& metrics() { return metrics_; }
  ListingText& listing_text() { return listing_text_; }
  const ServerOptions& options() const { return options_; }
  bool is_draining() const { return draining_; }
  size_t n_connections() const { return http_ ? http_->n_connections() : 0; }

  /// Answers a request, whatever is wrong with it.
  HttpReply answer(HttpRequest& request, const StillThere& still_there);

 private:
  hearth::Status listen(const std::string& text);
  bool refuse(const HttpRequest& request, HttpReply& reply) const;
  bool is_small(std::string_view method, std::string_view path) const;
  std::shared_ptr<BodySink> sink(const HttpRequest& request);
  HttpReply dispatch(HttpRequest& request, const StillThere& still_there);
  void log(const HttpRequest& request, int status, size_t bytes, double seconds);

  ServerOptions options_;
  ModelStore& store_;
  Models models_;
  Access access_;
  Metrics metrics_;
  ListingText listing_text_;
  std::atomic<bool> draining_{false};
  std::unique_ptr<HttpServer> http_;
  std::vector<Address> addresses_;
};

/// What every route that writes text does with an Ask: uses the model and begins the answers.
std::shared_ptr<Answering> begin(Context& context, Ask ask, bool any_name);
/// The reply when the client has left: nobody reads it.
HttpReply gone_reply();

}  // namespace hearth_server
