// Ctrl-C and its like while a model is trained for a file of weights: training ends after the present steps, and what
// was learned is saved.
#pragma once

namespace descent::cli {

/// From now on the first of SIGINT, SIGTERM and SIGHUP is only noted, with a line on standard error; the second ends
/// the process at once, as each does otherwise. What is ignored, as under nohup, stays so. Writing to a pipe that
/// nobody reads is an error and not the end.
void defer_interruptions();

/// The number of the signal that was noted; 0 if there was none.
int pending_signal();

}  // namespace descent::cli
