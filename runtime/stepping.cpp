// Steps and epochs of a trainer, on one thread or on several.
#include <algorithm>

#include "codegen/native/host.h"
#include "runtime/epoch.h"
#include "runtime/model.h"
#include "runtime/sizes.h"
#include "runtime/wall_clock.h"

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
  const runtime::WallClock clock;
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

double Trainer::epoch(const Tensors& tensors, std::int64_t rows, std::int64_t batch) {
  runtime::Epoch epoch(*this, tensors, rows, batch);
  epoch.run(epoch.batches_left());
  const double loss = epoch.loss();
  epoch.finish();
  return loss;
}

}  // namespace descent
