// A program of somebody else, which needs no model file.
#include <hearth/hearth.h>

#include <cstdio>
#include <string>

int main() {
  if (std::string(hearth::error_code_name(hearth::ErrorCode::kFormat)) != "format") return 1;
  std::printf("hearth %s\n", hearth::version());
  return 0;
}
