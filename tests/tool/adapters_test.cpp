// hearth merge, and embed with adapters.
#include <nlohmann/json.hpp>

#include "hearth/merge.h"
#include "lib/arch/architecture.h"
#include "support/adapter_file.h"
#include "support/family_model.h"
#include "support/golden.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

/// A model with a text for every token, and two adapters of it.
class AdapterTool : public ToolTest {
 protected:
  void SetUp() override {
    ToolTest::SetUp();
    const FamilyModel family(*find_architecture("llama"), {.output = true});
    write_bytes("model.gguf", family.gguf());
    write_bytes("one.gguf", AdapterFile(family.tiny, 3).gguf());
    write_bytes("two.gguf", AdapterFile(family.tiny, 5, 99).gguf());
  }
  void write_bytes(const std::string& name, const std::vector<std::byte>& bytes) {
    write(path(name), std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
};

TEST_F(AdapterTool, MergeWritesWhatTheLibraryWrites) {
  const ToolResult merged = run_tool({"merge", path("model.gguf"), path("one.gguf") + ":0.75",
                                      path("two.gguf") + ":-0.5", "-o", path("merged.gguf"), "--type", "f16"});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  const auto model = Model::open(path("model.gguf"));
  ASSERT_TRUE(model);
  const auto one = Adapter::load(path("one.gguf"), *model), two = Adapter::load(path("two.gguf"), *model);
  ASSERT_TRUE(one && two);
  const std::vector<AdapterScale> adapters = {{*one, 0.75f}, {*two, -0.5f}};
  ASSERT_TRUE(merge_adapters(*model, adapters, path("wanted.gguf"), {.type = TensorType::kF16}));
  EXPECT_TRUE(read_file(path("merged.gguf")) == read_file(path("wanted.gguf")));
  EXPECT_FALSE(read_file(path("merged.gguf")) == read_file(path("model.gguf")));
}

TEST_F(AdapterTool, MergeSaysWhatIsWrong) {
  expect_one_error_line(run_tool({"merge", path("model.gguf"), path("model.gguf"), "-o", path("out.gguf")}), "adapter");
  expect_one_error_line(run_tool({"merge", path("model.gguf"), "-o", path("out.gguf")}), "adapter", 2);
  EXPECT_FALSE(std::filesystem::exists(path("out.gguf")));
}

TEST_F(AdapterTool, EmbedTakesAdapters) {
  const auto vector_of = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"embed", path("model.gguf"), "a text", "--json", "-t", "1"};
    args.insert(args.end(), more.begin(), more.end());
    const ToolResult result = run_tool(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.exit_code == 0 ? nlohmann::json::parse(result.out)["embeddings"][0].get<std::vector<double>>()
                                 : std::vector<double>();
  };
  ASSERT_EQ(run_tool({"merge", path("model.gguf"), path("one.gguf"), "-o", path("merged.gguf")}).exit_code, 0);
  const auto base = vector_of({}), with = vector_of({"--lora", path("one.gguf")});
  EXPECT_EQ(base, vector_of({"--lora", path("one.gguf") + ":0"}));
  EXPECT_NE(base, with);
  const ToolResult merged = run_tool({"embed", path("merged.gguf"), "a text", "--json", "-t", "1"});
  const auto wanted = nlohmann::json::parse(merged.out)["embeddings"][0].get<std::vector<double>>();
  ASSERT_EQ(wanted.size(), with.size());
  for (size_t i = 0; i < with.size(); ++i) EXPECT_NEAR(wanted[i], with[i], 1e-4);
}

}  // namespace
}  // namespace hearth::testing
