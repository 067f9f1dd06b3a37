// hearth: the command-line tool. What it can do is listed in commands.cpp.
#include "options.h"

int main(int argc, char** argv) {
  return hearth_tool::parse_and_run(argc, argv);
}
