#include "runtime/model.h"

#include "codegen/prepare.h"
#include "passes/passes.h"
#include "runtime/file.h"
#include "runtime/known_model.h"
#include "runtime/wall_clock.h"

namespace descent {

namespace {

/// Adds the time that it lives to a sum.
class AddMilliseconds {
 public:
  explicit AddMilliseconds(double& sum) : sum_(sum) {}
  ~AddMilliseconds() { sum_ += clock_.microseconds() / 1000; }
  AddMilliseconds(const AddMilliseconds&) = delete;
  AddMilliseconds& operator=(const AddMilliseconds&) = delete;

 private:
  double& sum_;
  runtime::WallClock clock_;
};

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

Model Model::from_file(const std::string& path, std::int64_t batch) {
  return from_string(runtime::read_file(path), path, batch);
}

Model Model::from_string(const std::string& text, const std::string& name, std::int64_t batch) {
  return Model(std::make_shared<Implementation>(text, name, batch));
}

std::vector<Model::Input> Model::inputs() const {
  std::vector<Input> result;
  for (const ir::Input& input : implementation_->interface.inputs) {
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
  for (const ir::Interface::Result& b : implementation_->interface.results_of("predict")) names.push_back(b.name);
  return names;
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const ir::Variable& v : implementation_->interface.variables) {
    if (v.kind == ir::Variable::Kind::parameter) count += ir::element_count(v.shape).constant();
  }
  return count;
}

namespace {

/// The symbolic size that is the number of rows.
std::string rows_of(const ir::Program& program) {
  const std::vector<std::string> symbols = program.dimensions();
  return symbols.empty() ? "" : symbols[0];
}

/// The optimized program of a model, whose function `evaluate` also gives the parts of the metrics.
ir::Program optimized(const frontend::Model& lowered, passes::DividedFunction& metrics) {
  ir::Program program = passes::run_pipeline(*lowered.program);
  const ir::Function* whole = program.find_function("metrics");
  if (whole == nullptr) return program;
  metrics = passes::divide_by_rows(*program.graph, *whole, rows_of(program));
  for (ir::Function& f : program.functions) {
    if (f.name != "evaluate") continue;
    for (const passes::RowPart& part : metrics.parts) f.results.push_back(part.value);
  }
  return program;
}

}  // namespace

Model::Implementation::Implementation(const std::string& text, const std::string& name, std::int64_t batch)
    : cache_(object_cache()) {
  const AddMilliseconds timer(compile_ms_);
  source_.emplace(text, name);
  if (batch > 0) source_->set_batch(batch);
  settings = source_->settings();
  if (auto known = runtime::find_known(source_->text(), *cache_)) {
    interface = std::move(known->interface);
    metrics = std::move(known->metrics);
    rows_are_independent = known->rows_are_independent;
    metrics_graph_ = std::move(known->metrics_graph);
    initial_bytes_ = std::move(known->initial);
    digests_ = std::move(known->digests);
    settings.category_counts = std::move(known->category_counts);
    settings.index_counts = std::move(known->index_counts);
    return;
  }
  const std::future<void> loading = codegen::prepare_backend();
  const frontend::Model lowered = source_->lower();
  program_ = optimized(lowered, metrics);
  metrics_graph_ = program_->graph;
  rows_are_independent =
      passes::rows_are_independent(*program_->graph, program_->function("predict"), rows_of(*program_));
  interface = ir::interface_of(*program_);
  settings.category_counts = lowered.category_counts;
  settings.index_counts = lowered.index_counts;
  if (!cache_->is_open()) return;
  digests_ = codegen::digests_of(*program_);
  runtime::store_known(source_->text(),
                       {interface, runtime::initial_bytes(program_->function("initial")), metrics, metrics_graph_,
                        rows_are_independent, digests_, settings.category_counts, settings.index_counts},
                       *cache_);
}

std::size_t Model::Implementation::loss_count() const {
  return interface.results_of("evaluate").size() - interface.results_of("predict").size() - metrics.parts.size();
}

const ir::Function& Model::Implementation::initial() {
  const std::lock_guard lock(mutex_);
  if (program_) return program_->function("initial");
  if (!initial_) initial_ = runtime::read_initial(initial_bytes_);
  return initial_->function("initial");
}

const ir::Program& Model::Implementation::program() {
  const std::lock_guard lock(mutex_);
  passes::DividedFunction same;
  if (!program_) program_ = optimized(source_->lower(), same);
  return *program_;
}

std::shared_ptr<const codegen::CompiledProgram> Model::Implementation::compile(
    const std::vector<std::string>& functions) {
  const AddMilliseconds timer(compile_ms_);
  if (digests_.empty()) return codegen::compile(program(), functions);
  codegen::Digests wanted;
  for (const std::string& function : functions) wanted[function] = digests_.at(function);
  if (auto known = codegen::find_compiled(wanted, *cache_)) return known;
  return codegen::compile_and_store(program(), wanted, *cache_);
}

const codegen::CompiledProgram& Model::Implementation::compiled(const std::string& function) {
  const std::lock_guard lock(mutex_);
  auto& slot = compiled_[function];
  if (!slot) slot = compile({function});
  return *slot;
}

void Model::Implementation::compile_together(const std::vector<std::string>& functions) {
  const std::lock_guard lock(mutex_);
  const auto together = compile(functions);
  for (const std::string& function : functions) compiled_[function] = together;
}

void Arena::reserve(std::int64_t bytes) {
  const auto count = static_cast<std::size_t>(bytes);
  if (count > memory_.size() || memory_.empty()) memory_ = runtime::Bytes(count + 1);
}

}  // namespace descent
