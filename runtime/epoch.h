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
  struct Gathered {
    std::size_t buffer;
    const std::byte* data;  ///< rows of so many bytes
    std::int64_t row_bytes;
  };
  std::int64_t rows_of(std::int64_t index) const { return index + 1 < batches_ ? batch_ : last_rows_; }
  /// The step for so many rows, on the rows that are gathered; null where one thread is surely faster.
  SharedFunction* share(ir::DimensionValues sizes, std::int64_t rows);
  /// One of several shares of the batch's rows, from all over the data into the input buffers.
  void gather(std::int64_t index, int share, int shares);
  /// Counts the step.
  void begin(std::int64_t index);
  /// Adds its loss.
  void end(std::int64_t index);
  void run_alone(std::int64_t from, std::int64_t to);
  void run_together(std::int64_t from, std::int64_t to);

  Trainer::Implementation& trainer_;
  std::int64_t batch_, batches_, last_rows_;
  const codegen::CompiledFunction* function_;
  const codegen::AddressTable* addresses_;
  std::vector<std::int64_t> dimensions_;  ///< the first one is the batch
  std::vector<std::uint32_t> order_;      ///< of the rows
  std::vector<Gathered> gathered_;        ///< the inputs
  const void* loss_;
  ir::DType loss_dtype_;
  SharedFunction *step_ = nullptr, *last_ = nullptr;
};

}  // namespace descent::runtime
