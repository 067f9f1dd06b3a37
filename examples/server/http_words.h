// Words in the values of headers.
#pragma once

#include <string_view>

namespace hearth_server {

/// Without the spaces and tabs at both ends; a part of `text`.
std::string_view trim_blanks(std::string_view text);

}  // namespace hearth_server
