// Tensors that a program gives to a model: views of its own memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace descent {

/// Numbers in row-major order that belong to the caller: floats, doubles or 32-bit whole numbers. What converts to a
/// span is taken: a vector, an array. Inputs that a model declares as `int` or `category` are read where they are if
/// they are whole numbers, as `f64` if they are doubles, all others if they are floats. Another kind is converted:
/// doubles are rounded to floats; it is an error where a whole number would change, or a number is to be whole that is
/// not.
class TensorView {
 public:
  enum class Type { f32, f64, i32 };

  TensorView() = default;
  TensorView(const float* numbers, std::size_t size) : data_(numbers), size_(size) {}
  TensorView(const double* numbers, std::size_t size) : data_(numbers), size_(size), type_(Type::f64) {}
  TensorView(const std::int32_t* numbers, std::size_t size) : data_(numbers), size_(size), type_(Type::i32) {}
  template <typename Numbers>
    requires std::convertible_to<const Numbers&, std::span<const float>>
  TensorView(const Numbers& numbers) {  // NOLINT: what holds floats is a tensor
    const std::span<const float> view = numbers;
    data_ = view.data(), size_ = view.size();
  }
  template <typename Numbers>
    requires std::convertible_to<const Numbers&, std::span<const double>>
  TensorView(const Numbers& numbers) : type_(Type::f64) {  // NOLINT
    const std::span<const double> view = numbers;
    data_ = view.data(), size_ = view.size();
  }
  template <typename Numbers>
    requires std::convertible_to<const Numbers&, std::span<const std::int32_t>>
  TensorView(const Numbers& numbers) : type_(Type::i32) {  // NOLINT
    const std::span<const std::int32_t> view = numbers;
    data_ = view.data(), size_ = view.size();
  }

  Type type() const { return type_; }
  std::size_t size() const { return size_; }
  const void* data() const { return data_; }
  std::span<const float> floats() const { return numbers<float>(); }               ///< if type() is f32
  std::span<const double> doubles() const { return numbers<double>(); }            ///< if type() is f64
  std::span<const std::int32_t> whole() const { return numbers<std::int32_t>(); }  ///< if type() is i32
  /// The first `count` numbers; there must be so many.
  TensorView first(std::size_t count) const {
    TensorView part = *this;
    part.size_ = count;
    return part;
  }
  double operator[](std::size_t i) const {
    return type_ == Type::f32 ? double{floats()[i]} : type_ == Type::f64 ? doubles()[i] : double(whole()[i]);
  }

 private:
  template <typename Number>
  std::span<const Number> numbers() const {
    return {static_cast<const Number*>(data_), size_};
  }
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  Type type_ = Type::f32;
};

/// One for each input and target of a model in the order of the file; targets may be left out where they are not
/// needed.
using Tensors = std::vector<TensorView>;

}  // namespace descent
