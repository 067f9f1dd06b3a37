// hearth chat as people use it: in a terminal.
#include "tool/terminal_process.h"

#include "support/paths.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

class Terminal : public ToolTest {
 protected:
  static std::vector<std::string> chat(std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"chat", kSmallWorld, "--greedy", "-t", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  /// The messages of the conversation, as /save writes them.
  std::string saved(TerminalProcess& terminal) {
    const std::string file = path("talk.json");
    terminal.type("/save " + file + "\r");
    EXPECT_TRUE(terminal.shows("(saved)")) << terminal.all();
    return read(file);
  }
};

constexpr const char* kReady = "\033[?2004h";

TEST_F(Terminal, AnyLanguageCanBeTypedAndEdited) {
  for (const char* lang : {"C.UTF-8", "C", "en_US.ISO-8859-1"}) {
    SCOPED_TRACE(lang);
    TerminalProcess terminal(chat({"-n", "1"}), {.lang = lang});
    ASSERT_TRUE(terminal.shows(kReady));
    // One character more than wanted is deleted; the cursor goes left over a wide one, and é comes in between.
    terminal.type("你好，你叫什麼名字？😀x\x7f\033[D\xc3\xa9\r");
    ASSERT_TRUE(terminal.shows(kReady)) << terminal.all();
    EXPECT_NE(saved(terminal).find("你好，你叫什麼名字？é😀\""), std::string::npos) << read(path("talk.json"));
    terminal.type("\x04");
    EXPECT_EQ(terminal.wait(), 0);
  }
}

TEST_F(Terminal, APasteIsOneMessage) {
  TerminalProcess terminal(chat());
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("\033[200~What is\r2 + 3?\nPlease\tanswer.\033[201~");
  ASSERT_TRUE(terminal.shows("answer."));
  terminal.type(" Now.\r");
  ASSERT_TRUE(terminal.shows(kReady));
  EXPECT_NE(saved(terminal).find(R"("What is\n2 + 3?\nPlease\tanswer. Now.")"), std::string::npos)
      << read(path("talk.json"));
}

TEST_F(Terminal, SeveralLinesOfOneMessage) {
  TerminalProcess terminal(chat({"-n", "1"}));
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("one\\\r");
  ASSERT_TRUE(terminal.shows("... "));
  terminal.type("two\033\rthree\r");  // Alt-Enter within the line
  ASSERT_TRUE(terminal.shows(kReady));
  EXPECT_NE(saved(terminal).find(R"("one\ntwo\nthree")"), std::string::npos) << read(path("talk.json"));
}

TEST_F(Terminal, TheKeysOfShells) {
  TerminalProcess terminal(chat({"-n", "1"}));
  ASSERT_TRUE(terminal.shows(kReady));
  // Home, End, words, cut and insert, transpose.
  terminal.type(
      "beta gamma\x01"
      "alpha \x05 delta\x17"
      "end\x02\x14 \x0b\x19\r");
  ASSERT_TRUE(terminal.shows(kReady));
  const std::string once = saved(terminal);
  EXPECT_NE(once.find("\"alpha beta gamma edn delta\""), std::string::npos) << once;
}

TEST_F(Terminal, CtrlCAndCtrlD) {
  TerminalProcess terminal(chat());
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("half a line\x03");
  ASSERT_TRUE(terminal.shows("\n\033[?2004l(Ctrl-D or /exit ends the program)")) << terminal.all();
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("x\x7f\x04");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_TRUE(terminal.all().ends_with("\n\033[?2004l")) << "the shell's prompt gets a line of its own";
}

TEST_F(Terminal, CtrlCStopsAnAnswer) {
  TerminalProcess terminal(chat());
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("Tell me a story about Anna and a kite.\r");
  ASSERT_TRUE(terminal.shows("Anna and"));
  ASSERT_TRUE(terminal.shows("na"));
  terminal.type("\x03");
  ASSERT_TRUE(terminal.shows("(stopped)")) << terminal.all();
  terminal.type("What is 27 + 45?\r");
  EXPECT_TRUE(terminal.shows("72")) << terminal.all();
}

TEST_F(Terminal, HistoryOutlivesTheProgram) {
  const TerminalProcess::Setting setting{.history = path("state/history")};
  {
    TerminalProcess terminal(chat({"-n", "1"}), setting);
    ASSERT_TRUE(terminal.shows(kReady));
    terminal.type("first question\r");
    ASSERT_TRUE(terminal.shows(kReady));
    terminal.type("\033[200~second\nof two lines\033[201~\r");
    ASSERT_TRUE(terminal.shows(kReady));
    terminal.type("\x04");
    EXPECT_EQ(terminal.wait(), 0);
  }
  TerminalProcess terminal(chat({"-n", "1"}), setting);
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("\033[A");
  EXPECT_TRUE(terminal.shows("> second\r\nof two lines")) << terminal.all();
  terminal.type(
      "\x12"
      "first");
  EXPECT_TRUE(terminal.shows("(search) 'first': first question")) << terminal.all();
  terminal.type("\r");
  ASSERT_TRUE(terminal.shows(kReady));
  EXPECT_NE(saved(terminal).find("\"first question\""), std::string::npos);
}

TEST_F(Terminal, AHistoryThatCannotBeWrittenIsNoFault) {
  TerminalProcess terminal(chat({"-n", "1"}), {.history = "/proc/no/such/place"});
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("hello\r");
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("\033[A");
  EXPECT_TRUE(terminal.shows("> hello")) << terminal.all();
}

TEST_F(Terminal, WordsAreNotBroken) {
  TerminalProcess terminal(chat(), {.columns = 40});
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("Tell me a story about Anna and a kite.\r");
  ASSERT_TRUE(terminal.shows("\033[?2004l"));
  ASSERT_TRUE(terminal.shows(kReady));
  // Play the answer on a terminal of 40 columns: the sequences that take a word back, then lines of at most 39 cells.
  std::string line, answer = terminal.seen();
  std::vector<std::string> lines;
  for (size_t i = 0; i < answer.size(); ++i) {
    if (answer.compare(i, 2, "\033[") == 0) {
      const size_t letter = answer.find_first_of("DKh", i);
      if (answer[letter] == 'D') line.resize(line.size() - std::stoul(answer.substr(i + 2)));
      if (answer[letter] == 'h') break;
      i = letter;
    } else if (answer[i] == '\n') {
      lines.push_back(line);
      line.clear();
    } else if (answer[i] != '\r') {
      line += answer[i];
    }
  }
  ASSERT_GT(lines.size(), 3u) << answer;
  std::string joined;
  for (const std::string& each : lines) {
    EXPECT_LE(each.size(), 39u) << each;
    joined += each + " ";
  }
  const ToolResult plain =
      run_tool({"chat", kSmallWorld, "--greedy", "-t", "1", "Tell me a story about Anna and a kite."});
  const auto words = [](const std::string& text) {
    std::string all;
    for (const char c : text) {
      if (c != ' ' && c != '\n') all += c;
      if ((c == ' ' || c == '\n') && !all.ends_with(' ')) all += ' ';
    }
    return all;
  };
  EXPECT_EQ(words(joined).substr(0, 150), words(plain.out).substr(0, 150));
}

TEST_F(Terminal, ANarrowerWindowIsDrawnAgain) {
  TerminalProcess terminal(chat(), {.columns = 80});
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("a line that has more than thirty letters");
  ASSERT_TRUE(terminal.shows("letters"));
  terminal.resize(30, 24);
  EXPECT_TRUE(terminal.shows("> a line that has more than th\r\nirty letters")) << terminal.all();
  EXPECT_NE(terminal.seen().find("\033[1A\r\033[J"), std::string::npos) << "it was broken into two rows";
}

TEST_F(Terminal, ColorsUnlessTheyAreRefused) {
  for (const bool colors : {true, false}) {
    TerminalProcess terminal(chat({"-n", "1"}), {.colors = colors});
    ASSERT_TRUE(terminal.shows(kReady));
    terminal.type("/clear\r");
    ASSERT_TRUE(terminal.shows("(the conversation is empty)"));
    EXPECT_EQ(terminal.all().find("\033[1;32m> ") != std::string::npos, colors) << terminal.all();
    EXPECT_EQ(terminal.all().find("\033[2m(the") != std::string::npos, colors);
  }
}

TEST_F(Terminal, CommandsOfOtherProgramsAndHelpOfEightyColumns) {
  TerminalProcess terminal(chat());
  ASSERT_TRUE(terminal.shows("\n/help lists the commands."));
  ASSERT_TRUE(terminal.shows(kReady));
  terminal.type("/?\r");
  ASSERT_TRUE(terminal.shows("/exit"));
  size_t begin = 0;
  for (size_t end = 0; (end = terminal.all().find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 81u + std::string(kReady).size()) << terminal.all().substr(begin, end - begin);
  }
  terminal.type("/set temperature 0\r");
  EXPECT_TRUE(terminal.shows("(temperature 0)"));
  terminal.type("/set parameter top_k 7\r");
  EXPECT_TRUE(terminal.shows("(top_k 7)"));
  terminal.type("/params temperatur 1\r");
  EXPECT_TRUE(terminal.shows("did you mean temperature?")) << terminal.all();
  terminal.type("/staats\r");
  EXPECT_TRUE(terminal.shows("did you mean /stats?")) << terminal.all();
  terminal.type("/show\r");
  EXPECT_TRUE(terminal.shows("context of 512 tokens"));
  terminal.type("/params\r");
  for (const char* name :
       {"dry_multiplier", "frequency_penalty", "mirostat", "seed", "temperature", "xtc_probability"}) {
    EXPECT_TRUE(terminal.shows(name)) << name << " in this order";
  }
  terminal.type("/bye\r");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST_F(Terminal, SignalsLeaveTheTerminalAsItWas) {
  for (const int number : {SIGTERM, SIGHUP, SIGQUIT}) {
    TerminalProcess terminal(chat());
    ASSERT_TRUE(terminal.shows(kReady));
    terminal.send_signal(number);
    EXPECT_EQ(terminal.wait(), 128 + number);
    EXPECT_TRUE(terminal.all().ends_with("\033[?2004l")) << terminal.all();
  }
}

TEST_F(Terminal, RunWithoutAPromptSaysWhatToDo) {
  TerminalProcess terminal({"run", kSmallWorld});
  EXPECT_TRUE(terminal.shows("what should be continued?"));
  EXPECT_EQ(terminal.wait(), 2);
}

}  // namespace
}  // namespace hearth::testing
