// One pass of training over shuffled batches, which may be made in pieces, in another process too: the order of the
// rows follows from the seed and the number of the epoch, random numbers from the step, and where the pass stands is
// kept in the trainer and its checkpoints.
#pragma once

#include "runtime/model.h"

namespace descent::runtime {

class Epoch {
 public:
  /// Goes on where the trainer stands in a pass over as many rows in such batches; with others, one begins. Fits the
  /// model to the rows where that has not been done.
  Epoch(Trainer& trainer, const Tensors& tensors, std::int64_t rows, std::int64_t batch);

  std::int64_t batches() const { return batches_; }
  std::int64_t batches_left() const { return batches_ - trainer_.place.batches; }
  /// Runs the next batches, no more than there are.
  void run(std::int64_t count);
  /// The mean loss of the steps so far, weighted by their rows.
  double loss() const;
  /// After the last batch: the trainer stands before the next epoch.
  void finish();

 private:
  Trainer::Implementation& trainer_;
  std::int64_t batches_;
  codegen::RunEpoch run_;
  ir::DimensionValues sizes_;
  std::vector<std::int64_t> dimensions_, widths_;
  std::vector<const void*> data_;
  std::vector<std::uint32_t> order_;
  codegen::EpochArguments arguments_{};
};

}  // namespace descent::runtime
