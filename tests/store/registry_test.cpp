// A pull from Debian's docker-registry, through a relay that cuts its connections: a registry that others wrote.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <random>

#include "examples/store/pull.h"
#include "store_world.h"
#include "test_server.h"

namespace hearth_store {
namespace {

constexpr const char* kRegistry = "/usr/bin/docker-registry";

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = hearth::testing::loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

/// Passes bytes on to a port, and ends a connection after as many bytes of answers as `next_limit` says.
class Relay {
 public:
  Relay(int to, std::function<size_t()> next_limit)
      : to_(to), next_limit_(std::move(next_limit)), thread_([this] { serve(); }) {}
  ~Relay() {
    ending_ = true;
    thread_.join();
  }
  Relay(const Relay&) = delete;
  int port() const { return listener_.port(); }

 private:
  void serve() {
    while (!ending_) {
      pollfd waiting{listener_.fd(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int client = ::accept(listener_.fd(), nullptr, nullptr), server = connect_to(to_);
      if (client >= 0 && server >= 0) pass(client, server, next_limit_());
      ::close(client);
      ::close(server);
    }
  }
  void pass(int client, int server, size_t limit) {
    std::string buffer(1 << 16, '\0');
    while (!ending_) {
      pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(both, 2, 100) <= 0) continue;
      for (int i = 0; i < 2; ++i) {
        if (both[i].revents == 0) continue;
        const ssize_t n = ::recv(both[i].fd, buffer.data(), buffer.size(), 0);
        if (n <= 0) return;
        const size_t most = i == 1 ? std::min(limit, static_cast<size_t>(n)) : static_cast<size_t>(n);
        if (::send(both[1 - i].fd, buffer.data(), most, MSG_NOSIGNAL) < 0) return;
        if (i == 1 && (limit -= most) == 0) return;
      }
    }
  }

  const int to_;
  std::function<size_t()> next_limit_;
  const hearth::testing::LoopbackListener listener_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

/// The registry's own layout on the disk, so that nothing need be pushed.
class Registry {
 public:
  explicit Registry(fs::path root) : root_(std::move(root)), port_(hearth::testing::free_port()) {}
  ~Registry() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Registry(const Registry&) = delete;

  void put_blob(const std::string& repository, const std::string& bytes) const {
    const std::string hex = sha256_hex(bytes);
    BlobFolder::write(top() / "blobs/sha256" / hex.substr(0, 2) / hex / "data", bytes);
    BlobFolder::write(top() / "repositories" / repository / "_layers/sha256" / hex / "link", "sha256:" + hex);
  }
  void put_manifest(const std::string& repository, const std::string& tag, const std::string& text) const {
    const std::string hex = sha256_hex(text);
    const fs::path manifests = top() / "repositories" / repository / "_manifests";
    BlobFolder::write(top() / "blobs/sha256" / hex.substr(0, 2) / hex / "data", text);
    BlobFolder::write(manifests / "revisions/sha256" / hex / "link", "sha256:" + hex);
    BlobFolder::write(manifests / "tags" / tag / "current/link", "sha256:" + hex);
    BlobFolder::write(manifests / "tags" / tag / "index/sha256" / hex / "link", "sha256:" + hex);
  }
  bool start() {
    const fs::path config = root_ / "config.yml";
    BlobFolder::write(config, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " +
                                  root_.string() + "}}\nhttp: {addr: '127.0.0.1:" + std::to_string(port_) + "'}\n");
    pid_ = ::fork();
    if (pid_ == 0) {
      const int nowhere = ::open("/dev/null", O_RDWR);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      ::execl(kRegistry, kRegistry, "serve", config.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 200; ++i) {
      const int fd = connect_to(port_);
      if (fd >= 0) return ::close(fd) == 0;
      ::usleep(50000);
    }
    return false;
  }
  int port() const { return port_; }

 private:
  fs::path top() const { return root_ / "docker/registry/v2"; }
  fs::path root_;
  int port_;
  pid_t pid_ = -1;
};

TEST(SlowRegistry, DebiansServesModelsOverCutConnections) {
  if (!can_fetch()) GTEST_SKIP() << "this build was made without libcurl";
  if (!fs::exists(kRegistry)) GTEST_SKIP() << "docker-registry is not installed";
  const hearth::testing::TempDir dir;
  Registry registry(dir.path() / "registry");
  const std::string model = hearth::testing::read_file(kSmallWorld), system = "Be kind.";
  const std::string config = R"({"model_format":"gguf","model_family":"llama"})";
  Manifest manifest;
  manifest.config = {"config", sha256_hex(config), config.size(), "", ""};
  manifest.layers = {{"model", sha256_hex(model), model.size(), "", ""}, {"system", sha256_hex(system), 8, "", ""}};
  for (const std::string& bytes : {model, system, config}) registry.put_blob("team/sw", bytes);
  registry.put_manifest("team/sw", "v1", manifest_text(manifest));
  ASSERT_TRUE(registry.start());
  std::mt19937 dice(5);
  Relay relay(registry.port(), [&] { return 2000 + dice() % (model.size() / 2); });
  PullOptions options;
  options.first_wait = 0.001;
  options.n_tries = 100;
  const Store store(dir.file("own"));
  const std::string name = "127.0.0.1:" + std::to_string(relay.port()) + "/team/sw:v1";
  const auto entry = pull(store, name, options);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(model, hearth::testing::read_file(entry->path));
  EXPECT_EQ(system, entry->system);
  EXPECT_EQ(sha256_hex(manifest_text(manifest)), entry->digest);
  const auto missing = pull(store, "127.0.0.1:" + std::to_string(registry.port()) + "/team/other", options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(hearth::ErrorCode::kNotFound, missing.error().code) << missing.error().message;
}

}  // namespace
}  // namespace hearth_store
