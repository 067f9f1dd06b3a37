// What a server keeps, and for how long: models, threads, memory, connections.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include "server_world.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HEARTH_TEST_TRIMS 1
#endif

namespace hearth_server {
namespace {

using Lifetime = ServerTest;

/// Bytes of memory that this process has, or nothing where the system does not tell.
size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t pages = 0;
  in >> pages >> pages;
  return pages * 4096;
}

size_t n_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/self/task", error);
  return error ? 0 : static_cast<size_t>(std::distance(begin(all), end(all)));
}

bool comes_true(const std::function<bool()>& what) {
  for (int i = 0; i < 100; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

/// How many times a model was loaded for 8 threads that want it at the same moment, all rounds together.
size_t count_loads(Models& models, int n_rounds) {
  size_t n_loads = 0;
  for (int round = 0; round < n_rounds; ++round) {
    std::latch all(8);
    std::mutex mutex;
    std::set<double> seconds;  // tell one load from another
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        all.arrive_and_wait();
        const Lease lease = models.use("small-world-q8_0", false, 0);
        const std::lock_guard lock(mutex);
        seconds.insert(lease->load_seconds);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(models.loaded().empty());
    n_loads += seconds.size();
  }
  return n_loads;
}

// With keep_alive 0 the model goes after its last user; those that waited for it are users, too. A thread that comes
// late loads it anew, rightly, and on a busy machine some do.
TEST_F(Lifetime, WhoWaitsForAModelGetsTheOneThatComes) {
  ModelsOptions loading;
  loading.session = options().models.session;
  Models models(*store_, loading);
  constexpr int kRounds = 20;
  size_t fewest = 8 * kRounds;
  for (int i = 0; i < 3 && fewest >= 2 * kRounds; ++i) fewest = std::min(fewest, count_loads(models, kRounds));
  EXPECT_LT(fewest, 2u * kRounds);
}

// Two loads at the same moment beside a model that rests: one place is free, so that model goes.
TEST_F(Lifetime, LoadsAtOnceStayWithinTheLimit) {
  ModelsOptions options_of_two;
  options_of_two.session = options().models.session;
  options_of_two.max_loaded = 2;
  options_of_two.keep_alive = -1;
  const std::vector<std::string> names = {"first", "second", "third"};
  ModelStore store(hearth_store::Store(own_->file("three")));
  for (const std::string& name : names) {
    std::filesystem::copy_file(kSmallWorld, own_->file(name + ".gguf"));
    ASSERT_TRUE(store.add_file(own_->file(name + ".gguf")));
  }
  for (int round = 0; round < 20; ++round) {
    Models models(store, options_of_two);
    (void)models.use(names[0], false, {});
    std::latch both(2);
    std::vector<std::thread> threads;
    for (size_t i : {1u, 2u}) {
      threads.emplace_back([&, i] {
        both.arrive_and_wait();
        (void)models.use(names[i], false, {});
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_LE(models.loaded().size(), 2u) << "round " << round;
  }
}

TEST_F(Lifetime, ThreadsGoSoonAfterTheirWork) {
  if (n_threads() == 0) GTEST_SKIP() << "this system does not say how many threads there are";
  const auto body = chat("Hello", {{"max_tokens", 8}});
  ASSERT_EQ(200, post("/v1/chat/completions", body).status);
  ASSERT_TRUE(comes_true([before = n_threads()] { return n_threads() < before; }));
  const size_t at_rest = n_threads();
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back([&] { EXPECT_EQ(200, post("/v1/chat/completions", body).status); });
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(comes_true([&] { return n_threads() <= at_rest; })) << n_threads() << ", before " << at_rest;
}

#ifdef HEARTH_TEST_TRIMS
TEST_F(Lifetime, MemoryGoesBackWhenModelsComeToRest) {
  constexpr size_t kBlocks = 400, kBlock = 64 << 10;
  const auto ask = [&] { ASSERT_EQ(200, post("/v1/chat/completions", chat("Hello", {{"max_tokens", 4}})).status); };
  ask();  // the model is there from now on
  std::vector<std::vector<char>> blocks(kBlocks, std::vector<char>(kBlock, 'x'));
  for (size_t i = 0; i < kBlocks; ++i) {
    if (i % 8 != 7) std::vector<char>().swap(blocks[i]);  // the others, and the last, keep what is free inside the heap
  }
  const size_t before = resident_bytes();
  ask();
  EXPECT_TRUE(comes_true([&] { return resident_bytes() + kBlocks * kBlock / 2 < before; })) << resident_bytes();
}
#endif

TEST_F(Lifetime, AConnectionKeepsNothingOfItsRequests) {
  if (resident_bytes() == 0) GTEST_SKIP() << "this system does not say how much memory there is";
  const std::string large = "X-Note: " + std::string(12000, 'x') + "\r\n";
  Client client(port());
  const auto ask_many = [&](int n) {
    for (int i = 0; i < n; ++i) {
      client.send(request_text("GET", "/health", "", large));
      ASSERT_EQ(200, client.receive().status);
    }
  };
  ask_many(100);
  const size_t before = resident_bytes();
  ask_many(3000);  // 36 MB
  EXPECT_LT(resident_bytes(), before + (16 << 20));
}

/// Answers 200 to everything; `stream` for /bad.
HttpServer::Handlers plain_handlers(std::function<void(StreamWriter&)> stream = {}) {
  HttpServer::Handlers handlers;
  handlers.refuse = [](const HttpRequest&, HttpReply&) { return false; };
  handlers.answer = [stream = std::move(stream)](HttpRequest& request, const StillThere&) {
    HttpReply reply;
    if (request.path == "/bad") reply.stream = stream;
    return reply;
  };
  handlers.log = [](const HttpRequest&, int, size_t, double) {};
  handlers.fault = [](const HttpRequest&, int status, const std::string&) {
    HttpReply reply;
    reply.status = status;
    return reply;
  };
  return handlers;
}

/// After a request for /bad that fails, only the connection that made it is gone.
void ends_the_bad_one(HttpServer::Handlers handlers) {
  HttpServer server({}, std::move(handlers));
  const auto port = server.listen("127.0.0.1", 0);
  ASSERT_TRUE(port);
  ASSERT_TRUE(server.start());
  Client bad(*port), good(*port);
  bad.send(request_text("GET", "/bad"));
  EXPECT_FALSE(bad.receive().complete);
  good.send(request_text("GET", "/"));
  EXPECT_EQ(200, good.receive().status);
  EXPECT_TRUE(comes_true([&] { return server.n_connections() == 1; }));
}

TEST(HttpServer, AStreamThatThrowsEndsItsConnectionAlone) {
  ends_the_bad_one(plain_handlers([](StreamWriter&) { throw std::bad_alloc(); }));
}

TEST(HttpServer, MemoryThatRunsOutInTheLoopEndsOneConnectionAlone) {
  auto handlers = plain_handlers();
  handlers.is_small = [](std::string_view, std::string_view path) -> bool {
    if (path == "/bad") throw std::bad_alloc();
    return true;
  };
  ends_the_bad_one(std::move(handlers));
}

}  // namespace
}  // namespace hearth_server
