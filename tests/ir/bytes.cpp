// Values as bytes: what is read is what was written, and reading ends whatever the bytes are.
#include "ir/bytes.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "descent/error.h"

using namespace descent;
using ir::ByteReader, ir::ByteWriter, ir::Dimension, ir::Shape;

TEST_CASE("numbers_and_texts_read_back_as_the_same") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  ByteWriter out;
  for (std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{64}, least, most})
    out.number(value);
  out.text("dense.0.w");
  out.text("");
  out.real(-0.1);
  out.real(NAN);
  out.numbers({3, -1});
  out.one_of(true);
  const std::string bytes = out.take();
  ByteReader in(bytes);
  for (std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{64}, least, most})
    CHECK(in.number() == value);
  CHECK(in.text() == "dense.0.w");
  CHECK(in.text().empty());
  CHECK(in.real() == -0.1);
  CHECK(std::isnan(in.real()));
  CHECK(in.numbers() == std::vector<int>{3, -1});
  CHECK(in.one_of(true));
  CHECK_NOTHROW(in.expect_end());
}

TEST_CASE("equal_shapes_are_written_once") {
  const Dimension n = Dimension::symbol("n"), m = Dimension::symbol("m");
  const Shape a{n, 30}, b{n * n - Dimension(3) * m * n + Dimension(7), Dimension(-2)};
  ByteWriter out;
  out.shape(a);
  const std::size_t once = ByteWriter(out).take().size();
  for (const Shape& shape : {a, Shape{}, b, a, b}) out.shape(shape);
  const std::string bytes = out.take();
  CHECK(bytes.size() < 10 * once);
  ByteReader in(bytes);
  for (const Shape& shape : {a, a, Shape{}, b, a, b}) CHECK(in.shape() == shape);
  CHECK(in.at_end());
}

TEST_CASE("bytes_that_end_too_early_or_are_out_of_range_are_an_error") {
  ByteWriter out;
  out.text("name");
  out.shape({Dimension::symbol("n"), 4});
  const std::string bytes = out.take();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ByteReader in(std::string_view(bytes).substr(0, length));
    CHECK_THROWS_AS((in.text(), in.shape()), Error);
  }
  const auto written = [](std::int64_t number) {
    ByteWriter one;
    one.number(number);
    return one.take();
  };
  CHECK_THROWS_AS(ByteReader(written(-1)).count(), Error);
  CHECK_THROWS_AS(ByteReader(written(3)).count(), Error);  // more than there are bytes
  CHECK_THROWS_AS(ByteReader(written(5)).index(5), Error);
  CHECK(ByteReader(written(4)).index(5) == 4);
  CHECK_THROWS_AS(ByteReader("\2").one_of(true), Error);
  CHECK_THROWS_AS(ByteReader(std::string(11, '\xff')).number(), Error);
  CHECK_THROWS_AS(ByteReader("x").expect_end(), Error);
}
