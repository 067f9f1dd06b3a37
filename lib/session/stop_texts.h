// StopTexts: passes text on, except what may still become one of several stop texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class StopTexts {
 public:
  /// Empty texts are ignored.
  explicit StopTexts(std::vector<std::string> stops);

  /// Adds text; returns what can be passed on now. Once a stop text is found, that is the text before it, and found()
  /// is true. The view is valid until the next call.
  std::string_view push(std::string_view text);
  /// What was held back, which no longer can become a stop text.
  std::string_view flush();
  bool found() const { return found_; }

 private:
  size_t held_back() const;

  std::vector<std::string> stops_;
  std::string pending_;  ///< held back
  std::string out_;
  bool found_ = false;
};

}  // namespace hearth
