#include "ir/bytes.h"

#include <cstring>
#include <limits>

#include "descent/error.h"

namespace descent::ir {

// Seven bits in each byte, the lowest first; the eighth says that more follow (LEB128). Signs are in the lowest bit.
void ByteWriter::number(std::int64_t value) {
  auto bits = (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
  for (; bits >= 0x80; bits >>= 7U) bytes_ += static_cast<char>(bits | 0x80U);
  bytes_ += static_cast<char>(bits);
}

std::int64_t ByteReader::number() {
  std::uint64_t bits = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes_.empty()) fail();
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    bits |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return static_cast<std::int64_t>(bits >> 1U) ^ -static_cast<std::int64_t>(bits & 1U);
  }
  fail();
}

std::size_t ByteReader::count() { return index(bytes_.size() + 1); }

std::size_t ByteReader::index(std::size_t limit) {
  const auto value = static_cast<std::uint64_t>(number());  // a negative one is larger than any limit
  if (value >= limit) fail();
  return value;
}

void ByteWriter::real(double value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  bytes_.append(raw, sizeof raw);
}

double ByteReader::real() {
  double value = 0;
  std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
  return value;
}

void ByteWriter::text(std::string_view value) {
  count(value.size());
  bytes_ += value;
}

std::string ByteReader::text() { return std::string(bytes(count())); }

std::string_view ByteReader::bytes(std::size_t count) {
  if (count > bytes_.size()) fail();
  const std::string_view taken = bytes_.substr(0, count);
  bytes_.remove_prefix(count);
  return taken;
}

void ByteWriter::size(const Dimension& value) {
  count(value.terms().size());
  number(value.constant());
  for (const Dimension::Term& term : value.terms()) {
    number(term.coefficient);
    count(term.symbols.size());
    for (const std::string& symbol : term.symbols) text(symbol);
  }
}

Dimension ByteReader::size() {
  const std::size_t terms = count();
  Dimension value = number();
  for (std::size_t t = 0; t < terms; ++t) {
    Dimension term = number();
    for (std::size_t symbols = count(); symbols > 0; --symbols) term = term * Dimension::symbol(text());
    value = value + term;
  }
  return value;
}

void ByteWriter::shape(const Shape& value) {
  ByteWriter alone;
  alone.count(value.size());
  for (const Dimension& d : value) alone.size(d);
  const std::string text = alone.take();
  const auto [known, is_new] = shapes_.try_emplace(text, shapes_.size());
  count(known->second);
  if (is_new) bytes_ += text;
}

Shape ByteReader::shape() {
  const std::size_t known = index(shapes_.size() + 1);
  if (known < shapes_.size()) return shapes_[known];
  Shape value;
  for (std::size_t axes = count(); axes > 0; --axes) value.push_back(size());
  shapes_.push_back(value);
  return value;
}

void ByteWriter::numbers(const std::vector<int>& values) {
  count(values.size());
  for (int value : values) number(value);
}

std::vector<int> ByteReader::numbers() {
  std::vector<int> values(count());
  for (int& value : values) {
    const std::int64_t wide = number();
    value = static_cast<int>(wide);
    if (value != wide) fail();
  }
  return values;
}

void ByteReader::fail() { throw Error("the bytes cannot be read"); }

}  // namespace descent::ir
