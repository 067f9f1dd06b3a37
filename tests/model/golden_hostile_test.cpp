// Files made to break a reader, as the library meets them: every one is planned, opened and run, or refused in one
// line.
#include <gtest/gtest.h>

#include <cstdio>

#include "hearth/hearth.h"
#include "lib/base/quote.h"
#include "support/cost.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"

namespace hearth {
namespace {

using testing::golden_files;
using testing::TempDir;

constexpr double kMostSeconds = 20;  // of processor time

/// The file, unpacked when it is compressed (with the program gzip); empty when that cannot be done.
std::string unpacked(const std::filesystem::path& path) {
  if (path.extension() != ".gz") return testing::read_file(path);
  std::FILE* pipe = ::popen(("gzip -dc '" + path.string() + "'").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string bytes;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) bytes.append(buffer, n);
  return ::pclose(pipe) == 0 ? bytes : std::string();
}

template <typename AnyResult>
void expect_presentable(const AnyResult& result) {
  if (result.ok()) return;
  EXPECT_TRUE(is_one_line(result.error().message)) << result.error().message.substr(0, 600);
}

void run_model(const std::string& path) {
  expect_presentable(Model::plan(path, {}));
  const auto model = Model::open(path);
  expect_presentable(model);
  if (!model) return;
  const auto ids = model->tokenizer().encode(std::string(20000, 'a'));
  expect_presentable(ids);
  auto session = Session::create(*model, {.n_ctx = 256, .n_threads = 2});
  expect_presentable(session);
  if (!session || !model->info().causal) return;
  std::vector<Token> prompt(200);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<Token>(i % 7);
  expect_presentable(session->generate(prompt, {.max_tokens = 2}));
}

TEST(GoldenHostile, FilesAreRunOrRefused) {
  const TempDir dir;
  size_t n = 0;
  for (const char* suffix : {".gguf", ".gguf.gz"}) {
    for (const auto& path : golden_files("hostile", suffix)) {
      SCOPED_TRACE(path.string());
      const std::string bytes = unpacked(path);
      if (bytes.empty()) continue;
      const std::string copy = dir.write("model.gguf", bytes);
      EXPECT_LT(testing::cost_of([&] { run_model(copy); }, 1), kMostSeconds);
      ++n;
    }
  }
  if (n == 0) GTEST_SKIP() << "no files in " << (testing::golden_dir() / "hostile");
}

/// Metadata that claims what is not there.
TEST(HostileMetadata, APlanAllocatesNothingByClaims) {
  const auto bytes = testing::TinyModel().gguf();
  const TempDir dir;
  // The same file without its data.
  auto model = GgufFile::from_memory(bytes);
  ASSERT_TRUE(model);
  std::string head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  head.resize(static_cast<size_t>(model->tensors()[0].file_offset));
  const auto plan = Model::plan(dir.write("head.gguf", head), {.n_ctx = 128, .n_threads = 1});
  ASSERT_TRUE(plan) << plan.error().message;
  const auto whole = Model::from_memory(bytes);
  ASSERT_TRUE(whole);
  const auto same = whole->plan({.n_ctx = 128, .n_threads = 1});
  ASSERT_TRUE(same);
  EXPECT_EQ(plan->tables_bytes, same->tables_bytes) << "what is copied is counted all the same";
}

}  // namespace
}  // namespace hearth
