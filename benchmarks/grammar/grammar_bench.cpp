// Runs folders of JSON schemas with instances (MaskBench's form, see README.md beside it) and prints how many pass, and
// what masks and compiling cost.
//
//   hearth_bench_grammar VOCAB.gguf FOLDER [-v] [--in-order] [--cases FILE] [part of a name...]
//
// Listed properties may stand in any order, as in the instances of some schemas; with --in-order only in the schema's,
// as programs have it by default. --cases writes the vocabulary and all cases, tokenized, as lines of JSON, for
// benchmarks/peers/xgrammar.mjs.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/grammar.h"
#include "lib/grammar/json_tree.h"
#include "lib/json/writer.h"

namespace {

using hearth::Status;
using hearth::grammar::Json;
using hearth::grammar::JsonTree;
/// Time of this thread, so that other programs disturb it little.
struct Clock {
  using time_point = double;
  static double now() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
  }
};

double us_since(Clock::time_point start) {
  return Clock::now() - start;
}

/// JSON text with `gap` after every colon and comma.
void write(const Json& value, std::string_view gap, std::string& out) {
  const char* close = "";
  if (value.is_array()) {
    out += '[';
    for (const Json* item : value.items) {
      if (item != value.items[0]) (out += ',') += gap;
      write(*item, gap, out);
    }
    close = "]";
  } else if (value.is_object()) {
    out += '{';
    for (const auto& member : value.members) {
      if (&member != value.members.data()) (out += ',') += gap;
      hearth::json::append_string(out, member.first);
      (out += ':') += gap;
      write(*member.second, gap, out);
    }
    close = "}";
  } else {
    out += hearth::grammar::dump(value);
  }
  out += close;
}

struct Times {
  std::vector<double> us;
  void print(const char* name) {
    if (us.empty()) return;
    std::sort(us.begin(), us.end());
    double sum = 0;
    for (const double t : us) sum += t;
    const auto at = [&](double part) { return us[static_cast<size_t>(part * static_cast<double>(us.size() - 1))]; };
    std::printf("%-28s %9zu measured: mean %.1f us, p50 %.1f, p90 %.1f, p99 %.1f, worst %.0f\n", name, us.size(),
                sum / static_cast<double>(us.size()), at(0.5), at(0.9), at(0.99), us.back());
  }
};

enum Outcome { kPassing, kCompileError, kValidationError, kInvalidationError, kLateError, kOutcomes };

struct Table {
  size_t n = 0;
  size_t counts[kOutcomes] = {};
};

/// Cases as another program reads them: first the vocabulary, then a line for each schema.
class CaseFile {
 public:
  Status open(const std::string& path, const hearth::GgufFile& vocabulary) {
    const auto* tokens = vocabulary.find("tokenizer.ggml.tokens");
    const auto texts = tokens ? tokens->as_string_array() : hearth::Error{hearth::ErrorCode::kNotFound, "no tokens"};
    if (!texts) return texts.error();
    out_.open(path);
    std::string line = "{\"tokens\":[";
    for (const std::string_view text : *texts) {
      if (line.back() != '[') line += ',';
      hearth::json::append_string(line, text);
    }
    out_ << line << "]}\n";
    return out_ ? Status() : hearth::Error{hearth::ErrorCode::kIo, path + " cannot be written"};
  }
  bool is_open() const { return out_.is_open(); }
  void write_case(const std::string& name, const std::string& schema, const Json& tests,
                  const hearth::Tokenizer& tokenizer) {
    std::string line = "{\"name\":";
    hearth::json::append_string(line, name);
    hearth::json::append_string(line += ",\"schema\":", schema);
    line += ",\"tests\":[";
    for (const Json* test : tests.items) {
      std::string text;
      write(*test->find("data"), "", text);
      const auto ids = tokenizer.encode(text);
      if (!ids) continue;
      if (line.back() != '[') line += ',';
      line +=
          std::string("{\"valid\":") + (test->find("valid")->is(Json::Kind::kTrue) ? "true" : "false") + ",\"ids\":[";
      for (const hearth::Token id : *ids) (line += line.back() == '[' ? "" : ",") += std::to_string(id);
      line += "]}";
    }
    out_ << line << "]}\n";
  }

 private:
  std::ofstream out_;
};

class Bench {
 public:
  Bench(const hearth::Tokenizer& tokenizer, bool verbose, bool any_order)
      : tokenizer_(tokenizer), verbose_(verbose), any_order_(any_order) {}
  CaseFile cases;

  void run_line(const std::string& file, const std::string& line) {
    const auto tree = JsonTree::parse(line);
    if (!tree) return;
    const Json& entry = tree->root();
    const Json* name = entry.find("name");
    what_ = file + " " + (name ? name->text : "?");
    std::string schema;
    write(*entry.find("schema"), "", schema);
    if (cases.is_open()) cases.write_case(what_, schema, *entry.find("tests"), tokenizer_);
    const auto start = Clock::now();
    const Outcome outcome = judge(schema, *entry.find("tests"));
    const double total = us_since(start);
    if (total > 1e6) std::printf("slow: %s took %.1f s\n", what_.c_str(), total / 1e6);
    for (Table* table : {&tables_[file], &all_}) {
      ++table->n;
      ++table->counts[outcome];
    }
  }

  void print() {
    std::printf("\n%-28s %6s %8s %8s %8s %8s %8s\n", "", "all", "passing", "compile", "valid.", "invalid.", "late");
    for (auto& [file, table] : tables_) print_row(file, table);
    print_row("together", all_);
    std::printf("\n");
    masks_.print("mask");
    first_masks_.print("compiling until first mask");
    compiles_.print("compiling");
    slowest_.resize(std::min<size_t>(slowest_.size(), 12));
    for (const auto& [us, name] : slowest_) std::printf("  slow: %.0f us %s\n", us, name.c_str());
  }

 private:
  static void print_row(const std::string& name, const Table& t) {
    std::printf("%-28s %6zu", name.c_str(), t.n);
    for (const size_t count : t.counts) std::printf(" %8zu", count);
    std::printf("  %.1f%%\n",
                100.0 * static_cast<double>(t.counts[kPassing]) / static_cast<double>(std::max<size_t>(t.n, 1)));
  }

  Outcome judge(const std::string& schema, const Json& tests) {
    Outcome worst = kPassing;
    for (const bool spaces : {false, true}) {
      const auto start = Clock::now();
      auto grammar = hearth::Grammar::from_json_schema(schema, {.any_order = any_order_, .white_space = spaces});
      compiles_.us.push_back(us_since(start));
      if (!grammar) {
        if (verbose_ && !spaces) std::printf("%s: %s\n", what_.c_str(), grammar.error().message.c_str());
        return kCompileError;
      }
      auto matcher = hearth::GrammarMatcher::create(*grammar, tokenizer_);
      if (!matcher || !matcher->mask()) return kLateError;
      first_masks_.us.push_back(us_since(start));
      slowest_.emplace_back(first_masks_.us.back(), "compile " + what_);
      for (const Json* test : tests.items) {
        const bool valid = test->find("valid")->is(Json::Kind::kTrue);
        for (const std::string_view gap : {"", " "}) {
          if (!gap.empty() && !spaces) continue;
          std::string text;
          write(*test->find("data"), gap, text);
          worst = std::max(worst, check(*matcher, text, valid));
        }
      }
      keep_slowest();
    }
    return worst;
  }

  void keep_slowest() {
    std::sort(slowest_.begin(), slowest_.end(), std::greater<>());
    slowest_.resize(std::min<size_t>(slowest_.size(), 12));
  }

  Outcome check(hearth::GrammarMatcher& matcher, const std::string& text, bool valid) {
    const auto ids = tokenizer_.encode(text);
    if (!ids) return kLateError;
    matcher.rollback(matcher.n_accepted());
    size_t i = 0;
    bool alive = true;
    for (; i < ids->size() && alive; ++i) {
      const auto start = Clock::now();
      const auto mask = matcher.mask();
      masks_.us.push_back(us_since(start));
      if (masks_.us.back() > 2000)
        slowest_.emplace_back(masks_.us.back(), "mask " + what_ + " at token " + std::to_string(i));
      if (!mask) return kLateError;
      alive = hearth::mask_has(*mask, (*ids)[i]);
      if (alive && !matcher.accept((*ids)[i])) return kLateError;
    }
    const bool accepted = alive && matcher.can_end();
    if (accepted == valid) return kPassing;
    if (verbose_) {
      const size_t n = std::min<size_t>(text.size(), 1500);
      std::printf("%s: %s, stopped at token %zu of %zu: %s\n", what_.c_str(),
                  valid ? "valid, but refused" : "INVALID, but taken", i, ids->size(), text.substr(0, n).c_str());
      const auto done = tokenizer_.decode(std::span(*ids).first(i));
      if (valid && done)
        std::printf("   stopped after: %s\n", done->substr(done->size() - std::min<size_t>(done->size(), 120)).c_str());
    }
    return valid ? kValidationError : kInvalidationError;
  }

  const hearth::Tokenizer& tokenizer_;
  const bool verbose_, any_order_;
  std::string what_;
  std::map<std::string, Table> tables_;
  Table all_;
  Times masks_, first_masks_, compiles_;
  std::vector<std::pair<double, std::string>> slowest_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    return std::fprintf(stderr,
                        "usage: hearth_bench_grammar VOCAB.gguf FOLDER [-v] [--in-order] [--cases FILE] [part of a "
                        "name...]\n"),
           2;
  const auto file = hearth::GgufFile::open(argv[1]);
  if (!file) return std::fprintf(stderr, "%s\n", file.error().message.c_str()), 1;
  const auto tokenizer = hearth::Tokenizer::from_gguf(*file);
  if (!tokenizer) return std::fprintf(stderr, "%s\n", tokenizer.error().message.c_str()), 1;
  std::vector<std::string> wanted(argv + 3, argv + argc);
  const bool verbose = std::erase(wanted, "-v") > 0, in_order = std::erase(wanted, "--in-order") > 0;
  Bench bench(*tokenizer, verbose, !in_order);
  if (const auto at = std::find(wanted.begin(), wanted.end(), "--cases");
      at != wanted.end() && at + 1 != wanted.end()) {
    if (const Status opened = bench.cases.open(at[1], *file); !opened)
      return std::fprintf(stderr, "%s\n", opened.error().message.c_str()), 1;
    wanted.erase(at, at + 2);
  }
  {  // the vocabulary is sorted once, before anything is measured
    const auto start = Clock::now();
    (void)hearth::GrammarMatcher::create(*hearth::Grammar::json(), *tokenizer);
    std::printf("sorting the vocabulary: %.1f ms\n", us_since(start) / 1000);
  }
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2], error)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream in(path);
    const std::string name = path.filename().string();
    for (std::string line; std::getline(in, line);) {
      const bool fits = wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& part) {
                          return (name + line.substr(0, 300)).find(part) != std::string::npos;
                        });
      if (!line.empty() && fits) bench.run_line(name, line);
    }
  }
  bench.print();
}
