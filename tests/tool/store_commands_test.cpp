// Models by name at the command line: import, list, show, create, cp, rm, and names where commands take a model.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "../convert/folder_builder.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

class StoreCommands : public ::testing::Test {
 protected:
  StoreCommands() {
    // A home of its own: what the machine's user has fetched is none of the test's business.
    ::setenv("HOME", dir_.path().c_str(), 1);
    ::setenv("HEARTH_MODELS", dir_.file("models").c_str(), 1);
    for (const char* name : {"OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "OLLAMA_HOST"}) ::unsetenv(name);
  }
  static ToolResult tool(std::vector<std::string> args) { return run_tool(ToolRun{.args = std::move(args)}); }
  static const std::string& model() {
    static const std::string path = source_dir() + "/examples/models/small-world-q8_0.gguf";
    return path;
  }
  TempDir dir_;
};

TEST_F(StoreCommands, ImportListShowRemove) {
  auto result = tool({"list"});
  EXPECT_EQ(0, result.exit_code);
  EXPECT_EQ("", result.out);
  EXPECT_NE(std::string::npos, result.err.find("no models here yet"));
  EXPECT_EQ("small-world:Q8_0\n", tool({"import", model()}).out);
  EXPECT_EQ("sw:latest\n", tool({"import", model(), "sw"}).out);
  const Json listed = Json::parse(tool({"list", "--json"}).out);
  ASSERT_EQ(2u, listed["models"].size());
  EXPECT_EQ("hearth", listed["models"][0]["store"]);
  EXPECT_NE(std::string::npos, tool({"list"}).out.find("small-world:Q8_0"));
  const Json shown = Json::parse(tool({"show", "SMALL-WORLD:q8_0", "--json"}).out);
  EXPECT_EQ("llama", shown["architecture"]);
  EXPECT_EQ(512, shown["context_length"]);
  EXPECT_EQ("removed sw\n", tool({"rm", "sw"}).out);
  result = tool({"rm", "sw"});
  EXPECT_EQ(1, result.exit_code);
  EXPECT_NE(std::string::npos, result.err.find("there is no model 'sw' here"));
}

TEST_F(StoreCommands, CommandsTakeNames) {
  ASSERT_EQ(0, tool({"import", model(), "sw"}).exit_code);
  const std::vector<std::string> rest = {"Once upon a time", "-n", "8", "--greedy", "-q"};
  const auto run = [&](const std::string& which) {
    std::vector<std::string> args = {"run", which};
    args.insert(args.end(), rest.begin(), rest.end());
    return tool(args);
  };
  const auto by_path = run(model()), by_name = run("sw");
  EXPECT_EQ(0, by_name.exit_code) << by_name.err;
  EXPECT_EQ(by_path.out, by_name.out);
  EXPECT_EQ(0, tool({"inspect", "sw", "--json"}).exit_code);
  EXPECT_EQ(0, tool({"tokenize", "sw", "a text"}).exit_code);
  EXPECT_EQ(0, tool({"verify", "sw"}).exit_code);
  const auto wrong = run("sx");
  EXPECT_EQ(1, wrong.exit_code);
  EXPECT_NE(std::string::npos, wrong.err.find("there is no model 'sx' here and no such file")) << wrong.err;
  EXPECT_NE(std::string::npos, run("no/such/file.gguf").err.find("no/such/file.gguf"));
  EXPECT_NE(0, run("../../etc/passwd:x").exit_code);
}

TEST_F(StoreCommands, DefinitionsSettleWhatFlagsOverride) {
  ASSERT_EQ(0, tool({"import", model(), "sw"}).exit_code);
  const std::string definition = dir_.write("Modelfile",
                                            "# a comment\nFROM sw\nPARAMETER temperature 0\nPARAMETER num_predict 3\n"
                                            "PARAMETER stop \"###\"\nSYSTEM \"\"\"You answer\nin one line.\"\"\"\n"
                                            "MESSAGE user What is 8 plus 9?\nMESSAGE assistant 8 + 9 = 17\n");
  const auto created = tool({"create", "brief", "-f", definition});
  EXPECT_EQ("brief:latest\n", created.out) << created.err;
  const Json shown = Json::parse(tool({"show", "brief", "--json"}).out);
  EXPECT_EQ("You answer\nin one line.", shown["system"]);
  EXPECT_EQ(Json::parse(R"({"num_predict": 3, "stop": ["###"], "temperature": 0.0})"), shown["parameters"]);
  EXPECT_EQ(2u, shown["messages"].size());
  // Greedy without a flag, and of three tokens; flags say otherwise.
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"run", "brief", "Once upon a time", "--json"};
    args.insert(args.end(), more.begin(), more.end());
    return Json::parse(tool(args).out);
  };
  EXPECT_EQ(3u, run({})["ids"].size());
  EXPECT_EQ(run({})["ids"], run({})["ids"]);
  EXPECT_EQ(5u, run({"-n", "5"})["ids"].size());
  // A second definition on top of the first merges the parameters.
  const std::string more =
      dir_.write("More", "FROM brief\nPARAMETER top_k 5\nPARAMETER num_predict 4\nSYSTEM Other.\n");
  ASSERT_EQ(0, tool({"create", "more", "-f", more}).exit_code);
  const Json merged = Json::parse(tool({"show", "more", "--json"}).out);
  EXPECT_EQ("Other.", merged["system"]);
  EXPECT_EQ(Json::parse(R"({"num_predict": 4, "stop": ["###"], "temperature": 0.0, "top_k": 5})"),
            merged["parameters"]);
  EXPECT_EQ(2u, merged["messages"].size());
  // What show prints makes the same again.
  const std::string again = dir_.write("Again", tool({"show", "more", "--modelfile"}).out);
  ASSERT_EQ(0, tool({"create", "again", "-f", again}).exit_code);
  const Json twice = Json::parse(tool({"show", "again", "--json"}).out);
  for (const char* key : {"system", "parameters", "messages", "template"}) EXPECT_EQ(merged[key], twice[key]) << key;
}

TEST_F(StoreCommands, ConversationsBeginAsTheDefinitionSays) {
  ASSERT_EQ(0, tool({"import", model(), "sw"}).exit_code);
  const std::string definition =
      dir_.write("Modelfile",
                 "FROM sw\nPARAMETER temperature 0\nTEMPLATE \"\"\"{{ range .Messages }}<|im_start|>{{ .Role }}\n"
                 "{{ .Content }}<|im_end|>\n{{ end }}{{ if .Suffix }}{{ end }}<|im_start|>assistant\n\"\"\"\n");
  ASSERT_EQ(0, tool({"create", "go", "-f", definition}).exit_code);
  const auto answer = tool({"chat", "go", "What is 27 + 45?"});
  EXPECT_EQ(0, answer.exit_code) << answer.err;
  EXPECT_NE(std::string::npos, answer.out.find("27 + 45 = 72")) << answer.out;
}

/// An adapter may be the folder that PEFT has written, as it is.
TEST_F(StoreCommands, DefinitionsTakeFoldersOfAdapters) {
  ASSERT_EQ(0, tool({"import", model(), "sw"}).exit_code);
  const std::string pair = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  const auto width = Json::parse(tool({"show", "sw", "--json"}).out)["embedding_length"].get<int64_t>();
  std::filesystem::create_directory(dir_.path() / "lora");
  dir_.write("lora/adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 64})");
  dir_.write("lora/adapter_model.safetensors",
             safetensors_file({FolderTensor{pair + "A.weight", {2, width}}, {pair + "B.weight", {width, 2}}}));
  const auto made = tool({"create", "tuned", "-f", dir_.write("Modelfile", "FROM sw\nADAPTER ./lora\n")});
  EXPECT_EQ("tuned:latest\n", made.out) << made.err;
  // The same by two steps.
  const std::string file = dir_.file("lora.gguf");
  const auto converted = tool({"convert", dir_.file("lora"), "--base", model(), "-o", file});
  ASSERT_EQ(0, converted.exit_code) << converted.err;
  const auto said = [](const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"run", name, "Once upon a time", "-n", "12", "--greedy", "-q"};
    args.insert(args.end(), more.begin(), more.end());
    return tool(args).out;
  };
  EXPECT_EQ(said("tuned"), said("sw", {"--lora", file}));
  EXPECT_NE(said("tuned"), said("sw"));
  ASSERT_EQ(0, tool({"rm", "tuned"}).exit_code);
  // What the folder lacks is said, and nothing is left of it.
  std::filesystem::remove(dir_.path() / "lora/adapter_config.json");
  const auto refused = tool({"create", "tuned", "-f", dir_.file("Modelfile")});
  EXPECT_EQ(1, refused.exit_code);
  EXPECT_NE(std::string::npos, refused.err.find("adapter_config.json")) << refused.err;
  const Json listed = Json::parse(tool({"list", "--json"}).out);
  EXPECT_EQ(1u, listed["models"].size()) << listed;
}

TEST_F(StoreCommands, WrongDefinitionsSayTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"PARAMETER temperature 1\n", "has no FROM"},
      {"FROM x\nWHAT is this\n", "line 2 of the definition: 'what' is no instruction"},
      {"FROM x\nPARAMETER warmth 3\n", "there is no parameter 'warmth'"},
      {"FROM x\nPARAMETER top_k many\n", "'many' is no whole number"},
      {"FROM x\nSYSTEM \"\"\"open\n", "a text is not closed"},
      {"FROM x\nMESSAGE robot hello\n", "not of 'robot'"},
      {"FROM nobody-has-this\n", "there is no model 'nobody-has-this'"}};
  for (const auto& [text, words] : cases) {
    const auto result = tool({"create", "x", "-f", dir_.write("Modelfile", text)});
    EXPECT_EQ(1, result.exit_code) << text;
    EXPECT_NE(std::string::npos, result.err.find(words)) << result.err;
  }
  EXPECT_EQ(2, tool({"create", "../x", "-f", dir_.write("Modelfile", "FROM x\n")}).exit_code);
  const std::string bad = dir_.write("Modelfile", "FROM " + model() + "\nTEMPLATE {{ if }}\n");
  EXPECT_NE(std::string::npos, tool({"create", "x", "-f", bad}).err.find("template is wrong in line 1"));
  EXPECT_EQ("", tool({"list"}).out);
}

TEST_F(StoreCommands, PsSaysWhenNobodyServes) {
  const auto result = tool({"ps", "--host", "127.0.0.1:1"});
  EXPECT_EQ(1, result.exit_code);
  EXPECT_NE(std::string::npos, result.err.find("no server answers at 127.0.0.1:1")) << result.err;
}

}  // namespace
}  // namespace hearth::testing
