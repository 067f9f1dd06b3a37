/* GGUF files: views of metadata and tensors, and a writer. Twin of hearth/gguf.h. */
#ifndef HEARTH_C_GGUF_H
#define HEARTH_C_GGUF_H

#include "hearth/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* TensorType: the numbers of the file format. */
enum {
  HEARTH_TENSOR_TYPE_F32 = 0,
  HEARTH_TENSOR_TYPE_F16 = 1,
  HEARTH_TENSOR_TYPE_Q4_0 = 2,
  HEARTH_TENSOR_TYPE_Q4_1 = 3,
  HEARTH_TENSOR_TYPE_Q5_0 = 6,
  HEARTH_TENSOR_TYPE_Q5_1 = 7,
  HEARTH_TENSOR_TYPE_Q8_0 = 8,
  HEARTH_TENSOR_TYPE_Q8_1 = 9,
  HEARTH_TENSOR_TYPE_Q2_K = 10,
  HEARTH_TENSOR_TYPE_Q3_K = 11,
  HEARTH_TENSOR_TYPE_Q4_K = 12,
  HEARTH_TENSOR_TYPE_Q5_K = 13,
  HEARTH_TENSOR_TYPE_Q6_K = 14,
  HEARTH_TENSOR_TYPE_Q8_K = 15,
  HEARTH_TENSOR_TYPE_IQ2_XXS = 16,
  HEARTH_TENSOR_TYPE_IQ2_XS = 17,
  HEARTH_TENSOR_TYPE_IQ3_XXS = 18,
  HEARTH_TENSOR_TYPE_IQ1_S = 19,
  HEARTH_TENSOR_TYPE_IQ4_NL = 20,
  HEARTH_TENSOR_TYPE_IQ3_S = 21,
  HEARTH_TENSOR_TYPE_IQ2_S = 22,
  HEARTH_TENSOR_TYPE_IQ4_XS = 23,
  HEARTH_TENSOR_TYPE_I8 = 24,
  HEARTH_TENSOR_TYPE_I16 = 25,
  HEARTH_TENSOR_TYPE_I32 = 26,
  HEARTH_TENSOR_TYPE_I64 = 27,
  HEARTH_TENSOR_TYPE_F64 = 28,
  HEARTH_TENSOR_TYPE_IQ1_M = 29,
  HEARTH_TENSOR_TYPE_BF16 = 30,
  HEARTH_TENSOR_TYPE_TQ1_0 = 34,
  HEARTH_TENSOR_TYPE_TQ2_0 = 35,
  HEARTH_TENSOR_TYPE_MXFP4 = 39,
  HEARTH_TENSOR_TYPE_NVFP4 = 40,
  HEARTH_TENSOR_TYPE_Q1_0 = 41,
  HEARTH_TENSOR_TYPE_Q2_0 = 42
};

typedef struct HearthTensorTypeInfo {
  size_t size;
  const char* name;
  uint32_t block_size;
  uint32_t block_bytes;
} HearthTensorTypeInfo;
/* False when the number is not a type of the format. */
HEARTH_API bool hearth_tensor_type_info(int32_t type, HearthTensorTypeInfo* out);

/* GgufType: the numbers of the file format. */
enum {
  HEARTH_GGUF_TYPE_UINT8 = 0,
  HEARTH_GGUF_TYPE_INT8 = 1,
  HEARTH_GGUF_TYPE_UINT16 = 2,
  HEARTH_GGUF_TYPE_INT16 = 3,
  HEARTH_GGUF_TYPE_UINT32 = 4,
  HEARTH_GGUF_TYPE_INT32 = 5,
  HEARTH_GGUF_TYPE_FLOAT32 = 6,
  HEARTH_GGUF_TYPE_BOOL = 7,
  HEARTH_GGUF_TYPE_STRING = 8,
  HEARTH_GGUF_TYPE_ARRAY = 9,
  HEARTH_GGUF_TYPE_UINT64 = 10,
  HEARTH_GGUF_TYPE_INT64 = 11,
  HEARTH_GGUF_TYPE_FLOAT64 = 12
};
HEARTH_API const char* hearth_gguf_type_name(int32_t type);

/* A value of the metadata, owned by its file. */
typedef struct HearthGgufValue HearthGgufValue;
HEARTH_API int32_t hearth_gguf_value_type(const HearthGgufValue* value);
HEARTH_API uint64_t hearth_gguf_value_size(const HearthGgufValue* value);
HEARTH_API int32_t hearth_gguf_value_element_type(const HearthGgufValue* value);
HEARTH_API HearthCode hearth_gguf_value_as_int(const HearthGgufValue* value, int64_t* out, HearthError* error);
HEARTH_API HearthCode hearth_gguf_value_as_float(const HearthGgufValue* value, double* out, HearthError* error);
HEARTH_API HearthCode hearth_gguf_value_as_bool(const HearthGgufValue* value, bool* out, HearthError* error);
HEARTH_API HearthCode hearth_gguf_value_as_string(const HearthGgufValue* value, HearthText* out, HearthError* error);
/* Arrays: yours, of n elements; texts in them belong to the file. */
HEARTH_API HearthCode hearth_gguf_value_as_int_array(const HearthGgufValue* value, int64_t** out, size_t* n,
                                                     HearthError* error);
HEARTH_API HearthCode hearth_gguf_value_as_float_array(const HearthGgufValue* value, float** out, size_t* n,
                                                       HearthError* error);
HEARTH_API HearthCode hearth_gguf_value_as_string_array(const HearthGgufValue* value, HearthText** out, size_t* n,
                                                        HearthError* error);
/* Values of any kind: (*out)[i], which live until hearth_free(*out). */
HEARTH_API HearthCode hearth_gguf_value_as_array(const HearthGgufValue* value, const HearthGgufValue*** out, size_t* n,
                                                 HearthError* error);
HEARTH_API const void* hearth_gguf_value_bytes(const HearthGgufValue* value, size_t* n);

typedef struct HearthGgufEntry {
  size_t size;
  HearthText key;
  const HearthGgufValue* value;
} HearthGgufEntry;

typedef struct HearthGgufTensor {
  size_t size;
  HearthText name;
  int32_t type;
  uint32_t n_dims;
  int64_t dims[4];
  int64_t n_elements;
  uint64_t size_bytes;
  uint64_t file_offset;
  uint32_t shard;
  const void* data;
} HearthGgufTensor;

typedef struct HearthGgufOpenOptions {
  size_t size;
  bool use_mmap;
  bool metadata_only;
} HearthGgufOpenOptions;
HEARTH_API void hearth_gguf_open_options_init(HearthGgufOpenOptions* options);

typedef struct HearthGgufFile HearthGgufFile;
HEARTH_API HearthCode hearth_gguf_file_open(const char* path, const HearthGgufOpenOptions* options,
                                            HearthGgufFile** out, HearthError* error);
HEARTH_API HearthCode hearth_gguf_file_from_memory(const void* bytes, size_t n, const HearthGgufOpenOptions* options,
                                                   HearthGgufFile** out, HearthError* error);
HEARTH_API void hearth_gguf_file_free(HearthGgufFile* file);
HEARTH_API uint32_t hearth_gguf_file_version(const HearthGgufFile* file);
HEARTH_API uint64_t hearth_gguf_file_alignment(const HearthGgufFile* file);
HEARTH_API uint64_t hearth_gguf_file_file_bytes(const HearthGgufFile* file);
/* The i-th path; NULL beyond the last. */
HEARTH_API const char* hearth_gguf_file_shard_paths(const HearthGgufFile* file, size_t i);
HEARTH_API bool hearth_gguf_file_is_mapped(const HearthGgufFile* file);
/* The i-th entry, false beyond the last. */
HEARTH_API bool hearth_gguf_file_entries(const HearthGgufFile* file, size_t i, HearthGgufEntry* out);
/* NULL when the key is absent. */
HEARTH_API const HearthGgufValue* hearth_gguf_file_find(const HearthGgufFile* file, const char* key);
HEARTH_API HearthCode hearth_gguf_file_get_int(const HearthGgufFile* file, const char* key, int64_t* out,
                                               HearthError* error);
HEARTH_API HearthCode hearth_gguf_file_get_float(const HearthGgufFile* file, const char* key, double* out,
                                                 HearthError* error);
HEARTH_API HearthCode hearth_gguf_file_get_bool(const HearthGgufFile* file, const char* key, bool* out,
                                                HearthError* error);
HEARTH_API HearthCode hearth_gguf_file_get_string(const HearthGgufFile* file, const char* key, HearthText* out,
                                                  HearthError* error);
/* The i-th tensor, false beyond the last. */
HEARTH_API bool hearth_gguf_file_tensors(const HearthGgufFile* file, size_t i, HearthGgufTensor* out);
HEARTH_API bool hearth_gguf_file_tensor(const HearthGgufFile* file, const char* name, HearthGgufTensor* out);
/* False where the file tells none. */
HEARTH_API bool hearth_gguf_file_checksum(const HearthGgufFile* file, size_t i, uint64_t* out);
HEARTH_API HearthCode hearth_gguf_file_check_tensor(const HearthGgufFile* file, size_t i, HearthError* error);

/* Freed before hearth_gguf_writer_finish() it leaves no file. */
typedef struct HearthGgufWriter HearthGgufWriter;
HEARTH_API HearthCode hearth_gguf_writer_create(const char* path, uint32_t alignment, HearthGgufWriter** out,
                                                HearthError* error);
HEARTH_API void hearth_gguf_writer_free(HearthGgufWriter* writer);
HEARTH_API HearthCode hearth_gguf_writer_add_uint32(HearthGgufWriter* writer, const char* key, uint32_t value,
                                                    HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_uint64(HearthGgufWriter* writer, const char* key, uint64_t value,
                                                    HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_int32(HearthGgufWriter* writer, const char* key, int32_t value,
                                                   HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_float32(HearthGgufWriter* writer, const char* key, float value,
                                                     HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_bool(HearthGgufWriter* writer, const char* key, bool value,
                                                  HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_string(HearthGgufWriter* writer, const char* key, const char* text,
                                                    size_t text_size, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_string_array(HearthGgufWriter* writer, const char* key,
                                                          const HearthText* values, size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_int32_array(HearthGgufWriter* writer, const char* key,
                                                         const int32_t* values, size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_uint32_array(HearthGgufWriter* writer, const char* key,
                                                          const uint32_t* values, size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_uint64_array(HearthGgufWriter* writer, const char* key,
                                                          const uint64_t* values, size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_float32_array(HearthGgufWriter* writer, const char* key,
                                                           const float* values, size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_bool_array(HearthGgufWriter* writer, const char* key, const bool* values,
                                                        size_t n, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_value(HearthGgufWriter* writer, const char* key,
                                                   const HearthGgufValue* value, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_tensor(HearthGgufWriter* writer, const char* name, int32_t type,
                                                    const int64_t* dims, size_t n_dims, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_add_checksums(HearthGgufWriter* writer, HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_write_data(HearthGgufWriter* writer, const void* bytes, size_t n,
                                                    HearthError* error);
HEARTH_API HearthCode hearth_gguf_writer_finish(HearthGgufWriter* writer, HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
