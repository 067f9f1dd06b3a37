// In place of the files beside it where the library starts no threads (HEARTH_THREADS=OFF): an engine is one.
#include "hearth/engine.h"

namespace hearth {

struct Ticket::Impl {};
struct Engine::Impl {
  Model model;
  EngineOptions options;
};

Ticket::Ticket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ticket::Ticket(Ticket&&) noexcept = default;
Ticket& Ticket::operator=(Ticket&&) noexcept = default;
Ticket::~Ticket() = default;
std::optional<EngineEvent> Ticket::next() {
  return std::nullopt;
}
std::optional<EngineEvent> Ticket::next_within(double, bool& waiting) {
  waiting = false;
  return std::nullopt;
}
Result<std::vector<Generation>> Ticket::wait() {
  return std::vector<Generation>();
}
void Ticket::cancel() {}
uint64_t Ticket::id() const {
  return 0;
}

Result<Engine> Engine::create(const Model&, const EngineOptions&) {
  return Error{ErrorCode::kUnsupported, "this build of hearth starts no threads, and an engine is one"};
}
Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;
Result<Ticket> Engine::submit(EngineRequest) {
  return Ticket(nullptr);
}
Result<std::vector<Embedding>> Engine::embed(std::span<const std::string>) {
  return std::vector<Embedding>();
}
Result<std::vector<Embedding>> Engine::embed_tokens(std::span<const std::vector<Token>>) {
  return std::vector<Embedding>();
}
Status Engine::set_embedding_adapters(std::span<const AdapterScale>) {
  return {};
}
Result<HeldSequence> Engine::save(SeqId, const std::string&) {
  return HeldSequence();
}
Result<HeldSequence> Engine::restore(SeqId, const std::string&, const std::optional<std::vector<AdapterScale>>&) {
  return HeldSequence();
}
Result<int32_t> Engine::erase(SeqId) {
  return 0;
}
EngineStats Engine::stats() const {
  return {};
}
bool Engine::is_busy(SeqId) const {
  return false;
}
const Model& Engine::model() const {
  return impl_->model;
}
const EngineOptions& Engine::options() const {
  return impl_->options;
}

}  // namespace hearth
