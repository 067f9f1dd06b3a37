// Patterns from the documents that define the formats: RFC 3339 (dates and times), RFC 9562 (uuid), RFC 5321 (email),
// RFC 1123 (hostname), RFC 4291 (ipv6), RFC 3986 (uri), RFC 6901 (json-pointer).
#include "lib/grammar/formats.h"

#include <map>

#include "lib/base/mutex.h"
#include "lib/grammar/regex.h"

namespace hearth::grammar {
namespace {

#define HEARTH_DATE                                                                                                   \
  "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[" \
  "0-8]))"                                                                                                            \
  "|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
#define HEARTH_TIME "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
#define HEARTH_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
// At most 253 characters: three labels of any length, or ten of at most 24.
#define HEARTH_SHORT_LABEL "[A-Za-z0-9](?:[A-Za-z0-9-]{0,22}[A-Za-z0-9])?"
#define HEARTH_HOST \
  "(?:" HEARTH_LABEL "(?:\\." HEARTH_LABEL "){0,2}|" HEARTH_SHORT_LABEL "(?:\\." HEARTH_SHORT_LABEL "){0,9})"
#define HEARTH_ATOM "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#define HEARTH_BYTE "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define HEARTH_IPV4 HEARTH_BYTE "(?:\\." HEARTH_BYTE "){3}"
#define H16 "[0-9A-Fa-f]{1,4}"
#define LS32 "(?:" H16 ":" H16 "|" HEARTH_IPV4 ")"
#define HEARTH_IPV6                                                                                                \
  "(?:(?:" H16 ":){6}" LS32 "|::(?:" H16 ":){5}" LS32 "|(?:" H16 ")?::(?:" H16 ":){4}" LS32 "|(?:(?:" H16          \
  ":){0,1}" H16 ")?::(?:" H16 ":){3}" LS32 "|(?:(?:" H16 ":){0,2}" H16 ")?::(?:" H16 ":){2}" LS32 "|(?:(?:" H16    \
  ":){0,3}" H16 ")?::" H16 ":" LS32 "|(?:(?:" H16 ":){0,4}" H16 ")?::" LS32 "|(?:(?:" H16 ":){0,5}" H16 ")?::" H16 \
  "|(?:(?:" H16 ":){0,6}" H16 ")?::)"
#define PCHAR "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define HEARTH_PORT "(?::\\d*)?"
#define HEARTH_AUTHORITY                                                     \
  "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(?:\\[" HEARTH_IPV6 \
  "\\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)" HEARTH_PORT
#define HEARTH_TAIL "(?:\\?(?:" PCHAR "|[/?])*)?(?:#(?:" PCHAR "|[/?])*)?"
#define HEARTH_HIER \
  "(?://" HEARTH_AUTHORITY "(?:/" PCHAR "*)*|/(?:" PCHAR "+(?:/" PCHAR "*)*)?|" PCHAR "+(?:/" PCHAR "*)*)?"
#define SEGMENT_NC "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+"
#define HEARTH_RELATIVE \
  "(?://" HEARTH_AUTHORITY "(?:/" PCHAR "*)*|/(?:" PCHAR "+(?:/" PCHAR "*)*)?|" SEGMENT_NC "(?:/" PCHAR "*)*)?"
#define HEARTH_URI "[A-Za-z][A-Za-z0-9+.-]*:" HEARTH_HIER HEARTH_TAIL

struct Row {
  std::string_view name, pattern;
};
constexpr Row kPatterns[] = {
    {"date", HEARTH_DATE},
    {"time", HEARTH_TIME},
    {"date-time", HEARTH_DATE "[Tt]" HEARTH_TIME},
    {"duration",
     "P(?:\\d+W|(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)(?:T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|"
     "\\d+S))?"
     "|T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S))"},
    {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
    {"email", HEARTH_ATOM "(?:\\." HEARTH_ATOM ")*@" HEARTH_HOST},
    {"hostname", HEARTH_HOST},
    {"ipv4", HEARTH_IPV4},
    {"ipv6", HEARTH_IPV6},
    {"uri", HEARTH_URI},
    {"uri-reference", "(?:" HEARTH_URI "|" HEARTH_RELATIVE HEARTH_TAIL ")"},
    {"json-pointer", "(?:/(?:[^~/]|~[01])*)*"},
    {"relative-json-pointer", "(?:0|[1-9]\\d*)(?:#|(?:/(?:[^~/]|~[01])*)*)"},
};
constexpr std::string_view kRefusedFormats[] = {"idn-email",     "idn-hostname", "iri",
                                                "iri-reference", "uri-template", "regex"};

}  // namespace

Format find_format(std::string_view name) {
  for (const Row& row : kPatterns) {
    if (row.name == name) return {FormatKind::kPattern, row.pattern};
  }
  for (const std::string_view refused : kRefusedFormats) {
    if (refused == name) return {FormatKind::kRefused, {}};
  }
  return {};
}

const Dfa& format_dfa(std::string_view pattern) {
  static Mutex mutex;
  static std::map<std::string_view, Dfa> known;  // patterns are those of the table
  const MutexLock lock(mutex);
  const auto at = known.find(pattern);
  if (at != known.end()) return at->second;
  const Result<Regex> regex = parse_regex(pattern);
  std::optional<Dfa> dfa = regex ? automaton_of(*regex, true) : std::nullopt;
  return known.emplace(pattern, dfa ? std::move(*dfa) : of_texts({})).first->second;
}

}  // namespace hearth::grammar
