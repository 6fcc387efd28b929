#include "cli/cli_main.h"

int main(int argc, char** argv) { return rowferry::cli_main(argc, argv); }
