// trc: a tracing language for Linux. Everything is in cli/.
#include "cli/cli.h"

int main(int argc, char** argv) { return trc::cli::main(argc, argv); }
