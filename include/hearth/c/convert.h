/* Hugging Face folders to GGUF. Twin of hearth/convert.h. */
#ifndef HEARTH_C_CONVERT_H
#define HEARTH_C_CONVERT_H

#include "hearth/c/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthConvertOptions {
  size_t size;
  int32_t type;    /* < 0: as in the input */
  const char* pre; /* NULL: by the rules */
  bool checksums;
  HearthProgress on_progress;
  void* on_progress_user;
  const HearthCancel* cancel;
} HearthConvertOptions;
HEARTH_API void hearth_convert_options_init(HearthConvertOptions* options);

typedef struct HearthConvertReport HearthConvertReport;
/* `out` may be NULL. */
HEARTH_API HearthCode hearth_convert_model(const char* input, const char* output, const HearthConvertOptions* options,
                                           HearthConvertReport** out, HearthError* error);
HEARTH_API HearthCode hearth_convert_adapter(const char* folder, const char* base, const char* output,
                                             const HearthConvertOptions* options, HearthConvertReport** out,
                                             HearthError* error);
HEARTH_API void hearth_convert_report_free(HearthConvertReport* report);
HEARTH_API const char* hearth_convert_report_architecture(const HearthConvertReport* report);
HEARTH_API int64_t hearth_convert_report_n_tensors(const HearthConvertReport* report);
HEARTH_API uint64_t hearth_convert_report_tensor_bytes(const HearthConvertReport* report);
HEARTH_API const char* hearth_convert_report_warnings(const HearthConvertReport* report, size_t i);

/* The i-th model type, yours; HEARTH_NOT_FOUND beyond the last. */
HEARTH_API HearthCode hearth_convertible_model_types(size_t i, char** out, HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
