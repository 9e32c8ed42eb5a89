// What the constructs of the language mean: values of expressions, and the parameters, states and updates of models.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "frontend/frontend.h"
#include "frontend/path_pattern.h"
#include "ir/interpreter.h"
#include "ir/text.h"
#include "passes/passes.h"

using namespace descent;
using Numbers = std::vector<double>;

namespace {

Numbers value(const std::string& expression) {
  const ir::Program program = passes::run_pipeline(frontend::load_expression(expression, {{"z", 3}}));
  ir::Environment environment;
  environment.tensors["z"] = {{}, {3}};
  return ir::interpret({program.function("predict").results[0].node}, environment)[0].values;
}

std::string shape_of(const std::string& expression) {
  return ir::to_string(frontend::load_expression(expression, {}).function("predict").results[0].node->shape());
}

ir::Program model(const std::string& body, const std::string& before = "", const std::string& train = "") {
  return *frontend::load_model(before + "model m {\n input x: [n, 4]\n target y: [n, 1]\n" + body + "\n}\n" + train,
                               "m")
              .program;
}

/// The paths of the variables of a kind, in order.
std::vector<std::string> paths(const ir::Program& program, ir::Variable::Kind kind = ir::Variable::Kind::parameter) {
  std::vector<std::string> names;
  for (const ir::Variable& v : program.variables) {
    if (v.kind == kind) names.push_back(v.name);
  }
  return names;
}

std::vector<std::string> updated(const ir::Program& program) {
  std::vector<std::string> names;
  for (const ir::Binding& update : program.function("step").updates) names.push_back(update.name);
  return names;
}

}  // namespace

TEST_CASE("operators_bind_as_in_mathematics") {
  CHECK(value("2 + 3 * 4") == Numbers{14});
  CHECK(value("-2^2") == Numbers{-4});
  CHECK(value("2^3^2") == Numbers{512});
  CHECK(value("10 - 4 - 3") == Numbers{3});
  CHECK(value("if 1 < 2 and not 2 < 1 then 5 else 6") == Numbers{5});
  CHECK(value("z |> exp |> log") == Numbers{3});
  CHECK(value("(fn(a, b = 2) = a * b)(z)") == Numbers{6});
}

TEST_CASE("a_function_without_a_name_takes_in_the_pipes_behind_it_unless_it_stands_behind_one") {
  CHECK(value("map([1, 4], fn(i) = i |> sqrt |> sign)") == Numbers{1, 1});
  CHECK(value("3 |> fn(v) = v - 5 |> abs") == Numbers{2});
  CHECK(value("3 |> fn(v) = (v |> sign) - 5 |> abs") == Numbers{4});
}

TEST_CASE("a_list_is_a_tensor_where_one_is_expected") {
  CHECK(value("[1, 2, z] * 2") == Numbers{2, 4, 6});
  CHECK(value("[[1, 2], [3, 4]] @ [1, 1]") == Numbers{3, 7});
  CHECK(shape_of("[[1, 2], [3, 4], [5, 6]] + 0") == "[3, 2]");
}

TEST_CASE("indices_and_slices_count_from_both_ends") {
  const std::string t = "([[1, 2, 3], [4, 5, 6]] + 0)";
  CHECK(value(t + "[0]") == Numbers{1, 2, 3});
  CHECK(value(t + "[-1]") == Numbers{4, 5, 6});
  CHECK(value(t + "[:, 1]") == Numbers{2, 5});
  CHECK(value(t + "[1, -1]") == Numbers{6});
  CHECK(value(t + "[:, 1:3]") == Numbers{2, 3, 5, 6});
  CHECK(value(t + "[:, :-1]") == Numbers{1, 2, 4, 5});
  CHECK(shape_of(t + "[:, 1:2]") == "[2, 1]");
  CHECK(value("[5, 6, 7][1:]") == Numbers{6, 7});
}

TEST_CASE("slices_may_have_a_step") {
  const std::string t = "([[1, 2, 3, 4], [5, 6, 7, 8]] + 0)";
  CHECK(value(t + "[:, ::2]") == Numbers{1, 3, 5, 7});
  CHECK(value(t + "[:, 1::2]") == Numbers{2, 4, 6, 8});
  CHECK(value(t + "[::2, :3:2]") == Numbers{1, 3});
  CHECK(value(t + "[:, -3:-1:9]") == Numbers{2, 6});
  CHECK(shape_of(t + "[:, ::3]") == "[2, 2]");
  CHECK(value("[5, 6, 7][0:3:1]") == Numbers{5, 6, 7});
  CHECK(value("sum(map([4, 5, 6, 7, 8][1::3], fn(i) = i))") == Numbers{13});
  const ir::Program program = model("output p = reshape(x, [2 * n, 2])[::2]");
  CHECK(ir::to_string(program.function("predict").results[0].node->shape()) == "[n, 2]");
}

TEST_CASE("remainders_have_the_sign_of_what_divides") {
  CHECK(value("[7, -7, 7.5] % 3") == Numbers{1, 2, 1.5});
  CHECK(value("[7, -7, 6] % -3") == Numbers{-2, -1, 0});
  CHECK(value("-7 % 3") == Numbers{2});
  CHECK(value("2 * 7 % 4 - 1") == Numbers{1});
  CHECK(value("50% % 0.2") == Numbers{0.5 - 2 * 0.2});
  CHECK(value("int([7, -7, -2147483647]) % 2147483646") == Numbers{7, 2147483639, 2147483645});
  CHECK(value("int([5]) % 0") == Numbers{0});
  const ir::Program program = model("output p = iota([3]) % 2");
  CHECK(program.function("predict").results[0].node->type.dtype == ir::DType::i32);
}

TEST_CASE("bounds_may_be_symbolic") {
  const ir::Program program = model("output p = x[0:n-1, 1:] - x[1:n, 1:]");
  CHECK(ir::to_string(program.function("predict").results[0].node->shape()) == "[n - 1, 3]");
}

TEST_CASE("reductions_take_axes_by_number_list_and_name") {
  const std::string t = "[[1, 2, 3], [4, 5, 6]]";
  CHECK(value("sum(" + t + ")") == Numbers{21});
  CHECK(value("sum(" + t + ", axis = 0)") == Numbers{5, 7, 9});
  CHECK(value("sum(" + t + ", axis = [0, -1])") == Numbers{21});
  CHECK(value("max(" + t + ", axis = 1)") == Numbers{3, 6});
  CHECK(value("min(" + t + ")") == Numbers{1});
  CHECK(shape_of("sum(" + t + ", axis = 1, keep = true)") == "[2, 1]");
  const ir::Program program = model("output p = f(x)", "fn f(a: [n, i]) = sum(a, axis = i)\n");
  CHECK(ir::to_string(program.function("predict").results[0].node->shape()) == "[n]");
}

TEST_CASE("products_of_batches_may_lack_leading_axes") {
  CHECK(shape_of("[[[1, 2]], [[3, 4]]] @ [[[1], [2]], [[3], [4]]]") == "[2, 1, 1]");
  CHECK(value("[[[1, 2]], [[3, 4]]] @ [[[1], [2]], [[3], [4]]]") == Numbers{5, 25});
  CHECK(value("[[1, 2]] @ [[[1], [2]], [[3], [4]]]") == Numbers{5, 11});
  CHECK(value("[[[1, 2]], [[3, 4]]] @ [[1], [1]]") == Numbers{3, 7});
  CHECK(value("[[[[1, 2]], [[3, 4]]]] @ [[[1], [2]], [[3], [4]]]") == Numbers{5, 25});
  CHECK(value("[1, 2] @ [[1, 10], [2, 20]]") == Numbers{5, 50});
}

TEST_CASE("einsum_multiplies_sums_and_orders_axes") {
  CHECK(value("einsum(\"ij,jk->ik\", [[1, 2], [3, 4]], [[1, 0], [2, 1]])") == Numbers{5, 2, 11, 4});
  CHECK(value("einsum(\"ij,jk\", [[1, 2], [3, 4]], [[1, 0], [2, 1]])") == Numbers{5, 2, 11, 4});
  CHECK(value("einsum(\"ij->ji\", [[1, 2], [3, 4]])") == Numbers{1, 3, 2, 4});
  CHECK(value("einsum(\"ij->i\", [[1, 2], [3, 4]])") == Numbers{3, 7});
  CHECK(value("einsum(\"i,j->ji\", [1, 2], [3, 4])") == Numbers{3, 6, 4, 8});
  CHECK(value("einsum(\"nij,njk->nik\", [[[1, 2]], [[3, 4]]], [[[1], [2]], [[3], [4]]])") == Numbers{5, 25});
  CHECK(value("einsum(\"ij,k->k\", [[1, 2], [3, 4]], [1, 2])") == Numbers{10, 20});
}

TEST_CASE("einsum_of_what_is_multiplied_by_one_thing_alone_is_no_matrix_product") {
  const auto is_product = [](const std::string& text) {
    return ir::print(frontend::load_expression(text, {})).find("dot_general") != std::string::npos;
  };
  // Each channel with its own weights, as in a depthwise convolution.
  const std::string channels = "einsum(\"nkc,kc->nc\", [[[1, 2], [3, 4]]], [[1, 10], [100, 1]])";
  CHECK(value(channels) == Numbers{301, 24});
  CHECK_FALSE(is_product(channels));
  CHECK(value("einsum(\"kc,nkc->cn\", [[1, 10], [100, 1]], [[[1, 2], [3, 4]]])") == Numbers{301, 24});
  CHECK(value("einsum(\"ij,ji->ij\", [[1, 2], [3, 4]], [[1, 10], [100, 1]])") == Numbers{1, 200, 30, 4});
  CHECK(value("einsum(\"ij,i->ij\", [[1, 2], [3, 4]], [1, 10])") == Numbers{1, 2, 30, 40});
  CHECK_FALSE(is_product("einsum(\"ij,i->ij\", [[1, 2], [3, 4]], [1, 10])"));
  CHECK(is_product("einsum(\"ij,ij->i\", [[1, 2], [3, 4]], [[1, 10], [100, 1]])"));
  CHECK(is_product("einsum(\"nij,njk->nik\", [[[1, 2]]], [[[1], [2]]])"));
}

TEST_CASE("lists_are_made_measured_and_gone_through") {
  CHECK(value("len([4, 5, 6])") == Numbers{3});
  CHECK(value("append([1, 2], 3)") == Numbers{1, 2, 3});
  CHECK(value("map(0..4, fn(i) = i^2)") == Numbers{0, 1, 4, 9});
}

TEST_CASE("loops_are_unrolled_and_rebind_names_around_them") {
  const ir::Program program = model(
      "let h = x\n for units in [3, 2] { h = h |> dense(units) }\n repeat 2 { h = h |> dense(2) }\n output p = h");
  CHECK(paths(program) == std::vector<std::string>{"dense.0.w", "dense.0.b", "dense.1.w", "dense.1.b", "dense.2.w",
                                                   "dense.2.b", "dense.3.w", "dense.3.b"});
}

TEST_CASE("a_layer_that_is_bound_shares_its_parameters") {
  const ir::Program program = model("let f = dense(4)\n output p = x |> f |> relu |> f");
  CHECK(paths(program) == std::vector<std::string>{"f.w", "f.b"});
  const ir::Program twice = model("output p = x |> dense(4) |> dense(4)");
  CHECK(paths(twice).size() == 4);
}

TEST_CASE("layers_are_named_by_the_names_they_are_bound_to") {
  const ir::Program program = model(
      "layer block(z, units: size) { let inner = dense(units)\n return z |> inner |> dense(units) }\n"
      "let blocks = [block(4), block(4)]\n let h = x\n for b in blocks { h = b(h) }\n"
      "for i in 0..2 { let f = dense(4)\n h = f(h) }\n output p = h");
  CHECK(paths(program) == std::vector<std::string>{"blocks.0.inner.w", "blocks.0.inner.b", "blocks.0.dense.0.w",
                                                   "blocks.0.dense.0.b", "blocks.1.inner.w", "blocks.1.inner.b",
                                                   "blocks.1.dense.0.w", "blocks.1.dense.0.b", "f.0.w", "f.0.b",
                                                   "f.1.w", "f.1.b"});
}

TEST_CASE("layers_and_functions_are_arguments") {
  const ir::Program program =
      model("output p = x |> twice(dense(4), tanh)", "layer twice(x, inner, f) { return f(inner(f(inner(x)))) }\n");
  CHECK(paths(program) == std::vector<std::string>{"twice.0.dense.0.w", "twice.0.dense.0.b"});
}

TEST_CASE("a_state_of_a_shared_layer_is_updated_once_more_with_every_application") {
  const std::string layer = "layer total(x) { state s = 0\n s <- s + sum(x)\n return x + s }\n";
  const ir::Program program = model("let t = total()\n output p = x |> t |> t\n loss = sum(p)", layer);
  CHECK(paths(program, ir::Variable::Kind::state) == std::vector<std::string>{"t.s"});
  CHECK(updated(program) == std::vector<std::string>{"t.s"});
}

TEST_CASE("sizes_are_solved_from_shapes") {
  const ir::Program program = model("output p = half(x)", "fn half(x: [n, 2*d]) = x[:, :d]\n");
  CHECK(ir::to_string(program.function("predict").results[0].node->shape()) == "[n, 2]");
}

TEST_CASE("several_losses_add_up") {
  const ir::Program program = model("output p = dense(x, 1)\n loss fit = mse(p, y)\n loss size = l2(weights)");
  REQUIRE(program.function("step").results.size() == 1);
  CHECK(program.function("step").results[0].node->op == ir::Op::add);
}

TEST_CASE("several_outputs_are_predicted_by_name") {
  const ir::Program program = model("output p = dense(x, 1)\n output q = sigmoid(p)");
  REQUIRE(program.function("predict").results.size() == 2);
  CHECK(program.function("predict").results[1].name == "q");
}

TEST_CASE("groups_freeze_parameters_and_change_their_optimizer") {
  const std::string body = "let encoder = dense(3)\n output p = x |> encoder |> dense(1)\n loss = mse(p, y)";
  const auto with = [&](const std::string& groups) {
    return model(body, "", "train {\n optimizer = momentum(lr = 0.1)\n groups = " + groups + "\n}\n");
  };
  CHECK(updated(with("[freeze(\"encoder\")]")) ==
        std::vector<std::string>{"dense.0.w", "dense.0.b", "dense.0.w.v", "dense.0.b.v"});
  CHECK(updated(with("[group(\"*.b\", optimizer = sgd(lr = 0.1))]")) ==
        std::vector<std::string>{"encoder.w", "encoder.b", "dense.0.w", "dense.0.b", "encoder.w.v", "dense.0.w.v"});
}

TEST_CASE("an_optimizer_may_wrap_another") {
  const ir::Program program = model("output p = dense(x, 1)\n loss = mse(p, y)",
                                    "optimizer clipped(w, g, inner, limit = 1) {\n"
                                    "  w <- inner(w, g * min(1, limit / sqrt(sum(gradients^2))))\n}\n",
                                    "train { optimizer = clipped(momentum(lr = 0.1)) }\n");
  CHECK(paths(program, ir::Variable::Kind::state) ==
        std::vector<std::string>{"dense.0.w.momentum.v", "dense.0.b.momentum.v"});
}

TEST_CASE("patterns_of_paths") {
  CHECK(frontend::path_matches("encoder", "encoder.w"));
  CHECK(frontend::path_matches("encoder.w", "encoder.w"));
  CHECK_FALSE(frontend::path_matches("encoder", "encoder2.w"));
  CHECK(frontend::path_matches("*.b", "a.0.b"));
  CHECK(frontend::path_matches("*dense*w", "a.dense.0.w"));
  CHECK_FALSE(frontend::path_matches("*.b", "a.0.w"));
  CHECK_FALSE(frontend::path_matches("", "a"));
  CHECK(frontend::path_matches("*", "a"));
}

TEST_CASE("definitions_of_a_file_hide_those_of_the_prelude_for_that_file_alone") {
  const ir::Program program =
      model("output p = sigmoid(x)\n loss = mean(p)", "fn mean(x) = sum(x)\n fn sigmoid(x) = 2 * x\n");
  CHECK(program.function("predict").results[0].node->op == ir::Op::multiply);
  // The prelude's own mse still takes the prelude's mean.
  const ir::Program other = model("output p = dense(x, 1)\n loss = mse(p, y)", "fn mean(x) = 0\n");
  CHECK_FALSE(other.function("step").results[0].node->is_constant());
}

TEST_CASE("imports_are_relative_to_the_importing_file_and_read_once") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "descent_import_test";
  fs::create_directories(folder / "layers");
  std::ofstream(folder / "layers" / "a.descent") << "import \"b.descent\"\nfn twice(x) = double(x)\n";
  std::ofstream(folder / "layers" / "b.descent") << "fn double(x) = 2 * x\n";
  const std::string text =
      "import \"layers/a.descent\"\nimport \"layers/b.descent\"\nmodel m { input x: [n]\n output p = twice(double(x)) "
      "}\n";
  CHECK_NOTHROW(frontend::load_model(text, (folder / "m.descent").string()));
  fs::remove_all(folder);
}
