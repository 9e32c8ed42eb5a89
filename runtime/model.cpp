#include "runtime/model.h"

#include <chrono>

#include "frontend/frontend.h"
#include "passes/passes.h"
#include "runtime/file.h"

namespace descent {

namespace {
double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}
std::mutex cache_mutex;
std::shared_ptr<codegen::ObjectCache> current_cache;  // guarded by cache_mutex; null until first used
}  // namespace

std::shared_ptr<codegen::ObjectCache> object_cache() {
  const std::lock_guard lock(cache_mutex);
  if (!current_cache) current_cache = std::make_shared<codegen::ObjectCache>(codegen::default_cache_folder());
  return current_cache;
}

void set_cache_folder(const std::string& folder) {
  const std::lock_guard lock(cache_mutex);
  current_cache = std::make_shared<codegen::ObjectCache>(folder);
}

void Model::Implementation::divide_metrics() {
  const ir::Function* whole = program.find_function("metrics");
  const std::vector<std::string> symbols = program.dimensions();
  if (whole == nullptr) return;
  metrics = passes::divide_by_rows(*program.graph, *whole, symbols.empty() ? "" : symbols[0]);
  for (ir::Function& f : program.functions) {
    if (f.name != "evaluate") continue;
    for (const passes::RowPart& part : metrics.parts) f.results.push_back(part.value);
  }
}

Model Model::from_file(const std::string& path) { return from_string(runtime::read_file(path), path); }

Model Model::from_string(const std::string& text, const std::string& name) {
  const auto begin = std::chrono::steady_clock::now();
  auto implementation = std::make_shared<Implementation>();
  implementation->model = frontend::load_model(text, name);
  implementation->program = passes::run_pipeline(*implementation->model.program);
  implementation->divide_metrics();
  implementation->prepare_ms = milliseconds_since(begin);
  return Model(implementation);
}

std::vector<Model::Input> Model::inputs() const {
  std::vector<Input> result;
  for (const ir::Input& input : implementation_->program.inputs) {
    std::int64_t width = 1;
    for (std::size_t i = 1; i < input.shape.size(); ++i) {
      width *= input.shape[i].is_constant() ? input.shape[i].constant() : 0;
    }
    result.push_back({input.name, width, input.is_target});
  }
  return result;
}

std::vector<std::string> Model::outputs() const {
  std::vector<std::string> names;
  for (const ir::Binding& b : implementation_->program.function("predict").results) names.push_back(b.name);
  return names;
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const ir::Variable& v : implementation_->program.variables) {
    if (v.kind == ir::Variable::Kind::parameter) count += ir::element_count(v.shape).constant();
  }
  return count;
}

const codegen::CompiledProgram& Model::Implementation::compiled(const std::string& function) {
  const std::lock_guard lock(mutex_);
  auto& slot = compiled_[function];
  if (!slot) {
    const auto begin = std::chrono::steady_clock::now();
    slot = codegen::compile(program, {function}, object_cache().get());
    compiled_ms_ += milliseconds_since(begin);
  }
  return *slot;
}

void Model::Implementation::compile_together(const std::vector<std::string>& functions) {
  const std::lock_guard lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  const std::shared_ptr<const codegen::CompiledProgram> together =
      codegen::compile(program, functions, object_cache().get());
  for (const std::string& function : functions) compiled_[function] = together;
  compiled_ms_ += milliseconds_since(begin);
}

void Arena::reserve(std::int64_t bytes) {
  if (bytes <= size_ && base_ != nullptr) return;
  // Vectors are read whole: a cache line of slack keeps the last one inside.
  memory_.assign(static_cast<std::size_t>(bytes) + 192, 0);
  base_ = memory_.data() + (64 - reinterpret_cast<std::uintptr_t>(memory_.data()) % 64) % 64;
  size_ = bytes;
}

}  // namespace descent
