#include "runtime/given_tensors.h"

#include <fmt/format.h>

#include <bit>
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
  if (tensor.type() == TensorView::Type::f32) {
    all(tensor.floats());
  } else {
    all(tensor.whole());
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

/// The numbers in the other type, bit by bit as floats.
void convert(const ir::Input& input, const TensorView& tensor, std::vector<float>& copy) {
  copy.resize(tensor.size());
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    const double number = tensor[i];
    if (input.dtype == ir::DType::i32) {
      const bool is_whole = number == std::floor(number) && number >= -0x1p31 && number < 0x1p31;
      if (!is_whole) wrong_number(input, i, number, "a whole number of 32 bits");
      copy[i] = std::bit_cast<float>(static_cast<std::int32_t>(number));
    } else {
      copy[i] = static_cast<float>(number);
      if (static_cast<double>(copy[i]) != number) wrong_number(input, i, number, "a number that a float can hold");
    }
  }
}

}  // namespace

const std::vector<const float*>& GivenTensors::read(const ir::Declarations& program, const frontend::Model& model,
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
    const bool as_it_is = (tensor.type() == TensorView::Type::i32) == (input.dtype == ir::DType::i32);
    if (!as_it_is) convert(input, tensor, copies_[at]);
    addresses_[at] = as_it_is ? static_cast<const float*>(tensor.data()) : copies_[at].data();
    ++at;
  }
  return addresses_;
}

}  // namespace descent::runtime
