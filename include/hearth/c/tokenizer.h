/* Text to token ids and back. Twin of hearth/tokenizer.h. */
#ifndef HEARTH_C_TOKENIZER_H
#define HEARTH_C_TOKENIZER_H

#include "hearth/c/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* TokenKind. */
enum {
  HEARTH_TOKEN_KIND_NORMAL = 1,
  HEARTH_TOKEN_KIND_UNKNOWN = 2,
  HEARTH_TOKEN_KIND_CONTROL = 3,
  HEARTH_TOKEN_KIND_USER_DEFINED = 4,
  HEARTH_TOKEN_KIND_UNUSED = 5,
  HEARTH_TOKEN_KIND_BYTE = 6
};

typedef struct HearthEncodeOptions {
  size_t size;
  bool add_special;
  bool parse_special;
} HearthEncodeOptions;
HEARTH_API void hearth_encode_options_init(HearthEncodeOptions* options);

/* Bytes [begin, end) of a text. */
typedef struct HearthTextSpan {
  size_t begin;
  size_t end;
} HearthTextSpan;

typedef struct HearthDecodeOptions {
  size_t size;
  bool skip_special;
} HearthDecodeOptions;
HEARTH_API void hearth_decode_options_init(HearthDecodeOptions* options);

/* Of a model (hearth_model_tokenizer), or of a file alone: that one is yours. */
typedef struct HearthTokenizer HearthTokenizer;
HEARTH_API HearthCode hearth_tokenizer_from_gguf(const HearthGgufFile* file, HearthTokenizer** out, HearthError* error);
HEARTH_API void hearth_tokenizer_free(HearthTokenizer* tokenizer);
HEARTH_API HearthCode hearth_tokenizer_encode(const HearthTokenizer* tokenizer, const char* text, size_t text_size,
                                              const HearthEncodeOptions* options, int32_t** ids, size_t* n,
                                              HearthError* error);
/* Control tokens count as such in the `special` spans only. */
HEARTH_API HearthCode hearth_tokenizer_encode_spans(const HearthTokenizer* tokenizer, const char* text,
                                                    size_t text_size, const HearthEncodeOptions* options,
                                                    const HearthTextSpan* special, size_t n_special, int32_t** ids,
                                                    size_t* n, HearthError* error);
HEARTH_API HearthCode hearth_tokenizer_count(const HearthTokenizer* tokenizer, const char* text, size_t text_size,
                                             const HearthEncodeOptions* options, size_t* out, HearthError* error);
HEARTH_API HearthCode hearth_tokenizer_decode(const HearthTokenizer* tokenizer, const int32_t* ids, size_t n,
                                              const HearthDecodeOptions* options, char** text, size_t* text_size,
                                              HearthError* error);
HEARTH_API HearthText hearth_tokenizer_piece(const HearthTokenizer* tokenizer, int32_t id);
HEARTH_API HearthText hearth_tokenizer_raw_token(const HearthTokenizer* tokenizer, int32_t id);
HEARTH_API float hearth_tokenizer_score(const HearthTokenizer* tokenizer, int32_t id);
HEARTH_API int32_t hearth_tokenizer_kind(const HearthTokenizer* tokenizer, int32_t id);
HEARTH_API bool hearth_tokenizer_is_control(const HearthTokenizer* tokenizer, int32_t id);
HEARTH_API bool hearth_tokenizer_is_end(const HearthTokenizer* tokenizer, int32_t id);
/* Ids of entries; -1 where there is none. */
HEARTH_API int32_t hearth_tokenizer_find(const HearthTokenizer* tokenizer, const char* raw, size_t raw_size);
HEARTH_API int32_t hearth_tokenizer_bos(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_eos(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_eot(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_sep(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_pad(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_unk(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_mask(const HearthTokenizer* tokenizer);
HEARTH_API int32_t hearth_tokenizer_n_vocab(const HearthTokenizer* tokenizer);
HEARTH_API uint64_t hearth_tokenizer_memory_bytes(const HearthTokenizer* tokenizer);
HEARTH_API bool hearth_tokenizer_add_bos(const HearthTokenizer* tokenizer);
HEARTH_API bool hearth_tokenizer_add_eos(const HearthTokenizer* tokenizer);
HEARTH_API HearthText hearth_tokenizer_warning(const HearthTokenizer* tokenizer);
HEARTH_API HearthText hearth_tokenizer_model_name(const HearthTokenizer* tokenizer);
HEARTH_API HearthText hearth_tokenizer_pre_name(const HearthTokenizer* tokenizer);

/* A stream of tokens as text; what push() and finish() give is valid until the next call. */
typedef struct HearthTokenDecoder HearthTokenDecoder;
HEARTH_API HearthCode hearth_token_decoder_create(const HearthTokenizer* tokenizer, const HearthDecodeOptions* options,
                                                  HearthTokenDecoder** out, HearthError* error);
HEARTH_API void hearth_token_decoder_free(HearthTokenDecoder* decoder);
HEARTH_API HearthText hearth_token_decoder_push(HearthTokenDecoder* decoder, int32_t id);
HEARTH_API HearthText hearth_token_decoder_finish(HearthTokenDecoder* decoder);
HEARTH_API bool hearth_token_decoder_lost_text(const HearthTokenDecoder* decoder);

#ifdef __cplusplus
}
#endif
#endif
