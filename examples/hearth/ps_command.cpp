// hearth ps: what a running server has in memory.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "commands.h"
#include "json_output.h"
#include "near_server.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

struct PsOptions {
  std::string host;
  bool json = false;
};

int ps(const PsOptions& o) {
  std::string host = o.host;
  if (const char* given = std::getenv("OLLAMA_HOST"); host.empty() && given != nullptr) host = given;
  if (const size_t scheme = host.find("://"); scheme != std::string::npos) host.erase(0, scheme + 3);
  host = host.substr(0, host.find('/'));
  std::string port = "11434";
  const size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(':') == colon) {
    port = host.substr(colon + 1);
    host.resize(colon);
  }
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  const auto body = get_from_server(host, port, "/api/ps");
  if (!body) return fail(body.error());
  const Json answer = Json::parse(*body, nullptr, false);
  if (!answer.is_object() || !answer.contains("models") || !answer["models"].is_array())
    return fail("what answers at " + host + ":" + port + " is no server of models");
  if (o.json) {
    print_json(answer);
    return finish_output();
  }
  char line[256];
  std::snprintf(line, sizeof line, "%-40s %12s %8s  %s\n", "NAME", "MEMORY", "CONTEXT", "UNTIL");
  print(line);
  for (const Json& model : answer["models"]) {
    if (!model.is_object()) continue;
    std::snprintf(line, sizeof line, "%-40.100s %12s %8lld  %s\n",
                  printable(model.value("name", "?"), false, 80).c_str(),
                  format_bytes(model.value("size", uint64_t{0})).c_str(),
                  static_cast<long long>(model.value("context_length", int64_t{0})),
                  printable(model.value("expires_at", ""), false, 40).c_str());
    print(line);
  }
  return finish_output();
}

}  // namespace

Action setup_ps(Options& options) {
  auto values = std::make_shared<PsOptions>();
  options.add("--host", values->host, "Server as HOST:PORT (default: OLLAMA_HOST, or 127.0.0.1:11434)");
  options.add("--json", values->json, "Print what the server says, as JSON");
  return [values] { return ps(*values); };
}

}  // namespace hearth_tool
