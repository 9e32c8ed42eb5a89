// What stands behind the public classes Model and Trainer.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "codegen/compile.h"
#include "codegen/native/object_cache.h"
#include "descent/descent.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "ir/program.h"
#include "passes/by_rows.h"
#include "runtime/categories.h"
#include "runtime/given_tensors.h"
#include "runtime/memory.h"
#include "runtime/shared_function.h"
#include "runtime/team.h"

namespace descent {

/// The cache of compiled code that models use.
std::shared_ptr<codegen::ObjectCache> object_cache();

struct Model::Implementation {
  Implementation(const std::string& text, const std::string& name, std::int64_t batch);

  frontend::Model settings;  ///< without a program
  ir::Interface interface;   ///< `evaluate` also gives the parts of the metrics
  passes::DividedFunction metrics;
  bool rows_are_independent = false;  ///< of the outputs: they can be computed for some rows at a time

  /// Of the results of `evaluate`, which are losses: the first ones, the sum of all and those that have names.
  std::size_t loss_count() const;

  /// How the variables begin: the function `initial`.
  const ir::Function& initial();
  /// The optimized program; made when it is asked for, since code from the cache does not need it.
  const ir::Program& program();
  /// A function compiled on first use; `compile_ms` counts what that took.
  const codegen::CompiledProgram& compiled(const std::string& function);
  /// Compiles several functions at the same time; what they have in common is made once.
  void compile_together(const std::vector<std::string>& functions);
  double compile_ms() const { return compile_ms_; }

 private:
  std::shared_ptr<const codegen::CompiledProgram> compile(const std::vector<std::string>& functions);

  std::recursive_mutex mutex_;
  std::optional<frontend::ModelSource> source_;
  std::shared_ptr<codegen::ObjectCache> cache_;
  codegen::Digests digests_;  ///< of the functions, where they are known
  std::optional<ir::Program> program_;
  std::shared_ptr<ir::Graph> metrics_graph_;  ///< of what `metrics` has
  std::string initial_bytes_;                 ///< of a model from the cache
  std::optional<ir::Program> initial_;        ///< with that function alone
  std::map<std::string, std::shared_ptr<const codegen::CompiledProgram>> compiled_;
  double compile_ms_ = 0;
};

/// Memory aligned to cache lines.
class Arena {
 public:
  void reserve(std::int64_t bytes);  ///< at least so many; what it held is lost when it grows
  void* at(std::int64_t offset) { return memory_.data() + offset; }

 private:
  runtime::Bytes memory_;
};

struct Trainer::Implementation {
  std::shared_ptr<Model::Implementation> model;
  codegen::RunState state;
  bool fitted = false;
  runtime::GivenTensors given;               ///< of the call that is being made
  std::vector<runtime::Elements> variables;  ///< as Program::variables
  std::uint32_t epochs = 0;                  ///< finished
  /// Where in the present epoch training stands.
  struct Place {
    std::int64_t rows = 0, batch = 0;  ///< of the epoch; 0: none has begun
    std::int64_t batches = 0;          ///< done
    double loss_sum = 0;               ///< over those, of loss * rows of the batch
  };
  Place place;
  runtime::CategoriesByTensor categories;  ///< of the data it has been trained on

  /// Addresses for one function, for sizes up to `capacity`.
  struct Workspace {
    ir::DimensionValues capacity;
    std::int64_t planned_bytes = 0;  ///< of the arena: temporaries and results
    Arena arena;
    codegen::AddressTable addresses;
  };
  std::map<std::string, Workspace> workspaces;

  /// What steps on tensors of the same lengths and types have in common: checked and looked up once. Inputs are read
  /// where they are.
  struct Step {
    struct Given {
      std::size_t length;
      TensorView::Type type;
      std::size_t buffer;
    };
    std::int64_t rows = 0;     ///< 0: not prepared
    std::vector<Given> given;  ///< the tensors for which it is prepared
    bool as_they_are = false;  ///< nothing of them has to be converted or looked at
    codegen::AddressTable addresses;
    std::vector<std::int64_t> dimensions;
    codegen::RunFunction run = nullptr;
    const void* loss = nullptr;
    ir::DType loss_dtype = ir::DType::f32;
    runtime::SharedFunction* shared = nullptr;  ///< where several threads may be faster
    bool fits(const Tensors& tensors, std::int64_t count) const;
  };
  Step prepared;
  void prepare(const Tensors& tensors, std::int64_t rows);

  int threads = 1;              ///< at most
  void set_members(int count);  ///< threads, be there as many processors or not
  /// What a barrier is taken to cost, with reading what another processor has just written.
  double barrier_us = 0.4;
  std::unique_ptr<runtime::Team> team;  ///< from the first run on that is worth it
  std::map<std::pair<std::string, std::vector<std::int64_t>>, runtime::SharedFunction> shared;
  /// The function on several threads, for these sizes and the buffers of its workspace; null where one is surely
  /// faster.
  runtime::SharedFunction* shared_function(const std::string& name, const ir::DimensionValues& sizes);
  void run_together(const std::function<void(int member)>& work);
  /// The function on several threads, or by calling `alone`, whichever is faster.
  void run_faster(runtime::SharedFunction& function, codegen::RunState* with, const std::function<void()>& alone);
  std::vector<std::size_t> apart;  ///< for tests: the order for SharedFunction::run_apart; empty: no such run

  std::vector<Figure> metrics(std::map<std::string, ir::Tensor> gathered, std::int64_t rows,
                              const ir::DimensionValues& sizes) const;

  Workspace& workspace(const std::string& function, const ir::DimensionValues& sizes, bool copies_inputs);
  void need_fit(const char* what) const;
  /// Called before each part of the rows that an evaluation goes through; what it throws ends that.
  std::function<void()> before_part;
};

}  // namespace descent
