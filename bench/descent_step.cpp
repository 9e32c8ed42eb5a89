// The training step as Descent compiles it, through the public interface.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "bench/training_step.h"
#include "runtime/model.h"  // only to set the parameters from which all contenders start

namespace descent::bench {
namespace {

void set_parameters(Trainer& trainer, std::span<const float> parameters) {
  Trainer::Implementation& self = trainer.implementation();
  std::size_t used = 0;
  for (std::size_t i = 0; i < self.variables.size(); ++i) {
    if (self.model->interface.variables[i].kind != ir::Variable::Kind::parameter) continue;
    runtime::Elements& values = self.variables[i];
    if (used + values.size() > parameters.size()) break;
    std::ranges::copy(std::as_bytes(parameters.subspan(used, values.size())), values.bytes.begin());
    used += values.size();
  }
  if (used != parameters.size()) throw std::logic_error("the rivals have other parameters than Descent's model");
}

class DescentStep : public TrainingStep {
 public:
  DescentStep(const Model& model, std::span<const float> parameters)
      : rows_(model.batch), trainer_(descent::Model::from_string(model.source, model.name)) {
    set_parameters(trainer_, parameters);
    const auto rows = static_cast<std::size_t>(rows_);
    sizes_ = {rows * static_cast<std::size_t>(model.widths.front()), rows};
  }

  float step(const float* x, const float* y) override {
    tensors_[0] = {x, sizes_[0]};
    tensors_[1] = {y, sizes_[1]};
    return static_cast<float>(trainer_.step(tensors_, rows_));
  }

 private:
  std::int64_t rows_;
  Trainer trainer_;
  Tensors tensors_{2};  ///< x and y of the step; kept, so that a step allocates nothing
  std::array<std::size_t, 2> sizes_;
};

}  // namespace

std::unique_ptr<TrainingStep> make_descent_step(const Model& model, std::span<const float> parameters) {
  return std::make_unique<DescentStep>(model, parameters);
}

}  // namespace descent::bench
