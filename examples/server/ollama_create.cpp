// Ollama's protocol: models that clients make, of others and of files that they upload.
#include <algorithm>
#include <atomic>

#include "../store/blob_model.h"
#include "../store/modelfile.h"
#include "../store/upload.h"
#include "fields.h"
#include "ollama_work.h"

namespace hearth_server {
namespace {

constexpr int kMostUploads = 8;  ///< at once

/// One of the uploads that may come at once, as long as it lives.
class UploadSlot {
 public:
  UploadSlot() : is_free_(n_taken_.fetch_add(1) < kMostUploads) {}
  ~UploadSlot() { --n_taken_; }
  UploadSlot(const UploadSlot&) = delete;
  bool is_free() const { return is_free_; }

 private:
  static inline std::atomic<int> n_taken_{0};
  const bool is_free_;
};

/// A body on its way into the store. What goes wrong is kept for the answer.
class BlobSink final : public BodySink {
 public:
  BlobSink(Server& server, const HttpRequest& request, const std::string& tail) { begin(server, request, tail); }

  bool add(std::string_view bytes) override {
    if (error_) return false;
    if (is_there_) return true;  // nobody needs it, but the client wants to be rid of it
    if (const auto status = upload_->add(bytes); !status) fail(store_error(status.error()));
    return !error_;
  }

  /// The status of the answer.
  int finish() {
    if (error_) throw *error_;
    if (is_there_) return 200;
    if (const auto status = upload_->finish(); !status) throw store_error(status.error());
    return 201;
  }

 private:
  void begin(Server& server, const HttpRequest& request, const std::string& tail) {
    const auto hex = hearth_store::digest_hex(tail);
    if (!hex || !tail.starts_with("sha256:")) return fail(ApiError(400, "invalid digest format"));
    const hearth_store::Store& store = server.store().store();
    std::error_code error;
    is_there_ = hearth_store::fs::is_regular_file(store.blob_path(*hex), error);
    if (is_there_) return;
    if (!slot_.is_free()) return fail(ApiError(503, "too many files are being uploaded; please try again"));
    int64_t size = -1;
    if (const std::string* length = request.header("content-length")) size = std::atoll(length->c_str());
    auto upload = hearth_store::Upload::begin(store, *hex, size, server.options().limits.max_upload);
    if (!upload) return fail(store_error(upload.error()));
    upload_ = std::move(*upload);
  }
  void fail(ApiError error) { error_ = std::make_unique<ApiError>(std::move(error)); }

  UploadSlot slot_;
  bool is_there_ = false;
  std::unique_ptr<hearth_store::Upload> upload_;
  std::unique_ptr<ApiError> error_;
};

std::shared_ptr<BodySink> blob_sink(Server& server, const HttpRequest& request, const std::string& tail) {
  return std::make_shared<BlobSink>(server, request, tail);
}

HttpReply put_blob(Context& context) {
  HttpReply reply;
  if (auto* sink = dynamic_cast<BlobSink*>(context.request.sink.get())) {
    reply.status = sink->finish();
  } else {  // of a caller that has the body in memory
    BlobSink here(context.server, context.request, context.tail);
    here.add(context.request.body);
    reply.status = here.finish();
  }
  return reply;
}

HttpReply has_blob(Context& context) {
  const auto hex = hearth_store::digest_hex(context.tail);
  if (!hex || !context.tail.starts_with("sha256:")) throw ApiError(400, "invalid digest format");
  if (context.request.method != "HEAD") throw ApiError(405, "files of the store are not sent: HEAD tells of them");
  std::error_code error;
  const hearth_store::Store& store = context.server.store().store();
  if (!hearth_store::fs::is_regular_file(store.blob_path(*hex), error)) throw ApiError(404, "blob not found");
  return HttpReply();
}

/// {"name": "sha256:HEX", ...}
std::vector<hearth_store::NamedBlob> read_files(const Json& body, const char* key) {
  std::vector<hearth_store::NamedBlob> files;
  const Json* object = field(body, key);
  if (object == nullptr) return files;
  if (!object->is_object()) throw ApiError(400, std::string("'") + key + "' must be an object of names and digests");
  for (const auto& [name, digest] : object->items()) {
    const auto hex = digest.is_string() ? hearth_store::digest_hex(digest.get<std::string>()) : std::nullopt;
    if (!hex) throw ApiError(400, "invalid digest format");
    files.push_back({name, *hex});
  }
  return files;
}

/// What a request says of the new model besides its base; `adapters`: GGUF files.
hearth_store::Modelfile read_definition(const Json& body, const hearth_store::Store& store,
                                        const std::vector<hearth_store::NamedBlob>& adapters) {
  hearth_store::Modelfile definition;
  if (field(body, "system") != nullptr) definition.system = text_or(body, "system");
  if (field(body, "template") != nullptr) definition.template_text = text_or(body, "template");
  for (const std::string& license : texts_field(body, "license")) definition.licenses.push_back(license);
  if (const Json* parameters = field(body, "parameters")) {
    if (!parameters->is_object()) throw ApiError(400, "'parameters' must be an object");
    definition.parameters = *parameters;
  }
  if (const Json* messages = list_field(body, "messages")) {
    for (const hearth::ChatMessage& message : read_messages(*messages))
      definition.messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  for (const auto& adapter : adapters) definition.adapters.push_back(store.blob_path(adapter.digest).string());
  if (const auto status = check_definition(definition); !status) throw store_error(status.error());
  return definition;
}

/// Of another model, or of uploaded files, with what the request settles. The answer begins when all that can be
/// checked before has been.
HttpReply create(Context& context) {
  const Json body = parse_body(context.request.body);
  const auto name = read_model_name(model_name_in(body));
  const std::string from = text_or(body, "from"),
                    quantize = text_or(body, "quantize", text_or(body, "quantization").c_str());
  const auto files = read_files(body, "files");
  if (from.empty() && files.empty()) throw ApiError(400, "neither 'from' or 'files' was specified");
  const ModelStore& models = context.server.store();
  const hearth_store::Store& store = models.store();
  hearth_store::Entry base;
  if (!from.empty()) base = context.server.models().find(from, false);
  auto adapters = read_files(body, "adapters");
  if (const auto status = check_blobs(store, adapters); !status) throw store_error(status.error());
  std::vector<hearth_store::NamedBlob> peft;  // one folder, if it is one
  if (std::any_of(adapters.begin(), adapters.end(), [](auto& file) { return file.name.ends_with(".safetensors"); }))
    peft.swap(adapters);
  const auto definition = read_definition(body, store, adapters);
  if (const auto status = check_blobs(store, from.empty() ? files : decltype(files)(), quantize); !status)
    throw store_error(status.error());
  return work_reply(context, bool_or(body, "stream", true), [=, &models](const TellWork& tell) -> hearth::Status {
    hearth_store::Entry made = base;
    const auto step = [&](const std::string& what, uint64_t done, uint64_t total) {
      return tell(what, "", done, total);
    };
    if (base.path.empty() || !quantize.empty()) {
      auto manifest = base.path.empty() ? model_of_blobs(models.store(), files, quantize, step)
                                        : quantized_model(models.store(), base, quantize, step);
      if (!manifest) return manifest.error();
      made.manifest = std::move(*manifest);
    } else {
      tell("using existing layer", base.weights_digest.empty() ? "" : "sha256:" + base.weights_digest, 0, 0);
    }
    tell("writing manifest", "", 0, 0);
    const auto entry = peft.empty() ? create_model(models.store(), name, definition, made)
                                    : create_model_with(models.store(), name, definition, made, peft, step);
    models.forget_listing();
    return entry ? hearth::Status() : hearth::Status(entry.error());
  });
}

}  // namespace

std::span<const Route> ollama_create_routes() {
  static const Route kRoutes[] = {
      {"POST", "/api/create", create},
      {"GET", "/api/blobs/", has_blob},
      {"POST", "/api/blobs/", put_blob, blob_sink},
  };
  return kRoutes;
}

}  // namespace hearth_server
