// strftime for strftime_now: the directives of C and glibc in the C locale, at UTC, of a date without a zone.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"

namespace hearth::jinja {
namespace {

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

struct Date {
  int64_t year, month, day, hour, minute, second, weekday,
      yearday;  // month from 1, weekday from Sunday, yearday from 0
};

bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Days to a civil date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
Date date_of(int64_t seconds) {
  int64_t days = seconds / 86400, rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  const int64_t shifted = days + 719468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_index = (5 * day_of_year + 2) / 153;
  Date date{};
  date.day = day_of_year - (153 * month_index + 2) / 5 + 1;
  date.month = month_index < 10 ? month_index + 3 : month_index - 9;
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  date.hour = rest / 3600;
  date.minute = rest / 60 % 60;
  date.second = rest % 60;
  date.weekday = ((days + 4) % 7 + 7) % 7;
  static constexpr int64_t kBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  date.yearday = kBefore[date.month - 1] + date.day - 1 + (date.month > 2 && is_leap(date.year) ? 1 : 0);
  return date;
}

// Week and year of ISO 8601.
void iso_week(const Date& date, int64_t& year, int64_t& week) {
  const int64_t weekday = (date.weekday + 6) % 7;  // from Monday
  week = (date.yearday - weekday + 10) / 7;
  year = date.year;
  const auto weeks_in = [](int64_t y) {
    const auto p = [](int64_t z) { return (z + z / 4 - z / 100 + z / 400) % 7; };
    return p(y) == 4 || p(y - 1) == 3 ? 53 : 52;
  };
  if (week < 1) {
    --year;
    week = weeks_in(year);
  } else if (week > weeks_in(year)) {
    week = 1;
    ++year;
  }
}

std::string number(int64_t value, int width, char fill, char flag) {
  if (flag == '-') return std::to_string(value);
  if (flag == '_') fill = ' ';
  if (flag == '0') fill = '0';
  std::string digits = std::to_string(value);
  while (static_cast<int>(digits.size()) < width) digits.insert(digits.begin(), fill);
  return digits;
}

std::string directive(char c, const Date& d, int64_t seconds, char flag) {
  const auto two = [&](int64_t value) { return number(value, 2, '0', flag); };
  const int64_t hour12 = d.hour % 12 == 0 ? 12 : d.hour % 12;
  int64_t iso_year = 0, week = 0;
  switch (c) {
    case 'a': return std::string(kDays[d.weekday].substr(0, 3));
    case 'A': return std::string(kDays[d.weekday]);
    case 'b':
    case 'h': return std::string(kMonths[d.month - 1].substr(0, 3));
    case 'B': return std::string(kMonths[d.month - 1]);
    case 'c': return format_time("%a %b %e %H:%M:%S %Y", seconds);
    case 'C': return two(d.year / 100);
    case 'd': return two(d.day);
    case 'D':
    case 'x': return format_time("%m/%d/%y", seconds);
    case 'e': return number(d.day, 2, ' ', flag);
    case 'f': return "000000";
    case 'F': return format_time("%Y-%m-%d", seconds);
    case 'G': iso_week(d, iso_year, week); return std::to_string(iso_year);
    case 'g': iso_week(d, iso_year, week); return two(iso_year % 100);
    case 'H': return two(d.hour);
    case 'I': return two(hour12);
    case 'j': return number(d.yearday + 1, 3, '0', flag);
    case 'k': return number(d.hour, 2, ' ', flag);
    case 'l': return number(hour12, 2, ' ', flag);
    case 'm': return two(d.month);
    case 'M': return two(d.minute);
    case 'n': return "\n";
    case 'p': return d.hour < 12 ? "AM" : "PM";
    case 'P': return d.hour < 12 ? "am" : "pm";
    case 'r': return format_time("%I:%M:%S %p", seconds);
    case 'R': return format_time("%H:%M", seconds);
    case 's': return std::to_string(seconds);
    case 'S': return two(d.second);
    case 't': return "\t";
    case 'T':
    case 'X': return format_time("%H:%M:%S", seconds);
    case 'u': return std::to_string(d.weekday == 0 ? 7 : d.weekday);
    case 'U': return two((d.yearday + 7 - d.weekday) / 7);
    case 'V': iso_week(d, iso_year, week); return two(week);
    case 'w': return std::to_string(d.weekday);
    case 'W': return two((d.yearday + 7 - (d.weekday + 6) % 7) / 7);
    case 'y': return two(d.year % 100);
    case 'Y': return number(d.year, flag == '-' ? 0 : 1, '0', flag);
    case 'z':
    case 'Z': return "";
    case '%': return "%";
    default: return concat("%", c);
  }
}

}  // namespace

std::string format_time(std::string_view format, int64_t seconds) {
  // Years 1 to 9999, as Python's datetime has them.
  constexpr int64_t kFirst = -62135596800, kLast = 253402300799;
  seconds = seconds < kFirst ? kFirst : seconds > kLast ? kLast : seconds;
  const Date date = date_of(seconds);
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    char flag = '\0';
    size_t at = i + 1;
    while (at + 1 < format.size() && std::string_view("-_0^#").find(format[at]) != std::string_view::npos)
      flag = format[at++];
    std::string text = directive(format[at], date, seconds, flag);
    if (flag == '^') {
      for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    out += text;
    i = at;
  }
  return out;
}

}  // namespace hearth::jinja
