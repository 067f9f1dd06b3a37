// One connection: reading requests and writing replies, with limits of size and time.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "http.h"

namespace hearth_server {

using Clock = std::chrono::steady_clock;

/// Bytes of all bodies together, so that many clients cannot take more than a few may.
struct BodyBudget {
  std::atomic<size_t> used{0};
};

class Connection final : public StreamWriter {
 public:
  /// Owns the socket.
  Connection(int fd, std::string peer, const HttpLimits& limits, BodyBudget& budget)
      : limits_(limits), budget_(budget), fd_(fd), peer_(std::move(peer)) {}
  ~Connection() override;
  Connection(const Connection&) = delete;

  /// Takes in what has come, without waiting. True: there is a whole head, or something that needs no waiting for: a
  /// head that is too long or too late, or the end of the connection.
  bool take_in();
  /// When a head that has begun to come is too late.
  bool is_late() const;

  enum class Read { kRequest, kClosed, kFault };
  /// Reads the head of a request. kFault: status and message say why, and the connection must end.
  Read read_head(HttpRequest& request);
  /// Reads the body that the head promised.
  Read read_body(HttpRequest& request);
  bool has_body() const { return chunked_ || body_bytes_ > 0; }
  /// A part of the body was not read: its sink wanted no more.
  bool has_unread_body() const { return body_left_; }
  /// The body is not needed any more.
  void release_body();
  /// The body was announced with "Expect: 100-continue", or is wanted all the same.
  int fault_status() const { return fault_status_; }
  const std::string& fault_message() const { return fault_message_; }

  /// Sends a reply; false when the connection cannot be used again.
  bool send(const HttpRequest& request, const HttpReply& reply, bool last);
  size_t sent_bytes() const { return sent_; }  ///< of the last reply's body
  /// Says goodbye to a client that may still be sending, so that it reads the reply.
  void linger();

  bool write(std::string_view data) override;
  bool is_open() override;
  /// Bytes of the next request have come already.
  bool has_input() const { return at_ < in_.size(); }
  /// The head of the next request has come, too (its end at `from` or behind it).
  bool has_head(size_t from = 0) const;
  /// Method and path of the next request, whose head has come, if it has no body; empty otherwise.
  std::pair<std::string_view, std::string_view> bare_request() const;
  /// From now on what is sent is kept, until flush().
  void begin_collect() { collecting_ = true; }
  bool is_collecting() const { return collecting_; }
  /// Sends what was kept, as far as that goes without waiting; false: some is left. finish_flush() waits for it.
  bool flush();
  bool finish_flush();
  /// Nobody reads from now on but take_in().
  void begin_wait();
  int fd() const { return fd_; }
  const std::string& peer() const { return peer_; }
  Clock::time_point idle_since = Clock::now();
  bool asks_small = false;  ///< its last request was a small one
  bool is_ending = false;   ///< nothing follows what was kept

 private:
  Read fault(int status, std::string message);
  void drop_used();
  bool fill(Clock::time_point deadline);
  bool read_line(std::string& line, size_t limit, Clock::time_point deadline);
  Read parse_request_line(const std::string& line, HttpRequest& request);
  Read parse_headers(HttpRequest& request, Clock::time_point deadline, size_t used);
  Read parse_framing(const HttpRequest& request);
  Read read_chunks(HttpRequest& request);
  Read read_length(HttpRequest& request);
  Clock::time_point body_deadline(const HttpRequest& request) const;
  Read take_body(HttpRequest& request, size_t n);
  bool send_all(std::string_view data);
  bool reserve(size_t n);

  const HttpLimits& limits_;
  BodyBudget& budget_;
  int fd_;
  std::string peer_;
  std::string out_;  ///< kept by begin_collect()
  std::string in_;   ///< received; [0, at_) is used up
  size_t at_ = 0;
  Clock::time_point head_begun_{};  ///< when its first byte came; none: no byte has
  uint64_t body_bytes_ = 0;         ///< that the head promised
  uint64_t body_taken_ = 0;         ///< that have come
  Clock::time_point body_begun_{};
  size_t reserved_ = 0;  ///< of the budget
  bool chunked_ = false, keep_alive_ = true, http_1_0_ = false, broken_ = false, chunking_ = false, body_left_ = false,
       collecting_ = false;
  int fault_status_ = 0;
  std::string fault_message_;
  size_t sent_ = 0;
};

}  // namespace hearth_server
