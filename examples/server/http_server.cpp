// Listening, waiting, and handing requests to workers.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "http_connection.h"
#include "worker_pool.h"

namespace hearth_server {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

Error last_error(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "local";
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  }
  return text;
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

struct HttpServer::Impl {
  Impl(HttpLimits l, Handlers h) : limits(l), handlers(std::move(h)), pool(l.max_threads) {}

  void loop();
  void accept_from(int fd);
  void make_room();
  void close_overdue();
  void receive(int fd);
  void hand_over(int fd);
  void serve(const std::shared_ptr<Connection>& connection);
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

  mutable std::mutex mutex;                                 ///< of what follows
  std::map<int, std::shared_ptr<Connection>> idle, active;  ///< by socket
};

HttpServer::HttpServer(HttpLimits limits, Handlers handlers)
    : impl_(std::make_unique<Impl>(limits, std::move(handlers))) {}

HttpServer::~HttpServer() {
  stop(0);
}

Result<int> HttpServer::listen(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  const std::string where = host + ":" + std::to_string(port);
  if (const int e = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); e != 0) {
    return Error{ErrorCode::kNotFound, where + ": " + ::gai_strerror(e)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  const int fd = ::socket(found->ai_family, SOCK_STREAM, 0);
  if (fd < 0) return last_error("cannot listen on " + where);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_nonblocking(fd);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 512) != 0) {
    const Error error = last_error("cannot listen on " + where);
    ::close(fd);
    return error;
  }
  impl_->listeners.push_back(fd);
  return port_of(fd);
}

Status HttpServer::listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{ErrorCode::kInvalidArgument, path + ": too long for a socket"};
  std::copy(path.begin(), path.end(), address.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return last_error(path);
  set_nonblocking(fd);
  struct stat old {};
  if (::lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) ::unlink(path.c_str());
  const mode_t mask = ::umask(0177);
  const bool ok = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(mask);
  if (!ok || ::listen(fd, 512) != 0) {
    const Error error = last_error("cannot listen on " + path);
    ::close(fd);
    return error;
  }
  impl_->unix_path = path;
  impl_->listeners.push_back(fd);
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

/// Waits for new connections and for requests on idle ones.
void HttpServer::Impl::loop() {
  while (!stopping) {
    std::vector<pollfd> entries{{pipe_fds[0], POLLIN, 0}};
    size_t n_listening = 0;
    {
      const std::lock_guard lock(mutex);
      if (idle.size() + active.size() < limits.max_connections) n_listening = listeners.size();
      for (size_t i = 0; i < n_listening; ++i) entries.push_back({listeners[i], POLLIN, 0});
      for (const auto& [fd, connection] : idle) entries.push_back({fd, POLLIN, 0});
    }
    if (::poll(entries.data(), static_cast<nfds_t>(entries.size()), 1000) < 0 && errno != EINTR) break;
    char drained[256];
    while (::read(pipe_fds[0], drained, sizeof drained) > 0) {
    }
    for (size_t i = 1; i < entries.size() && !stopping; ++i) {
      if (entries[i].revents == 0) continue;
      i <= n_listening ? accept_from(entries[i].fd) : receive(entries[i].fd);
    }
    close_overdue();
  }
  const std::lock_guard lock(mutex);
  idle.clear();
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
    const std::lock_guard lock(mutex);
    idle.emplace(fd, std::make_shared<Connection>(fd, address_text(address), limits, budget));
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
  for (const int fd : late) hand_over(fd);
}

/// Gives a connection to a worker once there is something for it to do, so that slow senders hold none.
void HttpServer::Impl::receive(int fd) {
  {
    const std::lock_guard lock(mutex);
    const auto found = idle.find(fd);
    if (found == idle.end() || !found->second->take_in()) return;
  }
  hand_over(fd);
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
    connection->begin_wait();
    if (!stopping) idle.emplace(connection->fd(), std::move(connection));
  }
  wake();
}

void HttpServer::Impl::serve(const std::shared_ptr<Connection>& connection) {
  do {
    if (!answer_one(*connection)) return forget(*connection);
  } while (connection->has_head());
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
    if (read == Connection::Read::kRequest) read = connection.read_body(request);
    if (read == Connection::Read::kClosed) return false;
    if (read == Connection::Read::kFault) {
      reply = handlers.fault(request, connection.fault_status(), connection.fault_message());
      last = true;
    } else {
      reply = handlers.answer(request, [&connection] { return connection.is_open(); });
    }
  }
  std::string().swap(request.body);  // an answer may take long
  connection.release_body();
  const bool live = connection.send(request, reply, last);
  handlers.log(request, reply.status, connection.sent_bytes(),
               std::chrono::duration<double>(Clock::now() - start).count());
  if (!live) connection.linger();
  return live;
}

}  // namespace hearth_server
