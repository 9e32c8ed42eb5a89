// Matrix products of every form against the interpreter: rows and columns around the sizes of tiles and blocks,
// operands in either order, and planned for caches so small that everything is cut and packed.
//
// Tolerance: products of numbers in [-1, 1) summed over k terms in float32 err by at most k * 2^-24 * k; for the depths
// here the rounding errors, which are independent, stay far below 1e-5 * sqrt(k). In float64 the bound is of as many
// units in the last place, and twice that for the interpreter's own roundings.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "ir/expr.h"
#include "ir/threefry.h"
#include "passes/blocking.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"
#include "tests/support/doubles.h"
#include "tests/support/runner.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;

namespace {

struct Product {
  std::int64_t rows, columns, depth;
  bool turn_lhs, turn_rhs;     ///< the operand is stored with its axes exchanged
  bool symbolic;               ///< the number of rows is known at run time only
  bool unknown_depth = false;  ///< and so is that of the contracted elements
};

/// out = lhs @ rhs + bias; sums of its columns and rows too, which follow the product in the same kernel.
ir::Program program_of(const Product& p) {
  ir::Program program;
  program.name = "product";
  ir::Graph& g = *program.graph;
  const Dimension n = p.symbolic ? Dimension::symbol("n") : Dimension(p.rows), u(p.columns);
  const Dimension k = p.unknown_depth ? Dimension::symbol("k") : Dimension(p.depth);
  const ir::Shape lhs = p.turn_lhs ? ir::Shape{k, n} : ir::Shape{n, k};
  const ir::Shape rhs = p.turn_rhs ? ir::Shape{u, k} : ir::Shape{k, u};
  program.inputs = {{"lhs", lhs}, {"rhs", rhs}, {"bias", {u}}};
  const Expr a(g, g.leaf(ir::Op::input, "lhs", lhs)), b(g, g.leaf(ir::Op::input, "rhs", rhs));
  const Expr bias(g, g.leaf(ir::Op::input, "bias", {u}));
  ir::Attributes axes;
  axes.lhs_contract = {p.turn_lhs ? 0 : 1};
  axes.rhs_contract = {p.turn_rhs ? 1 : 0};
  const Expr out = ir::dot_general(a, b, axes) + ir::broadcast(bias, {n, u}, {1});
  program.functions.push_back({"predict",
                               {{"out", out.node},
                                {"columns", ir::reduce_sum(out, {0}).node},
                                {"all", ir::reduce_sum(out * 0.125, {0, 1}).node}},
                               {}});
  return program;
}

void compare(const Product& p, const passes::Machine& machine, bool in_doubles = false) {
  INFO(p.rows << " x " << p.columns << " x " << p.depth << (p.turn_lhs ? ", lhs turned" : "")
              << (p.turn_rhs ? ", rhs turned" : "") << (p.symbolic ? ", symbolic" : "")
              << (p.unknown_depth ? ", depth unknown" : "") << ", level 1 of " << machine.level1 << " bytes");
  const ir::Program program = in_doubles ? test::in_doubles(program_of(p)) : program_of(p);
  const ir::Program optimized = passes::run_pipeline(program);
  const auto exact = test::interpreted(program);
  const auto code = test::compiled(optimized, {"predict"}, codegen::OlderMachine{{}, machine});
  std::uint32_t count = 0;
  for (test::Runner* runner : {exact.get(), code.get()}) {
    if (p.symbolic) runner->dimensions["n"] = p.rows;
    if (p.unknown_depth) runner->dimensions["k"] = p.depth;
    count = 0;
    for (const auto& [name, size] :
         {std::pair{"lhs", p.rows * p.depth}, {"rhs", p.depth * p.columns}, {"bias", p.columns}}) {
      auto& values = runner->tensors[name];
      for (std::int64_t i = 0; i < size; ++i)
        values.push_back(static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(1, 2, count++, 0)[0])) - 0.5);
    }
  }
  const test::Values expected = exact->run("predict"), got = code->run("predict");
  for (const auto& [name, values] : expected) {
    const double terms = static_cast<double>(p.depth * (name == "out"       ? 1
                                                        : name == "columns" ? p.rows
                                                                            : p.rows * p.columns));
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::fabs(got.at(name)[i] - values[i]));
    INFO(name << " differs by " << worst);
    // A column's sum, one row after the other, is rounded so often, at up to half as much as there are rows.
    const double roundings =
        name == "columns" ? std::pow(static_cast<double>(p.rows), 1.5) * (in_doubles ? 0x1p-54 : 0x1p-25) : 0;
    REQUIRE(worst <= std::max((in_doubles ? 4e-15 : 1e-6) * std::sqrt(terms), roundings));
  }
}

passes::Machine with_caches(std::int64_t level1, std::int64_t level2) {
  passes::Machine machine = codegen::this_machine();
  machine.level1 = level1;
  machine.level2 = level2;
  return machine;
}

}  // namespace

TEST_CASE("contractions_agree_with_the_interpreter_in_every_form_and_size") {
  static const std::int64_t rows[] = {1, 2, 5, 6, 7, 11, 13, 24, 37}, columns[] = {1, 3, 8, 15, 16, 17, 31, 40, 70},
                            depths[] = {1, 2, 7, 8, 33, 64};
  const passes::Machine machine = codegen::this_machine();
  std::uint32_t at = 0;
  for (std::int64_t r : rows) {
    for (std::int64_t c : columns) {
      // Every pair of sizes, with the other choices in turn.
      const auto choice = ir::threefry2x32(7, 0, at++, 0);
      compare({r, c, depths[choice[0] % 6], (choice[1] & 1) != 0, (choice[1] & 2) != 0, (choice[1] & 4) != 0}, machine);
    }
  }
}

TEST_CASE("contractions_of_fewer_rows_than_a_tile_agree_with_the_interpreter") {
  for (const std::int64_t level2 : {std::int64_t{16} << 10, std::int64_t{256} << 10}) {
    const passes::Machine machine = with_caches(4 << 10, level2);
    for (int form = 0; form < 4; ++form) {
      for (std::int64_t rows : {1, 3, 5}) compare({rows, 210, 130, (form & 1) != 0, (form & 2) != 0, true}, machine);
    }
  }
}

// Weights whose rows lie a page and more apart are packed for many rows, and read as they lie for few.
TEST_CASE("contractions_of_few_rows_with_packed_weights_agree_with_the_interpreter") {
  const passes::Machine machine = with_caches(16 << 10, 256 << 10);
  const Dimension n = Dimension::symbol("n"), none(0), one(1);
  const passes::Blocking blocking =
      passes::choose_blocking({{}, {{n, 60, none, 1100}}, {{1100, none, one, one}}, {{60, one, 1100, none}}}, machine);
  REQUIRE(blocking.pack_rhs);
  REQUIRE(blocking.few.below > blocking.tile_rows);
  const std::int64_t from = blocking.few.below;
  for (const std::int64_t columns : {1100, 1104, 1120}) {
    for (const std::int64_t rows : {std::int64_t{1}, blocking.tile_rows, std::int64_t{7}, from - 1, from, from + 1}) {
      compare({rows, columns, 60, false, false, true}, machine);
    }
  }
}

// High tiles, low ones and single rows, of which the last ones reach beyond the rows; columns of a panel that is wider
// than all, that overlaps the one before it, and that is cut by a block's end.
TEST_CASE("contractions_of_every_small_number_of_rows_agree_with_the_interpreter") {
  for (const auto& [level1, level2] : {std::pair{48 << 10, 1 << 20}, {8 << 10, 64 << 10}}) {
    const passes::Machine machine = with_caches(level1, level2);
    for (const std::int64_t columns : {5, 34, 48, 144, 377}) {
      for (std::int64_t rows = 1; rows <= 20; ++rows) {
        for (const bool turned : {false, true})
          compare({rows, columns, 57 + columns / 2, rows % 3 == 0, turned, true, rows % 5 == 0}, machine);
      }
    }
  }
}

// What is left after the last whole tile is made by lower ones, by one that overlaps, or by two instead of the last
// one.
TEST_CASE("contractions_with_rows_left_by_whole_tiles_agree_with_the_interpreter") {
  const passes::Machine machine = codegen::this_machine();
  for (std::int64_t rows = 4; rows <= 34; ++rows) compare({rows, 83, 96, false, rows % 2 == 0, true}, machine);
  for (std::int64_t rows = 120; rows <= 128; ++rows) {
    compare({rows, 64, 96, rows % 2 == 0, false, true}, machine);
    compare({rows, 83, 96, rows % 2 == 0, false, false}, machine);
  }
}

// Both operands packed, the second one a block's columns at a time: the gradient of a large weight.
TEST_CASE("contractions_with_both_operands_packed_agree_with_the_interpreter") {
  const passes::Machine machine = with_caches(32 << 10, 512 << 10);
  const Dimension none(0), one(1);
  const passes::Blocking blocking = passes::choose_blocking(
      {{}, {{1030, one, none, 130}}, {{130, none, one, one}}, {{64, 1030, 130, none}}}, machine);
  REQUIRE((blocking.pack_lhs && blocking.pack_rhs && blocking.slabs));
  for (const bool unknown : {false, true}) {
    for (int form = 0; form < 4; ++form)
      compare({1030, 130, 64, (form & 1) != 0, (form & 2) != 0, false, unknown}, machine);
  }
}

// A batch is the contracted axis of a weight's gradient: of one row, that is an outer product
// (codegen/outer_product.cpp).
TEST_CASE("contractions_over_a_batch_of_any_size_agree_with_the_interpreter") {
  const passes::Machine machine = with_caches(4 << 10, 256 << 10);
  for (int form = 0; form < 4; ++form) {
    for (std::int64_t batch : {1, 2, 5, 40}) {
      for (std::int64_t rows : {1, 24, 71}) {
        for (std::int64_t columns : {1, 48, 101}) {
          compare({rows, columns, batch, (form & 1) != 0, (form & 2) != 0, false, true}, machine);
        }
      }
    }
  }
}

// What the rest of the kernel needs of a large result is fetched between parts of the contracted axis: where that is
// long enough, as many as a tile has rows, of which the last ones may be empty.
TEST_CASE("contractions_in_parts_agree_with_the_interpreter") {
  const passes::Machine machine = with_caches(4 << 10, 16 << 10);
  for (const bool turned : {false, true}) {
    for (std::int64_t depth : {15, 16, 17, 18, 19, 24, 29, 40}) {
      for (const bool unknown : {false, true}) {
        compare({71, 101, depth, true, turned, false, unknown}, machine);
        compare({72, 128, depth, true, turned, false, unknown}, machine);
      }
    }
  }
}

TEST_CASE("contractions_of_one_element_are_outer_products") {
  const Dimension n = Dimension::symbol("n"), none(0), one(1);
  REQUIRE(passes::choose_blocking({{}, {{n, one, none, 48}}, {{48, none, one, one}}, {{one, none, none, none}}},
                                  codegen::this_machine())
              .outer);
  for (int form = 0; form < 8; ++form) {
    for (std::int64_t rows : {1, 16, 37}) {
      for (std::int64_t columns : {1, 48, 101, 300})
        compare({rows, columns, 1, (form & 1) != 0, (form & 2) != 0, (form & 4) != 0}, codegen::this_machine());
    }
  }
}

TEST_CASE("contractions_in_float64_agree_with_the_interpreter") {
  std::uint32_t at = 0;
  for (const std::int64_t rows : {1, 6, 13, 37}) {
    for (const std::int64_t columns : {1, 3, 8, 17, 40}) {
      const auto choice = ir::threefry2x32(8, 0, at++, 0);
      const bool lhs = (choice[0] & 1) != 0, rhs = (choice[0] & 2) != 0, symbolic = (choice[0] & 4) != 0;
      compare({rows, columns, 33, lhs, rhs, symbolic}, codegen::this_machine(), true);
    }
  }
  const passes::Machine machine = with_caches(1 << 10, 32 << 10);
  for (int form = 0; form < 8; ++form) {
    compare({67, 130, 300, (form & 1) != 0, (form & 2) != 0, (form & 4) != 0}, machine, true);
  }
  for (std::int64_t batch : {1, 5}) compare({24, 101, batch, false, true, false, true}, machine, true);
}

TEST_CASE("contractions_that_are_cut_and_packed_agree_with_the_interpreter") {
  for (const std::int64_t level2 : {std::int64_t{4} << 10, std::int64_t{32} << 10}) {
    const passes::Machine machine = with_caches(1 << 10, level2);
    for (int form = 0; form < 8; ++form) {
      const bool lhs = (form & 1) != 0, rhs = (form & 2) != 0, symbolic = (form & 4) != 0;
      compare({67, 300, 600, lhs, rhs, symbolic}, machine);
      compare({34, 257, 259, lhs, rhs, symbolic}, machine);
      compare({5, 64, 300, lhs, rhs, symbolic}, machine);
    }
  }
}

namespace {

/// An input whose numbers go round in a period about 0, divided by a power of two: small and exact.
Expr add_input(test::Case& example, const std::string& name, const ir::Shape& shape,
               const std::vector<std::int64_t>& sizes, std::int64_t period, double divisor = 1) {
  example.program.inputs.push_back({name, shape});
  ir::Tensor t{sizes, {}};
  std::int64_t count = 1;
  for (std::int64_t size : sizes) count *= size;
  for (std::int64_t i = 0; i < count; ++i) t.values.push_back(static_cast<double>(i % period - period / 2) / divisor);
  example.environment.tensors[name] = t;
  return Expr(*example.program.graph, example.program.graph->leaf(ir::Op::input, name, shape));
}

/// Whether a contraction of tensors of these shapes gives what the interpreter says; small whole numbers, exact.
void check_contraction(const std::vector<std::int64_t>& lhs, const std::vector<std::int64_t>& rhs,
                       const std::vector<int>& lhs_contract, const std::vector<int>& rhs_contract,
                       const std::optional<codegen::OlderMachine>& machine = std::nullopt) {
  test::Case example;
  example.program.name = "example";
  const auto input = [&](const std::string& name, const std::vector<std::int64_t>& sizes, std::int64_t period) {
    return add_input(example, name, ir::Shape(sizes.begin(), sizes.end()), sizes, period);
  };
  ir::Attributes axes;
  axes.lhs_contract = lhs_contract, axes.rhs_contract = rhs_contract;
  const Expr product = ir::dot_general(input("x", lhs, 7), input("y", rhs, 5), axes);
  example.program.functions.push_back({"predict", {{"out", product.node}}, {}});
  INFO(ir::to_string(example.program.inputs[0].shape) << " . " << ir::to_string(example.program.inputs[1].shape));
  CHECK(test::disagreement(example, 1e-6, machine).empty());
}

}  // namespace

TEST_CASE("products_with_one_column_contracted_over_two_axes") {
  for (const std::int64_t rows : {1, 2, 3, 7, 9}) {
    for (const std::int64_t outer : {2, 5}) {
      for (const std::int64_t inner : {2, 3, 8})
        check_contraction({rows, outer, inner}, {outer, inner}, {1, 2}, {0, 1});
    }
  }
}

TEST_CASE("products_with_several_axes_of_rows_and_columns") {
  for (const std::int64_t columns : {1, 2, 5, 40}) {
    check_contraction({3, 2, 7}, {3, columns, 7}, {2}, {2});
    check_contraction({3, 40, 7}, {3, columns, 7}, {2}, {2});
    check_contraction({2, 7}, {3, columns, 7}, {1}, {2});
    check_contraction({3, 2, 7}, {columns, 7}, {2}, {1});
    check_contraction({3, 2, 7}, {7, 3, columns}, {2}, {0});
    check_contraction({7, 3, 2}, {7, 3, columns}, {0}, {0});
    check_contraction({7, 3, 2}, {3, columns, 7}, {0}, {2});
  }
}

// All rows of an image are made of some columns before the next ones, where the second-level cache does not hold the
// second operand; as it lies, and packed.
TEST_CASE("products_with_several_axes_of_rows_whose_columns_go_outside") {
  const codegen::OlderMachine machine{{}, with_caches(4 << 10, 16 << 10)};
  const Dimension none(0), one(1);
  for (const std::int64_t columns : {200, 205}) {
    for (const std::int64_t rows : {1, 3, 4, 9, 30}) {
      const passes::Blocking blocking =
          passes::choose_blocking({{},
                                   {{4, 21 * rows, none, columns * rows}, {rows, 21, none, columns}},
                                   {{columns, none, one, one}},
                                   {{21, one, columns, none}}},
                                  machine.machine);
      CHECK(blocking.columns_outside);
      CHECK(blocking.block_columns < columns);
      check_contraction({4, rows, 21}, {21, columns}, {2}, {0}, machine);
      check_contraction({4, rows, 21}, {columns, 21}, {2}, {1}, machine);
      check_contraction({4, rows, 3, 7}, {3, 7, columns}, {2, 3}, {0, 1}, machine);
      check_contraction({4, 3, rows, 7}, {columns, 3, 7}, {1, 3}, {1, 2}, machine);
    }
  }
}

TEST_CASE("products_with_a_large_result_contracted_over_two_axes") {
  check_contraction({5, 9, 700}, {5, 9, 200}, {0, 1}, {0, 1});
  check_contraction({9, 5, 700}, {9, 5, 200}, {0, 1}, {0, 1});
  check_contraction({4, 3, 700}, {4, 3, 200}, {0, 1}, {0, 1});
}

// A tile of fewer rows than it has would begin before the first one, where the rows of the matrix before lie, or
// nothing.
TEST_CASE("contractions_of_few_rows_for_each_of_another_axis_write_no_others") {
  const std::int64_t matrices = 3, columns = 32, depth = 40;
  const Dimension n = Dimension::symbol("n"), none(0), one(1);
  const passes::Machine machine = codegen::this_machine();
  const passes::Blocking blocking =
      passes::choose_blocking({{},
                               {{matrices, depth, none, n}, {n, depth * matrices, none, one}},
                               {{columns, none, depth, one}},
                               {{depth, one, one, none}}},
                              machine);
  REQUIRE(blocking.packs_rhs_before());
  REQUIRE(blocking.tile_rows > 1);
  for (std::int64_t rows = 1; rows <= blocking.tile_rows + 1; ++rows) {
    INFO(rows << " rows");
    test::Case example;
    example.program.name = "matrices";
    const auto input = [&](const std::string& name, const ir::Shape& shape, const std::vector<std::int64_t>& sizes) {
      return add_input(example, name, shape, sizes, 7);
    };
    // Row -1 of a matrix is not the last one of the matrix before: the operand lies the other way round.
    const Expr x = ir::transpose(input("x", {n, matrices, depth}, {rows, matrices, depth}), {1, 0, 2});
    ir::Attributes axes;
    axes.lhs_contract = {2}, axes.rhs_contract = {1};
    const Expr product = ir::dot_general(x, input("y", {columns, depth}, {columns, depth}), axes);
    example.program.functions.push_back({"predict", {{"out", (product * 2).node}}, {}});
    example.environment.dimensions["n"] = rows;
    CHECK(test::disagreement(example, 1e-6) == "");
  }
}

// Vectors of rows side by side, single ones, and what is left under a mask; the last rows' products overlap those
// before.
TEST_CASE("products_with_one_column_and_a_long_rest_over_any_number_of_rows") {
  const Dimension n = Dimension::symbol("n");
  for (const std::int64_t depth : {5, 30}) {
    for (const std::int64_t rows : {1, 7, 8, 9, 15, 16, 17, 31, 33, 47, 64, 65, 79, 80, 97, 130}) {
      INFO(rows << " rows of " << depth);
      test::Case example;
      example.program.name = "logistic";
      const auto input = [&](const std::string& name, const ir::Shape& shape, const std::vector<std::int64_t>& sizes) {
        return add_input(example, name, shape, sizes, 7, 4);
      };
      ir::Attributes axes;
      axes.lhs_contract = {1}, axes.rhs_contract = {0};
      const Expr z = ir::dot_general(input("x", {n, depth}, {rows, depth}), input("w", {depth, 1}, {depth, 1}), axes);
      const Expr residual = ir::logistic(z) - input("y", {n, 1}, {rows, 1});
      example.program.functions.push_back({"predict",
                                           {{"residual", residual.node},
                                            {"all", ir::reduce_sum(residual, {0}).node},
                                            {"loss", ir::reduce_sum(ir::softplus(z), {0, 1}).node}},
                                           {}});
      example.environment.dimensions["n"] = rows;
      CHECK(test::disagreement(example, 1e-5) == "");
    }
  }
}

// The second product adds each block of rows to its sums: of several panels of columns and of none that is whole,
// with the vectors of this machine and of older ones.
TEST_CASE("products_that_read_the_same_matrix_in_one_pass") {
  const Dimension n = Dimension::symbol("n");
  for (const std::int64_t width : {2, 5, 12, 16, 20, 30, 33, 36, 100, 300}) {
    for (const std::int64_t rows : {1, 3, 16, 63, 64, 65, 150}) {
      INFO(rows << " rows of " << width);
      test::Case example;
      example.program.name = "regression";
      const auto input = [&](const std::string& name, const ir::Shape& shape, const std::vector<std::int64_t>& sizes) {
        return add_input(example, name, shape, sizes, 11, 8);
      };
      ir::Attributes forward, backward;
      forward.lhs_contract = {1}, forward.rhs_contract = {0};
      backward.lhs_contract = {0}, backward.rhs_contract = {0};
      const Expr x = input("x", {n, width}, {rows, width}), w = input("w", {width, 1}, {width, 1});
      const Expr residual = ir::dot_general(x, w, forward) - input("y", {n, 1}, {rows, 1});
      const Expr sum = ir::reduce_sum(residual * residual, {0, 1});
      const Expr gradient = ir::dot_general(x, residual, backward);
      example.program.functions.push_back({"predict", {{"loss", sum.node}, {"moved", (w - gradient * 0.5).node}}, {}});
      example.environment.dimensions["n"] = rows;
      const ir::Program optimized = passes::run_pipeline(example.program);
      const passes::KernelPlan plan = passes::plan_kernels(optimized, optimized.functions[0], codegen::this_machine());
      CHECK(std::any_of(plan.kernels.begin(), plan.kernels.end(), [](const auto& kernel) { return kernel.in_blocks; }));
      CHECK(test::disagreement(example, 1e-5) == "");
      if (rows != 150) continue;  // the code is the same for any number of rows
      const auto moved = [&](const std::string& processor) {
        const auto code = test::compiled(optimized, {"predict"}, test::machine_of(processor));
        code->dimensions = example.environment.dimensions;
        for (const auto& [name, tensor] : example.environment.tensors) code->tensors[name] = tensor.values;
        return code->run("predict").at("moved");
      };
      const auto here = moved("");
      for (const std::string& processor : test::processors()) {
        INFO(processor);
        const auto there = moved(processor);
        double worst = 0;
        for (std::size_t i = 0; i < here.size(); ++i)
          worst = std::max(worst, std::fabs(there[i] - here[i]) / (1 + std::fabs(here[i])));
        CHECK(worst < 1e-5);
      }
    }
  }
}
