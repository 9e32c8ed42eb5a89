// The descent command. Exit status: 0 done; 1 the user's file or data is wrong, or a result cannot be written; 2 the
// command line is wrong; 70 a defect here; 128 and the number of the signal: interrupted.
#pragma once

namespace descent::cli {
int run(int argc, char** argv);
}
