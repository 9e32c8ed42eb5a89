#include "runtime/epoch.h"

#include <algorithm>
#include <cstring>

#include "runtime/shuffle.h"
#include "runtime/sizes.h"
#include "runtime/wall_clock.h"

namespace descent::runtime {

namespace {

/// The batches walk rows: every input must have the batch as its first axis.
void expect_rows(const ir::Interface& program) {
  const std::vector<std::string> symbols = program.dimensions();
  for (const ir::Input& input : program.inputs) {
    if (program.has_rows(input.shape)) continue;
    throw Error(
        "an epoch goes through the rows of every input, but '" + input.name + "' is " + ir::to_string(input.shape),
        "give it a first axis, " + (symbols.empty() ? "n" : symbols[0]) + ", or call step for every batch");
  }
  if (program.inputs.empty()) throw Error("an epoch goes through the rows of the inputs, but the model has none");
}

}  // namespace

Epoch::Epoch(Trainer& trainer, const Tensors& tensors, std::int64_t rows, std::int64_t batch)
    : trainer_(trainer.implementation()) {
  const ir::Interface& program = trainer_.model->interface;
  ir::DimensionValues sizes = sizes_of_call(program, tensors, rows, true);
  if (batch < 1) throw Error("the batch must have at least one row");
  batch_ = std::min(batch, rows);
  batches_ = (rows + batch_ - 1) / batch_;
  last_rows_ = rows - (batches_ - 1) * batch_;
  if (!trainer_.fitted) trainer.fit(tensors, rows);
  function_ = &trainer_.model->compiled("step").function("step");
  expect_rows(program);
  Trainer::Implementation::Place& place = trainer_.place;
  if (place.rows != rows || place.batch != batch_) place = {rows, batch_, 0, 0};
  sizes[program.dimensions()[0]] = batch_;
  addresses_ = &trainer_.workspace("step", sizes, true).addresses;
  order_ = shuffled_rows(static_cast<std::uint32_t>(rows), trainer_.state.seed, trainer_.epochs);
  const std::vector<const void*>& data = trainer_.given.read(program, trainer_.model->settings, tensors);
  dimensions_ = in_order(program, sizes);
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    const ir::Input& input = program.inputs[i];
    const auto buffer = static_cast<std::size_t>(function_->plan.buffer(input.name));
    const std::int64_t row_bytes = row_width(input, sizes) * ir::element_bytes(input.dtype);
    gathered_.push_back({buffer, static_cast<const std::byte*>(data[i]), row_bytes});
  }
  const auto loss = static_cast<std::size_t>(function_->plan.buffer("loss"));
  loss_ = addresses_->buffer(loss);
  loss_dtype_ = function_->plan.buffers[loss].dtype;
  step_ = share(sizes, batch_);
  last_ = share(sizes, last_rows_);
}

SharedFunction* Epoch::share(ir::DimensionValues sizes, std::int64_t rows) {
  sizes[trainer_.model->interface.dimensions()[0]] = rows;
  SharedFunction* step = trainer_.shared_function("step", sizes);
  if (step == nullptr) return nullptr;
  for (const Gathered& input : gathered_) step->set_buffer(input.buffer, addresses_->buffer(input.buffer));
  return step;
}

void Epoch::gather(std::int64_t index, int share, int shares) {
  const std::int64_t count = rows_of(index);
  const auto begin = static_cast<std::size_t>(count * share / shares);
  const auto end = static_cast<std::size_t>(count * (share + 1) / shares);
  const std::uint32_t* order = order_.data() + index * batch_;
  for (const Gathered& input : gathered_) {
    auto* to = static_cast<std::byte*>(addresses_->buffer(input.buffer));
    const std::byte* data = input.data;
    const auto bytes = static_cast<std::size_t>(input.row_bytes);
    if (bytes == sizeof(float)) {  // mostly a target: without a call for each
      for (std::size_t row = begin; row < end; ++row) {
        std::memcpy(to + sizeof(float) * row, data + sizeof(float) * order[row], sizeof(float));
      }
      continue;
    }
    for (std::size_t row = begin; row < end; ++row) {
      std::memcpy(to + bytes * row, data + bytes * order[row], bytes);
    }
  }
}

void Epoch::begin(std::int64_t index) {
  ++trainer_.state.step;
  trainer_.state.epoch =
      static_cast<double>(trainer_.epochs) + static_cast<double>(index) * (1 / static_cast<double>(batches_));
}

void Epoch::end(std::int64_t index) {
  trainer_.place.loss_sum += ir::element(loss_, loss_dtype_, 0) * static_cast<double>(rows_of(index));
}

void Epoch::run_alone(std::int64_t from, std::int64_t to) {
  for (std::int64_t index = from; index < to; ++index) {
    gather(index, 0, 1);
    begin(index);
    dimensions_[0] = rows_of(index);
    function_->run(addresses_->data(), dimensions_.data(), &trainer_.state);
    end(index);
  }
}

void Epoch::run_together(std::int64_t from, std::int64_t to) {
  trainer_.run_together([&](int member) {
    for (std::int64_t index = from; index < to; ++index) {
      gather(index, member, trainer_.threads);
      if (member == 0) begin(index);
      trainer_.team->barrier();
      (index + 1 < batches_ ? step_ : last_)->run(member, &trainer_.state);
      trainer_.team->barrier();
      if (member == 0) end(index);
    }
  });
}

void Epoch::run(std::int64_t count) {
  Trainer::Implementation::Place& place = trainer_.place;
  const std::int64_t stop = place.batches + std::min(count, batches_left());
  if (step_ == nullptr || last_ == nullptr) {  // for the last, smaller batch too
    run_alone(place.batches, stop);
    place.batches = stop;
  }
  while (place.batches < stop) {
    FasterWay& way = step_->way();
    const std::int64_t next = std::min(stop, place.batches + way.runs_left());
    const WallClock clock;
    if (way.together())
      run_together(place.batches, next);
    else
      run_alone(place.batches, next);
    way.ran(next - place.batches, clock.microseconds());
    place.batches = next;
  }
  if (batches_left() == 0) trainer_.state.epoch = static_cast<double>(trainer_.epochs + 1);
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
