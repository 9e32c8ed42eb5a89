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

void add_variables(TensorFile& file, const Trainer::Implementation& trainer, const std::string& prefix) {
  const auto& variables = trainer.model->interface.variables;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].kind == ir::Variable::Kind::constant) continue;
    SavedTensor tensor{ir::evaluate(variables[i].shape, {}), {}};
    if (variables[i].dtype == ir::DType::f64) tensor.values = std::vector<double>();
    tensor.set_bytes(trainer.variables[i].bytes);
    file.tensors.emplace_back(prefix + variables[i].name, std::move(tensor));
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

TensorFile saved(const Trainer::Implementation& trainer) {
  TensorFile file;
  add_variables(file, trainer, "");
  file.metadata = {{"format", "descent"},
                   {"model", trainer.model->interface.name},
                   {"step", std::to_string(trainer.state.step)},
                   {"epochs", std::to_string(trainer.epochs)},
                   {"seed", std::to_string(trainer.state.seed)}};
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
  const auto counter = [&](const char* key) {
    const auto value = number<std::int64_t>(file, key);
    if (!value) fail(std::string("the file does not say its ") + key);
    return *value;
  };
  trainer.state.step = counter("step");
  trainer.epochs = static_cast<std::uint32_t>(counter("epochs"));
  trainer.state.epoch = trainer.epochs;
  trainer.state.seed = static_cast<std::uint32_t>(counter("seed"));
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

void add_latest(TensorFile& file, const Trainer::Implementation& trainer) { add_variables(file, trainer, kLatest); }

}  // namespace runtime

void Trainer::save(const std::string& path) const {
  implementation_->need_fit("save");
  runtime::save_tensors(path, runtime::saved(*implementation_));
}

void Trainer::load(const std::string& path, bool resume) {
  runtime::restore(*implementation_, runtime::load_tensors(path), path, resume);
}

}  // namespace descent
