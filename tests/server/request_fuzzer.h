// Requests that no client sends but that look like theirs: bodies of every route, changed in their structure, their
// values, their JSON, or their HTTP. And the judge of what comes back: no fault of the server's own, no answer whose
// form no client could read.
#pragma once

#include <cstdint>
#include <string>

#include "json.h"
#include "server.h"

namespace hearth_server {

/// What became of a request.
struct Verdict {
  int status = 0;
  std::string complaint;  ///< empty: as it should be
};

class RequestFuzzer {
 public:
  /// The server has `model` and, if that is not empty, `embedder`, under these names.
  RequestFuzzer(std::string model, std::string embedder) : model_(std::move(model)), embedder_(std::move(embedder)) {}

  /// Request number `index` of a seed, always the same one.
  HttpRequest make(uint64_t seed, uint64_t index) const;
  /// The bytes of it, sometimes not quite as HTTP wants them.
  static std::string wire(const HttpRequest& request, uint64_t seed, uint64_t index);
  /// Lets the server answer a request without a socket, with a reader that sometimes leaves.
  static Verdict answer(Server& server, HttpRequest request, uint64_t seed, uint64_t index);
  /// Judges an answer that was read to its end (`complete`) or not.
  static std::string judge(const std::string& path, int status, const std::string& type, const std::string& body,
                           bool complete);

 private:
  std::string model_, embedder_;
};

}  // namespace hearth_server
