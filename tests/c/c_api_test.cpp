// The C interface as such: errors as values, structs of older versions, owners of handles, lists, null handles.
#include <cstring>

#include "c/c_world.h"

namespace hearth::testing {
namespace {

TEST_F(CInterfaceTest, ErrorsAreValuesWithMessages) {
  HearthModel* other = nullptr;
  EXPECT_EQ(hearth_model_open("no-such-file.gguf", nullptr, &other, &error_), HEARTH_NOT_FOUND);
  EXPECT_EQ(error_.code, HEARTH_NOT_FOUND);
  EXPECT_NE(std::strstr(error_.message, "no-such-file.gguf"), nullptr) << error_.message;
  EXPECT_EQ(other, nullptr);
  EXPECT_EQ(hearth_model_open("no-such-file.gguf", nullptr, &other, nullptr), HEARTH_NOT_FOUND);
  EXPECT_EQ(hearth_model_open(nullptr, nullptr, &other, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_STREQ(error_.message, "path is NULL");
  EXPECT_EQ(hearth_session_generate(nullptr, "x", HEARTH_NUL, nullptr, nullptr, nullptr, nullptr, &error_),
            HEARTH_INVALID_ARGUMENT);
  EXPECT_EQ(hearth_session_decode(session_, nullptr, 3, nullptr, &error_), HEARTH_INVALID_ARGUMENT);
  auto options = with_defaults(hearth_session_options_init);
  options.k_type = 77;
  HearthSession* session = nullptr;
  EXPECT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error_.message, "k_type has no value 77"), nullptr) << error_.message;
  options.size = 0;
  EXPECT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error_.message, "0 bytes"), nullptr) << error_.message;
  EXPECT_STREQ(hearth_error_code_name(HEARTH_CONTEXT_FULL), "context_full");
  EXPECT_STREQ(hearth_error_code_name(HEARTH_OK), "ok");
  EXPECT_STREQ(hearth_error_code_name(99), "unknown");
}

/// A program that was compiled when structs were shorter.
TEST_F(CInterfaceTest, StructsOfAnOlderVersionAreTaken) {
  HearthSessionOptions options{};
  std::memset(&options, 0x7f, sizeof options);
  options.size = offsetof(HearthSessionOptions, n_logits);
  hearth_session_options_init(&options);
  EXPECT_EQ(options.n_seqs, 1);
  EXPECT_EQ(options.n_logits, 0x7f7f7f7f) << "beyond the struct of the caller";
  options.n_ctx = 128;
  HearthSession* session = nullptr;
  ASSERT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_OK) << error_.message;
  HearthSessionOptions got{};
  got.size = sizeof got;
  hearth_session_options(session, &got);
  EXPECT_EQ(got.n_ctx, 128);
  EXPECT_EQ(got.size, sizeof got);
  hearth_session_free(session);
  HearthModelInfo info{};
  info.size = offsetof(HearthModelInfo, n_layers);
  info.n_layers = -7;
  hearth_model_info(model_, &info);
  EXPECT_STREQ(info.architecture, "llama");
  EXPECT_EQ(info.n_layers, -7);
}

TEST_F(CInterfaceTest, HandlesKeepTheirModelAlive) {
  hearth_model_free(model_);
  model_ = nullptr;
  HearthGeneration* made = nullptr;
  EXPECT_EQ(hearth_session_generate(session_, "Anna", HEARTH_NUL, nullptr, nullptr, nullptr, &made, &error_),
            HEARTH_OK);
  hearth_generation_free(made);
  HearthModelInfo info{};
  info.size = sizeof info;
  hearth_model_info(hearth_session_model(session_), &info);
  EXPECT_EQ(info.has_logits, true);
}

TEST_F(CInterfaceTest, RunsOnAPoolOfTheHosts) {
  static int n_tasks = 0;
  HearthThreadPool* pool = nullptr;
  const auto run = [](void*, int32_t n, HearthTask task, void* context) {
    for (int32_t i = 0; i < n; ++i) task(context, i);
    n_tasks += n;
  };
  ASSERT_EQ(hearth_thread_pool_create(2, run, nullptr, &pool, &error_), HEARTH_OK);
  auto options = with_defaults(hearth_session_options_init);
  options.pool = pool;
  options.n_ctx = 128;
  HearthSession* session = nullptr;
  ASSERT_EQ(hearth_session_create(model_, &options, &session, &error_), HEARTH_OK) << error_.message;
  EXPECT_EQ(hearth_session_generate(session, "Anna", HEARTH_NUL, nullptr, nullptr, nullptr, nullptr, &error_),
            HEARTH_OK);
  EXPECT_GT(n_tasks, 10);
  hearth_session_free(session);
  hearth_thread_pool_free(pool);
}

TEST(CInterfaceAlone, ListsWhatThereIs) {
  HearthIsaInfo isa{};
  isa.size = sizeof isa;
  ASSERT_TRUE(hearth_list_isas(0, &isa));
  EXPECT_STREQ(isa.name, "scalar");
  EXPECT_STREQ(hearth_version(), hearth::version());
  EXPECT_STREQ(hearth_kv_type_name(HEARTH_KV_TYPE_Q8_0), "q8_0");
  EXPECT_EQ(hearth_list_kv_types(1), HEARTH_KV_TYPE_F16);
  EXPECT_EQ(hearth_list_kv_types(99), -1);
  size_t n_types = 0;
  while (hearth_list_kv_types(n_types) >= 0) ++n_types;
  EXPECT_EQ(n_types, hearth::list_kv_types().size());
  char* name = nullptr;
  ASSERT_EQ(hearth_model_architectures(0, &name, nullptr), HEARTH_OK);
  EXPECT_EQ(Model::architectures()[0], name);
  hearth_free(name);
  EXPECT_EQ(hearth_model_architectures(9999, &name, nullptr), HEARTH_NOT_FOUND);
  EXPECT_NE(hearth_mix_names(0), nullptr);
  int32_t type = 0;
  EXPECT_EQ(hearth_parse_tensor_type("q4_k", &type, nullptr), HEARTH_OK);
  EXPECT_EQ(type, HEARTH_TENSOR_TYPE_Q4_K);
}

/// Null handles give nothing and harm nobody.
TEST(CInterfaceAlone, NullIsNoCrash) {
  hearth_model_free(nullptr);
  hearth_session_free(nullptr);
  hearth_free(nullptr);
  hearth_sampler_accept(nullptr, 1);
  EXPECT_EQ(hearth_tokenizer_n_vocab(nullptr), 0);
  EXPECT_EQ(hearth_session_logits(nullptr, 0, nullptr), nullptr);
  EXPECT_EQ(hearth_model_tokenizer(nullptr), nullptr);
  EXPECT_FALSE(hearth_ticket_next(nullptr, nullptr));
  EXPECT_EQ(hearth_gguf_file_find(nullptr, "x"), nullptr);
  HearthError error;
  EXPECT_EQ(hearth_grammar_matcher_accept(nullptr, 1, &error), HEARTH_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "matcher is NULL");
}

}  // namespace
}  // namespace hearth::testing
