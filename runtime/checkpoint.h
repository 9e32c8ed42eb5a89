// What a weights file holds of a trainer: its variables, its counters, and the categories of its data.
//
// Where early stopping keeps the weights of the best epoch, they are the file's. If training may go on after a later
// epoch, the weights of that one are there too, as "latest/NAME" (no name of the language has a '/'), and the metadata
// say how long the best has not been beaten: going on is the same as never having stopped.
//
// Training can stop between any two batches. The metadata then say how many of the epoch are done, of how many rows in
// which batches: the order of the rows and all random numbers follow from the seed, the epoch and the step.
#pragma once

#include <optional>
#include <string>

#include "runtime/model.h"
#include "runtime/safetensors.h"

namespace descent::runtime {

/// These values of the trainer's variables, with its counters.
TensorFile saved(const Trainer::Implementation& trainer, const std::vector<Elements>& variables);

/// Takes the variables of a file, which may lack the optimizer's; to go on with training, those of the latest epoch and
/// the counters. `path` is for messages.
void restore(Trainer::Implementation& trainer, const TensorFile& file, const std::string& path, bool resume);

/// How far early stopping is.
struct StoppingState {
  double best = 0;       ///< the figure
  int epochs_since = 0;  ///< in which it was not beaten
};

void add_stopping(TensorFile& file, const std::string& figure, const StoppingState& state);
/// Of a rule that watches this figure; nothing in files that do not say it.
std::optional<StoppingState> stopping(const TensorFile& file, const std::string& figure);

/// Adds the variables of a later epoch than those that are in the file.
void add_latest(TensorFile& file, const Trainer::Implementation& trainer);

}  // namespace descent::runtime
