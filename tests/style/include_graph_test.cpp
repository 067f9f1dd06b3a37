// Dependencies point down: a folder of lib/ includes only those that README's picture lists above it, and kernels/;
// kernels/ includes nothing else; a public header counts as the folder that implements it.
#include "style/include_graph.h"
#include "support/paths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace hearth::testing {
namespace {

namespace fs = std::filesystem;

/// The folder of lib/ that implements each public header; hearth.h, which has all of them, counts as the uppermost.
const std::map<std::string, std::string> kRoomOfHeader = {
    {"batch.h", "base"},
    {"result.h", "base"},
    {"api.h", "base"},
    {"c.h", "c"},
    {"threads.h", "base"},
    {"version.h", "base"},
    {"gguf.h", "gguf"},
    {"grammar.h", "grammar"},
    {"tokenizer.h", "tokenizer"},
    {"chat_template.h", "chat"},
    {"chat_parser.h", "chat"},
    {"tool_use.h", "chat"},
    {"chat.h", "session"},
    {"cpu.h", "cpu"},
    {"kv_cache.h", "cache"},
    {"adapter.h", "model"},
    {"model.h", "model"},
    {"sampler.h", "sample"},
    {"session.h", "session"},
    {"trace.h", "session"},
    {"generator.h", "session"},
    {"speculation.h", "session"},
    {"embedder.h", "session"},
    {"engine.h", "engine"},
    {"hearth.h", "c"},
    {"merge.h", "quantize"},
    {"importance_matrix.h", "quantize"},
    {"quality.h", "quantize"},
    {"convert.h", "convert"},
    {"compare.h", "quantize"},
    {"quantizer.h", "quantize"},
};

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What stands between the quotes or angles of an #include line; "" for every other line.
std::string included_name(const std::string& line) {
  size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return {};
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return {};
  const size_t begin = line.find_first_of("\"<", at + 7);
  const size_t end = begin == std::string::npos ? begin : line.find_first_of("\">", begin + 1);
  return end == std::string::npos ? std::string() : line.substr(begin + 1, end - begin - 1);
}

/// The repository's file behind an included name, or "".
std::string resolve(const fs::path& root, const fs::path& from, const std::string& name) {
  for (const fs::path& base : {root, root / "include", from.parent_path()}) {
    if (fs::is_regular_file(base / name)) return fs::relative(base / name, root).generic_string();
  }
  return {};
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::stringstream text(path);
  for (std::string part; std::getline(text, part, '/');) parts.push_back(part);
  return parts;
}

/// "lib/model", "kernels", "kernels/avx2", "include/hearth".
std::string folder_of(const std::string& file) {
  return fs::path(file).parent_path().generic_string();
}

class FaultFinder {
 public:
  explicit FaultFinder(const std::vector<std::string>& floors) : floors_(floors) {}

  void check_arrows(const IncludeGraph& graph) {
    for (const auto& [file, includes] : graph) {
      const int from = floor_of(file);
      for (const std::string& included : includes) {
        const int to = floor_of(included);
        if (to > from) faults_.insert(file + " includes " + included + ": the arrow points up");
      }
    }
  }

  void check_cycles(const IncludeGraph& graph, const std::string& what) {
    std::set<std::string> done;
    std::vector<std::string> path;
    const std::function<void(const std::string&)> visit = [&](const std::string& node) {
      const auto open = std::find(path.begin(), path.end(), node);
      if (open != path.end()) {
        std::string cycle = "a cycle of " + what + ":";
        for (auto at = open; at != path.end(); ++at) cycle += " " + *at;
        faults_.insert(cycle);
        return;
      }
      if (!done.insert(node).second) return;
      path.push_back(node);
      const auto arrows = graph.find(node);
      if (arrows != graph.end()) std::for_each(arrows->second.begin(), arrows->second.end(), visit);
      path.pop_back();
    };
    for (const auto& [node, arrows] : graph) visit(node);
  }

  std::vector<std::string> faults() const { return {faults_.begin(), faults_.end()}; }

 private:
  /// 0 for kernels, then the folders of lib/ from 1; a file without a floor is a fault and stands above all.
  int floor_of(const std::string& file) {
    const std::vector<std::string> parts = parts_of(file);
    const int top = static_cast<int>(floors_.size()) + 1;
    if (parts[0] == "kernels") return 0;
    std::string room = parts.size() > 2 ? parts[1] : "";
    if (parts[0] == "include" && parts.size() > 3) {
      room = parts[2];  // include/hearth/c
    } else if (parts[0] == "include") {
      const auto known = kRoomOfHeader.find(parts.back());
      if (known == kRoomOfHeader.end()) {
        faults_.insert(file + " has no room: add it to kRoomOfHeader");
        return top;
      }
      if (known->second.empty()) return top;
      room = known->second;
    }
    const auto at = std::find(floors_.begin(), floors_.end(), room);
    if (at != floors_.end()) return static_cast<int>(at - floors_.begin()) + 1;
    faults_.insert(file + ": README's picture has no folder lib/" + room);
    return top;
  }

  const std::vector<std::string>& floors_;
  std::set<std::string> faults_;
};

}  // namespace

IncludeGraph read_include_graph(const std::string& root) {
  IncludeGraph graph;
  for (const char* part : {"include", "kernels", "lib"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / part)) {
      const std::string kind = entry.path().extension().string();
      if (kind != ".h" && kind != ".cpp" && kind != ".inc") continue;
      auto& arrows = graph[fs::relative(entry.path(), root).generic_string()];
      std::stringstream text(read_text(entry.path()));
      for (std::string line; std::getline(text, line);) {
        const std::string name = included_name(line);
        const std::string target = name.empty() ? name : resolve(root, entry.path(), name);
        if (!target.empty()) arrows.push_back(target);
      }
    }
  }
  return graph;
}

std::vector<std::string> read_floors(const std::string& readme) {
  std::vector<std::string> floors;
  std::stringstream text(readme);
  bool in_lib = false;
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("lib/", 0) == 0) {
      in_lib = true;
    } else if (in_lib && line.rfind("  ", 0) == 0) {
      const size_t slash = line.find('/');
      if (line[2] != ' ' && slash != std::string::npos) floors.push_back(line.substr(2, slash - 2));
    } else if (in_lib) {
      break;
    }
  }
  return floors;
}

std::vector<std::string> find_faults(const IncludeGraph& graph, const std::vector<std::string>& floors) {
  IncludeGraph folders;
  for (const auto& [file, includes] : graph) {
    for (const std::string& included : includes) {
      const std::string from = folder_of(file), to = folder_of(included);
      // Public headers belong to several folders; their own arrows are checked one by one.
      if (from != to && from != "include/hearth" && to != "include/hearth") folders[from].push_back(to);
    }
  }
  FaultFinder finder(floors);
  finder.check_arrows(graph);
  finder.check_cycles(graph, "files");
  finder.check_cycles(folders, "folders");
  return finder.faults();
}

namespace {

const std::vector<std::string> kThreeFloors = {"base", "model", "session"};

std::string joined_faults(const IncludeGraph& graph, const std::vector<std::string>& floors = kThreeFloors) {
  std::string text;
  for (const std::string& fault : find_faults(graph, floors)) text += fault + "\n";
  return text;
}

TEST(IncludeGraph, OfTheLibraryPointsDown) {
  const std::string root = hearth::testing::source_dir();
  const IncludeGraph graph = read_include_graph(root);
  const std::vector<std::string> floors = read_floors(read_text(fs::path(root) / "README.md"));
  ASSERT_GT(graph.size(), 200u);
  ASSERT_GT(floors.size(), 8u);
  EXPECT_EQ(joined_faults(graph, floors), "");
}

TEST(IncludeGraph, OfTheLibraryIsReadCompletely) {
  const IncludeGraph graph = read_include_graph(hearth::testing::source_dir());
  const auto has = [&](const char* file, const char* included) {
    const auto& arrows = graph.at(file);
    return std::find(arrows.begin(), arrows.end(), included) != arrows.end();
  };
  EXPECT_TRUE(has("lib/model/forward.h", "lib/cache/kv_cache.h"));
  EXPECT_TRUE(has("lib/base/parallel.h", "include/hearth/threads.h"));
  EXPECT_TRUE(has("kernels/kernel_table.h", "kernels/quant_types.inc"));
}

TEST(IncludeGraph, EveryFolderOfTheLibraryIsInThePicture) {
  const std::string root = hearth::testing::source_dir();
  std::vector<std::string> floors = read_floors(read_text(fs::path(root) / "README.md"));
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(fs::path(root) / "lib")) {
    folders.push_back(entry.path().filename().string());
  }
  std::sort(floors.begin(), floors.end());
  std::sort(folders.begin(), folders.end());
  EXPECT_EQ(folders, floors);
}

TEST(IncludeGraph, ArrowsDownAndWithinAFolderAreFine) {
  EXPECT_EQ(joined_faults({{"lib/session/a.cpp", {"lib/model/b.h", "lib/session/c.h", "kernels/d.h"}},
                           {"lib/model/b.h", {"lib/base/e.h", "include/hearth/batch.h"}},
                           {"kernels/avx2/f.cpp", {"kernels/d.h", "kernels/reference/g.h"}}}),
            "");
}

TEST(IncludeGraph, AnArrowUpIsAFault) {
  EXPECT_EQ(joined_faults({{"lib/model/a.h", {"lib/session/b.h"}}}),
            "lib/model/a.h includes lib/session/b.h: the arrow points up\n");
  EXPECT_EQ(joined_faults({{"kernels/a.cpp", {"include/hearth/result.h"}}}),
            "kernels/a.cpp includes include/hearth/result.h: the arrow points up\n");
}

TEST(IncludeGraph, APublicHeaderCountsAsItsFolder) {
  EXPECT_EQ(joined_faults({{"lib/model/a.h", {"include/hearth/session.h"}}}),
            "lib/model/a.h includes include/hearth/session.h: the arrow points up\n");
  EXPECT_EQ(joined_faults({{"include/hearth/model.h", {"include/hearth/session.h"}}}),
            "include/hearth/model.h includes include/hearth/session.h: the arrow points up\n");
}

TEST(IncludeGraph, CyclesOfFilesAndOfFoldersAreFaults) {
  EXPECT_EQ(joined_faults({{"lib/base/a.h", {"lib/base/b.h"}}, {"lib/base/b.h", {"lib/base/a.h"}}}),
            "a cycle of files: lib/base/a.h lib/base/b.h\n");
  EXPECT_EQ(joined_faults({{"kernels/avx2/a.h", {"kernels/simd/b.h"}}, {"kernels/simd/c.h", {"kernels/avx2/d.h"}}}),
            "a cycle of folders: kernels/avx2 kernels/simd\n");
}

TEST(IncludeGraph, WhatHasNoFloorIsAFault) {
  EXPECT_NE(joined_faults({{"lib/attic/a.h", {"lib/base/b.h"}}}).find("no folder lib/attic"), std::string::npos);
  EXPECT_NE(joined_faults({{"lib/base/a.h", {"include/hearth/new.h"}}}).find("kRoomOfHeader"), std::string::npos);
}

TEST(IncludeGraph, FloorsAreReadFromThePicture) {
  EXPECT_EQ(
      read_floors("include/  x\nlib/  y\n  base/   a\n                  b/c\n  model/  d\nkernels/\n  avx2/  e\n"),
      (std::vector<std::string>{"base", "model"}));
}

}  // namespace
}  // namespace hearth::testing
