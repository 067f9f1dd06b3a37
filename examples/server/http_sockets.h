// Sockets of the system: listening ones, and what their addresses say.
#pragma once

#include <sys/socket.h>

#include <string>

#include "hearth/result.h"

namespace hearth_server {

/// Sockets that listen, non-blocking, which the caller closes. Port 0: any that is free. kNotFound for a host without
/// an address, kInvalidArgument for a path that is too long, kIo for what the system refuses. A socket that lies at
/// `path` goes.
hearth::Result<int> listen_tcp(const std::string& host, int port);
hearth::Result<int> listen_unix(const std::string& path);

int port_of(int fd);
std::string address_text(const sockaddr_storage& address);
void set_nonblocking(int fd);
hearth::Error last_error(const std::string& what);  ///< kIo, with what errno says

}  // namespace hearth_server
