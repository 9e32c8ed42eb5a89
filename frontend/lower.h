// Syntax tree to graph: names, types and shapes are resolved while the expressions are evaluated.
//
// Lowering is evaluation: a fn is evaluated where it is called, with nodes of the graph as values; numbers that are
// known stay numbers, and loops are unrolled. A model is lowered twice, once for training and once for prediction, over
// the same graph.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "frontend/scope.h"
#include "frontend/source.h"
#include "frontend/value.h"
#include "ir/program.h"

namespace descent::frontend {

/// Ends the statement or operand being lowered; without a diagnostic if the mistake has been reported before.
struct Failure {
  std::optional<Diagnostic> diagnostic;
};

/// Ends the lowering: calls or loops that are too deep or too many.
struct Exhausted {
  Diagnostic diagnostic;
};

/// Where an operator and its operands stand.
struct Operands {
  Span whole, left, right;
};

/// A few words of the source, to be repeated in a hint; "..." where it is longer.
std::string quoted_source(const Span& span);

struct ParameterName {
  std::string name;
  bool optional;
};

/// An expression of the train block that applies to the parameters it names: group("*.b", weight_decay = 0).
struct UpdateGroup {
  std::vector<std::pair<std::string, Span>> patterns;
  const Expression* optimizer = nullptr;  ///< instead of the block's
  std::vector<const Argument*> settings;  ///< instead of the optimizer's
  bool is_frozen = false;
  Span span;
};

/// The expressions of the train block that say what a step changes; null where the block has none.
struct UpdateRules {
  const Expression* optimizer = nullptr;  ///< adam(lr = 0.01); adam if there is none
  const Expression* gradients = nullptr;  ///< of the list of all gradients: clip_by_norm(gradients, 1)
  const Expression* average = nullptr;    ///< of every parameter: ema(decay = 0.999)
  std::vector<UpdateGroup> groups;        ///< a parameter belongs to the first that names it
  int accumulate = 1;                     ///< steps whose gradients are one for the optimizer
  /// Of parameters of one shape and group only the first is updated: enough to find every mistake.
  bool one_of_each = false;
};

class Lowering {
 public:
  /// `recursive` are definitions that must not be evaluated; what calls them is no further mistake.
  Lowering(ir::Program& program, const File& file, const File* prelude, std::set<const Definition*> recursive,
           std::vector<Diagnostic>& mistakes);

  /// Inputs, variables and the functions initial, step, evaluate, predict and metrics of the program.
  void lower_model(const Definition& model, const UpdateRules& rules);
  /// The inputs that were declared as a category, and the number of theirs.
  const std::map<std::string, std::int64_t>& category_counts() const { return category_counts_; }
  /// The inputs whose numbers name a category or the row of a table, and how many there are.
  const std::map<std::string, std::int64_t>& index_counts() const { return index_counts_; }
  /// The value of an expression in which `inputs` are the scalar inputs of the program.
  Value lower_expression(const Expression& e, const std::vector<std::string>& inputs);

  /// The value of an expression; a mistake in it is reported, and the value is broken.
  Value evaluate(const Expression& e, Scope& scope);

  // What primitive functions (builtins.h) are made of.
  [[noreturn]] void fail(const Span& span, const std::string& message, const std::string& hint = "",
                         std::vector<Note> notes = {}) const;
  ir::Expr tensor(const Value& v, const Span& span);
  ir::Shape shape_argument(const Value& v, const Span& span);
  Value apply(ir::Op op, const Value& a, const Span& span);
  Value binary(const std::string& op, const Value& a, const Value& b, const Operands& at);
  Value matrix_product(const Value& a, const Value& b, const Operands& at);
  Value choose(const Value& condition, const Value& a, const Value& b, const Span& condition_span, const Operands& at);
  // number_types.cpp
  /// Both as numbers of one type.
  void unify_numbers(ir::Expr& x, ir::Expr& y, bool whole_possible, const Operands& at);
  void unify_types(ir::Expr& x, ir::Expr& y, const Operands& at);      ///< real ones; others are left alone
  void unify_numbers(std::vector<ir::Expr>& items, const Span& span);  ///< of a list that becomes one tensor
  /// The same as numbers of this type; nothing if it has another type of its own.
  std::optional<ir::Expr> adapted(ir::Expr e, ir::DType dtype);
  ir::Expr as_type(ir::Expr e, ir::DType dtype, const Span& span);
  ir::Shape common_shape(ir::Expr a, ir::Expr b, const Operands& at);
  ir::Expr fit_to(ir::Expr e, const ir::Shape& shape, const Span& span);
  Value random_uniform(const ir::Shape& shape);
  /// Calls a fn, layer or primitive function with positional arguments.
  Value apply_function(const Value& callee, const std::vector<Value>& arguments, const Span& span);
  /// `indices` name one of so many rows: where they are an input, the numbers given for it must be below that.
  void note_indices(const ir::Node* indices, std::int64_t rows, const Span& span);
  ir::Graph& graph() { return graph_; }

 private:
  /// The layer (or model, or optimizer of one parameter) whose body is being evaluated.
  struct Instance {
    std::string path;                             // of its parameters: "dense.0."
    std::unordered_map<std::string, int> counts;  // of the layers in it, by name
    const ir::Variable* optimized = nullptr;      // the parameter that an optimizer makes a new value of
    const ir::Node* first_value = nullptr;        // and its first value
    ir::DType dtype = ir::DType::f32;             // of its variables, where nothing else is said
    bool has_other_type = false;                  // than when it was applied first, which has been reported
  };
  struct Call {
    const Definition* definition;
    Span span;
  };
  class Depth;

  // number_types.cpp
  bool has_type(ir::Expr e);
  bool has_no_type(const ir::Node* root);
  /// A side of an operation, and where it stands, or words for that.
  struct Typed {
    ir::Expr value;
    Span span;
    std::string words = {};
  };
  [[noreturn]] void fail_of_two_types(const Span& span, const Typed& x, const Typed& y);
  ir::DType type_of_layer(const std::vector<GivenArgument>& arguments);

  // mistakes
  void report(const Failure& failure);
  void add_mistake(const Diagnostic& d);
  Diagnostic located(const Span& span, const std::string& message, const std::string& hint,
                     std::vector<Note> notes) const;

  // models and statements
  /// Where the losses, outputs and metrics of a model's body go.
  struct Results {
    ir::Function *losses, *outputs, *metrics;
  };
  void lower_body(const Definition& model, const Results& results);
  void sum_losses(std::vector<ir::Binding>& losses);
  void check_results(const Definition& model);
  void run(const std::vector<Statement>& statements, Scope& scope);
  void run(const Statement& s, Scope& scope);
  void run_loop(const Statement& s, Scope& scope);
  Binding& declare(const Statement& s, Value value, Scope& scope);
  void declare_input(const Statement& s, Scope& scope);
  void declare_output(const Statement& s, Scope& scope);
  void add_loss(const Statement& s, Scope& scope);
  void add_metric(const Statement& s, Scope& scope);
  ir::Expr one_number(const Statement& s, const Value& value, const char* what, Scope& scope);
  void assign(const Statement& s, Scope& scope);
  void name_layers(const Value& v, const std::string& name);
  std::string layer_path(const std::string& name);

  // variables
  void declare_variable(const Statement& s, Scope& scope);
  void update_state(const Statement& s, Scope& scope);
  const ir::Node* first_value(const Value& given, const ir::Type& type, const Span& span);
  void add_variable(const ir::Variable& variable, const ir::Node* first);
  const ir::Node* parameter(const ir::Variable& variable);
  const ir::Node* current_state(const ir::Variable& variable);

  // shapes
  ir::Shape shape_of(const std::vector<ExpressionPtr>& sizes, Scope& scope);
  void check_number(const Parameter& p, const Value& value, const Span& span) const;
  void bind_shape(const Parameter& p, const Value& value, const Span& span, Scope& scope);
  void check_type(const Statement& s, const Value& value, Scope& scope);
  void check_result(const Definition& layer, Scope& scope);
  ir::DType dtype_of(const TypeAnnotation& type) const;
  ir::Dimension size_pattern(const Expression& e, Scope& scope, std::vector<std::string>& unknown);
  std::vector<Note> origins(const std::vector<ExpressionPtr>& sizes, Scope& scope) const;

  // what a step changes: updates.cpp
  void lower_updates(const UpdateRules& rules, const ir::Node* loss, ir::Function& step);
  std::vector<const ir::Node*> lower_gradients(const UpdateRules& rules, const ir::Node* loss,
                                               const std::vector<ir::Variable>& parameters);
  std::vector<Value> all_optimizers(const UpdateRules& rules);
  Value optimizer_value(const Expression* e);
  Value group_optimizer(const UpdateGroup& group, const Value& general);
  const ir::Node* update_parameter(const Value& optimizer, const ir::Variable& v, const ir::Node* gradient,
                                   const Span& chosen_at);
  std::vector<Value> accumulate(int rounds, const std::vector<ir::Variable>& parameters,
                                const std::vector<Value>& gradients);
  void wait_to_act(std::vector<ir::Binding>& updates, std::size_t from);
  void update_average(const Expression& setting, const ir::Variable& v, const ir::Node* value);
  static std::string average_name(const ir::Variable& v) { return v.name + ".average"; }

  // expressions
  Value evaluate_any(const Expression& e, Scope& scope);
  Value combine(const Expression& e, const Value& left, Scope& scope);
  Value name(const Expression& e, Scope& scope);
  Value unary(const Expression& e, Scope& scope);
  Value conditional(const Expression& e, Scope& scope);
  Value index(const Expression& e, Scope& scope);
  Value index_list(const Expression& e, const Value& list, Scope& scope);
  int slice_step(const Subscript& s, Scope& scope);
  ir::Expr tensor_of_list(const Value& v, const Span& span);
  Value range(const Value& first, const Value& end, const Operands& at);
  Value parameters(bool weights_only);

  // calls
  Value call(const Expression& e, const Value* piped, Scope& scope);
  [[noreturn]] void fail_to_call(const Expression& e, const Value& callee, Scope& scope) const;
  Value call_value(const Value& callee, std::vector<GivenArgument> arguments, bool is_application, const Span& span);
  Value call_layer(const Value& callee, std::vector<GivenArgument> arguments, bool is_application, const Span& span);
  Value bind_layer(const Value& callee, const std::vector<GivenArgument>& arguments, const Span& span);
  Value call_definition(const Value& callee, const std::vector<GivenArgument>& arguments, const Span& span,
                        Instance* instance);
  Value call_builtin(const Builtin& builtin, const std::vector<GivenArgument>& arguments, const Span& span);
  Scope& bind_parameters(const Definition& d, Scope* environment, const std::vector<GivenArgument>& arguments,
                         const Span& span);
  /// For each parameter the position of its argument, or -1. Reports what is unknown, given twice, too much or missing.
  std::vector<int> bind_arguments(const std::string& callee, const std::vector<ParameterName>& parameters,
                                  const std::vector<GivenArgument>& arguments, const Span& span) const;

  const Definition* find_definition(const std::string& name, const File* file) const;

  ir::Program& program_;
  ir::Graph& graph_;
  std::unordered_set<const ir::Node*> typed_or_not_,
      untyped_;  // has_no_type: nodes that were looked at, and those that have none
  const File& file_;
  const File* prelude_;
  std::set<const Definition*> recursive_;
  std::vector<Diagnostic>& mistakes_;
  std::set<std::string> reported_;  // so that what is evaluated twice is reported once
  std::deque<Scope> scopes_;        // all that were made: closures point to them
  std::vector<Call> calls_;         // from the model to the function being evaluated
  Instance* instance_ = nullptr;
  bool training_ = false;
  bool is_alone_ = false;           // an expression without a model
  const ir::Node* step_ = nullptr;  // what `step` is for an optimizer, where it does not act in every step
  const ir::Node* acts_ = nullptr;  // whether it acts in this step
  bool averaged_ = false;           // prediction reads running averages of the parameters
  int depth_ = 0;
  std::int64_t evaluations_ = 0;
  int random_streams_ = 0;
  std::vector<std::pair<const ir::Node*, Span>> guards_;         // conditions on which updates depend
  std::unordered_map<std::string, std::size_t> variable_index_;  // into program_.variables and initial_.updates
  std::unordered_map<const ir::Node*, std::pair<std::string, Span>> declared_;  // tensors by the name given first
  std::unordered_map<std::string, const ir::Node*> state_values_;               // after the updates so far
  std::optional<Value> gradients_;  // the list of all, where the train block's expressions are evaluated
  std::map<std::string, std::int64_t> category_counts_, index_counts_;
  Value result_;  // of the return statement
  ir::Function initial_{"initial", {}, {}};
  std::vector<ir::Binding> state_updates_;
  ir::Function *losses_ = nullptr, *outputs_ = nullptr, *metrics_ = nullptr;  // of the model's body being lowered
};

}  // namespace descent::frontend
