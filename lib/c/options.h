// Structs of options, messages and events as C++ has them, for the files of lib/c that share them.
#pragma once

#include "kernels/kv_types.h"
#include "lib/c/call.h"

namespace hearth::c {

inline constexpr auto kLastKVType = static_cast<KVType>(kernels::kKvTypeCount - 1);

Result<SamplerOptions> to_cpp(const HearthSamplerOptions* options);
Result<GenerateOptions> to_cpp(const HearthGenerateOptions* options, const GenerateOptions& if_null = {});
Result<SessionOptions> to_cpp(const HearthSessionOptions* options, const SessionOptions& if_null = {});
Result<SpeculationOptions> to_cpp(const HearthSpeculationOptions* options);
Result<LookupOptions> to_cpp(const HearthLookupOptions* options);
Result<EmbedderOptions> to_cpp(const HearthEmbedderOptions* options);
Result<ChatOptions> to_cpp(const HearthChatOptions* options);
Result<ToolUseOptions> to_cpp(const HearthToolUseOptions* options);
Result<std::vector<ChatMessage>> to_cpp(const HearthChatMessage* messages, size_t n);
/// kInvalidArgument for a null adapter.
Result<std::vector<AdapterScale>> to_cpp(const HearthAdapterScale* adapters, size_t n);
/// The i-th of a list, as a handle of the caller's.
Status hand_out_adapter(std::span<const AdapterScale> all, size_t i, HearthAdapter** adapter, float* scale);
TextCallback to_cpp(HearthTextCallback on_text, void* user);
std::optional<TensorType> type_or_none(int32_t type);
/// Texts of a caller's array.
Result<std::vector<std::string>> texts_of(const char* const* texts, size_t n, const char* name);
Result<std::vector<std::string>> texts_of(const HearthText* texts, size_t n);
/// Lists of tokens that lie one after the other.
Result<std::vector<std::vector<Token>>> lists_of(const int32_t* ids, const size_t* lengths, size_t n);

HearthGeneratedToken to_c(const GeneratedToken& token);
HearthTimings to_c(const Timings& timings);
HearthMemoryPlan to_c(const MemoryPlan& plan);
HearthKVCacheStats to_c(const KVCacheStats& stats);
HearthSpeculationStats to_c(const SpeculationStats& stats, const char* note);
HearthSessionOptions to_c(const SessionOptions& options);
/// `calls` are those of the message, see calls_of().
HearthChatMessage to_c(const ChatMessage& message, const std::vector<HearthToolCall>& calls);
/// Views of the calls' texts.
std::vector<HearthToolCall> calls_of(const std::vector<ToolCall>& calls);
/// Vectors of equal length as one array of the caller's.
Status hand_out_vectors(const Result<std::vector<Embedding>>& made, float** values, size_t* dimensions,
                        int32_t** n_tokens);

}  // namespace hearth::c
