// Errors, memory, cancelling and thread pools of the C interface.
#include "lib/base/concat.h"
#include "lib/c/call.h"

namespace hearth::c {

static_assert(HEARTH_INVALID_ARGUMENT == static_cast<int>(ErrorCode::kInvalidArgument) + 1);
static_assert(HEARTH_NOT_FOUND == static_cast<int>(ErrorCode::kNotFound) + 1);
static_assert(HEARTH_IO == static_cast<int>(ErrorCode::kIo) + 1);
static_assert(HEARTH_FORMAT == static_cast<int>(ErrorCode::kFormat) + 1);
static_assert(HEARTH_UNSUPPORTED == static_cast<int>(ErrorCode::kUnsupported) + 1);
static_assert(HEARTH_OUT_OF_MEMORY == static_cast<int>(ErrorCode::kOutOfMemory) + 1);
static_assert(HEARTH_CONTEXT_FULL == static_cast<int>(ErrorCode::kContextFull) + 1);
static_assert(HEARTH_CANCELLED == static_cast<int>(ErrorCode::kCancelled) + 1);
static_assert(HEARTH_LIMIT == static_cast<int>(ErrorCode::kLimit) + 1);

HearthCode report(const Status& status, HearthError* error) {
  const HearthCode code = status.ok() ? HEARTH_OK : static_cast<HearthCode>(status.error().code) + 1;
  if (error == nullptr) return code;
  error->code = code;
  size_t n = 0;
  if (!status.ok()) {
    const std::string& message = status.error().message;
    n = message.size() < sizeof(error->message) ? message.size() : sizeof(error->message) - 1;
    std::memcpy(error->message, message.data(), n);
  }
  error->message[n] = '\0';
  return code;
}

HearthCode call_body(HearthError* error, Body body) {
  return report(guard([&] { return body.run(body.object); }), error);
}

Status needs(std::initializer_list<Argument> all) {
  for (const Argument& one : all) {
    if (one.pointer == nullptr) return Error{ErrorCode::kInvalidArgument, concat(one.name, " is NULL")};
  }
  return {};
}

}  // namespace hearth::c

using namespace hearth::c;

extern "C" {

const char* hearth_error_code_name(HearthCode code) {
  if (code == HEARTH_OK) return "ok";
  if (code < 0 || code > HEARTH_LIMIT) return "unknown";
  return hearth::error_code_name(static_cast<hearth::ErrorCode>(code - 1));
}

const char* hearth_version(void) {
  return hearth::version();
}

void hearth_free(void* memory) {
  ::operator delete(memory);
}

HearthCode hearth_cancel_create(HearthCancel** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    *out = new HearthCancel();
    return {};
  });
}
void hearth_cancel_set(HearthCancel* cancel, bool cancelled) {
  if (cancel != nullptr) cancel->cancelled.store(cancelled);
}
void hearth_cancel_free(HearthCancel* cancel) {
  delete cancel;
}

int32_t hearth_default_thread_count(void) {
  return hearth::default_thread_count();
}

HearthCode hearth_thread_pool_create(int32_t n_threads, HearthRunTasks run, void* user, HearthThreadPool** out,
                                     HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}, {reinterpret_cast<void*>(run), "run"}}); !s) return s;
    auto pool = std::make_unique<HearthThreadPool>();
    pool->pool.n_threads = n_threads;
    pool->pool.run = [run, user](int n, const std::function<void(int)>& task) {
      using Task = const std::function<void(int)>;
      run(
          user, n, [](void* context, int32_t i) { (*static_cast<Task*>(context))(i); },
          const_cast<void*>(static_cast<const void*>(&task)));
    };
    *out = pool.release();
    return {};
  });
}
void hearth_thread_pool_free(HearthThreadPool* pool) {
  delete pool;
}

}  // extern "C"
