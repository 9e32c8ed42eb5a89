#include "runtime/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/file.h"

namespace descent {

namespace runtime {

namespace {

const std::string kCategories = "categories.";  // in the metadata, before the name of the tensor
const std::string kLatest = "latest/";
const std::string kFigure = "stop.figure", kBest = "stop.best", kSince = "stop.epochs_since";
// Where in an epoch training stands.
const std::string kRows = "epoch.rows", kBatch = "epoch.batch", kBatches = "epoch.batches", kLossSum = "epoch.loss_sum";

void add_variables(TensorFile& file, const ir::Interface& program, const std::vector<Elements>& values,
                   const std::string& prefix) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const ir::Variable& v = program.variables[i];
    if (v.kind == ir::Variable::Kind::constant) continue;
    SavedTensor tensor{ir::evaluate(v.shape, {}), {}};
    if (v.dtype == ir::DType::f64) tensor.values = std::vector<double>();
    tensor.set_bytes(values[i].bytes);
    file.tensors.emplace_back(prefix + v.name, std::move(tensor));
  }
}

template <typename Number>
std::optional<Number> number(const TensorFile& file, const std::string& key) {
  Number value{};
  const auto at = file.metadata.find(key);
  if (at == file.metadata.end()) return std::nullopt;
  const std::string& text = at->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

TensorFile saved(const Trainer::Implementation& trainer, const std::vector<Elements>& variables) {
  TensorFile file;
  add_variables(file, trainer.model->interface, variables, "");
  file.metadata = {{"format", "descent"},
                   {"model", trainer.model->interface.name},
                   {"step", std::to_string(trainer.state.step)},
                   {"epochs", std::to_string(trainer.epochs)},
                   {"seed", std::to_string(trainer.state.seed)}};
  if (const auto& place = trainer.place; place.batches > 0) {
    file.metadata[kRows] = std::to_string(place.rows);
    file.metadata[kBatch] = std::to_string(place.batch);
    file.metadata[kBatches] = std::to_string(place.batches);
    file.metadata[kLossSum] = fmt::format("{}", place.loss_sum);
  }
  for (const auto& [name, categories] : trainer.categories) file.metadata[kCategories + name] = to_text(categories);
  return file;
}

void restore(Trainer::Implementation& trainer, const TensorFile& file, const std::string& path, bool resume) {
  const ir::Interface& program = trainer.model->interface;
  const auto fail = [&](const std::string& what) {
    throw file_error(path, "these weights are not of the model '" + program.name + "': " + what,
                     "use the weights that were saved by training this model file");
  };
  std::vector<const SavedTensor*> found;
  for (const ir::Variable& v : program.variables) {
    const SavedTensor* latest = resume ? file.find(kLatest + v.name) : nullptr;
    const SavedTensor* tensor = latest != nullptr ? latest : file.find(v.name);
    found.push_back(tensor);
    if (tensor == nullptr) {
      if (v.kind == ir::Variable::Kind::constant || (v.of_optimizer && !resume)) continue;
      fail("the tensor '" + v.name + "' is missing");
    }
    if (tensor->shape != ir::evaluate(v.shape, {})) {
      ir::Shape other;
      for (const std::int64_t n : tensor->shape) other.emplace_back(n);
      fail("the tensor '" + v.name + "' has the shape " + ir::to_string(other) + ", expected " +
           ir::to_string(v.shape));
    }
    if (tensor->dtype() != v.dtype) {
      fail("the tensor '" + v.name + "' is " + ir::to_string(tensor->dtype()) + ", expected " + ir::to_string(v.dtype));
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    // In place, as native code knows the address.
    if (found[i] != nullptr) std::ranges::copy(found[i]->bytes(), trainer.variables[i].bytes.begin());
  }
  trainer.fitted = true;
  trainer.categories.clear();
  for (const auto& [key, text] : file.metadata) {
    if (key.starts_with(kCategories)) trainer.categories[key.substr(kCategories.size())] = from_text(text, path);
  }
  if (!resume) return;
  const auto counter = [&](const std::string& key) {
    const auto value = number<std::int64_t>(file, key);
    if (!value) fail("the file does not say its " + key);
    return *value;
  };
  trainer.state.step = counter("step");
  trainer.epochs = static_cast<std::uint32_t>(counter("epochs"));
  trainer.state.epoch = trainer.epochs;
  trainer.state.seed = static_cast<std::uint32_t>(counter("seed"));
  trainer.place = {};
  if (file.metadata.contains(kBatches)) {
    const auto loss_sum = number<double>(file, kLossSum);
    trainer.place = {counter(kRows), counter(kBatch), counter(kBatches), loss_sum.value_or(0)};
  }
}

void add_stopping(TensorFile& file, const std::string& figure, const StoppingState& state) {
  file.metadata[kFigure] = figure;
  file.metadata[kBest] = fmt::format("{}", state.best);
  file.metadata[kSince] = std::to_string(state.epochs_since);
}

std::optional<StoppingState> stopping(const TensorFile& file, const std::string& figure) {
  const auto watched = file.metadata.find(kFigure);
  const auto best = number<double>(file, kBest);
  const auto since = number<int>(file, kSince);
  if (watched == file.metadata.end() || watched->second != figure || !best || !since) return std::nullopt;
  return StoppingState{*best, *since};
}

void add_latest(TensorFile& file, const Trainer::Implementation& trainer) {
  add_variables(file, trainer.model->interface, trainer.variables, kLatest);
}

}  // namespace runtime

void Trainer::save(const std::string& path) const {
  implementation_->need_fit("save");
  runtime::save_tensors(path, runtime::saved(*implementation_, implementation_->variables));
}

void Trainer::load(const std::string& path, bool resume) {
  runtime::restore(*implementation_, runtime::load_tensors(path), path, resume);
}

}  // namespace descent
