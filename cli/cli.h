// The descent command. Exit status: 0 done; 1 the user's file or data is wrong; 2 the command line is wrong; 70 a
// defect here.
#pragma once

namespace descent::cli {
int run(int argc, char** argv);
}
