// Tokenizer: loading, encoding and the accessors.
#include "hearth/tokenizer.h"

#include <algorithm>

#include "lib/base/guard.h"
#include "lib/tokenizer/special_tokens.h"
#include "lib/tokenizer/tokenizer_impl.h"

namespace hearth {
namespace {

constexpr size_t kMaxText = size_t{1} << 31;

std::optional<Token> optional_id(Token id) {
  return id >= 0 ? std::optional<Token>(id) : std::nullopt;
}

/// Of a file without a vocabulary: ids can be computed with, text cannot.
class NoEncoder final : public TextEncoder {
 public:
  uint64_t memory_bytes() const override { return 0; }
  Status encode(std::string_view, bool, WordCache&, TokenSink&) const override {
    return Error{ErrorCode::kUnsupported, "tokenizer.ggml.model: the file has no vocabulary, so it takes no text"};
  }
};

Result<std::unique_ptr<TextEncoder>> make_encoder(const GgufFile& file, const Vocab& vocab) {
  switch (vocab.model) {
    case VocabModel::kSentencePiece: return make_sentence_piece_encoder(vocab);
    case VocabModel::kBytePair: return make_byte_pair_encoder(file, vocab);
    case VocabModel::kWordPiece: return make_word_piece_encoder(vocab);
    case VocabModel::kUnigram: return make_unigram_encoder(file, vocab);
    case VocabModel::kNone: return std::unique_ptr<TextEncoder>(new NoEncoder);
  }
  return Error{ErrorCode::kUnsupported, "tokenizer.ggml.model: unknown tokenizer"};
}

/// Tokens of `text` to `sink`, special tokens around them included.
Status encode_to(const Tokenizer::Impl& t, std::string_view text, const EncodeOptions& options, TokenSink& sink,
                 const std::span<const TextSpan>* spans = nullptr) {
  if (text.size() > kMaxText) return Error{ErrorCode::kLimit, "text: longer than 2 GiB"};
  const Vocab& v = t.vocab;
  const bool words = v.model == VocabModel::kWordPiece;  // always between its CLS and SEP
  const auto add = [&](bool wanted, SpecialId which) {
    if (options.add_special && wanted && v.special_id(which) >= 0) sink.push(v.special_id(which));
  };
  add(v.add_bos || words, SpecialId::kBos);
  std::vector<Fragment> fragments;
  const SpecialSplitter& splitter = options.parse_special || spans ? t.all_specials : t.user_defined;
  if (Status s = splitter.split(text, spans, fragments); !s) return s;
  WordCache cache(text.size());
  bool after_special = true;
  for (const Fragment& fragment : fragments) {
    if (fragment.id >= 0) {
      sink.push(fragment.id);
    } else {
      if (Status s = t.encoder->encode(fragment.text, after_special, cache, sink); !s) return s;
    }
    after_special = fragment.id >= 0;
  }
  add(words, SpecialId::kSep);
  add(v.add_eos && !words, SpecialId::kEos);
  return {};
}

}  // namespace

Result<Tokenizer> Tokenizer::from_gguf(const GgufFile& file) {
  return guard([&]() -> Result<Tokenizer> {
    auto impl = std::make_shared<Impl>(file);
    Result<Vocab> vocab = read_vocab(file);
    if (!vocab) return vocab.error();
    impl->vocab = std::move(*vocab);
    Result<std::unique_ptr<TextEncoder>> encoder = make_encoder(file, impl->vocab);
    if (!encoder) return encoder.error();
    impl->encoder = std::move(*encoder);
    Result<SpecialTokens> special = find_special_tokens(file, impl->vocab);
    if (!special) return special.error();
    impl->all_specials = SpecialSplitter(std::move(special->all));
    impl->user_defined = SpecialSplitter(std::move(special->user_defined));
    return Tokenizer(std::shared_ptr<const Impl>(std::move(impl)));
  });
}

Result<std::vector<Token>> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return guard([&]() -> Result<std::vector<Token>> {
    std::vector<Token> ids;
    TokenSink sink(&ids);
    if (Status s = encode_to(*impl_, text, options, sink); !s) return s.error();
    return ids;
  });
}

Result<std::vector<Token>> Tokenizer::encode(std::string_view text, const EncodeOptions& options,
                                             std::span<const TextSpan> special) const {
  return guard([&]() -> Result<std::vector<Token>> {
    std::vector<Token> ids;
    TokenSink sink(&ids);
    if (Status s = encode_to(*impl_, text, options, sink, &special); !s) return s.error();
    return ids;
  });
}

Result<size_t> Tokenizer::count(std::string_view text, const EncodeOptions& options) const {
  return guard([&]() -> Result<size_t> {
    TokenSink sink(nullptr);
    if (Status s = encode_to(*impl_, text, options, sink); !s) return s.error();
    return sink.size();
  });
}

std::string_view Tokenizer::piece(Token id) const {
  if (id < 0 || id >= n_vocab()) return {};
  return impl_->vocab.pieces[static_cast<size_t>(id)];
}

std::string_view Tokenizer::raw_token(Token id) const {
  if (id < 0 || id >= n_vocab()) return {};
  return impl_->vocab.raw[static_cast<size_t>(id)];
}

float Tokenizer::score(Token id) const {
  return id < 0 || id >= n_vocab() ? 0.0f : impl_->vocab.score(id);
}

TokenKind Tokenizer::kind(Token id) const {
  if (id < 0 || id >= n_vocab()) return TokenKind::kUnused;
  constexpr struct {
    uint8_t attribute;
    TokenKind kind;
  } kKinds[] = {{kAttrControl, TokenKind::kControl},
                {kAttrUnknown, TokenKind::kUnknown},
                {kAttrUserDefined, TokenKind::kUserDefined},
                {kAttrByte, TokenKind::kByte},
                {kAttrNormal, TokenKind::kNormal}};
  for (const auto& entry : kKinds) {
    if (impl_->vocab.has(id, entry.attribute)) return entry.kind;
  }
  return TokenKind::kUnused;
}

bool Tokenizer::is_control(Token id) const {
  return kind(id) == TokenKind::kControl;
}

bool Tokenizer::is_end(Token id) const {
  return std::binary_search(impl_->vocab.ends.begin(), impl_->vocab.ends.end(), id);
}

std::optional<Token> Tokenizer::find(std::string_view raw) const {
  return optional_id(impl_->vocab.by_raw.find(raw));
}

uint64_t Tokenizer::memory_bytes() const {
  return sizeof(Impl) + impl_->vocab.memory_bytes() + (impl_->encoder ? impl_->encoder->memory_bytes() : 0) +
         impl_->all_specials.memory_bytes() + impl_->user_defined.memory_bytes();
}

int32_t Tokenizer::n_vocab() const {
  return impl_->vocab.size();
}
std::optional<Token> Tokenizer::bos() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kBos));
}
std::optional<Token> Tokenizer::eos() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kEos));
}
std::optional<Token> Tokenizer::eot() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kEot));
}
std::optional<Token> Tokenizer::sep() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kSep));
}
std::optional<Token> Tokenizer::pad() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kPad));
}
std::optional<Token> Tokenizer::unk() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kUnk));
}
std::optional<Token> Tokenizer::mask() const {
  return optional_id(impl_->vocab.special_id(SpecialId::kMask));
}
bool Tokenizer::add_bos() const {
  return impl_->vocab.add_bos;
}
bool Tokenizer::add_eos() const {
  return impl_->vocab.add_eos;
}
std::string_view Tokenizer::warning() const {
  return impl_->vocab.warning;
}
std::string_view Tokenizer::model_name() const {
  return impl_->vocab.model_name;
}
std::string_view Tokenizer::pre_name() const {
  return impl_->vocab.pre_name;
}

}  // namespace hearth
