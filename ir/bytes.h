// Values as bytes, one after the other: the form in which the object cache keeps what belongs to compiled code, made to
// be read fast. Nothing in it says what it is: it is read by the code that wrote it, as every key of the cache has a
// hash of the sources in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/dimension.h"

namespace descent::ir {

class ByteWriter {
 public:
  /// A number takes as many bytes as it needs, those near 0 one.
  void number(std::int64_t value);
  void count(std::size_t value) { number(static_cast<std::int64_t>(value)); }
  template <typename Enumeration>
  void one_of(Enumeration value) {
    bytes_ += static_cast<char>(value);
  }
  void real(double value);
  void text(std::string_view value);
  void size(const Dimension& value);
  /// Equal shapes are written once.
  void shape(const Shape& value);
  void numbers(const std::vector<int>& values);

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::unordered_map<std::string, std::size_t> shapes_;  ///< by their bytes: the place in the order of appearance
};

/// Reads what a ByteWriter wrote, in the same order. Throws descent::Error where there is something else: whatever the
/// bytes are, reading ends.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::int64_t number();
  /// Of things that follow and take a byte at least.
  std::size_t count();
  /// An index into so many things.
  std::size_t index(std::size_t limit);
  template <typename Enumeration>
  Enumeration one_of(Enumeration last) {
    const auto value = static_cast<unsigned char>(bytes(1)[0]);
    if (value > static_cast<unsigned char>(last)) fail();
    return static_cast<Enumeration>(value);
  }
  double real();
  std::string text();
  Dimension size();
  Shape shape();
  std::vector<int> numbers();
  bool at_end() const { return bytes_.empty(); }
  /// To be called when all has been read.
  void expect_end() const {
    if (!at_end()) fail();
  }
  [[noreturn]] static void fail();

 private:
  std::string_view bytes(std::size_t count);

  std::string_view bytes_;  ///< those that are left
  std::vector<Shape> shapes_;
};

}  // namespace descent::ir
