// From an Ask to its answers: prompts, limits, tickets of the engine, and the events in the server's own form.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "answer_parser.h"
#include "api_error.h"
#include "ask.h"
#include "http.h"
#include "metrics.h"
#include "models.h"

namespace hearth_server {

/// Token ids of a prompt; ApiError when an id is out of range.
std::vector<hearth::Token> encode_prompt(const LoadedModel& model, const Prompt& prompt, bool add_special);
/// Settles how an Ask that is a conversation offers its tools. ApiError (400) when they or the choice are wrong.
void use_tools(const LoadedModel& model, Ask& ask);
/// The conversation of an Ask, after use_tools(). ApiError (400) when the template refuses it.
hearth::ChatPrompt render_chat(const Ask& ask);
/// Makes the format or the calls of an Ask a grammar for the engine. ApiError (400) when none can be made.
void apply_format(const LoadedModel& model, Ask& ask);
/// Those that an Ask names, or as it stands for all. ApiError (400) for a number that none has.
std::vector<hearth::AdapterScale> chosen_adapters(AdapterList& list, const Ask& ask);
/// The tokens for text between two texts; ApiError (501) when the vocabulary has none.
Prompt infill_prompt(const LoadedModel& model, const std::string& before, const std::string& after);

class Answering {
 public:
  /// Everything that can be wrong with a request is found here, before an answer begins. Throws ApiError.
  /// `metrics`, if given, learns when tokens come; `notes` what the answers took, once all have ended or nobody wants
  /// them any more.
  Answering(Lease lease, Ask ask, Metrics* metrics = nullptr, std::shared_ptr<LogNotes> notes = nullptr);
  ~Answering();

  /// The next event of the answers, in order of the prompts; nothing after the last. `waiting` becomes true when
  /// nothing came in that time. Throws ApiError when an answer fails.
  std::optional<AnswerEvent> next(double seconds, bool& waiting);
  /// All answers; nothing when the client left meanwhile. Throws ApiError.
  std::optional<std::vector<AnswerChoice>> collect(const StillThere& still_there);

  const Ask& ask() const { return ask_; }
  const Lease& lease() const { return lease_; }
  const std::vector<std::vector<hearth::Token>>& prompts() const { return prompts_; }
  /// Of what has ended.
  const Usage& usage() const { return usage_; }
  const AnswerEnd& last_end() const { return last_end_; }
  /// Tokens of every prompt together.
  int32_t n_prompt_tokens() const;
  double seconds() const;  ///< since the beginning

 private:
  struct Choice;
  void check() const;
  void encode();
  void encode_chat();
  void submit();
  hearth::EngineRequest request_for(const std::vector<hearth::Token>& prompt) const;
  void take(const hearth::EngineEvent& event);
  void take_token(Choice& choice, const hearth::EngineEvent& event);
  void take_end(Choice& choice, const hearth::EngineEvent& event);
  void flush_chances(Choice& choice, AnswerEvent& out);
  void note() const;

  Lease lease_;
  Ask ask_;
  Metrics* metrics_;
  std::shared_ptr<LogNotes> notes_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<std::vector<hearth::Token>> prompts_;
  std::vector<hearth::Ticket> tickets_;
  std::vector<Choice> choices_;
  size_t current_ = 0;  ///< ticket
  std::deque<AnswerEvent> ready_;
  Usage usage_;
  AnswerEnd last_end_;
  std::optional<double> last_token_;  ///< when it came, in seconds()
};

/// One protocol's way to write the events of a stream. Texts may be empty: nothing is sent then.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  virtual std::string begin() { return {}; }
  virtual std::string event(const AnswerEvent& event) = 0;
  virtual std::string end() { return {}; }
  virtual std::string failure(const ApiError& error) = 0;
  /// Sent when nothing else was for 15 seconds.
  virtual std::string idle() { return ":\n\n"; }
};

/// A reply that streams the answers through a writer. The first event has come before the head is sent, so that what
/// fails at once is an HTTP error.
HttpReply stream_reply(std::shared_ptr<Answering> answering, std::shared_ptr<AnswerWriter> writer, const char* type);

/// "data: {...}\n\n", with a line "event: NAME" where a name is given.
std::string sse(const Json& data, const char* name = nullptr);

}  // namespace hearth_server
