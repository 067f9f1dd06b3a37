// Reads the public headers as text, and holds the two interfaces beside one another: every function and field of C++
// has its twin in C, and what C programs were compiled against stays as it was.
#include "c/declarations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "support/paths.h"

namespace hearth::testing {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The text without comments and lines of the preprocessor; white space is one blank.
std::string bare(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "//") == 0 || (text[i] == '#' && (i == 0 || text[i - 1] == '\n'))) {
      while (i < text.size() && text[i] != '\n') ++i;
      out += ' ';
    } else if (text.compare(i, 2, "/*") == 0) {
      i = text.find("*/", i) + 1;
      out += ' ';
    } else if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      out += "\"\"";
    } else {
      out += std::isspace(static_cast<unsigned char>(text[i])) != 0 ? ' ' : text[i];
    }
  }
  return std::regex_replace(out, std::regex(" +"), " ");
}

/// The name before the first parenthesis of a declaration; empty where it declares no function.
std::string function_name(const std::string& declaration) {
  const size_t open = declaration.find('(');
  const size_t equals = declaration.find('=');
  if (open == std::string::npos || (equals != std::string::npos && equals < open)) return {};
  const std::string head = declaration.substr(0, open);
  if (head.find("operator") != std::string::npos || head.find('~') != std::string::npos) return {};
  if (head.find("std::function") != std::string::npos || head.find("using ") != std::string::npos) return {};
  std::smatch match;
  return std::regex_search(head, match, std::regex("([A-Za-z_][A-Za-z0-9_]*) ?$")) ? match[1].str() : std::string();
}

/// The names of the variables that a declaration declares: "float a = 1, b" are a and b.
std::vector<std::string> variable_names(std::string declaration) {
  // What stands in braces, brackets and angles is no name.
  for (const char* nested : {"\\{[^{}]*\\}", "<[^<>]*>", "\\([^()]*\\)"}) {
    for (std::string before; before != declaration;) {
      before = declaration;
      declaration = std::regex_replace(declaration, std::regex(nested), "");
    }
  }
  if (std::regex_search(
          declaration,
          std::regex("^ ?(using|friend|static|template|explicit|return|enum|(struct|class) [A-Za-z]+ ?$)\\b")))
    return {};
  std::vector<std::string> names;
  std::stringstream parts(declaration);
  for (std::string part; std::getline(parts, part, ',');) {
    part = part.substr(0, part.find('='));
    std::smatch match;
    if (std::regex_search(part, match, std::regex("([A-Za-z_][A-Za-z0-9_]*) ?(\\[[0-9]*\\])? ?$"))) {
      names.push_back(match[1]);
    }
  }
  return names;
}

/// Walks over a bare C++ header, statement by statement.
class CppReader {
 public:
  CppReader(const std::string& text, CppApi& api) : text_(text), api_(api) {}

  void read(size_t begin, size_t end, const std::string& scope, bool is_public) {
    size_t start = begin;
    for (size_t i = begin; i < end; ++i) {
      const std::string so_far = text_.substr(start, i - start);
      if (text_[i] == '{') {
        const size_t close = matching(i);
        if (std::count(so_far.begin(), so_far.end(), '(') != std::count(so_far.begin(), so_far.end(), ')')) {
          i = close;  // the value of an argument
          continue;
        }
        std::smatch match;
        if (std::regex_search(so_far, std::regex("namespace hearth ?$"))) {
          read(i + 1, close, scope, true);
        } else if (std::regex_search(so_far, match,
                                     std::regex("(class|struct) (\\[\\[nodiscard\\]\\] )?([A-Za-z]+)( : [^:]*)? ?$"))) {
          const std::string name = scope.empty() ? match[3].str() : scope + "::" + match[3].str();
          if (is_public) read(i + 1, close, name, match[1] == "struct");
        } else if (is_public && !std::regex_search(so_far, std::regex("\\b(enum|namespace|template|using)\\b"))) {
          // The body of an inline function, or the value of a field.
          if (so_far.find('(') == std::string::npos || so_far.find("std::function") != std::string::npos) {
            i = close;
            continue;  // the field ends with its semicolon
          }
          add(so_far, scope);
        }
        i = close;
        start = close + 1;
      } else if (text_[i] == ';') {
        if (is_public) add(so_far, scope);
        start = i + 1;
      } else if (text_[i] == ':' && text_[i + 1] != ':' && text_[i - 1] != ':') {
        if (std::regex_search(so_far, std::regex("^ ?(public|private|protected) ?$"))) {
          is_public = so_far.find("public") != std::string::npos;
          start = i + 1;
        }
      }
    }
  }

 private:
  size_t matching(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < text_.size(); ++i) {
      depth += text_[i] == '{' ? 1 : text_[i] == '}' ? -1 : 0;
      if (depth == 0) return i;
    }
    return text_.size();
  }

  static bool is_callback(const std::string& declaration) {
    return declaration.find("std::function<") < declaration.find('(');
  }

  void add(const std::string& declaration, const std::string& scope) {
    const std::string name = function_name(declaration);
    const std::string type = scope.substr(scope.rfind(':') == std::string::npos ? 0 : scope.rfind(':') + 1);
    if (!name.empty()) {
      if (name != type) ++api_.functions[scope.empty() ? name : scope + "::" + name];
    } else if (!scope.empty() && (declaration.find('(') == std::string::npos || is_callback(declaration))) {
      for (const std::string& field : variable_names(declaration)) api_.fields[scope].push_back(field);
    }
  }

  const std::string& text_;
  CppApi& api_;
};

const std::string kRoot = hearth::testing::source_dir();

/// What C has in another form, and why.
const std::map<std::string, std::string>& exceptions() {
  static const std::map<std::string, std::string> all = {
      {"to_string", "HearthError has its code and its message"},
      {"MemoryPlan::total", "a field of HearthMemoryPlan"},
      {"TensorDifference::rmse", "a field"},
      {"TensorDifference::relative_error", "a field"},
      {"DraftSource::name", "a field of HearthDraftSource, with is_free and propose"},
      {"DraftSource::is_free", "a field"},
      {"DraftSource::propose", "a field"},
      {"ThreadPool.run", "an argument of hearth_thread_pool_create, with n_threads"},
      {"ThreadPool.n_threads", "an argument"},
      {"Candidates.items", "a function, hearth_candidates_items"},
      {"Embedding.values", "embed() fills one array of all vectors, with n_tokens"},
      {"Embedding.n_tokens", "likewise"},
      {"AttentionWeights.values", "an out-parameter of hearth_trace_attention"},
      {"ToolGrammar.grammar", "out-parameters of hearth_tool_use_grammar, with after"},
      {"ToolGrammar.after", "likewise"},
      {"PerplexityReport.divergence", "an out-parameter of hearth_measure_perplexity"},
      {"ImportanceMatrix::Entry.name", "HearthImportanceEntry, with sums and counts"},
      {"ImportanceMatrix::Entry.sums", "likewise"},
      {"ImportanceMatrix::Entry.counts", "likewise"},
      {"ImportanceMatrix.datasets", "functions, with n_chunks and chunk_size"},
      {"ChatPrompt::Piece.text", "HearthChatPiece, with trusted"},
      {"ChatPrompt::Piece.trusted", "likewise"},
      {"Error.code", "HearthError, with message"},
  };
  return all;
}

}  // namespace

CppApi read_cpp_api(const std::string& folder) {
  CppApi api;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".h" || name == "c.h" || name == "hearth.h" || name == "result.h") continue;
    const std::string text = bare(read_text(entry.path()));
    CppReader(text, api).read(0, text.size(), "", false);
  }
  return api;
}

std::vector<std::string> read_c_declarations(const std::string& include_folder) {
  std::set<std::string> lines;
  for (const auto& entry : fs::directory_iterator(include_folder + "/hearth/c")) {
    std::string text = bare(read_text(entry.path()));
    text = std::regex_replace(text, std::regex("extern \"\" \\{"), "");
    size_t start = 0;
    int depth = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
      if (depth < 0) depth = 0, start = i + 1;  // the end of extern "C"
      if (text[i] != ';' || depth > 0) continue;
      std::string line = text.substr(start, i - start);
      line = std::regex_replace(line, std::regex("^ | $|HEARTH_API "), "");
      if (!line.empty()) lines.insert(line);
      start = i + 1;
    }
  }
  return {lines.begin(), lines.end()};
}

std::set<std::string> c_names(const std::vector<std::string>& declarations) {
  std::set<std::string> names;
  for (const std::string& line : declarations) {
    std::smatch match;
    if (std::regex_search(line, match, std::regex("typedef struct ([A-Za-z]+) \\{(.*)\\}"))) {
      const std::string type = match[1];
      std::stringstream fields(match[2].str());
      for (std::string field; std::getline(fields, field, ';');) {
        if (std::regex_search(field, match, std::regex("\\(\\*([a-z_]+)\\)\\(")))
          names.insert(type + "." + match[1].str());
        for (const std::string& name : variable_names(field)) names.insert(type + "." + name);
      }
    } else if (std::regex_search(line, match, std::regex("\\b(hearth_[a-z0-9_]+)\\("))) {
      names.insert(match[1]);
    }
  }
  return names;
}

std::string snake_case(const std::string& name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool upper = std::isupper(static_cast<unsigned char>(name[i])) != 0;
    const bool next_lower = i + 1 < name.size() && std::islower(static_cast<unsigned char>(name[i + 1])) != 0;
    const bool after_lower = i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
    if (upper && i > 0 && (after_lower || next_lower) && out.back() != '_') out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return std::regex_replace(out, std::regex("::_?"), "_");
}

namespace {

TEST(CTwins, HeadersAreReadCompletely) {
  const CppApi api = read_cpp_api(kRoot + "/include/hearth");
  EXPECT_GT(api.functions.size(), 220u);
  EXPECT_GT(api.fields.size(), 45u);
  EXPECT_EQ(api.functions.at("Session::generate"), 3);
  EXPECT_EQ(api.functions.at("version"), 1);
  EXPECT_EQ(api.functions.at("Model::plan"), 2);
  EXPECT_EQ(api.functions.at("TokenDecoder::lost_text"), 1);
  EXPECT_EQ(api.functions.count("Session::Impl"), 0u);
  const auto& fields = api.fields.at("SamplerOptions");
  EXPECT_GE(fields.size(), 26u);
  EXPECT_EQ(api.fields.at("BatchToken"), (std::vector<std::string>{"id", "pos", "seq", "logits"}));
  EXPECT_EQ(api.fields.at("EngineStats").size(), 12u);
  EXPECT_EQ(snake_case("KVCacheStats"), "kv_cache_stats");
  EXPECT_EQ(snake_case("GgufFile"), "gguf_file");
}

/// Both lists side by side: a function of C++ is hearth_<class>_<name>, perhaps with set_ or a suffix for overloads.
TEST(CTwins, EveryFunctionHasOne) {
  const CppApi api = read_cpp_api(kRoot + "/include/hearth");
  const std::set<std::string> c = c_names(read_c_declarations(kRoot + "/include"));
  std::string missing;
  int n_twins = 0;
  for (const auto& [name, overloads] : api.functions) {
    const size_t colon = name.rfind("::");
    const std::string type = colon == std::string::npos ? "" : snake_case(name.substr(0, colon)) + "_";
    const std::string member = colon == std::string::npos ? name : name.substr(colon + 2);
    const bool found = c.count("hearth_" + type + member) > 0 || c.count("hearth_" + type + "set_" + member) > 0;
    n_twins += found ? 1 : 0;
    if (!found && exceptions().count(name) == 0) missing += name + "\n";
  }
  EXPECT_EQ(missing, "") << "these functions have no twin in include/hearth/c";
  EXPECT_GT(n_twins, 210);
}

TEST(CTwins, EveryFieldHasOne) {
  const CppApi api = read_cpp_api(kRoot + "/include/hearth");
  const std::set<std::string> c = c_names(read_c_declarations(kRoot + "/include"));
  std::string missing;
  for (const auto& [type, fields] : api.fields) {
    if (exceptions().count(type + "." + fields.front()) > 0) continue;
    for (const std::string& field : fields) {
      if (field.back() == '_') continue;  // private
      const bool found =
          c.count("Hearth" + type + "." + field) > 0 || c.count("hearth_" + snake_case(type) + "_" + field) > 0;
      if (!found && exceptions().count(type + "." + field) == 0) missing += type + "." + field + "\n";
    }
  }
  EXPECT_EQ(missing, "") << "these fields have no twin in include/hearth/c";
}

TEST(CTwins, ExceptionsAreNeeded) {
  const CppApi api = read_cpp_api(kRoot + "/include/hearth");
  const std::set<std::string> c = c_names(read_c_declarations(kRoot + "/include"));
  for (const auto& [name, reason] : exceptions()) {
    if (name.find('.') != std::string::npos || name == "to_string") continue;
    EXPECT_EQ(api.functions.count(name), 1u) << name << " is no function: " << reason;
  }
}

/// tests/symbols/c_api.txt is what programs may have been compiled against. New lines may come; a line that goes or
/// changes breaks them, and needs another SOVERSION (until 1.0: another minor version).
TEST(CInterface, IsAsRecorded) {
  const std::string path = kRoot + "/tests/symbols/c_api.txt";
  const std::vector<std::string> now = read_c_declarations(kRoot + "/include");
  std::string text;
  for (const std::string& line : now) text += line + "\n";
  if (std::getenv("HEARTH_RECORD_C_API") != nullptr) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "recorded " << path;
  }
  std::stringstream recorded(read_text(path));
  std::set<std::string> left(now.begin(), now.end());
  std::string gone;
  for (std::string line; std::getline(recorded, line);) {
    if (left.erase(line) > 0) continue;
    // A struct with a size may have grown: its fields stand before the new ones.
    const std::string fields = line.substr(0, line.rfind('}'));
    const auto grown = left.lower_bound(fields);
    const bool has_size = fields.find("{ size_t size;") != std::string::npos;
    if (!has_size || grown == left.end() || grown->compare(0, fields.size(), fields) != 0) gone += line + "\n";
  }
  EXPECT_EQ(gone, "") << "these declarations have gone or changed: programs that use them break";
  std::string added;
  for (const std::string& line : left) added += line + "\n";
  EXPECT_EQ(added, "") << "these are new: record them with HEARTH_RECORD_C_API=1";
  EXPECT_GT(now.size(), 350u);
}

}  // namespace
}  // namespace hearth::testing
