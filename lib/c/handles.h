// What stands behind the handles of the C interface: the C++ object, and what it lends.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/c.h"
#include "hearth/hearth.h"

struct HearthCancel {
  std::atomic<bool> cancelled{false};
};
struct HearthThreadPool {
  hearth::ThreadPool pool;
};
/// HearthGgufValue is never defined: its pointers are those of GgufValue.
struct HearthGgufFile {
  hearth::GgufFile file;
};
struct HearthGgufWriter {
  hearth::GgufWriter writer;
};
struct HearthTokenizer {
  hearth::Tokenizer tokenizer;
};
struct HearthTokenDecoder {
  hearth::TokenDecoder decoder;
};
struct HearthModel {
  explicit HearthModel(hearth::Model m) : model(std::move(m)), file{model.file()}, tokenizer{model.tokenizer()} {}
  hearth::Model model;
  HearthGgufFile file;
  HearthTokenizer tokenizer;
};
struct HearthAdapter {
  hearth::Adapter adapter;
};
struct HearthKVCache {
  hearth::KVCache* cache;
};
struct HearthCandidates {
  hearth::Candidates& all;
};
struct HearthSampler {
  hearth::Sampler sampler;
};
struct HearthGrammar {
  hearth::Grammar grammar;
};
struct HearthGrammarMatcher {
  hearth::GrammarMatcher matcher;
};
/// Its own, or one that a speculator lends to a source of drafts.
struct HearthGenerator {
  explicit HearthGenerator(hearth::Generator g) : own(std::move(g)), it(&*own) {}
  explicit HearthGenerator(hearth::Generator* lent) : it(lent) {}
  std::optional<hearth::Generator> own;
  hearth::Generator* it;
};
struct HearthGeneration {
  hearth::Generation made;
};
struct HearthChatPrompt {
  hearth::ChatPrompt prompt;
};
struct HearthChatTemplate {
  hearth::ChatTemplate compiled;
};
struct HearthChatParser {
  hearth::ChatParser parser;
  hearth::ChatDelta delta{};
  std::vector<HearthToolCall> calls{};
};
struct HearthToolUse {
  hearth::ToolUse use;
};
struct HearthSession {
  explicit HearthSession(hearth::Session s) : session(std::move(s)), model(session.model()), cache{&session.cache()} {}
  hearth::Session session;
  HearthModel model;
  HearthKVCache cache;
};
struct HearthChatAnswer {
  hearth::ChatAnswer answer;
  std::vector<HearthToolCall> calls;
};
struct HearthChat {
  explicit HearthChat(hearth::Chat c) : chat(std::move(c)), compiled{chat.chat_template()} {}
  hearth::Chat chat;
  HearthChatTemplate compiled;
  std::vector<HearthToolCall> calls{};  ///< of the message that was looked at last
};
struct HearthEmbedder {
  hearth::Embedder embedder;
};
struct HearthTicket {
  hearth::Ticket ticket;
  hearth::EngineEvent event{};
  HearthTimings timings{};
};
struct HearthEngine {
  explicit HearthEngine(hearth::Engine e) : engine(std::move(e)), model(engine.model()) {}
  hearth::Engine engine;
  HearthModel model;
};
struct HearthSpeculator {
  hearth::Speculator speculator;
  std::string note{};
};
struct HearthImportanceMatrix {
  hearth::ImportanceMatrix matrix;
};
struct HearthQuantizer {
  hearth::Quantizer quantizer;
  hearth::QuantizeError errors{};
  hearth::QuantizeReport report{};
  std::vector<const char*> paths{};
};
struct HearthFileComparison {
  hearth::FileComparison comparison;
};
struct HearthConvertReport {
  hearth::ConvertReport report;
};
