// The loops in which contractions spend their time, read in the assembly: a spilled register or a needless instruction
// there is seen without timing anything. Written for other processors than the one that runs the test.
#include <bit>
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "codegen/compile.h"
#include "ir/expr.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;

namespace {

/// out = a @ b for a of [n, depth] and b of [depth, 64], for each depth.
ir::Program products(const std::vector<std::int64_t>& depths) {
  ir::Program program;
  program.name = "product";
  ir::Graph& g = *program.graph;
  const Dimension n = Dimension::symbol("n");
  ir::Attributes axes;
  axes.lhs_contract = {1};
  axes.rhs_contract = {0};
  std::vector<ir::Binding> results;
  for (const std::int64_t depth : depths) {
    const std::string a = "a" + std::to_string(depth), b = "b" + std::to_string(depth);
    program.inputs.push_back({a, {n, depth}});
    program.inputs.push_back({b, {depth, 64}});
    const Expr out = ir::dot_general(Expr(g, g.leaf(ir::Op::input, a, {n, depth})),
                                     Expr(g, g.leaf(ir::Op::input, b, {depth, 64})), axes);
    results.push_back({"out" + std::to_string(depth), out.node});
  }
  program.functions.push_back({"predict", results, {}});
  return passes::run_pipeline(program);
}

struct InnerLoop {
  int multiply_adds = 0;
  std::vector<std::string> others;
};

/// The block that ends by jumping to its own beginning and has the most multiply-adds.
InnerLoop inner_loop(const std::string& assembly) {
  InnerLoop best, block;
  std::string label;
  std::istringstream lines(assembly);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, operand;
    words >> word;
    std::getline(words, operand);
    if (word.empty() || word[0] == '#') continue;
    if (word.back() == ':') {
      label = word.substr(0, word.size() - 1);
      block = {};
    } else if (word.starts_with("vfmadd")) {
      ++block.multiply_adds;
    } else if (word[0] != '.') {
      block.others.push_back(word + operand);
      if (word[0] == 'j' && operand.find(label) != std::string::npos && block.multiply_adds > best.multiply_adds)
        best = block;
    }
  }
  return best;
}

/// `most_control`: instructions that are neither loads nor multiply-adds.
void check_loop(const std::string& cpu, const std::string& vector, int least, const std::set<std::string>& loads,
                const std::vector<std::int64_t>& depths = {256}, int most_control = 5) {
  const std::string assembly = codegen::print_assembly(products(depths), "predict", {"x86_64-unknown-linux-gnu", cpu});
  const InnerLoop loop = inner_loop(assembly);
  INFO(cpu << ":\n" << assembly);
  REQUIRE(loop.multiply_adds >= least);
  int control = 0;
  for (const std::string& instruction : loop.others) {
    INFO(instruction);
    const std::string word = instruction.substr(0, instruction.find_first_of(" \t"));
    // Nothing of the tile lies on the stack.
    CHECK(instruction.find("%rsp") == std::string::npos);
    CHECK(instruction.find("%rbp") == std::string::npos);
    if (word[0] == 'v') {
      CHECK(loads.contains(word));
      CHECK(instruction.find(vector) != std::string::npos);
      CHECK(instruction.find('(') != std::string::npos);  // from memory: no register is copied
    } else {
      ++control;  // two addresses and a counter move on; a comparison and a jump
    }
  }
  CHECK(control <= most_control);
}

}  // namespace

TEST_CASE("the_inner_loop_of_a_contraction_is_loads_and_multiply_adds_with_avx2") {
  check_loop("znver3", "%ymm", 12, {"vmovups", "vbroadcastss"});
  check_loop("haswell", "%ymm", 12, {"vmovups", "vbroadcastss"});
}

TEST_CASE("the_inner_loop_of_a_contraction_is_loads_and_multiply_adds_with_avx512") {
  check_loop("znver4", "%zmm", 16, {"vmovups", "vbroadcastss"});
  check_loop("skylake-avx512", "%zmm", 16, {"vmovups", "vbroadcastss"});
}

// Where the distance of rows is an argument, one more address moves on, and one may be made of another.
TEST_CASE("the_inner_loop_of_contractions_that_share_their_code_needs_hardly_more") {
  check_loop("znver3", "%ymm", 12, {"vmovups", "vbroadcastss"}, {256, 128}, 7);
  check_loop("haswell", "%ymm", 12, {"vmovups", "vbroadcastss"}, {256, 128}, 7);
  check_loop("znver4", "%zmm", 16, {"vmovups", "vbroadcastss"}, {256, 128}, 7);
  check_loop("skylake-avx512", "%zmm", 16, {"vmovups", "vbroadcastss"}, {256, 128}, 7);
}

namespace {

/// w = w - 0.1 a^T b, for w of [rows, columns].
ir::Program update(std::int64_t rows, std::int64_t columns) {
  ir::Program program;
  program.name = "update";
  ir::Graph& g = *program.graph;
  const Dimension n = Dimension::symbol("n");
  const ir::Shape weights{rows, columns};
  program.inputs = {{"a", {n, rows}}, {"b", {n, columns}}};
  program.variables = {{"w", weights}};
  ir::Attributes axes;
  axes.lhs_contract = axes.rhs_contract = {0};
  const Expr b(g, g.leaf(ir::Op::input, "b", {n, columns})), w(g, g.leaf(ir::Op::parameter, "w", weights));
  const Expr gradient = ir::dot_general(Expr(g, g.leaf(ir::Op::input, "a", {n, rows})), b, axes);
  program.functions.push_back({"step", {{"loss", ir::reduce_sum(b, {0, 1}).node}}, {{"w", (w - gradient * 0.1).node}}});
  return passes::run_pipeline(program);
}

}  // namespace

// The gradient of a large weight: what its update reads and writes is fetched a row of a tile at a time, outside of the
// loop that makes the sums.
TEST_CASE("what_an_update_needs_is_fetched_between_parts_of_the_products") {
  const std::string assembly =
      codegen::print_assembly(update(1024, 512), "step", {"x86_64-unknown-linux-gnu", "znver4"});
  const InnerLoop loop = inner_loop(assembly);
  INFO(assembly);
  REQUIRE(loop.multiply_adds >= 16);
  std::size_t fetched = 0;
  for (std::size_t at = 0; (at = assembly.find("prefetchw", at)) != std::string::npos; ++at) ++fetched;
  CHECK(fetched >= 1);
  CHECK(fetched <= 8);  // vectors of a row of a tile
  for (const std::string& instruction : loop.others) {
    INFO(instruction);
    CHECK(instruction.find("%rsp") == std::string::npos);
    CHECK(instruction.find("prefetch") == std::string::npos);
  }
}

// A store under a mask holds up the load of the row behind it.
TEST_CASE("an_update_of_rows_that_are_no_whole_vectors_stores_the_rest_in_pieces") {
  for (const std::int64_t columns : {10, 34, 45}) {
    INFO(columns << " columns");
    std::istringstream lines(codegen::print_llvm(update(40, columns), "step", {"x86_64-unknown-linux-gnu", "znver4"}));
    int pieces = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("call") != std::string::npos) CHECK(line.find("masked.store") == std::string::npos);
      for (const char* piece : {"store <8 x float>", "store <4 x float>", "store <2 x float>", "store float"})
        pieces += line.find(piece) != std::string::npos ? 1 : 0;
    }
    CHECK(pieces >= std::popcount(static_cast<std::uint64_t>(columns % 16)));
  }
}

// The same of a sum that is kept in memory, as what makes it is no vector that several rows could share.
TEST_CASE("sums_of_rows_that_are_no_whole_vectors_are_kept_in_pieces") {
  ir::Program program;
  program.name = "sums";
  ir::Graph& g = *program.graph;
  const Dimension n = Dimension::symbol("n");
  program.inputs = {{"a", {n, 40}}, {"b", {n, 40, 13}}};
  const Expr a(g, g.leaf(ir::Op::input, "a", {n, 40})), b(g, g.leaf(ir::Op::input, "b", {n, 40, 13}));
  const Expr sum = ir::reduce_sum(exp(ir::broadcast(a, b.shape(), {0, 1}) * b), {0});
  program.functions.push_back({"predict", {{"sum", sum.node}}, {}});
  std::istringstream lines(
      codegen::print_llvm(passes::run_pipeline(program), "predict", {"x86_64-unknown-linux-gnu", "znver4"}));
  int pieces = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("call") != std::string::npos) CHECK(line.find("masked.store") == std::string::npos);
    for (const char* piece : {"store <8 x float>", "store <4 x float>", "store float"})
      pieces += line.find(piece) != std::string::npos ? 1 : 0;
  }
  CHECK(pieces >= 3);
}

// Without that, LLVM would load again after every store what a loop does not change. (What a row leaves on the stack is
// no buffer, and says nothing.)
TEST_CASE("results_that_are_complete_in_registers_do_not_begin_with_anything_in_memory") {
  for (const std::vector<int>& reduced : {std::vector<int>{2}, std::vector<int>{3}}) {  // held sums, and those of rows
    ir::Program program;
    program.name = "sums";
    ir::Graph& g = *program.graph;
    const ir::Shape shape{Dimension::symbol("n"), 6, 2, 32};
    program.inputs = {{"x", shape}};
    const Expr sum = ir::reduce_sum(Expr(g, g.leaf(ir::Op::input, "x", shape)), reduced);
    program.functions.push_back({"predict", {{"y", sum.node}}, {}});
    const std::string assembly =
        codegen::print_assembly(passes::run_pipeline(program), "predict", {"x86_64-unknown-linux-gnu", "x86-64-v4"});
    INFO(assembly);
    CHECK(assembly.find("memset") == std::string::npos);
  }
}

TEST_CASE("accesses_to_a_buffer_say_that_they_meet_no_other") {
  std::istringstream lines(codegen::print_llvm(products({256}), "predict", {"x86_64-unknown-linux-gnu", "znver3"}));
  int loads = 0, stores = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("!noalias") == std::string::npos) continue;
    loads += line.find(" load <8 x float>") != std::string::npos ? 1 : 0;
    stores += line.find(" store <8 x float>") != std::string::npos ? 1 : 0;
  }
  CHECK(loads >= 2);    // a panel's vectors
  CHECK(stores >= 12);  // a tile's
}
