// What clients see of a server on this machine that is under load. It speaks llama-server's POST /completion, so that
// others can be measured with the same program.
//
//   hearth_server_load PORT MODE [name=N]...
//     streams [clients=8] [prompt=128] [generate=64] [rounds=3]   one client against several
//     gaps [clients=7] [prompt=2000] [generate=200]               times between tokens beside a long prompt
//     first [prompt=300] [rounds=20]                              the first byte of a prompt that is cached
//     requests [requests=100000] [batch=50] [turn=500]            a stream beside small requests, by turns of so many
//     ms agent [turns=20] [prompt=4000] [add=300]                    a conversation that grows
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/socket_client.h"

namespace {

using namespace hearth_server;
using Clock = std::chrono::steady_clock;

double now() {
  static const auto start = Clock::now();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(q * static_cast<double>(values.size())))];
}

int port;
std::map<std::string, int> settings;

int setting(const char* name, int otherwise) {
  const auto found = settings.find(name);
  return found != settings.end() ? found->second : otherwise;
}

/// Ids that no other prompt of this run has, all of them common ones.
std::string prompt_of(int n) {
  static std::atomic<unsigned> next{static_cast<unsigned>(Clock::now().time_since_epoch().count())};
  unsigned state = next += 7919;
  std::string text = "[";
  for (int i = 0; i < n; ++i) {
    state = state * 1664525 + 1013904223;
    text += (i > 0 ? "," : "") + std::to_string(300 + (state >> 16) % static_cast<unsigned>(setting("ids", 2000)));
  }
  return text + "]";
}

/// One stream: when its pieces came.
struct Stream {
  double begun = 0;
  std::vector<double> at;

  void run(const std::string& prompt, int n, const std::atomic<bool>* stop = nullptr) {
    SocketClient client(port, 600);
    const std::string body = "{\"prompt\":" + prompt + ",\"n_predict\":" + std::to_string(n) +
                             ",\"temperature\":0,\"ignore_eos\":true,\"stream\":true,\"cache_prompt\":true}";
    begun = now();
    client.send(request_bytes("POST", "/completion", body, "Content-Type: application/json\r\n"));
    const SocketAnswer head = client.receive_head();
    if (head.status != 200) {
      std::fprintf(stderr, "status %d\n", head.status);
      std::exit(1);
    }
    bool ended = false;
    while (stop == nullptr || !*stop) {
      const std::string piece = client.receive_chunk(ended);
      if (piece.empty()) break;
      if (piece.find("\"stop\":true") == std::string::npos) at.push_back(now());
    }
  }
  double rate() const { return at.size() < 2 ? 0 : static_cast<double>(at.size() - 1) / (at.back() - at.front()); }
};

struct Rates {
  double all_writing = 0;  ///< tokens per second of all, while none computes its prompt
  double whole = 0;        ///< of the whole time, prompts included
};

Rates run_streams(int n_clients, int n_prompt, int n_generate) {
  std::vector<Stream> streams(static_cast<size_t>(n_clients));
  std::vector<std::thread> threads;
  const double begun = now();
  for (Stream& stream : streams) {
    threads.emplace_back([&stream, n_prompt, n_generate] { stream.run(prompt_of(n_prompt), n_generate); });
  }
  for (std::thread& thread : threads) thread.join();
  double from = 0, to = 1e300, last = 0, n = 0, n_all = 0;
  for (const Stream& stream : streams) {
    from = std::max(from, stream.at.front());
    to = std::min(to, stream.at.back());
    last = std::max(last, stream.at.back());
    n_all += static_cast<double>(stream.at.size());
  }
  for (const Stream& stream : streams)
    for (const double t : stream.at) n += t > from && t <= to;
  return {n / (to - from), n_all / (last - begun)};
}

void streams() {
  const int n_clients = setting("clients", 8), n_prompt = setting("prompt", 128), n = setting("generate", 64);
  std::vector<double> one, many, one_whole, many_whole;
  for (int round = 0; round < setting("rounds", 3); ++round) {
    const Rates a = run_streams(1, n_prompt, n), b = run_streams(n_clients, n_prompt, n);
    one.push_back(a.all_writing), one_whole.push_back(a.whole);
    many.push_back(b.all_writing), many_whole.push_back(b.whole);
    std::printf("1 client: %.1f tokens/s (%.1f with the prompt); %d clients: %.1f (%.1f)\n", a.all_writing, a.whole,
                n_clients, b.all_writing, b.whole);
  }
  std::printf("medians: %.1f and %.1f tokens/s, ratio %.2f; with prompts %.1f and %.1f, ratio %.2f\n",
              quantile(one, 0.5), quantile(many, 0.5), quantile(many, 0.5) / quantile(one, 0.5),
              quantile(one_whole, 0.5), quantile(many_whole, 0.5),
              quantile(many_whole, 0.5) / quantile(one_whole, 0.5));
}

void gaps() {
  const int n_clients = setting("clients", 7);
  std::vector<Stream> streams(static_cast<size_t>(n_clients));
  std::vector<std::thread> threads;
  for (Stream& stream : streams) {
    threads.emplace_back([&stream] { stream.run(prompt_of(32), setting("generate", 200)); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(setting("wait", 3000)));
  Stream late;
  late.run(prompt_of(setting("prompt", 2000)), 2);
  for (std::thread& thread : threads) thread.join();
  std::vector<double> before, beside;
  double quiet_from = 0;
  for (const Stream& stream : streams) quiet_from = std::max(quiet_from, stream.at.front());
  for (const Stream& stream : streams) {
    for (size_t i = 1; i < stream.at.size(); ++i) {
      const double t = stream.at[i], gap = t - stream.at[i - 1];
      if (t > quiet_from && t <= late.begun) before.push_back(gap);
      if (t > late.begun && stream.at[i - 1] < late.at.front()) beside.push_back(gap);
    }
  }
  std::printf("before: median %.1f ms, p99 %.1f ms (%zu)\n", 1e3 * quantile(before, 0.5), 1e3 * quantile(before, 0.99),
              before.size());
  std::printf("beside a prompt of %d tokens, which took %.2f s: median %.1f ms, p99 %.1f ms, ratio %.2f (%zu)\n",
              setting("prompt", 2000), late.at.front() - late.begun, 1e3 * quantile(beside, 0.5),
              1e3 * quantile(beside, 0.99), quantile(beside, 0.99) / quantile(beside, 0.5), beside.size());
}

void first() {
  const std::string prompt = prompt_of(setting("prompt", 300));
  Stream cold;
  cold.run(prompt, 1);
  std::vector<double> warm;
  for (int i = 0; i < setting("rounds", 20); ++i) {
    Stream stream;
    stream.run(prompt, 1);
    warm.push_back(stream.at.front() - stream.begun);
  }
  std::printf("first piece: cold %.2f ms; warm: median %.2f ms, longest %.2f ms\n",
              1e3 * (cold.at.front() - cold.begun), 1e3 * quantile(warm, 0.5), 1e3 * quantile(warm, 1));
}

/// Sends GETs in batches on one connection for as long as it is let.
struct Asker {
  std::atomic<bool> asks{false}, ends{false};
  std::atomic<int> n_answered{0};
  double cpu_seconds = 0;

  void run() {
    const int n_batch = setting("batch", 50);
    SocketClient client(port, 600);
    std::string batch;
    for (int i = 0; i < n_batch; ++i) batch += request_bytes("GET", i % 2 == 0 ? "/health" : "/v1/models");
    while (!ends) {
      if (!asks) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      client.send(batch);
      for (int i = 0; i < n_batch; ++i)
        if (client.receive().status != 200) std::fprintf(stderr, "a small request failed\n"), std::exit(1);
      n_answered += n_batch;
    }
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    cpu_seconds = static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
};

/// A stream in turns of half a second: alone, then beside small requests, until these were so many. The first tokens
/// of a turn do not count.
void requests() {
  const int n = setting("requests", 100000);
  const double turn = 1e-3 * setting("turn", 500);
  Asker asker;
  Stream stream;
  std::atomic<bool> stop{false};
  std::thread writing([&] { stream.run(prompt_of(16), setting("generate", 1900), &stop); });
  std::thread asking([&] { asker.run(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  std::vector<double> begins;  // of turns, which are alone and beside requests by turns
  for (bool asks = false; asker.n_answered < n && begins.size() < 400; asks = !asks) {
    asker.asks = asks;
    begins.push_back(now());
    std::this_thread::sleep_for(std::chrono::duration<double>(turn));
  }
  begins.push_back(now());
  stop = asker.ends = true;
  writing.join(), asking.join();
  std::vector<double> ms[2], ratios;  // of a token
  for (size_t i = 0; i + 1 < begins.size(); ++i) {
    double from = 0, to = 0;
    int n_tokens = -1;
    for (const double at : stream.at) {
      if (at < begins[i] + 0.1 * turn || at > begins[i + 1]) continue;
      if (++n_tokens == 0) from = at;
      to = at;
    }
    if (n_tokens < 1) break;
    ms[i % 2].push_back(1e3 * (to - from) / n_tokens);
    if (i % 2 == 1) ratios.push_back(ms[0].back() / ms[1].back());
  }
  std::printf(
      "%d small requests beside %.1f s of a stream; a token takes %.2f ms alone and %.2f ms beside them "
      "(medians of %zu turns); rate beside / alone: median %.3f, quartiles %.3f and %.3f\n",
      asker.n_answered.load(), static_cast<double>(ratios.size()) * turn, quantile(ms[0], 0.5), quantile(ms[1], 0.5),
      ratios.size(), quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75));
  std::printf("the program that asks used %.1f us of processor time for each\n",
              1e6 * asker.cpu_seconds / asker.n_answered);
}

/// The number behind a name in a text.
double number_behind(const std::string& text, const std::string& name) {
  const size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::atof(text.c_str() + at + name.size());
}

double metric(const std::string& name) {
  SocketClient client(port);
  client.send(request_bytes("GET", "/metrics"));
  const std::string text = client.receive().body;
  const size_t at = text.find("\n" + name + "{");
  return at == std::string::npos ? -1 : std::atof(text.c_str() + text.find(' ', at));
}

void agent() {
  std::string prompt = prompt_of(setting("prompt", 4000));
  double computed = metric("llamacpp:prompt_tokens_total"), cached = metric("hearth_cached_tokens_total");
  for (int turn = 0; turn < setting("turns", 20); ++turn) {
    SocketClient client(port, 600);
    client.send(request_bytes("POST", "/completion",
                              "{\"prompt\":" + prompt +
                                  ",\"n_predict\":16,\"temperature\":0,\"ignore_eos\":true,"
                                  "\"return_tokens\":true}"));
    const std::string answer = client.receive().body;
    const double computed_now = metric("llamacpp:prompt_tokens_total"),
                 cached_now = metric("hearth_cached_tokens_total");
    std::printf("turn %2d: timings prompt_n %.0f, cache_n %.0f, prompt_ms %.0f; metrics computed %.0f, cached %.0f\n",
                turn + 1, number_behind(answer, "\"prompt_n\":"), number_behind(answer, "\"cache_n\":"),
                number_behind(answer, "\"prompt_ms\":"), computed_now - computed, cached_now - cached);
    computed = computed_now, cached = cached_now;
    const size_t from = answer.find("\"tokens\":[") + 10;
    const std::string said = answer.substr(from, answer.find(']', from) - from), more = prompt_of(setting("add", 300));
    prompt = prompt.substr(0, prompt.size() - 1) + "," + said + "," + more.substr(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    return std::fprintf(stderr, "usage: hearth_server_load PORT streams|gaps|first|requests|agent [name=N]\n"), 2;
  port = std::atoi(argv[1]);
  const std::string what = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    settings[text.substr(0, text.find('='))] = std::atoi(text.c_str() + text.find('=') + 1);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (what == "streams") return streams(), 0;
  if (what == "gaps") return gaps(), 0;
  if (what == "first") return first(), 0;
  if (what == "requests") return requests(), 0;
  if (what == "agent") return agent(), 0;
  return std::fprintf(stderr, "%s: unknown\n", what.c_str()), 2;
}
