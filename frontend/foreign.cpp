#include "frontend/foreign.h"

#include <algorithm>

namespace descent::frontend {

namespace {

struct Row {
  std::string_view foreign, hint;
};

constexpr Row names[] = {
    {"range", "a range is written 0..n"},
    {"linear", "did you mean 'dense'?"},
    {"Linear", "did you mean 'dense'?"},
    {"swish", "did you mean 'silu'?"},
    {"cat", "did you mean 'concat'?"},
    {"concatenate", "did you mean 'concat'?"},
    {"clamp", "did you mean 'clip'?"},
    {"permute", "did you mean 'transpose'?"},
    {"unsqueeze", "did you mean 'expand'?"},
    {"expand_dims", "did you mean 'expand'?"},
    {"cumsum", "did you mean 'cumulative_sum'?"},
    {"binary_cross_entropy", "did you mean 'bce'?"},
    {"matmul", "a matrix product is written a @ b"},
    {"pow", "a power is written x^2"},
    {"mod", "a remainder is written a % b"},
    {"fmod", "a remainder is written a % b"},
    {"remainder", "a remainder is written a % b"},
    {"conv_transpose2d", "did you mean 'conv2d_transpose'?"},
    {"flatten", "write reshape(x, [n, -1])"},
    {"std", "write sqrt(variance(x, axis))"},
    {"one_hot",
     "in the data block: one_hot(column(\"kind\")); of whole numbers: float(expand(k, 1) == iota([1, 5], 1))"},
    {"print", "what a model gives is an output: output h = ..."},
    {"nn", "layers are functions: x |> dense(16)"},
    {"tf", "layers are functions: x |> dense(16)"},
    {"torch", "layers are functions: x |> dense(16)"},
    {"lambda", "a function without a name is written fn(x) = ..."},
    {"None", "a size that is known later has a name: n"},
};

/// Of arguments; where a name of Descent's stands instead of a hint, it is meant where it can be given.
struct ArgumentRow {
  std::string_view foreign, own, hint;
};
constexpr ArgumentRow arguments[] = {
    {"activation", "", "an activation follows by itself: dense(16) |> relu"},
    {"dim", "axis", ""},
    {"dims", "axis", ""},
    {"keepdim", "keep", ""},
    {"learning_rate", "lr", ""},
    {"betas", "beta1", ""},
    {"alpha", "lr", ""},
    {"epsilon", "eps", ""},
    {"decay", "weight_decay", ""},
    {"p", "rate", ""},
    {"momentum", "beta", ""},
    {"kernel_size", "size", ""},
    {"pool_size", "size", ""},
    {"filters", "units", ""},
    {"out_channels", "units", ""},
    {"out_features", "units", ""},
    {"hidden_size", "units", ""},
    {"num_heads", "heads", ""},
    {"return_sequences", "sequence", ""},
    {"num_embeddings", "categories", ""},
    {"kernel_initializer", "init", ""},
    {"pos_weight", "positive_weight", ""},
    {"bias", "", "every layer of this kind has one"},
};

constexpr Row types[] = {
    {"float32", "did you mean 'f32'?"}, {"float", "did you mean 'f32'?"},    {"float64", "did you mean 'f64'?"},
    {"double", "did you mean 'f64'?"},  {"int32", "did you mean 'int'?"},    {"int64", "did you mean 'int'?"},
    {"i32", "did you mean 'int'?"},     {"boolean", "did you mean 'bool'?"},
};

/// Of the word before, which another language would go on from.
constexpr Row words[] = {
    {"%", "a percent sign stands right behind its number: 20%"},
    {"while", "a loop is written for i in 0..n { ... } or repeat n { ... }"},
    {"def", "a function is written fn f(x) = ... or fn f(x) { return ... }"},
    {"function", "a function is written fn f(x) = ... or fn f(x) { return ... }"},
    {"class", "what has parameters is written layer f(x) { ... }"},
    {"lambda", "a function without a name is written fn(x) = ..."},
    {"var", "a name is given by let h = ..."},
    {"const", "a name is given by let h = ..."},
    {"loss", "several losses add up: loss fit = ..., loss size = ..."},
};

constexpr Row signs[] = {
    {"->", "a layer is applied by |>"},
    {"if", "a choice is written if c then a else b"},
    {"for", "a list is made by map(0..n, fn(i) = ...); a loop is a statement of its own"},
    {"==", "a value is given by ="},
};

template <std::size_t n>
std::string find(const Row (&table)[n], std::string_view foreign) {
  for (const Row& row : table) {
    if (row.foreign == foreign) return std::string(row.hint);
  }
  return "";
}

}  // namespace

std::string foreign_name(std::string_view name) { return find(names, name); }
std::string foreign_type(std::string_view name) { return find(types, name); }

std::string foreign_argument(std::string_view name, const std::vector<std::string>& own) {
  for (const ArgumentRow& row : arguments) {
    if (row.foreign != name) continue;
    if (row.own.empty()) return std::string(row.hint);
    if (std::ranges::find(own, row.own) != own.end()) return "did you mean '" + std::string(row.own) + "'?";
  }
  return "";
}

std::string foreign_syntax(std::string_view before, std::string_view found) {
  const std::string hint = find(words, before);
  return !hint.empty() ? hint : find(signs, found);
}

}  // namespace descent::frontend
