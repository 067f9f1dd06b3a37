// Reading and writing HTTP/1.1 on a socket that does not block. RFC 9112.
#include "http_connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "../store/name.h"
#include "http_words.h"

namespace hearth_server {
namespace {

using hearth_store::lower_case;

/// Waits until the socket is ready for `events`, at most until the deadline.
bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{fd, events, 0};
    const int n = ::poll(&entry, 1, static_cast<int>(std::clamp<long long>(left, 0, 1 << 30)));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

Clock::time_point in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != std::string_view::npos;
  });
}

constexpr const char* kTooManyBodies = "too many large requests are being answered; please try again";

}  // namespace

Connection::~Connection() {
  release_body();
  if (fd_ >= 0) ::close(fd_);
}

Connection::Read Connection::fault(int status, std::string message) {
  fault_status_ = status;
  fault_message_ = std::move(message);
  return Read::kFault;
}

/// Lets go of what is used up, where that costs little.
void Connection::drop_used() {
  if (at_ == in_.size() || at_ > (64 << 10)) in_.erase(0, at_), at_ = 0;
}

/// Receives something more; false at the end, on an error, or when the time is up.
bool Connection::fill(Clock::time_point deadline) {
  drop_used();
  char buffer[16 << 10];
  for (;;) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) return in_.append(buffer, static_cast<size_t>(n)), true;
    if (n == 0) return false;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (!wait_for(fd_, POLLIN, deadline)) return false;
  }
}

/// A line without its end; false when it is longer than `limit` or does not come.
bool Connection::read_line(std::string& line, size_t limit, Clock::time_point deadline) {
  size_t searched = 0;
  for (;;) {
    const size_t end = in_.find('\n', at_ + searched);
    if (end != std::string::npos) {
      const size_t length = end - at_;
      if (length > limit) return fault(431, "a line of the request is longer than " + std::to_string(limit)), false;
      line.assign(in_, at_, length);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      at_ = end + 1;
      return true;
    }
    searched = in_.size() - at_;
    if (searched > limit) return fault(431, "a line of the request is longer than " + std::to_string(limit)), false;
    if (!fill(deadline)) return false;
  }
}

bool Connection::has_head(size_t from) const {
  from = std::max(from, at_);
  return in_.find("\n\r\n", from) != std::string::npos || in_.find("\n\n", from) != std::string::npos;
}

std::pair<std::string_view, std::string_view> Connection::bare_request() const {
  const std::string_view rest = std::string_view(in_).substr(at_);
  const size_t end = std::min(rest.find("\n\r\n"), rest.find("\n\n"));
  if (end == std::string_view::npos) return {};
  const std::string head = lower_case(rest.substr(0, end));
  for (const char* name : {"\ncontent-length", "\ntransfer-encoding", "\nexpect"})
    if (head.find(name) != std::string::npos) return {};
  const size_t first = rest.find(' '), second = rest.find_first_of(" ?\r\n", first + 1);
  if (first >= end || second >= end) return {};
  return {rest.substr(0, first), rest.substr(first + 1, second - first - 1)};
}

bool Connection::flush() {
  collecting_ = false;
  while (!out_.empty() && !broken_) {
    const ssize_t n = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      out_.erase(0, static_cast<size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  return true;
}

bool Connection::finish_flush() {
  const std::string rest = std::move(out_);
  out_.clear();
  return send_all(rest);
}

bool Connection::take_in() {
  char buffer[16 << 10];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n == 0) return true;
  if (n < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  drop_used();
  const size_t before = in_.size();
  if (!has_input()) head_begun_ = Clock::now();
  in_.append(buffer, static_cast<size_t>(n));
  while (has_input() && (in_[at_] == '\r' || in_[at_] == '\n')) ++at_;  // empty lines before a request are borne
  return has_head(before - std::min<size_t>(before, 2)) || in_.size() - at_ > limits_.max_head;
}

void Connection::begin_wait() {
  idle_since = Clock::now();
  head_begun_ = idle_since;
}

bool Connection::is_late() const {
  return has_input() && std::chrono::duration<double>(Clock::now() - head_begun_).count() > limits_.head_seconds;
}

bool Connection::reserve(size_t n) {
  if (budget_.used.fetch_add(n) + n > limits_.max_bodies) return budget_.used -= n, false;
  reserved_ += n;
  return true;
}

void Connection::release_body() {
  budget_.used -= reserved_;
  reserved_ = 0;
}

Connection::Read Connection::read_head(HttpRequest& request) {
  const bool begun = has_input() && head_begun_ != Clock::time_point{};
  const auto deadline =
      begun ? head_begun_ + (in_seconds(limits_.head_seconds) - Clock::now()) : in_seconds(limits_.head_seconds);
  head_begun_ = {};
  fault_status_ = 0, body_bytes_ = 0, body_taken_ = 0, chunked_ = false, body_left_ = false;
  request.peer = peer_;
  std::string line;
  do {  // empty lines before a request are borne
    if (!read_line(line, 8 << 10, deadline)) {
      const bool nothing = !has_input() && line.empty();
      if (fault_status_ == 431) return fault(414, "the address of the request is too long");
      return nothing ? Read::kClosed : fault(408, "the request did not come in time");
    }
  } while (line.empty());
  if (const Read read = parse_request_line(line, request); read != Read::kRequest) return read;
  if (const Read read = parse_headers(request, deadline, line.size()); read != Read::kRequest) return read;
  return parse_framing(request);
}

Connection::Read Connection::parse_request_line(const std::string& line, HttpRequest& request) {
  const size_t first = line.find(' '), second = line.find(' ', first + 1);
  if (first == std::string::npos || second == std::string::npos) return fault(400, "this is no HTTP request");
  request.method = line.substr(0, first);
  std::string target = line.substr(first + 1, second - first - 1);
  const std::string version = line.substr(second + 1);
  if (!is_token(request.method)) return fault(400, "this is no HTTP request");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return fault(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  http_1_0_ = version == "HTTP/1.0";
  if (const size_t scheme = target.find("://"); scheme != std::string::npos && target[0] != '/') {
    const size_t slash = target.find('/', scheme + 3);  // the form that proxies get
    target = slash == std::string::npos ? "/" : target.substr(slash);
  }
  if (target.empty() || (target[0] != '/' && target != "*"))
    return fault(400, "the address of the request is malformed");
  const size_t mark = target.find('?');
  request.path = percent_decode(std::string_view(target).substr(0, mark));
  request.query = mark == std::string::npos ? "" : target.substr(mark + 1);
  return Read::kRequest;
}

Connection::Read Connection::parse_headers(HttpRequest& request, Clock::time_point deadline, size_t used) {
  std::string line;
  for (;;) {
    if (!read_line(line, limits_.max_head, deadline)) {
      return fault_status_ != 0 ? Read::kFault : fault(408, "the request did not come in time");
    }
    if (line.empty()) return Read::kRequest;
    used += line.size();
    if (used > limits_.max_head || request.headers.size() >= 128) return fault(431, "the request has too many headers");
    const size_t colon = line.find(':');
    const std::string_view text = line;
    const bool odd = line.find_first_of(std::string_view("\r\0", 2)) != std::string::npos;
    if (colon == std::string::npos || !is_token(text.substr(0, colon)) || odd)
      return fault(400, "a header is malformed");
    request.headers.emplace_back(lower_case(text.substr(0, colon)), std::string(trim_blanks(text.substr(colon + 1))));
  }
}

/// How long the body is, and whether the connection lives on.
Connection::Read Connection::parse_framing(const HttpRequest& request) {
  const std::string connection = lower_case(request.header_or_empty("connection"));
  keep_alive_ =
      http_1_0_ ? connection.find("keep-alive") != std::string::npos : connection.find("close") == std::string::npos;
  const std::string* length = nullptr;
  for (const auto& [name, value] : request.headers) {
    if (name != "content-length") continue;
    if (length != nullptr && *length != value) return fault(400, "two different Content-Length headers");
    length = &value;
  }
  if (const std::string* coding = request.header("transfer-encoding")) {
    if (length != nullptr) return fault(400, "both Content-Length and Transfer-Encoding");
    if (lower_case(*coding) != "chunked") return fault(501, "this Transfer-Encoding is not understood");
    chunked_ = true;
  } else if (length != nullptr) {
    const auto [end, error] = std::from_chars(length->data(), length->data() + length->size(), body_bytes_);
    if (length->empty() || error != std::errc() || end != length->data() + length->size()) {
      return fault(400, "Content-Length is no number");
    }
  }
  const std::string coding = lower_case(request.header_or_empty("content-encoding"));
  if (!coding.empty() && coding != "identity") return fault(415, "bodies are taken as they are, not as " + coding);
  return Read::kRequest;
}

Connection::Read Connection::read_body(HttpRequest& request) {
  if (!has_body()) return Read::kRequest;
  const uint64_t limit = request.sink ? limits_.max_upload : limits_.max_body;
  if (body_bytes_ > limit) {
    return fault(
        413, "the body has " + std::to_string(body_bytes_) + " bytes, but " + std::to_string(limit) + " are the limit");
  }
  if (lower_case(request.header_or_empty("expect")) == "100-continue" && !send_all("HTTP/1.1 100 Continue\r\n\r\n")) {
    return Read::kClosed;
  }
  body_begun_ = Clock::now();
  return chunked_ ? read_chunks(request) : read_length(request);
}

/// When the next bytes are too late. What goes to a sink may be very long: there, what has come gives time for more.
Clock::time_point Connection::body_deadline(const HttpRequest& request) const {
  const uint64_t n_bytes = request.sink ? body_taken_ : chunked_ ? limits_.max_body : body_bytes_;
  const double seconds = limits_.body_seconds + static_cast<double>(n_bytes) / limits_.body_rate;
  return body_begun_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Takes `n` bytes that have come. kRequest: go on, unless has_unread_body().
Connection::Read Connection::take_body(HttpRequest& request, size_t n) {
  const std::string_view bytes = std::string_view(in_).substr(at_, n);
  if (request.sink) {
    body_left_ = !request.sink->add(bytes);
  } else {
    if (!reserve(n)) return fault(503, kTooManyBodies);
    request.body.append(bytes);
  }
  at_ += n, body_taken_ += n;
  return Read::kRequest;
}

Connection::Read Connection::read_length(HttpRequest& request) {
  while (body_taken_ < body_bytes_ && !body_left_) {
    if (!has_input() && !fill(body_deadline(request))) return fault(408, "the body did not come in time");
    const size_t n = static_cast<size_t>(std::min<uint64_t>(body_bytes_ - body_taken_, in_.size() - at_));
    if (const Read read = take_body(request, n); read != Read::kRequest) return read;
  }
  return Read::kRequest;
}

Connection::Read Connection::read_chunks(HttpRequest& request) {
  std::string line;
  const uint64_t limit = request.sink ? limits_.max_upload : limits_.max_body;
  for (;;) {
    if (!read_line(line, 1 << 10, body_deadline(request))) return fault(400, "the body is cut off");
    size_t n = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), n, 16);
    if (error != std::errc() || end == line.data()) return fault(400, "the length of a chunk is no number");
    if (n > limit || body_taken_ + n > limit) {
      return fault(413, "the body is longer than " + std::to_string(limit) + " bytes");
    }
    if (n == 0) break;
    for (size_t left = n; left > 0;) {
      if (!has_input() && !fill(body_deadline(request))) return fault(408, "the body did not come in time");
      const size_t part = std::min(left, in_.size() - at_);
      if (const Read read = take_body(request, part); read != Read::kRequest || body_left_) return read;
      left -= part;
    }
    if (!read_line(line, 2, body_deadline(request)) || !line.empty())
      return fault(400, "a chunk is longer than it says");
  }
  for (int i = 0; i < 64; ++i) {  // trailers, which mean nothing here
    if (!read_line(line, 8 << 10, body_deadline(request))) return fault(400, "the body is cut off");
    if (line.empty()) return Read::kRequest;
  }
  return fault(431, "the body has too many trailers");
}

// --- writing -----------------------------------------------------------------------------------------------------

bool Connection::send_all(std::string_view data) {
  if (collecting_) return out_.append(data), !broken_;
  while (!data.empty() && !broken_) {
    const ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (n > 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      broken_ = !wait_for(fd_, POLLOUT, in_seconds(limits_.stall_seconds));
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  return !broken_;
}

bool Connection::write(std::string_view data) {
  if (data.empty()) return !broken_;
  if (!is_open()) return false;
  sent_ += data.size();
  if (!chunking_) return send_all(data);
  char head[20];
  const auto [end, error] = std::to_chars(head, head + sizeof head, data.size(), 16);
  std::string chunk(head, end);
  chunk.append("\r\n").append(data).append("\r\n");
  return error == std::errc() && send_all(chunk);
}

/// A client that has closed its end, or shut it for writing, counts as gone.
bool Connection::is_open() {
  if (broken_) return false;
  char byte;
  const ssize_t n = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) broken_ = true;
  return !broken_;
}

bool Connection::send(const HttpRequest& request, const HttpReply& reply, bool last) {
  const bool is_stream = static_cast<bool>(reply.stream), is_head = request.method == "HEAD";
  const bool is_bare = reply.status == 204 || reply.status == 304;  // these have no body, and tell no length
  chunking_ = is_stream && !http_1_0_;
  const bool live = keep_alive_ && !last && !reply.close && (chunking_ || !is_stream);
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " " + http_status_text(reply.status) + "\r\n";
  if (!reply.type.empty() && !is_bare) head += "Content-Type: " + reply.type + "\r\n";
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  if (chunking_) head += "Transfer-Encoding: chunked\r\n";
  if (!is_stream && !is_bare) head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  head += live ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  sent_ = 0;
  if (!is_stream || is_head) {
    if (!is_head && !is_bare) head += reply.body, sent_ = reply.body.size();
    return send_all(head) && live;
  }
  if (!send_all(head)) return false;
  reply.stream(*this);
  if (chunking_) send_all("0\r\n\r\n");
  chunking_ = false;
  return live && !broken_;
}

void Connection::linger() {
  if (broken_) return;
  ::shutdown(fd_, SHUT_WR);
  const auto deadline = in_seconds(1);
  char buffer[16 << 10];
  for (size_t n_read = 0; n_read < (8 << 20);) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return;
    if (n > 0) n_read += static_cast<size_t>(n);
    if (Clock::now() > deadline || (n < 0 && !wait_for(fd_, POLLIN, deadline))) return;
  }
}

}  // namespace hearth_server
