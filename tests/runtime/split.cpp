#include "runtime/split.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "support.h"

using namespace descent::runtime;
using descent::frontend::SplitSpec;
using descent::test::error_of;

namespace {

using Rows = std::vector<std::uint32_t>;

SplitSpec spec(double fraction, std::uint64_t seed = 7) {
  SplitSpec result;
  result.fraction = fraction;
  result.seed = seed;
  result.location = {"m.descent", 4, 18, 5, "    validation = split(20%)"};
  return result;
}

void check_parts(const Split& split, std::size_t rows, std::size_t held_out) {
  CHECK(split.held_out.size() == held_out);
  CHECK(std::is_sorted(split.training.begin(), split.training.end()));
  CHECK(std::is_sorted(split.held_out.begin(), split.held_out.end()));
  std::set<std::uint32_t> all(split.training.begin(), split.training.end());
  all.insert(split.held_out.begin(), split.held_out.end());
  CHECK(all.size() == rows);
  CHECK(split.training.size() + split.held_out.size() == rows);
}

}  // namespace

TEST_CASE("split_rows_gives_known_parts") {
  CHECK(split_rows(spec(0.3), 10).held_out == Rows{3, 4, 8});
  const std::vector<float> classes = {1, 0, 0, 1, 0, 0, 1, 0, 1, 0};
  CHECK(split_rows_stratified(spec(0.4), classes).held_out == Rows{0, 6, 7, 9});
}

TEST_CASE("split_rows_holds_out_the_rounded_fraction") {
  check_parts(split_rows(spec(0.2), 569), 569, 114);
  check_parts(split_rows(spec(0.5), 3), 3, 2);
  CHECK(split_rows(spec(0.2, 1), 569).held_out != split_rows(spec(0.2, 2), 569).held_out);
}

TEST_CASE("a_stratified_split_keeps_the_shares_of_the_classes") {
  std::vector<float> classes(569);
  for (std::size_t i = 0; i < 212; ++i) classes[(i * 263) % 569] = 1;
  const Split split = split_rows_stratified(spec(0.2), classes);
  check_parts(split, 569, 114);
  // 42.4 of 212 rows and 71.4 of 357: the row that is left goes to the class of the first row.
  CHECK(std::count_if(split.held_out.begin(), split.held_out.end(), [&](auto row) { return classes[row] == 1; }) == 43);
}

TEST_CASE("a_stratified_split_shares_the_rest_by_the_largest_remainder") {
  // Of 10, 7 and 4 rows a quarter is 2.5, 1.75 and 1: together 5, so that the one left goes to the second class.
  std::vector<float> classes;
  for (const auto& [label, rows] : {std::pair{0.f, 10}, {1.f, 7}, {2.f, 4}})
    classes.insert(classes.end(), static_cast<std::size_t>(rows), label);
  const Split split = split_rows_stratified(spec(0.25), classes);
  check_parts(split, 21, 5);
  int held_out[3] = {};
  for (const auto row : split.held_out) ++held_out[static_cast<int>(classes[row])];
  CHECK(held_out[0] == 2);
  CHECK(held_out[1] == 2);
  CHECK(held_out[2] == 1);
}

TEST_CASE("a_stratified_split_takes_equal_rows_of_several_columns_as_one_class") {
  const std::vector<float> one_hot = {1, 0, 1, 0, 0, 1, 0, 1};
  const Split split = split_rows_stratified(spec(0.5), one_hot, 2);
  check_parts(split, 4, 2);
  CHECK(split.held_out[0] < 2);
  CHECK(split.held_out[1] >= 2);
}

TEST_CASE("a_split_that_leaves_a_part_empty_is_an_error") {
  CHECK(error_of([] { split_rows(spec(0.1), 4); }) ==
        "m.descent:4:18: error: the split leaves no row for validation: 10% of 4 rows is less than half a row\n"
        "  4 |     validation = split(20%)\n"
        "    |                  ^^^^^\n"
        "    = help: choose another fraction, or give more data");
  CHECK(error_of([] {
          split_rows(spec(0.9), 1);
        }).find("m.descent:4:18: error: the split leaves no row for training: 90% of 1 row is every row\n") == 0);
}

TEST_CASE("a_class_with_one_row_alone_cannot_be_stratified") {
  SplitSpec stratified = spec(0.5);
  stratified.stratify.emplace("y");
  const std::vector<float> classes = {0, 0, 1.5, 0, 0};
  CHECK(error_of([&] { split_rows_stratified(stratified, classes); }) ==
        "m.descent:4:18: error: cannot stratify by y: of its 2 classes, 1.5 has one row alone, row 3\n"
        "  4 |     validation = split(20%)\n"
        "    |                  ^^^^^\n"
        "    = help: leave out `stratify`, or stratify by a target with few classes");
}
