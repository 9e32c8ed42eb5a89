// The values of primitive functions, on tensors small enough to be worked out by hand.
#include <catch2/catch.hpp>
#include <vector>

#include "descent/error.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"

using namespace descent;

namespace {

std::vector<double> values(const std::string& text) {
  const ir::Program program = frontend::load_expression(text, {});
  return ir::interpret({program.function("predict").results[0].node}, {})[0].values;
}

using V = std::vector<double>;

}  // namespace

TEST_CASE("functions_that_move_elements") {
  CHECK(values("concat([[1, 2], [3]])") == V{1, 2, 3});
  CHECK(values("concat([[[1], [2]], [[3], [4]]], axis = 1)") == V{1, 3, 2, 4});
  CHECK(values("stack([[1, 2], [3, 4]])") == V{1, 2, 3, 4});
  CHECK(values("stack([[1, 2], [3, 4]], axis = -1)") == V{1, 3, 2, 4});
  CHECK(values("split([1, 2, 3, 4], 2)[1]") == V{3, 4});
  CHECK(values("split([1, 2, 3, 4], [1, 3])[1]") == V{2, 3, 4});
  CHECK(values("pad([1, 2], 1, 2)") == V{0, 1, 2, 0, 0});
  CHECK(values("pad([[1, 2]], 1, axis = 0)") == V{0, 0, 1, 2, 0, 0});
  CHECK(values("reverse([1, 2, 3])") == V{3, 2, 1});
  CHECK(values("reshape([1, 2, 3, 4, 5, 6], [2, -1])[1]") == V{4, 5, 6});
  CHECK(values("transpose([[1, 2], [3, 4]])") == V{1, 3, 2, 4});
  CHECK(values("transpose([[1, 2], [3, 4]], [0, 1])") == V{1, 2, 3, 4});
  CHECK(values("squeeze([[1, 2]]) + [1, 1]") == V{2, 3});
  CHECK(values("expand([1, 2], -1) * [[1], [10]]") == V{1, 20});
  CHECK(values("windows([1, 2, 3, 4], 0, 2)") == V{1, 2, 2, 3, 3, 4});
  CHECK(values("windows([1, 2, 3, 4, 5], 0, 2, stride = 2, dilation = 2)") == V{1, 3, 3, 5});
}

TEST_CASE("functions_of_whole_numbers") {
  CHECK(values("gather([[1, 2], [3, 4]], [1, 0, 7, -1])") == V{3, 4, 1, 2, 3, 4, 1, 2});
  CHECK(values("gather([[1, 2], [3, 4]], [1], axis = 1)") == V{2, 4});
  CHECK(values("scatter_add([0, 2, 0], [1, 2, 3], 4)") == V{4, 0, 2, 0});
  CHECK(values("argmax([1, 5, 5, 2])") == V{1});
  CHECK(values("argmin([[1, 5], [5, 2]], axis = 0)") == V{0, 1});
  CHECK(values("cumulative_sum([1, 2, 3])") == V{1, 3, 6});
  CHECK(values("iota([3]) * 2 + 1") == V{1, 3, 5});
  CHECK(values("iota([2, 2], axis = 1)") == V{0, 1, 0, 1});
  CHECK(values("iota([3]) / 2") == V{0, 0.5, 1});
  CHECK(values("sum(if iota([4]) < 2 then 1 else 0)") == V{2});
  CHECK(values("int([2.9, -2.9])") == V{2, -2});
  CHECK(values("float(iota([2])) + 0.5") == V{0.5, 1.5});
  CHECK(values("[argmax([1, 5]), 7] / 2") == V{0.5, 3.5});
  CHECK(values("stack([iota([2]), [0.5, 2]])") == V{0, 1, 0.5, 2});
}

TEST_CASE("functions_of_each_element_and_of_all") {
  CHECK(values("floor([1.5, -1.5])") == V{1, -2});
  CHECK(values("round([0.5, 1.5, -2.6])") == V{0, 2, -3});
  CHECK(values("erf([0.5])")[0] == Approx(0.5204998778130465));
  CHECK(values("if is_finite([1, 1 / 0]) then [1, 1] else [0, 0]") == V{1, 0});
  CHECK(values("min([3, 1, 2])") == V{1});
}

TEST_CASE("what_does_not_fit_a_function_is_said") {
  const auto message = [](const char* text) -> std::string {
    try {
      values(text);
    } catch (const Error& error) {
      return error.diagnostics()[0].message;
    }
    return "";
  };
  CHECK(message("split([1, 2, 3], 2)") == "an axis of size 3 does not split into 2 equal parts");
  CHECK(message("split([1, 2, 3], [1, 1])") == "these sizes do not add up to the 3 of the axis");
  CHECK(message("concat([[1, 2], [[3]]])") == "f32[2] and f32[1, 1] do not fit together");
  CHECK(message("windows([1, 2, 3], 0, 5)") == "a window over 5 elements does not fit into an axis of 3");
  CHECK(message("reshape([1, 2, 3], [2, -1])") == "3 elements do not divide into [2, 1] with one size left open");
  CHECK(message("squeeze([[1, 2]], 1)") == "axis 1 has the size 2, not 1");
  CHECK(message("pad([1], -1)") == "an axis can only grow");
  CHECK(message("transpose([[1, 2]], [0])") == "each of the 2 axes must be named once");
  CHECK(message("gather(1, [0])") == "a number has no rows");
}
