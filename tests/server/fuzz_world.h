// A server whose contexts are short, so that many requests take little time, and the run of a range of fuzzed ones.
#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "request_fuzzer.h"
#include "tests/server/socket_client.h"

namespace hearth_server {

struct FuzzReport {
  std::atomic<uint64_t> n_requests{0}, n_good{0}, n_refused{0}, n_faults{0};
};

class FuzzWorld {
 public:
  /// embedder: a file, or empty.
  hearth::Status start(const std::string& model, const std::string& embedder) {
    if (auto status = store_.add_file(model); !status) return status;
    if (!embedder.empty()) {
      if (auto status = store_.add_file(embedder); !status) return status;
    }
    ServerOptions options;
    options.port = 0;
    options.has_metrics = true;
    options.log = LogLevel::kNone;
    options.limits.body_seconds = options.limits.head_seconds = 0.2;  // fuzzed lengths promise more than comes
    options.models.session.n_ctx = 96;
    options.models.session.n_seqs = 4;
    options.models.session.n_threads = 1;
    server_ = std::make_unique<Server>(store_, options);
    if (auto status = server_->start(); !status) return status;
    const auto list = store_.list();
    fuzzer_ = std::make_unique<RequestFuzzer>(list.front().short_name(), list.back().short_name());
    return {};
  }

  /// Requests `first` to `last` of a seed from several threads; every eighth through a socket. A complaint is printed
  /// with what repeats it.
  void run(uint64_t seed, uint64_t first, uint64_t last, int n_threads, FuzzReport& report) {
    std::atomic<uint64_t> next{first};
    std::vector<std::thread> threads;
    for (int i = 0; i < n_threads; ++i) {
      threads.emplace_back([&] {
        for (uint64_t index = next++; index < last; index = next++) one(seed, index, report);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  /// Whether it still answers rightly.
  bool lives() {
    SocketClient client(server_->port());
    client.send(request_bytes(
        "POST", "/v1/completions",
        R"({"model":")" + store_.list().front().short_name() + R"(","prompt":"Once upon a time","max_tokens":2})"));
    return client.receive().status == 200;
  }

 private:
  void one(uint64_t seed, uint64_t index, FuzzReport& report) {
    const HttpRequest request = fuzzer_->make(seed, index);
    Verdict verdict;
    if (index % 8 == 0) {
      SocketClient client(server_->port());
      client.send(RequestFuzzer::wire(request, seed, index));
      const SocketAnswer answer = client.receive(request.method == "HEAD");
      verdict.status = answer.status;
      // What is scrambled may be no request at all: then the connection just ends.
      if (answer.status >= 400 && answer.body.empty()) {
        verdict.complaint = request.method == "HEAD" ? "" : "an error without a body";
      } else if (answer.status != 0 && answer.status != 100) {
        verdict.complaint =
            RequestFuzzer::judge(request.path, answer.status, answer.header("Content-Type"), answer.body, false);
        // The path may be what was scrambled, and with it the form of errors.
        if (verdict.complaint.rfind("an error without", 0) == 0 && Json::accept(answer.body)) verdict.complaint.clear();
      }
    } else {
      verdict = RequestFuzzer::answer(*server_, request, seed, index);
    }
    ++report.n_requests;
    ++(verdict.status < 400 ? report.n_good : report.n_refused);
    if (verdict.complaint.empty()) return;
    if (++report.n_faults > 20) return;
    std::fprintf(stderr, "request %llu of seed %llu: %s %s?%s: %d: %s\n%s\n", static_cast<unsigned long long>(index),
                 static_cast<unsigned long long>(seed), request.method.c_str(), request.path.c_str(),
                 request.query.c_str(), verdict.status, verdict.complaint.c_str(), request.body.substr(0, 600).c_str());
  }

  ModelStore store_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RequestFuzzer> fuzzer_;
};

}  // namespace hearth_server
