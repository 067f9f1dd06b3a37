// str() and repr() of every value.
#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"
#include "lib/jinja/number_format.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja {
namespace {

constexpr int kMaxPrintDepth = 400;

class Printer {
 public:
  Printer(Interpreter& in, Text& out, bool ascii) : in_(in), out_(out), ascii_(ascii) {}

  void repr(const Value& value, int depth) {
    if (depth > kMaxPrintDepth || !in_.has_stack()) {
      in_.fail("maximum recursion depth exceeded while printing", ErrorCode::kLimit);
      return;
    }
    if (in_.failed() || !in_.step() || !in_.room(out_.size())) return;
    switch (value.kind()) {
      case Kind::kString: {
        const String& text = value.as<String>();
        if (text.markup) mark("Markup(");
        quote(text.text);
        if (text.markup) mark(")");
        break;
      }
      case Kind::kList:
      case Kind::kTuple: sequence(value, depth); break;
      case Kind::kDict: dict(value.as<Dict>(), depth); break;
      case Kind::kDictView: view(value, depth); break;
      case Kind::kNamespace:
        mark("<Namespace ");
        repr(value.as<Namespace>().attributes, depth + 1);
        mark(">");
        break;
      case Kind::kUndefined: mark("Undefined"); break;
      default: mark(scalar(value)); break;
    }
  }

  // What needs no recursion and is the same for str() and repr().
  std::string scalar(const Value& value) {
    switch (value.kind()) {
      case Kind::kNone: return "None";
      case Kind::kBool: return value.as_bool() ? "True" : "False";
      case Kind::kInt: return std::to_string(value.as_int());
      case Kind::kBigInt: return value.as<BigNumber>().decimal();
      case Kind::kFloat: return float_repr(value.as_float());
      case Kind::kRange: {
        const Range& range = value.as<Range>();
        std::string text = concat("range(", range.start, ", ", range.stop);
        if (range.step != 1) concat_to(text, ", ", range.step);
        return text + ")";
      }
      case Kind::kMacro: {
        const Macro& macro = value.as<Macro>();
        return macro.is_anonymous() ? "<Macro anonymous>" : concat("<Macro '", macro.stmt.text, "'>");
      }
      case Kind::kLoop: {
        Loop& loop = value.as<Loop>();
        return concat("<LoopContext ", loop.index0 + 1, "/", loop.length(in_), ">");
      }
      case Kind::kFunction: return concat("<function ", value.as<NativeFunction>().name, ">");
      case Kind::kMethod: return concat("<built-in method ", value.as<Method>().entry.name, ">");
      case Kind::kBlockTable: return "<TemplateReference None>";
      default: return concat("<", Interpreter::type_name(value), " object>");
    }
  }

 private:
  void mark(std::string_view text) { out_.append(text, false); }

  void escape(uint32_t code, bool trusted) {
    if (code == '\n' || code == '\r' || code == '\t') {
      out_.append(code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t", trusted);
      return;
    }
    const int digits = code > 0xFFFF ? 8 : code > 0xFF ? 4 : 2;
    char text[10] = {'\\', digits == 8 ? 'U' : digits == 4 ? 'u' : 'x'};
    for (int i = 0; i < digits; ++i) text[2 + i] = "0123456789abcdef"[code >> (4 * (digits - 1 - i)) & 15];
    out_.append({text, static_cast<size_t>(digits) + 2}, trusted);
  }

  void quote(const Text& text) {
    const std::string_view bytes = text.bytes();
    if (!in_.step(1 + bytes.size() / 16)) return;
    const bool double_quotes = bytes.find('\'') != std::string_view::npos && bytes.find('"') == std::string_view::npos;
    const char q = double_quotes ? '"' : '\'';
    mark({&q, 1});
    size_t plain = 0;
    for (size_t pos = 0; pos < bytes.size();) {
      const unicode::Char c = unicode::decode(bytes, pos);
      const bool slash = c.code == '\\' || c.code == static_cast<uint32_t>(q);
      if (!slash && unicode::is_printable(c.code) && !(ascii_ && c.code > 0x7E)) {
        pos += c.size;
        continue;
      }
      out_.append(text, plain, pos - plain);
      if (slash) {
        const char escaped[] = {'\\', static_cast<char>(c.code)};
        out_.append({escaped, 2}, text.trusted_at(pos));
      } else {
        escape(c.code, text.trusted_at(pos));
      }
      pos += c.size;
      plain = pos;
    }
    out_.append(text, plain, bytes.size() - plain);
    mark({&q, 1});
  }

  void sequence(const Value& value, int depth) {
    const std::vector<Value>& items = value.as<Sequence>().items;
    const bool list = value.is(Kind::kList);
    mark(list ? "[" : "(");
    for (size_t i = 0; i < items.size() && !in_.failed(); ++i) {
      if (i != 0) mark(", ");
      const Value item = items[i];
      repr(item, depth + 1);
    }
    mark(list ? "]" : items.size() == 1 ? ",)" : ")");
  }

  void dict(const Dict& dict, int depth) {
    mark("{");
    for (size_t i = 0; i < dict.entries.size() && !in_.failed(); ++i) {
      if (i != 0) mark(", ");
      repr(dict.entries[i].key, depth + 1);
      mark(": ");
      repr(dict.entries[i].value, depth + 1);
    }
    mark("}");
  }

  void view(const Value& value, int depth) {
    const DictView& view = value.as<DictView>();
    mark(concat(Interpreter::type_name(value), "(["));
    const Dict* dict = view.get();
    for (size_t i = 0; dict && i < dict->entries.size() && !in_.failed(); ++i) {
      if (i != 0) mark(", ");
      const Dict::Entry& entry = dict->entries[i];
      if (view.what == DictView::What::kItems) mark("(");
      if (view.what != DictView::What::kValues) repr(entry.key, depth + 1);
      if (view.what == DictView::What::kItems) mark(", ");
      if (view.what != DictView::What::kKeys) repr(entry.value, depth + 1);
      if (view.what == DictView::What::kItems) mark(")");
    }
    mark("])");
  }

  Interpreter& in_;
  Text& out_;
  const bool ascii_;
};

}  // namespace

void Interpreter::print_repr(Text& out, const Value& value, bool ascii) {
  const Depth depth(*this);
  Printer(*this, out, ascii).repr(value, 0);
}

void Interpreter::print(Text& out, const Value& value) {
  switch (value.kind()) {
    case Kind::kString:
      if (step(1 + value.as<String>().text.size() / 32)) out.append(value.as<String>().text);
      break;
    case Kind::kUndefined: break;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kNamespace:
      printed_python_ = true;
      print_repr(out, value);
      break;
    // Numbers and constants cannot carry a marker of their own; a template may build one around them.
    default:
      printed_python_ = printed_python_ || value.is(Kind::kNone);
      out.append(Printer(*this, out, false).scalar(value), true);
      break;
  }
}

Text Interpreter::text_of(const Value& value) {
  Text out;
  print(out, value);
  return out;
}

Text escape_html(Interpreter& in, const Value& value) {
  if (value.is_string() && value.as<String>().markup) return value.as<String>().text;
  const Text text = in.text_of(value);
  const std::string_view bytes = text.bytes();
  Text out;
  size_t plain = 0;
  if (!in.step(1 + bytes.size() / 16) || !in.room(bytes.size() * 5)) return out;
  for (size_t pos = 0; pos < bytes.size(); ++pos) {
    std::string_view with;
    switch (bytes[pos]) {
      case '&': with = "&amp;"; break;
      case '<': with = "&lt;"; break;
      case '>': with = "&gt;"; break;
      case '"': with = "&#34;"; break;
      case '\'': with = "&#39;"; break;
      default: continue;
    }
    out.append(text, plain, pos - plain);
    out.append(with, text.trusted_at(pos));
    plain = pos + 1;
  }
  out.append(text, plain, bytes.size() - plain);
  return out;
}

}  // namespace hearth::jinja
