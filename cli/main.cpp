#include "cli/cli.h"

int main(int argc, char** argv) { return descent::cli::run(argc, argv); }
