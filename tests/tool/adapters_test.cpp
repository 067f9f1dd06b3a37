// hearth merge, and commands with adapters: of flags, and of names.
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

/// What a name brings acts wherever the flag would; flags override it.
TEST_F(AdapterTool, NamesBringAdapters) {
  ::setenv("HEARTH_MODELS", path("models").c_str(), 1);
  write(path("Modelfile"), "FROM " + path("model.gguf") + "\nADAPTER " + path("one.gguf") + "\n");
  ASSERT_EQ(run_tool({"create", "tuned", "-f", path("Modelfile")}).exit_code, 0);
  const std::vector<std::vector<std::string>> commands = {
      {"run", "", "a text", "-n", "8", "--greedy", "--ignore-eos", "-t", "1"},
      {"logits", "", "-p", "a text", "--top", "5", "-t", "1"},
      {"embed", "", "a text", "-t", "1"}};
  for (const auto& command : commands) {
    const auto said = [&](const std::string& model, const std::vector<std::string>& more) {
      std::vector<std::string> args = command;
      args[1] = model;
      args.insert(args.end(), more.begin(), more.end());
      const ToolResult result = run_tool(args);
      EXPECT_EQ(result.exit_code, 0) << command[0] << ": " << result.err;
      return result.out;
    };
    const std::string base = said(path("model.gguf"), {}),
                      tuned = said(path("model.gguf"), {"--lora", path("one.gguf")});
    EXPECT_NE(base, tuned) << command[0];
    EXPECT_EQ(said("tuned", {}), tuned) << command[0];
    EXPECT_EQ(said("tuned", {"--lora", path("two.gguf")}), said(path("model.gguf"), {"--lora", path("two.gguf")}))
        << command[0];
  }
  ::unsetenv("HEARTH_MODELS");
}

TEST_F(AdapterTool, PlansCountAdapters) {
  const auto plan_of = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args = {"inspect", path("model.gguf"), "--plan", "-c", "64", "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const ToolResult result = run_tool(args);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return nlohmann::json::parse(result.out)["plan"];
  };
  const auto base = plan_of({}), with = plan_of({"--lora", path("one.gguf")});
  const uint64_t adapter = with["adapter_bytes"];
  EXPECT_EQ(base["adapter_bytes"], 0);
  EXPECT_GE(adapter, std::filesystem::file_size(path("one.gguf")));
  EXPECT_EQ(with["total_bytes"].get<uint64_t>(), base["total_bytes"].get<uint64_t>() + adapter);
}

}  // namespace
}  // namespace hearth::testing
