// HTTP/1.1 for a server on this machine: requests, replies, streams. No routes and no meaning in here.
//
// A thread waits for connections and for requests on idle ones; a request is read and answered by a worker thread, so
// that an idle connection costs none. Written for this server because the limits matter to it: of heads, bodies and
// time, with a client that leaves noticed while its answer is being made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/result.h"

namespace hearth_server {

using LogNotes = std::vector<std::pair<std::string, std::string>>;

/// Takes a body that is not kept in memory, piece by piece.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// False: no more of it is wanted, and the answer says why.
  virtual bool add(std::string_view bytes) = 0;
};

struct HttpRequest {
  std::string method;                                        ///< "GET", ...
  std::string path;                                          ///< percent-decoded, without the query
  std::string query;                                         ///< as written, without "?"
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, values trimmed
  std::string body;
  std::shared_ptr<BodySink> sink;  ///< given: the body went there instead
  std::string peer;                ///< address of the client, for logs
  /// What those who answer want to have in the log beside the rest: names and JSON values.
  std::shared_ptr<LogNotes> notes = std::make_shared<LogNotes>();

  /// The first value of a header (name in lower case); nullptr when absent.
  const std::string* header(std::string_view name) const;
  std::string header_or_empty(std::string_view name) const;
};

/// Where the body of a stream goes, and whether anybody still reads it.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  /// Sends at once; false when the client has gone or took nothing for too long.
  virtual bool write(std::string_view data) = 0;
  /// False once the client has gone.
  virtual bool is_open() = 0;
};

struct HttpReply {
  int status = 200;
  std::string type = "application/json";  ///< media type
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// Given: the body is what this writes, sent in chunks. It runs on the worker's thread.
  std::function<void(StreamWriter&)> stream;
  bool close = false;  ///< end the connection after this answer
};

/// "Not Found", ...
const char* http_status_text(int status);
/// %XX undone ("+" too in a query); what is no escape stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_space = false);
/// The value of a parameter of a query; empty when absent.
std::string query_value(std::string_view query, std::string_view name);

struct HttpLimits {
  size_t max_head = 64 << 10;                 ///< bytes of request line and headers
  size_t max_body = 32 << 20;                 ///< bytes
  size_t max_bodies = 256 << 20;              ///< bytes of all bodies that are being received or answered
  uint64_t max_upload = uint64_t{256} << 30;  ///< bytes of a body that goes to a sink
  double head_seconds = 20;                   ///< from its first byte to its last
  double body_seconds = 10;                   ///< for a short body, ...
  double body_rate = 64 << 10;                ///< ... and bytes per second that a longer one comes with at least
  double stall_seconds = 60;                  ///< a reader that takes nothing for so long is left
  double idle_seconds = 120;                  ///< between two requests of a connection
  size_t max_connections = 4000;              ///< more wait to be accepted
  size_t max_threads = 512;                   ///< workers: requests being answered at once
};

/// Tells whether the client of the request that this thread answers is still there.
using StillThere = std::function<bool()>;

class HttpServer {
 public:
  struct Handlers {
    /// Looks at a request before its body is read; true: `reply` is the answer, and the body is not wanted.
    std::function<bool(const HttpRequest&, HttpReply& reply)> refuse;
    /// Whether a request without a body is answered in a moment, without waiting and without computing. Such requests
    /// are answered by the thread that waits for connections; while others are being answered, they get a small share
    /// of one processor and wait for the rest (milliseconds), so that many of them do not slow an answer down.
    std::function<bool(std::string_view method, std::string_view path)> is_small;
    /// Where the body of a request goes; null: into memory. Must not throw.
    std::function<std::shared_ptr<BodySink>(const HttpRequest&)> sink;
    /// Answers a request. Must not throw.
    std::function<HttpReply(HttpRequest&, const StillThere&)> answer;
    /// After an answer was sent: for the log. `bytes` of its body.
    std::function<void(const HttpRequest&, int status, size_t bytes, double seconds)> log;
    /// The reply to something that is no HTTP request, or breaks a limit.
    std::function<HttpReply(const HttpRequest&, int status, const std::string& message)> fault;
  };

  HttpServer(HttpLimits limits, Handlers handlers);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;

  /// Listens on an address ("127.0.0.1", "::1", a name) and port; 0: any. Returns the port.
  hearth::Result<int> listen(const std::string& host, int port);
  /// Listens on a Unix socket that only this user may open.
  hearth::Status listen_unix(const std::string& path);
  /// Starts to serve.
  hearth::Status start();
  /// Refuses new connections, closes idle ones, and waits at most so long for answers that are being given; then cuts
  /// them off.
  void stop(double seconds);
  size_t n_connections() const;
  /// Requests that are being read or answered.
  size_t n_active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth_server
