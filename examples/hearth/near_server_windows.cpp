// Sockets of Windows are not spoken yet.
#include "near_server.h"

namespace hearth_tool {

hearth::Result<std::string> get_from_server(const std::string&, const std::string&, const std::string&) {
  return hearth::Error{hearth::ErrorCode::kUnsupported, "on Windows this program cannot ask a server"};
}

}  // namespace hearth_tool
