// What a host does wrong or to itself: callbacks that throw, tasks that throw, and fork.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

#include "hearth/hearth.h"
#include "lib/base/parallel.h"
#include "support/tiny_model.h"

namespace hearth {
namespace {

using testing::TinyModel;

class HostFaults : public ::testing::Test {
 protected:
  HostFaults() : bytes_(TinyModel().gguf()), model_(Model::from_memory(bytes_)) {}
  Session session(SessionOptions options = {}) {
    options.n_ctx = 256;
    if (options.pool == nullptr) options.n_threads = 2;
    return *Session::create(*model_, options);
  }
  std::vector<std::byte> bytes_;
  Result<Model> model_;
};

void expect_cancelled(const Error& error, std::string_view what) {
  EXPECT_EQ(error.code, ErrorCode::kCancelled);
  EXPECT_NE(error.message.find(what), std::string::npos) << error.message;
}

TEST_F(HostFaults, ACallbackThatThrowsEndsTheCall) {
  Session s = session();
  const GenerateOptions few{.max_tokens = 4, .ignore_end = true};
  const auto text = s.generate("ab", few, [](std::string_view) -> bool { throw std::runtime_error("my\nown"); });
  ASSERT_FALSE(text);
  expect_cancelled(text.error(), "a callback threw 'my\\x0aown'");
  GenerateOptions options = few;
  options.on_prompt = [](int32_t, int32_t) -> bool { throw 1; };
  const auto prompt = s.generate("ab", options);
  ASSERT_FALSE(prompt);
  expect_cancelled(prompt.error(), "a callback threw");
  options = few;
  options.on_token = [](const GeneratedToken&) -> bool { throw std::bad_alloc(); };
  const auto token = s.generate("ab", options);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::kOutOfMemory);
  EXPECT_TRUE(s.generate("ab", few));

  const auto opened = Model::from_memory(bytes_, {.progress = [](uint64_t, uint64_t) -> bool { throw 1; }});
  ASSERT_FALSE(opened);
  expect_cancelled(opened.error(), "threw");
}

TEST_F(HostFaults, AStageThatThrowsLeavesTheSampler) {
  auto sampler = Sampler::create(300, {});
  ASSERT_TRUE(sampler);
  bool throws = true;
  sampler->add_stage(StagePosition::kLast, [&](Candidates&) {
    if (throws) throw std::runtime_error("stage");
  });
  const std::vector<float> logits(300, 1.0f);
  const auto failed = sampler->sample(logits);
  ASSERT_FALSE(failed);
  expect_cancelled(failed.error(), "stage");
  throws = false;
  EXPECT_TRUE(sampler->sample(logits));
}

TEST_F(HostFaults, APoolThatThrowsLeavesTheCacheAsItWas) {
  bool throws = false;
  ThreadPool pool{.n_threads = 2, .run = [&](int n, const std::function<void(int)>& task) {
                    if (throws) throw std::runtime_error("pool");
                    for (int i = 0; i < n; ++i) task(i);
                  }};
  Session s = session({.pool = &pool});
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < 40; ++i) batch.push_back({40 + i, i, 0, i == 39});
  ASSERT_TRUE(s.decode(batch));
  throws = true;
  for (BatchToken& token : batch) token.pos += 40;
  const Status failed = s.decode(batch);
  ASSERT_FALSE(failed);
  expect_cancelled(failed.error(), "pool");
  EXPECT_EQ(s.cache().length(0), 40);
  throws = false;
  EXPECT_TRUE(s.decode(batch));
  EXPECT_EQ(s.cache().length(0), 80);
}

TEST(HostFaultsOfTasks, AnExceptionIsHandedOnWhenAllTasksAreDone) {
  auto parallel = Parallel::create(4);
  ASSERT_TRUE(parallel);
  std::atomic<int> n_done{0};
  const auto run = [&] {
    (*parallel)->run(100, [&](int task, int) {
      n_done.fetch_add(1);
      if (task % 10 == 3) throw std::runtime_error("task");
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_EQ(n_done.load(), 100);
  EXPECT_THROW(run(), std::runtime_error) << "the pool is as before";
}

#if !defined(__SANITIZE_THREAD__)
/// The exit status of a child, or 1000 and its signal; 20 seconds are enough.
int in_child(const std::function<bool()>& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(call() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(HostFaults, AForkedChildUsesAndDestroysWhatItInherits) {
  auto s = std::make_unique<Session>(session());
  const GenerateOptions options{.max_tokens = 3, .ignore_end = true};
  const auto before = s->generate("ab", options);
  ASSERT_TRUE(before);
  ::usleep(20000);  // the workers sleep by then
  EXPECT_EQ(in_child([&] {
              const auto text = s->generate("ab", options);
              const bool same = text && text->text == before->text;
              s.reset();
              return same;
            }),
            0);
  EXPECT_EQ(in_child([&] {
              Session own = session();
              return own.generate("ab", options).ok();
            }),
            0);
  EXPECT_TRUE(s->generate("ab", options)) << "the parent goes on";
}

TEST_F(HostFaults, ASystemThatGivesNoMoreThreadsLeavesTheSessionThoseItGave) {
  const GenerateOptions options{.max_tokens = 3, .ignore_end = true};
  const auto before = session().generate("ab", options);
  ASSERT_TRUE(before);
  const auto is_limited = [] { return ::geteuid() != 0 || ::setuid(65534) == 0; };
  if (in_child(is_limited) != 0) GTEST_SKIP() << "of root there is no limit, and another user cannot be taken";
  EXPECT_EQ(in_child([&] {
              const rlimit none{1, 1};  // processes and threads of a user
              if (::setrlimit(RLIMIT_NPROC, &none) != 0) return false;
              if (!is_limited()) return false;
              auto s = Session::create(*model_, {.n_ctx = 256, .n_threads = 8});
              if (!s || s->options().n_threads != 1) return false;
              if (s->warning() != "the system gave 1 of 8 threads (a limit of processes or memory)") return false;
              const auto text = s->generate("ab", options);
              return text && text->text == before->text;
            }),
            0);
}
#endif

TEST_F(HostFaults, AContextBeyondThatOfTrainingIsSaid) {
  const int32_t trained = model_->info().n_ctx_train;
  const auto warning = [&](SessionOptions options) {
    options.n_threads = 1;
    auto s = Session::create(*model_, options);
    return s ? std::string(s->warning()) : s.error().message;
  };
  EXPECT_EQ(warning({}), "");
  EXPECT_EQ(warning({.n_ctx = trained}), "");
  EXPECT_EQ(warning({.n_ctx = 2 * trained, .n_seqs = 2}), "") << "both have the trained one";
  EXPECT_NE(warning({.n_ctx = trained + 1}).find("trained for a context of " + std::to_string(trained)),
            std::string::npos);
  EXPECT_EQ(warning({.n_ctx = 2 * trained, .rope = {.freq_scale = 0.5f}}), "") << "stretched on purpose";
  EXPECT_NE(warning({.n_ctx = 64, .n_logits = 1000}).find("is not in 1..64 (n_ctx)"), std::string::npos);
}

}  // namespace
}  // namespace hearth
