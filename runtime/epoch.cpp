#include "runtime/epoch.h"

#include <algorithm>
#include <optional>

#include "runtime/shuffle.h"
#include "runtime/sizes.h"
#include "runtime/wall_clock.h"

namespace descent::runtime {

namespace {

/// Batches of the epoch on several threads, or on one where that is faster: what codegen/module.cpp writes for one,
/// with the same numbers.
class SharedEpoch {
 public:
  SharedEpoch(Trainer::Implementation& trainer, codegen::EpochArguments& arguments, const ir::DimensionValues& sizes)
      : trainer_(trainer),
        program_(trainer.model->interface),
        function_(trainer.model->compiled("step").function("step")),
        arguments_(arguments),
        step_(share(sizes, arguments.batch)),
        last_(share(sizes, last_rows())) {}

  /// Whether several threads may be faster, for the last, smaller batch too.
  bool is_worth_it() const { return step_ != nullptr && last_ != nullptr; }

  void run() {
    const double first_epoch = trainer_.state.epoch;
    const double part = 1 / static_cast<double>(batches());
    const auto loss = static_cast<std::size_t>(function_.plan.buffer("loss"));
    const auto begin = [&](std::int64_t index) {
      ++trainer_.state.step;
      trainer_.state.epoch = first_epoch + static_cast<double>(index) * part;
    };
    const auto end = [&](std::int64_t index) {
      arguments_.loss_sum += ir::element(arguments_.buffers[loss], function_.plan.buffers[loss].dtype, 0) *
                             static_cast<double>(rows_of(index));
    };
    const auto alone = [&](std::int64_t index) {
      gather(index, 0, 1);
      begin(index);
      arguments_.dimensions[0] = rows_of(index);
      function_.run(arguments_.addresses, arguments_.dimensions, &trainer_.state);
      end(index);
    };
    const auto together = [&](std::int64_t index, int member) {
      gather(index, member, trainer_.threads);
      if (member == 0) begin(index);
      trainer_.team->barrier();
      (index + 1 < batches() ? step_ : last_)->run(member, &trainer_.state);
      trainer_.team->barrier();
      if (member == 0) end(index);
    };
    FasterWay& way = step_->way();
    for (std::int64_t index = arguments_.begin, next = 0; index < arguments_.end; index = next) {
      next = std::min(arguments_.end, index + way.runs_left());
      const WallClock clock;
      if (way.together()) {
        trainer_.run_together([&](int member) {
          for (std::int64_t i = index; i < next; ++i) together(i, member);
        });
      } else {
        for (std::int64_t i = index; i < next; ++i) alone(i);
      }
      way.ran(next - index, clock.microseconds());
    }
  }

 private:
  std::int64_t batches() const { return (arguments_.rows + arguments_.batch - 1) / arguments_.batch; }
  std::int64_t rows_of(std::int64_t index) const { return index + 1 < batches() ? arguments_.batch : last_rows(); }
  std::int64_t last_rows() const { return arguments_.rows - (batches() - 1) * arguments_.batch; }

  /// The step for so many rows, on the rows that are gathered.
  SharedFunction* share(ir::DimensionValues sizes, std::int64_t rows) {
    sizes[program_.dimensions()[0]] = rows;
    SharedFunction* step = trainer_.shared_function("step", sizes);
    if (step == nullptr) return nullptr;
    for (const ir::Input& input : program_.inputs) {
      const auto buffer = static_cast<std::size_t>(function_.plan.buffer(input.name));
      step->set_buffer(buffer, arguments_.buffers[buffer]);
    }
    return step;
  }

  /// One of several shares of the batch's rows, from all over the data into the input buffers.
  void gather(std::int64_t index, int share, int shares) {
    const std::int64_t count = rows_of(index), begin = count * share / shares, end = count * (share + 1) / shares;
    for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
      const std::int64_t bytes = arguments_.widths[i] * ir::element_bytes(program_.inputs[i].dtype);
      auto* to = static_cast<std::byte*>(arguments_.buffers[function_.plan.buffer(program_.inputs[i].name)]);
      const auto* data = static_cast<const std::byte*>(arguments_.data[i]);
      for (std::int64_t row = begin; row < end; ++row) {
        const std::byte* from = data + arguments_.permutation[index * arguments_.batch + row] * bytes;
        std::copy(from, from + bytes, to + row * bytes);
      }
    }
  }

  Trainer::Implementation& trainer_;
  const ir::Interface& program_;
  const codegen::CompiledFunction& function_;
  codegen::EpochArguments& arguments_;
  SharedFunction *step_, *last_;
};

[[noreturn]] void fail_without_rows(const ir::Interface& program) {
  const std::vector<std::string> symbols = program.dimensions();
  for (const ir::Input& input : program.inputs) {
    if (program.has_rows(input.shape)) continue;
    throw Error(
        "an epoch goes through the rows of every input, but '" + input.name + "' is " + ir::to_string(input.shape),
        "give it a first axis, " + (symbols.empty() ? "n" : symbols[0]) + ", or call step for every batch");
  }
  throw Error("an epoch goes through the rows of the inputs, but the model has none");
}

}  // namespace

Epoch::Epoch(Trainer& trainer, const Tensors& tensors, std::int64_t rows, std::int64_t batch)
    : trainer_(trainer.implementation()) {
  const ir::Interface& program = trainer_.model->interface;
  sizes_ = sizes_of_call(program, tensors, rows, true);
  if (batch < 1) throw Error("the batch must have at least one row");
  if (!trainer_.fitted) trainer.fit(tensors, rows);
  run_ = trainer_.model->compiled("step").epoch();
  if (run_ == nullptr) fail_without_rows(program);
  batch = std::min(batch, rows);
  batches_ = (rows + batch - 1) / batch;
  Trainer::Implementation::Place& place = trainer_.place;
  if (place.rows != rows || place.batch != batch) place = {rows, batch, 0, 0};
  sizes_[program.dimensions()[0]] = batch;
  const auto& w = trainer_.workspace("step", sizes_, true);
  order_ = shuffled_rows(static_cast<std::uint32_t>(rows), trainer_.state.seed, trainer_.epochs);
  data_ = trainer_.given.read(program, trainer_.model->settings, tensors);
  dimensions_ = in_order(program, sizes_);
  for (const ir::Input& input : program.inputs) widths_.push_back(row_width(input, sizes_));
  arguments_ = {.buffers = w.addresses.buffers(),
                .addresses = w.addresses.data(),
                .dimensions = dimensions_.data(),
                .state = &trainer_.state,
                .data = data_.data(),
                .widths = widths_.data(),
                .permutation = order_.data(),
                .rows = rows,
                .batch = batch,
                .begin = 0,
                .end = 0,
                .loss_sum = 0};
}

void Epoch::run(std::int64_t count) {
  Trainer::Implementation::Place& place = trainer_.place;
  trainer_.state.epoch = trainer_.epochs;
  arguments_.begin = place.batches;
  arguments_.end = place.batches + std::min(count, batches_left());
  arguments_.loss_sum = place.loss_sum;
  std::optional<SharedEpoch> shared;
  if (trainer_.threads > 1) shared.emplace(trainer_, arguments_, sizes_);
  if (shared && shared->is_worth_it()) {
    shared->run();
  } else {
    run_(&arguments_);
  }
  place.batches = arguments_.end;
  place.loss_sum = arguments_.loss_sum;
  if (batches_left() == 0) trainer_.state.epoch = trainer_.epochs + 1;
}

double Epoch::loss() const {
  const Trainer::Implementation::Place& place = trainer_.place;
  return place.loss_sum / static_cast<double>(std::min(place.rows, place.batches * place.batch));
}

void Epoch::finish() {
  ++trainer_.epochs;
  trainer_.place = {};
}

}  // namespace descent::runtime
