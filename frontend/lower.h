// Syntax tree to graph: names, types and shapes are resolved while the expressions are evaluated.
//
// Lowering is evaluation: a fn is evaluated where it is called, with nodes of the graph as values; numbers that are
// known stay numbers. A model is lowered twice, once for training and once for prediction, over the same graph.
#pragma once

#include <map>
#include <set>

#include "frontend/source.h"
#include "frontend/value.h"
#include "ir/program.h"

namespace descent::frontend {

/// A mistake that ends the statement being lowered; without a diagnostic if the mistake has been reported before.
struct Failure {
  std::vector<Diagnostic> diagnostics;
};

/// Where an operator and its operands stand.
struct Operands {
  Span whole, left, right;
};

/// An argument of a call: its name, empty for a positional one, and its value.
struct GivenArgument {
  std::string name;
  Value value;
  Span span;
};

struct ParameterName {
  std::string name;
  bool optional;
};

using Scope = std::map<std::string, Value>;

/// The expressions of the train block that say what a step changes; null where the block has none.
struct UpdateRules {
  const Expression* optimizer = nullptr;  ///< adam(lr = 0.01); adam if there is none
  const Expression* gradients = nullptr;  ///< of the list of all gradients: clip_by_norm(gradients, 1)
  const Expression* average = nullptr;    ///< of every parameter: ema(decay = 0.999)
};

class Lowering {
 public:
  Lowering(ir::Program& program, const std::vector<const File*>& files, std::vector<Diagnostic>& mistakes);

  /// Inputs, variables and the functions initial, step, evaluate and predict of the program.
  void lower_model(const Definition& model, const UpdateRules& rules);
  Value evaluate(const Expression& e, const Scope& scope);

  // What primitive functions (builtins.h) are made of.
  [[noreturn]] static void fail(const Span& span, const std::string& message, const std::string& hint = "");
  ir::Expr tensor(const Value& v, const Span& span);
  ir::Shape shape_argument(const Value& v, const Span& span);
  Value apply(ir::Op op, const Value& a, const Span& span);
  Value binary(const std::string& op, const Value& a, const Value& b, const Operands& at);
  ir::Shape common_shape(const ir::Shape& a, const ir::Shape& b, const Span& span);
  ir::Expr fit_to(ir::Expr e, const ir::Shape& shape, const Span& span);
  Value random_uniform(const ir::Shape& shape);

 private:
  // statements
  void lower_body(const Definition& model, bool training, ir::Function& losses, ir::Function& outputs);
  void declare_input(const Statement& s, Scope& scope);
  Value run_body(const Definition& d, Scope& scope);
  void declare_variable(const Statement& s, Scope& scope);
  const ir::Node* first_value(const Value& given, const ir::Shape& shape, const Span& span);
  void add_variable(const ir::Variable& variable, const ir::Node* first);
  const ir::Node* parameter(const ir::Variable& variable);
  ir::Shape shape_of(const std::vector<ExpressionPtr>& sizes, const Scope& scope);
  void bind_shape(const Parameter& p, const Value& value, const Span& span, Scope& scope);

  // what a step changes: updates.cpp
  struct Choice {  ///< of the train block: adam(lr = 0.01)
    const Definition* definition;
    std::vector<GivenArgument> arguments;
    Span span;
  };
  void lower_updates(const UpdateRules& rules, const ir::Node* loss, ir::Function& step);
  Choice choose(const Expression* setting, Definition::Kind kind, const std::string& fallback);
  std::vector<const ir::Node*> lower_gradients(const Expression* setting, const ir::Node* loss,
                                               const std::vector<ir::Variable>& parameters);
  Scope optimizer_scope(const Choice& optimizer);
  const ir::Node* update_parameter(const Choice& optimizer, const ir::Variable& v, const ir::Node* gradient,
                                   ir::Function& step);
  void update_average(const Choice& average, const ir::Variable& v, const ir::Node* value, ir::Function& step);
  static std::string average_name(const ir::Variable& v) { return v.name + ".average"; }

  // expressions
  Value name(const Expression& e, const Scope& scope);
  Value unary(const Expression& e, const Scope& scope);
  Value matrix_product(const Value& a, const Value& b, const Expression& e);
  Value choose(const Value& condition, const Value& a, const Value& b, const Expression& e);

  // calls
  Value call(const Expression& e, const Scope& scope);
  Value call_definition(const Definition& d, const std::vector<GivenArgument>& arguments, const Span& span);
  Value call_builtin(const Builtin& builtin, const std::vector<GivenArgument>& arguments, const Span& span);
  /// For each parameter the position of its argument, or -1. Reports what is unknown, given twice, too much or missing.
  static std::vector<int> bind_arguments(const std::string& callee, const std::vector<ParameterName>& parameters,
                                         const std::vector<GivenArgument>& arguments, const Span& span);

  const Definition* find_definition(const std::string& name) const;
  std::vector<std::string> known_names(const Scope& scope) const;

  ir::Program& program_;
  ir::Graph& graph_;
  std::vector<const File*> files_;
  std::vector<Diagnostic>& mistakes_;
  bool training_ = false;
  bool averaged_ = false;  // prediction reads running averages of the parameters
  int depth_ = 0;
  int random_streams_ = 0;
  std::string path_;                         // of the layer being lowered: "dense.0."
  std::map<std::string, int> layer_counts_;  // path + layer name → how many so far
  ir::Function initial_{"initial", {}, {}};
  std::vector<ir::Binding> state_updates_;
  std::set<std::string> declared_;  // variables seen in this lowering
};

}  // namespace descent::frontend
