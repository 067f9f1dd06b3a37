// hearth: the command-line tool. What it can do is listed in commands.cpp.
#include "console.h"
#include "options.h"

int main(int argc, char** argv) {
  hearth_tool::console::prepare();
  return hearth_tool::parse_and_run(argc, argv);
}
