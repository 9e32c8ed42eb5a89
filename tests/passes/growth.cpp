// How large derivatives of any order are, by counting nodes, not time: each order is at most a few times the expression
// that it is a derivative of, and of every order as many layers more are as many nodes more.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "frontend/frontend.h"
#include "passes/passes.h"

using namespace descent;

namespace {

constexpr int kOrders = 4;

/// The nodes of a model's sum of outputs, after all passes, and of what penalises the slope of that at the data, the
/// slope of the penalty, and so on.
std::size_t nodes_of(const std::string& statements, int order) {
  std::string text = "model m {\n    input x: [n, 24]\n    target y: [n, 1]\n" + statements + "    let f0 = sum(p)\n";
  for (int i = 1; i <= order; ++i) {
    const std::string number = std::to_string(i), before = std::to_string(i - 1);
    text += "    let f" + number + " = sum(grad(f" + before + ", x)^2)\n";
  }
  text += "    output f = f" + std::to_string(order) + "\n}\n";
  const ir::Program program = passes::run_pipeline(*frontend::load_model(text, "m.descent").program);
  return ir::reachable({program.function("predict").results[0].node}).size();
}

std::string repeated(const std::string& layer, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += " |> " + layer;
  return text;
}

/// Models that can be made deeper.
struct Family {
  const char* name;
  std::string (*statements)(int depth);
};
const Family families[] = {
    {"dense layers with tanh",
     [](int depth) { return "    let p = x" + repeated("dense(8) |> tanh", depth) + " |> dense(1)\n"; }},
    {"dense layers with silu",
     [](int depth) { return "    let p = x" + repeated("dense(8) |> silu", depth) + " |> dense(1)\n"; }},
    {"dense layers with gelu and normalised rows",
     [](int depth) { return "    let p = x" + repeated("dense(8) |> layer_norm |> gelu", depth) + " |> dense(1)\n"; }},
    {"attention",
     [](int depth) {
       return "    let p = reshape(x, [n, 6, 4])" + repeated("multi_head_attention(heads = 2)", depth) + "\n";
     }},
    {"convolutions",
     [](int depth) {
       return "    let p = reshape(x, [n, 24, 1])" + repeated("conv1d(4, padding = 1) |> tanh", depth) +
              " |> max_pool1d\n";
     }},
    {"a gated recurrent unit",
     [](int depth) {
       return "    let p = gru(reshape(x[:, :" + std::to_string(2 * depth) + "], [n, " + std::to_string(depth) +
              ", 2]), 4)\n";
     }},
};

}  // namespace

TEST_CASE("each_order_of_a_derivative_is_a_few_times_the_one_before") {
  // Reverse mode makes of each op its derivative's few (Griewank and Walther, 2008, chapter 4: at most 5 times the
  // work).
  for (const Family& family : families) {
    std::size_t before = nodes_of(family.statements(2), 0);
    for (int order = 1; order <= kOrders; ++order) {
      const std::size_t now = nodes_of(family.statements(2), order);
      INFO(family.name << ", order " << order << ": " << before << " nodes became " << now);
      CHECK(now <= 4 * before);
      before = now;
    }
  }
}

TEST_CASE("derivatives_of_every_order_grow_linearly_with_depth") {
  for (const Family& family : families) {
    for (int order = 0; order <= kOrders; ++order) {
      const std::size_t at_1 = nodes_of(family.statements(1), order), at_2 = nodes_of(family.statements(2), order),
                        at_3 = nodes_of(family.statements(3), order);
      INFO(family.name << ", order " << order << ": " << at_1 << ", " << at_2 << ", " << at_3 << " nodes");
      CHECK(static_cast<double>(at_3 - at_2) <= 1.05 * static_cast<double>(at_2 - at_1));
    }
  }
}
