// Every mistake with its exact message.
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "frontend/frontend.h"

using namespace descent;

namespace {

std::string mistakes(const std::string& text) {
  try {
    frontend::load_model(text, "m.descent");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string in_model(const std::string& line) {
  return mistakes("model m {\n  input x: [n, 30]\n  target y: [n, 1]\n  target t: [n]\n  " + line + "\n}\n");
}

}  // namespace

TEST_CASE("a_right_file_has_no_mistakes") {
  CHECK(mistakes("model logistic {\n input x: [n, 30]\n target y: [n, 1]\n output p = sigmoid(dense(x, 1))\n loss = "
                 "bce(p, y)\n}") == "");
}

TEST_CASE("an_unknown_name_suggests_the_nearest") {
  CHECK(in_model("output p = x |> dense(1) |> sigmoyd") ==
        "m.descent:5:31: error: unknown name 'sigmoyd'\n"
        "  5 |   output p = x |> dense(1) |> sigmoyd\n"
        "    |                               ^^^^^^^\n"
        "    = help: did you mean 'sigmoid'?");
}

TEST_CASE("a_vector_against_a_column_says_what_to_write") {
  CHECK(in_model("output p = t - y") ==
        "m.descent:5:14: error: the shapes [n] and [n, 1] do not fit together\n"
        "  5 |   output p = t - y\n"
        "    |              ^^^^^\n"
        "    = help: one side is a column: write reshape(..., [n, 1]) for the other, or declare both [n, 1]");
}

TEST_CASE("a_syntax_error_shows_what_was_expected") {
  CHECK(in_model("output p = dense(x, 1") ==
        "m.descent:6:1: error: expected ',' between arguments, found '}'\n"
        "  6 | }\n"
        "    | ^");
  CHECK(in_model("outptu p = x") ==
        "m.descent:5:3: error: expected '=' after 'outptu', found 'p'\n"
        "  5 |   outptu p = x\n"
        "    |   ^^^^^^\n"
        "    = help: did you mean 'output'?");
}

TEST_CASE("a_matrix_product_names_both_shapes") {
  CHECK(in_model("output p = x @ x") ==
        "m.descent:5:14: error: '@' sums over the last axis of the first and the first axis of the second, but [n, 30] "
        "ends with 30 and [n, 30] begins with n\n"
        "  5 |   output p = x @ x\n"
        "    |              ^^^^^\n"
        "    = help: transpose the second: transpose(...)");
}

TEST_CASE("all_mistakes_are_reported_and_none_twice") {
  CHECK(mistakes("model m {\n  input x: [n, 30]\n  output p = densee(x, 1)\n  let q = p + 1\n  loss = bce(p, why)\n  "
                 "let r = x + zz\n}\n") ==
        "m.descent:3:14: error: unknown name 'densee'\n"
        "  3 |   output p = densee(x, 1)\n"
        "    |              ^^^^^^\n"
        "    = help: did you mean 'dense'?\n"
        "m.descent:6:15: error: unknown name 'zz'\n"
        "  6 |   let r = x + zz\n"
        "    |               ^^");
}

TEST_CASE("the_loss_must_be_one_number") {
  CHECK(in_model("output p = dense(x, 1)\n  loss = (p - y)^2") ==
        "m.descent:6:10: error: the loss must be one number, but this is f32[n, 1]\n"
        "  6 |   loss = (p - y)^2\n"
        "    |          ^^^^^^^^^\n"
        "    = help: write mean(...) or sum(...) around it");
}

TEST_CASE("wrong_arguments_are_named") {
  CHECK(in_model("output p = dense(x, unit = 1)") ==
        "m.descent:5:23: error: 'dense' has no argument 'unit'\n"
        "  5 |   output p = dense(x, unit = 1)\n"
        "    |                       ^^^^^^^^\n"
        "    = help: did you mean 'units'?");
  CHECK(in_model("output p = dense(x)") ==
        "m.descent:5:14: error: the argument 'units' of 'dense' is missing\n"
        "  5 |   output p = dense(x)\n"
        "    |              ^^^^^^^^");
  CHECK(in_model("output p = dense(x, 1, units = 2, 3, 4)") ==
        "m.descent:5:37: error: 'dense' takes 3 arguments, found 5\n"
        "  5 |   output p = dense(x, 1, units = 2, 3, 4)\n"
        "    |                                     ^");
  CHECK(in_model("output p = sum(x, axes = 0)") ==
        "m.descent:5:21: error: 'sum' has no argument 'axes'\n"
        "  5 |   output p = sum(x, axes = 0)\n"
        "    |                     ^^^^^^^^\n"
        "    = help: did you mean 'axis'?");
  CHECK(in_model("output p = sum(x, 2)") ==
        "m.descent:5:21: error: there is no axis 2 in a tensor of rank 2\n"
        "  5 |   output p = sum(x, 2)\n"
        "    |                     ^\n"
        "    = help: its axes are 0 to 1, or -1 for the last");
  CHECK(in_model("output p = dense(x, 1, unit = 1)") ==
        "m.descent:5:26: error: 'dense' has no argument 'unit'\n"
        "  5 |   output p = dense(x, 1, unit = 1)\n"
        "    |                          ^^^^^^^^\n"
        "    = help: did you mean 'units'?");
}

TEST_CASE("malformed_text_never_crashes") {
  for (const char* text :
       {"", "{", "model", "model m", "model m {", "model m { input }", "((((", "fn f(", "model m { output p = ", "\"",
        "1e999", "\xff\xfe", "data { x = }", "model m { output p = [", "fn f(x) = f(x) model m { output p = f(1) }"}) {
    CHECK(mistakes(text) != "");
  }
  CHECK(mistakes("model m { output p = " + std::string(100000, '(')) != "");
}
