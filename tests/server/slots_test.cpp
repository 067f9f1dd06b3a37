// Slots: which one a request wants, and files of them.
#include <filesystem>
#include <fstream>
#include <thread>

#include "server_world.h"

namespace hearth_server {
namespace {

namespace fs = std::filesystem;

class ServerSlots : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = folders_.file("slots");
    fs::create_directory(folder_);
    ASSERT_TRUE(store_.add_file(kSmallWorld));
    start();
  }
  void start() {
    ServerOptions options = ServerTest::options();
    options.models.session.n_ctx = 256;
    options.slot_folder = folder_;
    server_.reset();
    server_ = std::make_unique<Server>(store_, options);
    ASSERT_TRUE(server_->start());
  }

  Answer ask(const std::string& method, const std::string& path, const std::string& body) {
    Client client(server_->port());
    client.send(request_text(method, path, body));
    return client.receive();
  }
  Answer act(int slot, const std::string& action, const Json& body) {
    return ask("POST", "/slots/" + std::to_string(slot) + "?action=" + action, body.is_null() ? "" : body.dump());
  }
  Json write(const std::string& prompt, Json more = Json::object()) {
    Json body = {{"prompt", prompt}, {"n_predict", 12}, {"temperature", 0}};
    body.update(more);
    return ask("POST", "/completion", body.dump()).json();
  }

  hearth::testing::TempDir folders_;
  std::string folder_;
  ModelStore store_;
  std::unique_ptr<Server> server_;
};

const std::string kPrompt = "One day a girl named Anna went to the park with her dog. She";

TEST_F(ServerSlots, AreSavedRestoredAndErased) {
  const Json first = write(kPrompt, {{"id_slot", 2}});
  EXPECT_EQ(first["id_slot"], 2);
  const int n_held = first["tokens_evaluated"].get<int>() + first["tokens_predicted"].get<int>() - 1;
  const Answer saved = act(2, "save", {{"filename", "anna.bin"}});
  ASSERT_EQ(saved.status, 200) << saved.body;
  EXPECT_EQ(saved.json()["id_slot"], 2);
  EXPECT_EQ(saved.json()["filename"], "anna.bin");
  EXPECT_EQ(saved.json()["n_saved"], n_held);
  EXPECT_EQ(saved.json()["n_written"], fs::file_size(fs::path(folder_) / "anna.bin"));
  EXPECT_GE(saved.json()["timings"]["save_ms"].get<double>(), 0);
  EXPECT_EQ(act(2, "erase", nullptr).json()["n_erased"], n_held);
  EXPECT_EQ(act(2, "erase", nullptr).json()["n_erased"], 0);

  start();  // another process would do the same
  const Answer restored = act(1, "restore", {{"filename", "anna.bin"}});
  ASSERT_EQ(restored.status, 200) << restored.body;
  EXPECT_EQ(restored.json()["n_restored"], n_held);
  EXPECT_EQ(restored.json()["n_read"], saved.json()["n_written"]);
  EXPECT_GE(restored.json()["timings"]["restore_ms"].get<double>(), 0);
  const std::string next = kPrompt + first["content"].get<std::string>() + " Then";
  const Json with = write(next, {{"id_slot", 1}});
  EXPECT_GE(with["timings"]["cache_n"].get<int>(), n_held - 2) << with;  // tokens may join where texts meet
  EXPECT_EQ(with["content"], write(next, {{"cache_prompt", false}})["content"]);
}

TEST_F(ServerSlots, ConversationsChooseThemToo) {
  Json body = {{"messages", {{{"role", "user"}, {"content", "What is 27 + 45?"}}}}, {"temperature", 0}, {"id_slot", 3}};
  ASSERT_EQ(ask("POST", "/v1/chat/completions", body.dump()).status, 200);
  EXPECT_GT(act(3, "erase", nullptr).json()["n_erased"].get<int>(), 20);
  body["id_slot"] = 4;
  EXPECT_EQ(ask("POST", "/v1/chat/completions", body.dump()).status, 400);
  body["id_slot"] = -1;
  EXPECT_EQ(ask("POST", "/v1/chat/completions", body.dump()).status, 200);
}

/// Which ones work is told of each, not by their number.
TEST_F(ServerSlots, SayWhetherTheyWork) {
  const auto working = [&] {
    std::string which;
    for (const Json& slot : ask("GET", "/slots", "").json())
      if (slot["is_processing"].get<bool>()) which += slot["id"].dump();
    return which;
  };
  EXPECT_EQ(working(), "");
  {
    Client client(server_->port());
    const Json body = {{"prompt", kPrompt}, {"n_predict", -1}, {"ignore_eos", true}, {"stream", true}, {"id_slot", 2}};
    client.send(request_text("POST", "/completion", body.dump()));
    bool ended = false;
    ASSERT_EQ(client.receive_head().status, 200);
    ASSERT_NE(client.receive_chunk(ended), "");
    EXPECT_EQ(working(), "2");
  }  // the client leaves
  for (int i = 0; i < 500 && !working().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(working(), "");
}

TEST_F(ServerSlots, NamesStayInTheFolder) {
  write(kPrompt, {{"id_slot", 0}});
  const std::string outside = folders_.file("outside");
  std::ofstream(outside) << "mine";
  fs::create_symlink(outside, fs::path(folder_) / "link");
  fs::create_directory(fs::path(folder_) / "sub");
  const Json names[] = {"",
                        ".",
                        "..",
                        "../outside",
                        outside,
                        "sub/x",
                        "sub",
                        "a\\b",
                        ".x",
                        "link",
                        std::string("a\0b", 3),
                        "a\nb",
                        Json::array(),
                        7,
                        nullptr,
                        "a/../b",
                        std::string(201, 'x')};
  for (const Json& name : names) {
    for (const char* action : {"save", "restore"}) {
      const Answer answer = act(0, action, {{"filename", name}});
      EXPECT_EQ(answer.status, 400) << action << " " << name << answer.body;
    }
  }
  std::string text;
  std::getline(std::ifstream(outside), text);
  EXPECT_EQ(text, "mine");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
  EXPECT_EQ(act(0, "save", {{"filename", "Größe 1.bin"}}).status, 200);
}

TEST_F(ServerSlots, WhatDoesNotFitIsRefusedWithTheReason) {
  const auto refused = [&](const Answer& answer, int status, const char* word) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_NE(answer.body.find(word), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find(folder_), std::string::npos) << answer.body;
  };
  refused(act(0, "restore", {{"filename", "none.bin"}}), 404, "none.bin");
  std::ofstream(fs::path(folder_) / "odd.bin") << std::string(100, 'x');
  refused(act(0, "restore", {{"filename", "odd.bin"}}), 400, "odd.bin: saved sequence: does not begin as one does");
  refused(act(4, "erase", nullptr), 400, "0 to 3");
  refused(ask("POST", "/slots/x?action=erase", ""), 400, "there is no slot 'x'");
  refused(ask("POST", "/slots/99999999999?action=erase", ""), 400, "there is no slot");
  refused(act(0, "copy", nullptr), 400, "'action'");
  refused(ask("POST", "/slots/0", ""), 400, "'action'");
  refused(ask("POST", "/slots/0?action=save", "{"), 400, "JSON");
  // A file of another model.
  const std::string draft = hearth::testing::source_dir() + "/examples/models/small-world-draft-q8_0.gguf";
  ASSERT_TRUE(store_.add_file(draft));
  write(kPrompt, {{"id_slot", 0}, {"model", "small-world-draft-q8_0"}});
  ASSERT_EQ(act(0, "save", {{"filename", "draft.bin"}, {"model", "small-world-draft-q8_0"}}).status, 200);
  refused(act(0, "restore", {{"filename", "draft.bin"}, {"model", "small-world-q8_0"}}), 400, "another model");
}

TEST_F(ServerTest, SlotsHaveNoFilesUnlessAskedFor) {
  const Answer answer = ask("POST", "/slots/0?action=save", R"({"filename": "x"})");
  EXPECT_EQ(answer.status, 501);
  EXPECT_NE(answer.body.find("--slot-save-path"), std::string::npos);
}

}  // namespace
}  // namespace hearth_server
