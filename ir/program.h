// A program: the tensors a model knows and its functions, all over one graph.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "descent/error.h"
#include "ir/graph.h"

namespace descent::ir {

/// A tensor that the caller gives with every call. Its first axis is usually the batch.
struct Input {
  std::string name;
  Shape shape;
  bool is_target = false;  ///< needed by the loss, not by prediction
  DType dtype = DType::f32;
};

/// A tensor that lives as long as the trainer. Read by a leaf node of the same name: parameter or state.
struct Variable {
  std::string name;  ///< its path: dense.0.w
  Shape shape;
  enum class Kind {
    parameter,  ///< trained
    state,      ///< of a layer or an optimizer; changed by updates
    fitted,     ///< computed from the whole training data before the first step (the mean of a standardize layer)
    constant    ///< a table that follows from the text alone (passes/precompute.cpp)
  } kind = Kind::parameter;
  bool saved_with_weights() const { return !of_optimizer && kind != Kind::constant; }
  bool of_optimizer = false;  ///< needed to go on training, not to predict
  DType dtype = DType::f32;   ///< f32 or f64
};

/// The node that reads a variable.
const Node* leaf_of(Graph& graph, const Variable& variable);

/// What a program is made for: the tensors that it is given and those that it keeps.
struct Declarations {
  std::string name;
  std::vector<Input> inputs;
  std::vector<Variable> variables;
  bool predicts_from_targets = false;  ///< an output depends on one, so that prediction is given them too

  const Variable* find_variable(const std::string& name) const;
  const Input* find_input(const std::string& name) const;
  /// The symbolic dimensions of the inputs, in order of appearance: the order in which native code is given their
  /// values.
  std::vector<std::string> dimensions() const;
  /// Whether the first axis of a tensor is the batch: the first symbolic dimension.
  bool has_rows(const Shape& shape) const;
};

/// A result, or the new value of a variable.
struct Binding {
  std::string name;
  const Node* node;
};

/// How much memory what a function computes on the way may take, for inputs of these sizes.
struct MemoryLimit {
  std::int64_t bytes = 0;
  DimensionValues sizes;
  Diagnostic place = {};  ///< where the limit was set, for the mistake that it cannot be kept
};

/// A function of the inputs and variables. Updates take effect together after everything has been read.
struct Function {
  std::string name;
  std::vector<Binding> results;
  std::vector<Binding> updates;  ///< name of a variable, its new value
  std::optional<MemoryLimit> memory_limit = {};
  std::vector<const Node*> roots() const;
  void set_roots(const std::vector<const Node*>& nodes);  ///< others in their place, in the same order
};

/// The functions of a trainable model:
///   initial   updates: the variables' first values, in order; a fitted one may read the inputs (all training rows)
///   step      results: loss; updates: every parameter and state. One step of training.
///   evaluate  results: loss, the losses that have names, and the outputs by name, without what happens in training
///             alone (dropout)
///   predict   results: the outputs by name
///   metrics   results: the metrics by name, each one number, of all rows together
struct Program : Declarations {
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  std::vector<Function> functions;

  const Function& function(const std::string& name) const;  ///< throws descent::Error if there is none
  const Function* find_function(const std::string& name) const;
};

/// A program as its users see it, without graphs.
struct Interface : Declarations {
  struct Result {
    std::string name;
    Shape shape;
    DType dtype = DType::f32;
  };
  std::map<std::string, std::vector<Result>> results;  ///< of every function

  const std::vector<Result>& results_of(const std::string& function) const;  ///< throws descent::Error if there is none
};
Interface interface_of(const Program& program);

}  // namespace descent::ir
