// Twin of hearth/tokenizer.h.
#include "lib/base/concat.h"
#include "lib/c/call.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<EncodeOptions> encode_options(const HearthEncodeOptions* options) {
  const auto full = complete(options, hearth_encode_options_init);
  if (!full) return full.error();
  return EncodeOptions{.add_special = full->add_special, .parse_special = full->parse_special};
}
Result<DecodeOptions> decode_options(const HearthDecodeOptions* options) {
  const auto full = complete(options, hearth_decode_options_init);
  if (!full) return full.error();
  return DecodeOptions{.skip_special = full->skip_special};
}
int32_t id_or_none(std::optional<Token> id) {
  return id.value_or(-1);
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_encode_options_init(HearthEncodeOptions* options) {
  const hearth::EncodeOptions defaults;
  fill(options, {0, defaults.add_special, defaults.parse_special});
}
void hearth_decode_options_init(HearthDecodeOptions* options) {
  const hearth::DecodeOptions defaults;
  fill(options, {0, defaults.skip_special});
}

HearthCode hearth_tokenizer_from_gguf(const HearthGgufFile* file, HearthTokenizer** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{file, "file"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::Tokenizer::from_gguf(file->file), out);
  });
}
void hearth_tokenizer_free(HearthTokenizer* tokenizer) {
  delete tokenizer;
}
HearthCode hearth_tokenizer_encode(const HearthTokenizer* tokenizer, const char* text, size_t text_size,
                                   const HearthEncodeOptions* options, int32_t** ids, size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {ids, "ids"}, {n, "n"}}); !s) return s;
    const auto how = encode_options(options);
    if (!how) return how.error();
    const auto made = tokenizer->tokenizer.encode(view(text, text_size), *how);
    if (!made) return made.error();
    return hand_out(std::span<const int32_t>(*made), ids, n);
  });
}
HearthCode hearth_tokenizer_encode_spans(const HearthTokenizer* tokenizer, const char* text, size_t text_size,
                                         const HearthEncodeOptions* options, const HearthTextSpan* special,
                                         size_t n_special, int32_t** ids, size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {ids, "ids"}, {n, "n"}}); !s) return s;
    if (n_special > 0) {
      if (auto s = needs({{special, "special"}}); !s) return s;
    }
    const auto how = encode_options(options);
    if (!how) return how.error();
    const size_t size = view(text, text_size).size();
    std::vector<hearth::TextSpan> spans;
    size_t last = 0;
    for (size_t i = 0; i < n_special; ++i) {
      if (special[i].begin < last || special[i].end < special[i].begin || special[i].end > size) {
        return hearth::Error{hearth::ErrorCode::kInvalidArgument,
                             hearth::concat("special[", i, "] is not behind the others and inside the text")};
      }
      last = special[i].end;
      spans.push_back({special[i].begin, special[i].end});
    }
    const auto made = tokenizer->tokenizer.encode(view(text, text_size), *how, spans);
    if (!made) return made.error();
    return hand_out(std::span<const int32_t>(*made), ids, n);
  });
}
HearthCode hearth_tokenizer_count(const HearthTokenizer* tokenizer, const char* text, size_t text_size,
                                  const HearthEncodeOptions* options, size_t* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {out, "out"}}); !s) return s;
    const auto how = encode_options(options);
    if (!how) return how.error();
    return hand_out_value(tokenizer->tokenizer.count(view(text, text_size), *how), out);
  });
}
HearthCode hearth_tokenizer_decode(const HearthTokenizer* tokenizer, const int32_t* ids, size_t n,
                                   const HearthDecodeOptions* options, char** text, size_t* text_size,
                                   HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {ids, "ids"}, {text, "text"}}); !s) return s;
    const auto how = decode_options(options);
    if (!how) return how.error();
    const auto made = tokenizer->tokenizer.decode({ids, n}, *how);
    if (!made) return made.error();
    return hand_out(*made, text, text_size);
  });
}
HearthText hearth_tokenizer_piece(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer == nullptr ? lend({}) : lend(tokenizer->tokenizer.piece(id));
}
HearthText hearth_tokenizer_raw_token(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer == nullptr ? lend({}) : lend(tokenizer->tokenizer.raw_token(id));
}
float hearth_tokenizer_score(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer == nullptr ? 0 : tokenizer->tokenizer.score(id);
}
int32_t hearth_tokenizer_kind(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer == nullptr ? 0 : static_cast<int32_t>(tokenizer->tokenizer.kind(id));
}
bool hearth_tokenizer_is_control(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer != nullptr && tokenizer->tokenizer.is_control(id);
}
bool hearth_tokenizer_is_end(const HearthTokenizer* tokenizer, int32_t id) {
  return tokenizer != nullptr && tokenizer->tokenizer.is_end(id);
}
int32_t hearth_tokenizer_find(const HearthTokenizer* tokenizer, const char* raw, size_t raw_size) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.find(view(raw, raw_size)));
}
int32_t hearth_tokenizer_bos(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.bos());
}
int32_t hearth_tokenizer_eos(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.eos());
}
int32_t hearth_tokenizer_eot(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.eot());
}
int32_t hearth_tokenizer_sep(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.sep());
}
int32_t hearth_tokenizer_pad(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.pad());
}
int32_t hearth_tokenizer_unk(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.unk());
}
int32_t hearth_tokenizer_mask(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? -1 : id_or_none(tokenizer->tokenizer.mask());
}
int32_t hearth_tokenizer_n_vocab(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? 0 : tokenizer->tokenizer.n_vocab();
}
uint64_t hearth_tokenizer_memory_bytes(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? 0 : tokenizer->tokenizer.memory_bytes();
}
bool hearth_tokenizer_add_bos(const HearthTokenizer* tokenizer) {
  return tokenizer != nullptr && tokenizer->tokenizer.add_bos();
}
bool hearth_tokenizer_add_eos(const HearthTokenizer* tokenizer) {
  return tokenizer != nullptr && tokenizer->tokenizer.add_eos();
}
HearthText hearth_tokenizer_warning(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? lend({}) : lend(tokenizer->tokenizer.warning());
}
HearthText hearth_tokenizer_model_name(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? lend({}) : lend(tokenizer->tokenizer.model_name());
}
HearthText hearth_tokenizer_pre_name(const HearthTokenizer* tokenizer) {
  return tokenizer == nullptr ? lend({}) : lend(tokenizer->tokenizer.pre_name());
}

HearthCode hearth_token_decoder_create(const HearthTokenizer* tokenizer, const HearthDecodeOptions* options,
                                       HearthTokenDecoder** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{tokenizer, "tokenizer"}, {out, "out"}}); !s) return s;
    const auto how = decode_options(options);
    if (!how) return how.error();
    *out = new HearthTokenDecoder{hearth::TokenDecoder(tokenizer->tokenizer, *how)};
    return {};
  });
}
void hearth_token_decoder_free(HearthTokenDecoder* decoder) {
  delete decoder;
}
HearthText hearth_token_decoder_push(HearthTokenDecoder* decoder, int32_t id) {
  return decoder == nullptr ? lend({}) : lend(decoder->decoder.push(id));
}
HearthText hearth_token_decoder_finish(HearthTokenDecoder* decoder) {
  return decoder == nullptr ? lend({}) : lend(decoder->decoder.finish());
}
bool hearth_token_decoder_lost_text(const HearthTokenDecoder* decoder) {
  return decoder != nullptr && decoder->decoder.lost_text();
}

}  // extern "C"
