// Listening, waiting, and handing requests to workers.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "http_connection.h"
#include "http_sockets.h"
#include "worker_pool.h"

namespace hearth_server {

using hearth::Result;
using hearth::Status;

namespace {

/// Processor time of the calling thread.
double thread_cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

struct HttpServer::Impl {
  Impl(HttpLimits l, Handlers h) : limits(l), handlers(std::move(h)), pool(l.max_threads) {}

  void loop();
  bool wait_and_serve();
  void accept_from(int fd);
  void on_connection(int fd, void (Impl::*what)(int));
  void make_room();
  void close_overdue();
  void receive(int fd);
  bool is_small(const Connection& connection) const;
  void answer_small(int fd);
  void answer_waiting();
  void begin_rest();
  void hand_over(int fd);
  void serve(const std::shared_ptr<Connection>& connection);
  void serve_next(const std::shared_ptr<Connection>& connection);
  bool answer_one(Connection& connection);
  void put_back(std::shared_ptr<Connection> connection);
  void forget(const Connection& connection);
  void wake() { (void)!::write(pipe_fds[1], "x", 1); }

  HttpLimits limits;
  Handlers handlers;
  BodyBudget budget;
  WorkerPool pool;
  std::vector<int> listeners;
  std::string unix_path;
  int pipe_fds[2] = {-1, -1};
  std::thread thread;
  std::atomic<bool> stopping{false}, ended{false};
  std::atomic<bool> has_waiting{false};  ///< small requests have come that wait for a turn

  // Of the loop's thread alone.
  Clock::time_point rest_until{};  ///< small requests wait until then
  bool is_resting = false;
  Clock::time_point last_look{};  ///< at idle connections
  double small_cpu = 0;           ///< processor time of the thread when the last rest began
  size_t n_answered = 0;          ///< small requests since

  mutable std::mutex mutex;                                 ///< of what follows
  std::map<int, std::shared_ptr<Connection>> idle, active;  ///< by socket
};

HttpServer::HttpServer(HttpLimits limits, Handlers handlers)
    : impl_(std::make_unique<Impl>(limits, std::move(handlers))) {}

HttpServer::~HttpServer() {
  stop(0);
}

Result<int> HttpServer::listen(const std::string& host, int port) {
  const auto fd = listen_tcp(host, port);
  if (!fd) return fd.error();
  impl_->listeners.push_back(*fd);
  return port_of(*fd);
}

Status HttpServer::listen_unix(const std::string& path) {
  const auto fd = hearth_server::listen_unix(path);
  if (!fd) return fd.error();
  impl_->unix_path = path;
  impl_->listeners.push_back(*fd);
  return {};
}

Status HttpServer::start() {
  if (::pipe(impl_->pipe_fds) != 0) return last_error("cannot make a pipe");
  for (const int fd : impl_->pipe_fds) set_nonblocking(fd);
  impl_->thread = std::thread([this] { impl_->loop(); });
  return {};
}

void HttpServer::stop(double seconds) {
  if (impl_->ended.exchange(true)) return;
  impl_->stopping = true;
  if (impl_->thread.joinable()) {
    impl_->wake();
    impl_->thread.join();
  }
  for (const int fd : impl_->listeners) ::close(fd);
  if (!impl_->unix_path.empty()) ::unlink(impl_->unix_path.c_str());
  impl_->pool.wait_idle(seconds);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->idle.clear();
    for (const auto& [fd, connection] : impl_->active) ::shutdown(fd, SHUT_RDWR);
  }
  impl_->pool.join();
  for (const int fd : impl_->pipe_fds)
    if (fd >= 0) ::close(fd);
}

size_t HttpServer::n_active() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->active.size();
}

size_t HttpServer::n_connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->idle.size() + impl_->active.size();
}

/// Waits for new connections and for requests on idle ones. Where memory is out, it waits for some to come back.
void HttpServer::Impl::loop() {
  for (bool goes_on = true; goes_on && !stopping;) {
    try {
      goes_on = wait_and_serve();
    } catch (...) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  const std::lock_guard lock(mutex);
  idle.clear();
}

/// A turn of the loop; false: the sockets cannot be waited for.
bool HttpServer::Impl::wait_and_serve() {
  std::vector<pollfd> entries{{pipe_fds[0], POLLIN, 0}};
  size_t n_listening = 0;
  is_resting = Clock::now() < rest_until || has_waiting;
  {
    const std::lock_guard lock(mutex);
    if (idle.size() + active.size() < limits.max_connections) n_listening = listeners.size();
    for (size_t i = 0; i < n_listening; ++i) entries.push_back({listeners[i], POLLIN, 0});
    for (const auto& [fd, connection] : idle)
      if (!is_resting || !connection->asks_small) entries.push_back({fd, POLLIN, 0});
  }
  const auto left = is_resting ? rest_until - Clock::now() : std::chrono::seconds(1);
  const auto left_ns = std::max<int64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(left).count(), 0);
  const timespec timeout{static_cast<time_t>(left_ns / 1000000000), static_cast<long>(left_ns % 1000000000)};
  if (::ppoll(entries.data(), static_cast<nfds_t>(entries.size()), &timeout, nullptr) < 0) {
    return errno == EINTR;  // the process may have been stopped for long: what has come meanwhile is looked at first
  }
  char drained[256];
  if (entries[0].revents != 0)
    while (::read(pipe_fds[0], drained, sizeof drained) > 0) {
    }
  if (is_resting && Clock::now() >= rest_until) is_resting = has_waiting = false, answer_waiting();
  for (size_t i = 1; i < entries.size() && !stopping; ++i) {
    if (entries[i].revents == 0) continue;
    i <= n_listening ? accept_from(entries[i].fd) : on_connection(entries[i].fd, &Impl::receive);
  }
  if (n_answered > 0) begin_rest();
  if (Clock::now() - last_look > std::chrono::milliseconds(100)) last_look = Clock::now(), close_overdue();
  return true;
}

/// Something for an idle connection; where that fails for want of memory, the connection ends and others go on.
void HttpServer::Impl::on_connection(int fd, void (Impl::*what)(int)) {
  try {
    (this->*what)(fd);
  } catch (...) {
    const std::lock_guard lock(mutex);
    idle.erase(fd);
    active.erase(fd);
  }
}

void HttpServer::Impl::accept_from(int listener) {
  for (int i = 0; i < 64; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = ::accept(listener, reinterpret_cast<sockaddr*>(&address), &size);
    if (fd < 0) return errno == EMFILE || errno == ENFILE ? make_room() : void();
    set_nonblocking(fd);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::shared_ptr<Connection> connection;
    try {
      connection = std::make_shared<Connection>(fd, address_text(address), limits, budget);
    } catch (...) {
      ::close(fd);
      throw;
    }
    const std::lock_guard lock(mutex);
    idle.emplace(fd, std::move(connection));
  }
}

/// No more sockets can be had: the connection that has been idle for longest goes.
void HttpServer::Impl::make_room() {
  {
    const std::lock_guard lock(mutex);
    const auto oldest = std::min_element(idle.begin(), idle.end(), [](const auto& a, const auto& b) {
      return a.second->idle_since < b.second->idle_since;
    });
    if (oldest != idle.end()) return void(idle.erase(oldest));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// Ends connections that nobody uses; a head that does not come to its end is answered so.
void HttpServer::Impl::close_overdue() {
  std::vector<int> late;
  {
    const std::lock_guard lock(mutex);
    const auto now = Clock::now();
    std::erase_if(idle, [&](const auto& entry) {
      return std::chrono::duration<double>(now - entry.second->idle_since).count() > limits.idle_seconds;
    });
    for (const auto& [fd, connection] : idle)
      if (connection->is_late()) late.push_back(fd);
  }
  for (const int fd : late) on_connection(fd, &Impl::hand_over);
}

/// Gives a connection to a worker once there is something for it to do, so that slow senders hold none.
void HttpServer::Impl::receive(int fd) {
  bool is_next_small = false;
  {
    const std::lock_guard lock(mutex);
    const auto found = idle.find(fd);
    if (found == idle.end() || !found->second->take_in()) return;
    found->second->asks_small = is_small(*found->second);
    is_next_small = found->second->asks_small;
  }
  if (!is_next_small) return hand_over(fd);
  is_resting ? void(has_waiting = true) : answer_small(fd);
}

bool HttpServer::Impl::is_small(const Connection& connection) const {
  if (!handlers.is_small || !connection.has_head()) return false;
  const auto [method, path] = connection.bare_request();
  return !path.empty() && handlers.is_small(method, path);
}

/// Answers small requests of a connection, a few at a time; whatever would make this thread wait is left to a worker.
void HttpServer::Impl::answer_small(int fd) {
  constexpr int kAtATime = 64;
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex);
    const auto found = idle.find(fd);
    if (found == idle.end()) return;
    connection = found->second;
  }
  connection->begin_collect();
  for (int i = 0; i < kAtATime && !connection->is_ending && is_small(*connection); ++i, ++n_answered)
    connection->is_ending = !answer_one(*connection);
  const bool is_sent = connection->flush();
  connection->asks_small = is_small(*connection);
  if (!is_sent || connection->is_ending || (connection->has_head() && !connection->asks_small)) return hand_over(fd);
  if (connection->asks_small) {
    has_waiting = true;
  } else {
    connection->asks_small = true;
    connection->begin_wait();
  }
}

/// Small requests that have come during a rest.
void HttpServer::Impl::answer_waiting() {
  std::vector<int> waiting;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [fd, connection] : idle)
      if (connection->asks_small && connection->has_head()) waiting.push_back(fd);
  }
  for (const int fd : waiting) on_connection(fd, &Impl::answer_small);
}

/// While somebody waits for an answer that takes long, small requests get a sixtieth of a processor.
void HttpServer::Impl::begin_rest() {
  constexpr double kShare = 1.0 / 60, kLongest = 0.03;
  const double cpu = thread_cpu_seconds(), spent = cpu - small_cpu;
  small_cpu = cpu;
  n_answered = 0;
  {
    const std::lock_guard lock(mutex);
    if (active.empty()) return;
  }
  const double rest = std::min(spent / kShare, kLongest);
  rest_until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(rest));
}

void HttpServer::Impl::hand_over(int fd) {
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex);
    const auto found = idle.find(fd);
    if (found == idle.end()) return;
    connection = found->second;
    active.insert(*found);
    idle.erase(found);
  }
  pool.run([this, connection = std::move(connection)] { serve(connection); });
}

void HttpServer::Impl::forget(const Connection& connection) {
  const std::lock_guard lock(mutex);
  active.erase(connection.fd());
}

void HttpServer::Impl::put_back(std::shared_ptr<Connection> connection) {
  {
    const std::lock_guard lock(mutex);
    active.erase(connection->fd());
    connection->asks_small = connection->has_head();
    if (connection->asks_small) {
      has_waiting = true;
    } else {
      connection->begin_wait();
    }
    if (!stopping) idle.emplace(connection->fd(), std::move(connection));
  }
  wake();
}

/// The next requests of a connection. Where memory is out, or a stream fails that cannot say so, it ends; others go on.
void HttpServer::Impl::serve(const std::shared_ptr<Connection>& connection) {
  try {
    serve_next(connection);
  } catch (...) {
    forget(*connection);
  }
}

void HttpServer::Impl::serve_next(const std::shared_ptr<Connection>& connection) {
  const bool goes_on = connection->finish_flush();
  if (!goes_on || connection->is_ending) {
    if (goes_on) connection->linger();
    return forget(*connection);
  }
  do {
    if (!answer_one(*connection)) return forget(*connection);
  } while (connection->has_head() && !is_small(*connection));
  put_back(connection);
}

/// One request; false when the connection has to end.
bool HttpServer::Impl::answer_one(Connection& connection) {
  const auto start = Clock::now();
  HttpRequest request;
  HttpReply reply;
  auto read = connection.read_head(request);
  if (read == Connection::Read::kClosed) return false;
  bool last = stopping;
  if (read == Connection::Read::kRequest && handlers.refuse(request, reply)) {
    last = last || connection.has_body();
  } else {
    if (read == Connection::Read::kRequest) {
      if (handlers.sink) request.sink = handlers.sink(request);
      read = connection.read_body(request);
    }
    if (read == Connection::Read::kClosed) return false;
    if (read == Connection::Read::kFault) {
      reply = handlers.fault(request, connection.fault_status(), connection.fault_message());
      last = true;
    } else {
      last = last || connection.has_unread_body();
      reply = handlers.answer(request, [&connection] { return connection.is_open(); });
    }
  }
  std::string().swap(request.body);  // an answer may take long
  request.sink.reset();
  connection.release_body();
  const bool live = connection.send(request, reply, last);
  handlers.log(request, reply.status, connection.sent_bytes(),
               std::chrono::duration<double>(Clock::now() - start).count());
  if (!live && !connection.is_collecting()) connection.linger();
  return live;
}

}  // namespace hearth_server
