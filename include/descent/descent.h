// Descent in a C++ program: compile a model, train it and predict, without leaving the process.
//
//     descent::Model model = descent::Model::from_string("model m { ... }");
//     descent::Trainer trainer(model);
//     double loss = trainer.epoch({x, y}, rows, 32);
//
// Tensors are views of floats, doubles or 32-bit whole numbers in row-major order (descent/tensor.h), one for each
// input and target of the model in the order of the file. Their first axis is the batch. Every function throws
// descent::Error where the caller's file, data or call is wrong.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "descent/error.h"
#include "descent/tensor.h"

namespace descent {

/// Where compiled code is kept, to be used again by the next process that needs the same: by default descent/ in
/// $XDG_CACHE_HOME or ~/.cache, or what $DESCENT_CACHE says (`off`: nowhere). Empty: nowhere. Models made before keep
/// what they have.
void set_cache_folder(const std::string& folder);

/// A compiled model: immutable, and shared by any number of trainers and threads.
class Model {
 public:
  /// `batch` is the most rows that a step will be given, for a train block that limits its memory; 0: the batch that
  /// stands there.
  static Model from_file(const std::string& path, std::int64_t batch = 0);
  static Model from_string(const std::string& text, const std::string& name = "<string>", std::int64_t batch = 0);

  struct Input {
    std::string name;
    std::int64_t width;  ///< numbers in one row; 0 where that depends on a symbolic size other than the batch
    bool is_target;
  };
  std::vector<Input> inputs() const;
  std::vector<std::string> outputs() const;
  std::int64_t parameter_count() const;

  struct Implementation;
  const std::shared_ptr<Implementation>& implementation() const { return implementation_; }

 private:
  explicit Model(std::shared_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
  std::shared_ptr<Implementation> implementation_;
};

/// Parameters, optimizer state and everything that changes while a model is trained. Not to be used by two threads at
/// once.
class Trainer {
 public:
  explicit Trainer(const Model& model, std::uint64_t seed = 0);
  ~Trainer();
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;

  /// The most threads that steps, epochs and predictions use; 1 at first, 0: one for each processor that the process
  /// may use (its affinity, its container's quota), which are never more. Whether they are faster than one is measured
  /// as steps go by; the numbers that come out are bitwise the same for any number.
  void set_threads(int threads);

  /// Computes what the model fits to the whole training data (the mean of a standardize layer). `epoch` does it by
  /// itself the first time. `tensors` may lack the targets.
  void fit(const Tensors& tensors, std::int64_t rows);
  /// One step of the optimizer on one batch; returns the loss before the step.
  double step(const Tensors& tensors, std::int64_t rows);
  /// One pass over shuffled batches, or the rest of the one in which the weights were saved from which training goes
  /// on; returns the mean loss of its steps, weighted by their rows.
  double epoch(const Tensors& tensors, std::int64_t rows, std::int64_t batch);
  /// The loss without what happens in training alone; also the first output if `output` is given.
  double evaluate(const Tensors& tensors, std::int64_t rows, std::vector<float>* output = nullptr);
  /// A number that says how good the model is on data.
  struct Figure {
    std::string name;
    double value;
  };
  /// The loss ("loss"), then every loss that has a name of its own, then the metrics: all in the order of the file. A
  /// metric is what its expression gives for all rows together. Also the first output if `output` is given.
  std::vector<Figure> measure(const Tensors& tensors, std::int64_t rows, std::vector<float>* output = nullptr);
  /// The first output, row-major: for every row its numbers, as floats whatever the output is (predict_all gives them
  /// as they are). Targets may be left out, unless an output depends on one.
  std::vector<float> predict(const Tensors& inputs, std::int64_t rows);
  /// All outputs, in the order of the file.
  struct Output {
    std::string name;
    // Row-major; one of them has the numbers.
    std::vector<float> values;        ///< of an output of f32 or bool
    std::vector<double> doubles;      ///< of f64
    std::vector<std::int32_t> whole;  ///< of int
    TensorView view() const;          ///< of the one that has them
  };
  std::vector<Output> predict_all(const Tensors& inputs, std::int64_t rows);

  std::int64_t steps() const;
  /// Writes parameters, states and the optimizer's state as a safetensors file.
  void save(const std::string& path) const;
  /// Reads what `save` wrote; the optimizer's state may be missing unless `resume` is set. With it, training goes on at
  /// the latest epoch (of early stopping the file has the best one too), with its counters.
  void load(const std::string& path, bool resume = false);

  struct Implementation;
  Implementation& implementation() { return *implementation_; }

 private:
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace descent
