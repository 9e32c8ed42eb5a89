#include "runtime/given_tensors.h"

#include <fmt/format.h>

#include <cmath>

#include "descent/error.h"

namespace descent::runtime {

namespace {

[[noreturn]] void wrong_number(const ir::Input& input, std::size_t place, double found, const std::string& expected) {
  throw Error(fmt::format("the tensor '{}' holds {} at index {}, expected {}", input.name, found, place, expected));
}

template <typename Fits>
void check(const ir::Input& input, const TensorView& tensor, const std::string& expected, Fits fits) {
  const auto all = [&](auto numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (!fits(static_cast<double>(numbers[i]))) wrong_number(input, i, static_cast<double>(numbers[i]), expected);
    }
  };
  switch (tensor.type()) {
    case TensorView::Type::f32:
      return all(tensor.floats());
    case TensorView::Type::f64:
      return all(tensor.doubles());
    case TensorView::Type::i32:
      return all(tensor.whole());
  }
}

/// Throws for a number that stands for no truth value, category or row of a table.
void check_numbers(const frontend::Model& model, const ir::Input& input, const TensorView& tensor) {
  if (input.dtype == ir::DType::boolean) {
    check(input, tensor, "0 or 1", [](double v) { return v == 0 || v == 1; });
  }
  if (model.index_counts.empty()) return;
  const auto counted = model.index_counts.find(input.name);
  if (counted == model.index_counts.end()) return;
  const auto count = static_cast<double>(counted->second);  // of floats the whole part counts
  check(input, tensor, fmt::format("a whole number from 0 to {}", count - 1),
        [count](double v) { return v > -1 && v < count; });
}

bool lies_as_declared(const ir::Input& input, const TensorView& tensor) {
  switch (tensor.type()) {
    case TensorView::Type::f32:
      return input.dtype == ir::DType::f32 || input.dtype == ir::DType::boolean;
    case TensorView::Type::f64:
      return input.dtype == ir::DType::f64;
    case TensorView::Type::i32:
      return input.dtype == ir::DType::i32;
  }
  return false;
}

/// The numbers in another type. Doubles are rounded to floats; whole numbers must stay what they are.
void convert(const ir::Input& input, const TensorView& tensor, Elements& copy) {
  if (copy.dtype != input.dtype || copy.size() != tensor.size()) copy = Elements(input.dtype, tensor.size());
  const bool was_whole = tensor.type() == TensorView::Type::i32;
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    const double number = tensor[i];
    if (input.dtype == ir::DType::i32) {
      const bool is_whole = number == std::floor(number) && number >= -0x1p31 && number < 0x1p31;
      if (!is_whole) wrong_number(input, i, number, "a whole number of 32 bits");
    }
    ir::set_element(copy.bytes.data(), input.dtype, i, number);
    if (was_whole && ir::element(copy.bytes.data(), input.dtype, i) != number) {
      wrong_number(input, i, number, "a number that a float can hold");
    }
  }
}

}  // namespace

bool fits_as_it_is(const ir::Input& input, const frontend::Model& model, const TensorView& tensor) {
  return lies_as_declared(input, tensor) && input.dtype != ir::DType::boolean &&
         !model.index_counts.contains(input.name);
}

const std::vector<const void*>& GivenTensors::read(const ir::Declarations& program, const frontend::Model& model,
                                                   const Tensors& tensors) {
  const std::vector<ir::Input>& inputs = program.inputs;
  const bool with_targets = tensors.size() == inputs.size();
  addresses_.resize(tensors.size());
  copies_.resize(tensors.size());
  std::size_t at = 0;
  for (const ir::Input& input : inputs) {
    if (input.is_target && !with_targets) continue;
    const TensorView& tensor = tensors[at];
    check_numbers(model, input, tensor);
    const bool as_it_is = lies_as_declared(input, tensor);
    if (!as_it_is) convert(input, tensor, copies_[at]);
    addresses_[at] = as_it_is ? tensor.data() : copies_[at].bytes.data();
    ++at;
  }
  return addresses_;
}

}  // namespace descent::runtime
