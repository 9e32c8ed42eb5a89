// Steps and epochs of a trainer, on one thread or on several.
#include <algorithm>
#include <chrono>

#include "codegen/native/host.h"
#include "runtime/model.h"
#include "runtime/shuffle.h"
#include "runtime/sizes.h"

namespace descent {

void Trainer::set_threads(int threads) {
  if (threads < 0) throw Error("the number of threads must not be negative", "0 stands for all processors");
  const int processors = codegen::host_processors();
  implementation_->set_members(threads == 0 ? processors : std::min(threads, processors));
}

void Trainer::Implementation::set_members(int count) {
  if (count == threads) return;
  threads = count;
  team.reset();
  prepared = {};
  shared.clear();
}

runtime::SharedFunction* Trainer::Implementation::shared_function(const std::string& name,
                                                                  const ir::DimensionValues& sizes) {
  if (threads == 1) return nullptr;
  std::vector<std::int64_t> dimensions = runtime::in_order(model->interface, sizes);
  auto key = std::pair(name, dimensions);
  auto at = shared.find(key);
  if (at == shared.end()) {
    runtime::SharedFunction made(model->compiled(name), name, sizes, std::move(dimensions),
                                 workspaces.at(name).addresses, threads, barrier_us);
    at = shared.emplace(std::move(key), std::move(made)).first;
  }
  return at->second.is_worth_it() ? &at->second : nullptr;
}

void Trainer::Implementation::run_together(const std::function<void(int)>& work) {
  if (team == nullptr) team = std::make_unique<runtime::Team>(threads);
  team->run(work);
}

namespace {

/// The time on the wall and not a thread's own, since members wait for each other and for processors.
class WallClock {
 public:
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

void Trainer::Implementation::run_faster(runtime::SharedFunction& function, codegen::RunState* with,
                                         const std::function<void()>& alone) {
  if (!apart.empty()) return function.run_apart(apart, with);
  runtime::FasterWay& way = function.way();
  const auto run = [&] {
    if (!way.together()) return alone();
    run_together([&](int member) { function.run(member, with); });
  };
  if (!way.is_timed()) {
    run();
    return way.ran(1, 0);
  }
  const WallClock clock;
  run();
  way.ran(1, clock.microseconds());
}

bool Trainer::Implementation::Step::fits(const Tensors& tensors, std::int64_t count) const {
  if (count != rows || tensors.size() != given.size()) return false;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (tensors[i].size() != given[i].length || tensors[i].type() != given[i].type) return false;
  }
  return true;
}

void Trainer::Implementation::prepare(const Tensors& tensors, std::int64_t rows) {
  const ir::DimensionValues sizes = runtime::sizes_of_call(model->interface, tensors, rows, true);
  need_fit("step");
  const codegen::CompiledFunction& function = model->compiled("step").function("step");
  const Workspace& w = workspace("step", sizes, true);
  Step step;
  step.as_they_are = true;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const ir::Input& input = model->interface.inputs[i];
    const auto buffer = static_cast<std::size_t>(function.plan.buffer(input.name));
    step.given.push_back({tensors[i].size(), tensors[i].type(), buffer});
    if (!runtime::fits_as_it_is(input, model->settings, tensors[i])) step.as_they_are = false;
  }
  step.addresses = w.addresses;
  step.dimensions = runtime::in_order(model->interface, sizes);
  step.run = function.run;
  const auto loss = static_cast<std::size_t>(function.plan.buffer("loss"));
  step.loss = w.addresses.buffer(loss);
  step.loss_dtype = function.plan.buffers[loss].dtype;
  step.rows = rows;
  step.shared = shared_function("step", sizes);
  prepared = std::move(step);
}

double Trainer::step(const Tensors& tensors, std::int64_t rows) {
  Implementation& self = *implementation_;
  Implementation::Step& step = self.prepared;
  if (!step.fits(tensors, rows)) self.prepare(tensors, rows);
  const std::vector<const void*>* read =
      step.as_they_are ? nullptr : &self.given.read(self.model->interface, self.model->settings, tensors);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    // Kernels only read inputs.
    auto* address = const_cast<void*>(read == nullptr ? tensors[i].data() : (*read)[i]);
    step.addresses.set(step.given[i].buffer, address);
    if (step.shared != nullptr) step.shared->set_buffer(step.given[i].buffer, address);
  }
  ++self.state.step;
  const auto run_alone = [&] { step.run(step.addresses.data(), step.dimensions.data(), &self.state); };
  if (step.shared != nullptr) {
    self.run_faster(*step.shared, &self.state, run_alone);
  } else {
    run_alone();
  }
  return ir::element(step.loss, step.loss_dtype, 0);
}

namespace {

/// The epoch on several threads, or on one where that is faster: what codegen/module.cpp writes for one, with the same
/// numbers.
class SharedEpoch {
 public:
  SharedEpoch(Trainer::Implementation& trainer, const codegen::EpochArguments& arguments,
              const ir::DimensionValues& sizes)
      : trainer_(trainer),
        program_(trainer.model->interface),
        function_(trainer.model->compiled("step").function("step")),
        arguments_(arguments),
        step_(share(sizes, arguments.batch)),
        last_(share(sizes, last_rows())) {}

  /// Whether several threads may be faster, for the last, smaller batch too.
  bool is_worth_it() const { return step_ != nullptr && last_ != nullptr; }

  /// Returns the sum over batches of loss * rows.
  double run() {
    const double first_epoch = trainer_.state.epoch;
    const double part = 1 / static_cast<double>(batches());
    const auto loss = static_cast<std::size_t>(function_.plan.buffer("loss"));
    double loss_sum = 0;
    const auto begin = [&](std::int64_t index) {
      ++trainer_.state.step;
      trainer_.state.epoch = first_epoch + static_cast<double>(index) * part;
    };
    const auto end = [&](std::int64_t index) {
      loss_sum += ir::element(arguments_.buffers[loss], function_.plan.buffers[loss].dtype, 0) *
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
    runtime::FasterWay& way = step_->way();
    for (std::int64_t index = 0, next = 0; index < batches(); index = next) {
      next = std::min(batches(), index + way.runs_left());
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
    trainer_.state.epoch = first_epoch + 1;
    return loss_sum;
  }

 private:
  std::int64_t batches() const { return (arguments_.rows + arguments_.batch - 1) / arguments_.batch; }
  std::int64_t rows_of(std::int64_t index) const { return index + 1 < batches() ? arguments_.batch : last_rows(); }
  std::int64_t last_rows() const { return arguments_.rows - (batches() - 1) * arguments_.batch; }

  /// The step for so many rows, on the rows that are gathered.
  runtime::SharedFunction* share(ir::DimensionValues sizes, std::int64_t rows) {
    sizes[program_.dimensions()[0]] = rows;
    runtime::SharedFunction* step = trainer_.shared_function("step", sizes);
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
  const codegen::EpochArguments& arguments_;
  runtime::SharedFunction *step_, *last_;
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

double Trainer::epoch(const Tensors& tensors, std::int64_t rows, std::int64_t batch) {
  Implementation& self = *implementation_;
  const ir::Interface& program = self.model->interface;
  ir::DimensionValues sizes = runtime::sizes_of_call(program, tensors, rows, true);
  if (batch < 1) throw Error("the batch must have at least one row");
  if (!self.fitted) fit(tensors, rows);
  const codegen::RunEpoch run = self.model->compiled("step").epoch();
  if (run == nullptr) fail_without_rows(program);
  batch = std::min(batch, rows);
  sizes[program.dimensions()[0]] = batch;
  auto& w = self.workspace("step", sizes, true);
  const auto order = runtime::shuffled_rows(static_cast<std::uint32_t>(rows), self.state.seed, self.epochs++);
  std::vector<const void*> data = self.given.read(self.model->interface, self.model->settings, tensors);
  std::vector<std::int64_t> dimensions = runtime::in_order(program, sizes), widths;
  for (const ir::Input& input : program.inputs) widths.push_back(runtime::row_width(input, sizes));
  codegen::EpochArguments arguments{w.addresses.buffers(),
                                    w.addresses.data(),
                                    dimensions.data(),
                                    &self.state,
                                    data.data(),
                                    widths.data(),
                                    order.data(),
                                    rows,
                                    batch,
                                    0};
  if (self.threads > 1) {
    SharedEpoch shared(self, arguments, sizes);
    if (shared.is_worth_it()) return shared.run() / static_cast<double>(rows);
  }
  run(&arguments);
  return arguments.loss_sum / static_cast<double>(rows);
}

}  // namespace descent
