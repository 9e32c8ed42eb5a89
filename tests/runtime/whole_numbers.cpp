// Inputs that are whole numbers, truth values and categories: from tables and from programs, exactly, and what they
// cannot be.
#include <catch2/catch.hpp>

#include "descent/descent.h"
#include "frontend/frontend.h"
#include "runtime/dataset.h"
#include "runtime/model.h"
#include "support.h"

using namespace descent;
using namespace descent::test;
using runtime::CategoriesByTensor;
using runtime::Numbers;

namespace {

using Whole = std::vector<std::int32_t>;
using Floats = std::vector<float>;

/// The dataset of a table and a model with these lines, of which the last is the block of data.
runtime::Dataset dataset(const std::string& table, const std::string& lines, const std::string& data,
                         CategoriesByTensor& categories) {
  write("data.csv", table);
  const std::string block = data.empty() ? "" : "data {\n source = csv(\"data.csv\")\n " + data + "\n}\n";
  const frontend::Model model = frontend::load_model("model m {\n" + lines + "\n}\n" + block, "m.descent");
  return runtime::make_dataset(runtime::load_csv("data.csv"), *model.program, model, true, categories);
}

runtime::Dataset dataset(const std::string& table, const std::string& lines, const std::string& data = "") {
  CategoriesByTensor categories;
  return dataset(table, lines, data, categories);
}

std::string error_of_table(const std::string& table, const std::string& lines, const std::string& data = "") {
  return error_of([&] { dataset(table, lines, data); });
}

}  // namespace

TEST_CASE("whole_numbers_of_a_table_are_exact") {
  const Folder folder;
  const auto data = dataset("a,b\n16777217,-2147483648\n2147483647,0\n", "input x: int[n, 2]\n output p = x");
  CHECK(data.tensors[0] == Numbers(Whole{16777217, -2147483648, 2147483647, 0}));
  CHECK(data.select({1}).tensors[0] == Numbers(Whole{2147483647, 0}));
}

TEST_CASE("a_column_of_texts_is_encoded_as_categories") {
  const Folder folder;
  CategoriesByTensor categories;
  const std::string lines = "input city: [n] category(3)\n input x: [n, 1]\n output p = x + reshape(city, [n, 1])";
  const std::string data = "city = column(\"city\")\n x = column(\"x\")";
  CHECK(dataset("city,x\nUlm,1\nBonn,2\nUlm,3\nKiel,4\n", lines, data, categories).tensors[0] ==
        Numbers(Whole{2, 0, 2, 1}));
  CHECK(categories.at("city") == runtime::Categories{"Bonn", "Kiel", "Ulm"});
  // New data are encoded in the same way.
  CHECK(dataset("city,x\nUlm,1\nUlm,2\n", lines, data, categories).tensors[0] == Numbers(Whole{2, 2}));
  CHECK(error_of([&] { dataset("city,x\nUlm,1\nKil,2\n", lines, data, categories); }) ==
        "data.csv:3:1: error: column \"city\" holds \"Kil\", which is none of its 3 categories\n"
        "  3 | Kil,2\n"
        "    | ^^^\n"
        "    = help: did you mean \"Kiel\"?");
  CHECK(error_of_table("city,x\na,1\nb,1\nc,1\nd,1\n", lines, data) ==
        "m.descent:8:2: error: city has 3 categories, but the column has 4\n"
        "  8 |  city = column(\"city\")\n"
        "    |  ^^^^^^^^^^^^^^^^^^^^^\n"
        "    = help: declare city: [n] category(4)");
}

TEST_CASE("a_column_of_the_numbers_of_categories_is_taken_as_it_is") {
  const Folder folder;
  const std::string lines = "input city: [n] category(4)\n output p = city";
  CategoriesByTensor categories;
  CHECK(dataset("city\n3\n0\n", lines, "city = column(\"city\")", categories).tensors[0] == Numbers(Whole{3, 0}));
  CHECK(dataset("city\n2\n3\n", lines, "city = column(\"city\")", categories).tensors[0] == Numbers(Whole{2, 3}));
  CHECK(dataset("city\n3\n0\n", lines).tensors[0] == Numbers(Whole{3, 0}));
  // Other numbers are names, in their order.
  CHECK(dataset("city\n2009\n995\n2009\n", lines, "city = column(\"city\")").tensors[0] == Numbers(Whole{1, 0, 1}));
}

TEST_CASE("without_a_data_block_a_column_of_texts_is_encoded_too") {
  const Folder folder;
  const std::string lines = "input city: [n] category(2)\n output p = city";
  CategoriesByTensor categories;
  CHECK(dataset("city\nUlm\nBonn\n", lines, "", categories).tensors[0] == Numbers(Whole{1, 0}));
  CHECK(dataset("city\nUlm\n", lines, "", categories).tensors[0] == Numbers(Whole{1}));
  CHECK(error_of_table("city\nUlm\nBonn\nKiel\n", lines) ==
        "data.csv: error: city has 2 categories, but the column has 3\n"
        "  = help: declare city: [n] category(3)");
}

TEST_CASE("what_is_read_from_a_table_has_rows") {
  const Folder folder;
  CHECK(error_of_table("x,s\n1,2\n", "input x: [n]\n input s: [3]\n output p = x + sum(s)") ==
        "error: what is read from a table begins with the size 'n', its rows, but s is [3]\n"
        "  = help: declare s: [n, 3]");
  CHECK(error_of_table("x,s\n1,2\n", "input x: [n]\n input s: [m, 3]\n output p = x + sum(s)") ==
        "error: what is read from a table begins with the size 'n', its rows, but s is [m, 3]\n"
        "  = help: declare s: [n, 3]");
}

TEST_CASE("numbers_that_an_input_cannot_hold_are_shown_in_the_table") {
  const Folder folder;
  CHECK(error_of_table("i\n1\n2.5\n", "input i: int[n]\n output p = i") ==
        "data.csv:3:1: error: column \"i\" holds 2.5, expected a whole number from -2147483648 to 2147483647\n"
        "  3 | 2.5\n"
        "    | ^^^");
  CHECK(error_of_table("b\n1\n2\n", "input b: bool[n]\n output p = if b then 1 else 2") ==
        "data.csv:3:1: error: column \"b\" holds 2, expected 0 or 1\n"
        "  3 | 2\n"
        "    | ^");
  CHECK(error_of_table("k\n0\n9\n10\n", "input k: int[n]\n output p = k |> embedding(10, 2)") ==
        "data.csv:4:1: error: column \"k\" holds 10, expected a whole number from 0 to 9\n"
        "  4 | 10\n"
        "    | ^^");
  CHECK(error_of_table("k\n0\n3\n", "input k: [n] category(3)\n output p = k") ==
        "data.csv:3:1: error: column \"k\" holds 3, expected a whole number from 0 to 2\n"
        "  3 | 3\n"
        "    | ^");
  const std::string many =
      error_of_table("k\n0\n-1\n-2\n-3\n-4\n-5\n-6\n-7\n", "input k: [n] category(3)\n output p = k");
  CHECK(many.find("data.csv:7:1: error: column \"k\" holds -5") != std::string::npos);
  CHECK(many.find("-6") == std::string::npos);
  CHECK(many.find("data.csv: error: 2 more cells like these") != std::string::npos);
}

TEST_CASE("whole_outputs_and_metrics_are_exact") {
  Trainer trainer(Model::from_string(
      "model m { input x: int[n] target y: [n] output p = x + 1, q = x > 3 loss = mean(y) metric most = max(x) }"));
  const Whole x{16777216, 2147483646, -5};
  const auto outputs = trainer.predict_all({x}, 3);
  CHECK(outputs[0].whole == Whole{16777217, 2147483647, -4});
  CHECK(outputs[0].values.empty());
  CHECK(outputs[0].view()[1] == 2147483647.0);
  CHECK(outputs[1].values == Floats{1, 1, 0});
  CHECK(trainer.predict({x}, 3) == Floats{16777216, 2147483648.0f, -4});
  CHECK(trainer.measure({x, Floats{0, 0, 0}}, 3)[1].value == 2147483646.0);
}

TEST_CASE("whole_numbers_of_a_program_are_exact") {
  const Model model = Model::from_string(
      "model m { input x: int[n, 2] input w: [n, 2] param a: [2] = ones output odd = x - 2 * int(x / 2)"
      " output high = float(x == 16777217) + 0 * w * a }");
  Trainer trainer(model);
  const Whole x{16777217, 3, 16777216, 7};
  const Floats w{1, 2, 3, 4};
  const auto outputs = trainer.predict_all({x, w}, 2);
  CHECK(outputs[1].values == Floats{1, 0, 0, 0});
  // Floats that are whole numbers are taken for an int, and whole numbers that are floats for a number.
  CHECK(trainer.predict_all({Floats{1, 2, 3, 4}, Whole{1, 2, 3, 4}}, 2)[1].values == Floats{0, 0, 0, 0});
  CHECK(error_of([&] { trainer.predict({Floats{1, 2.5f, 3, 4}, w}, 2); }) ==
        "error: the tensor 'x' holds 2.5 at index 1, expected a whole number of 32 bits");
  CHECK(error_of([&] { trainer.predict({Floats{1, 2, 3, 2147483648.0f}, w}, 2); }) ==
        "error: the tensor 'x' holds 2147483648 at index 3, expected a whole number of 32 bits");
  CHECK(error_of([&] { trainer.predict({x, x}, 2); }) ==
        "error: the tensor 'w' holds 16777217 at index 0, expected a number that a float can hold");
}

TEST_CASE("numbers_that_name_no_row_or_truth_value_are_errors") {
  const Model model = Model::from_string(
      "model m { input k: [n] category(4) input i: int[n] input b: bool[n] target y: [n, 1]"
      " output p = dense(concat([embedding(k, 4, 2), embedding(i, 3, 2)], axis = 1), 1) * reshape(float(b), [n, 1])"
      " loss = mse(p, y) }");
  Trainer trainer(model);
  const Whole k{0, 3}, i{2, 0};
  const Floats b{0, 1}, y{1, 1};
  CHECK(trainer.step({k, i, b, y}, 2) > 0);
  CHECK(trainer.epoch({Floats{0, 3}, i, b, y}, 2, 1) > 0);
  CHECK(error_of([&] { trainer.step({Whole{0, 4}, i, b, y}, 2); }) ==
        "error: the tensor 'k' holds 4 at index 1, expected a whole number from 0 to 3");
  CHECK(error_of([&] { trainer.epoch({k, Whole{-1, 0}, b, y}, 2, 1); }) ==
        "error: the tensor 'i' holds -1 at index 0, expected a whole number from 0 to 2");
  CHECK(error_of([&] { trainer.evaluate({k, i, Floats{0.5, 1}, y}, 2); }) ==
        "error: the tensor 'b' holds 0.5 at index 0, expected 0 or 1");
}

TEST_CASE("a_model_of_whole_numbers_trains_as_one_of_floats") {
  const auto text = [](const std::string& type) {
    return "model m { input k: " + type +
           " target y: [n, 1] output p = dense(embedding(k, 5, 3), 1) loss = mse(p, y) }";
  };
  Trainer whole(Model::from_string(text("int[n]")), 1), category(Model::from_string(text("[n] category(5)")), 1),
      floats(Model::from_string(text("[n]")), 1);
  const Whole k{4, 0, 1, 4, 2, 3};
  const Floats as_floats(k.begin(), k.end()), y{1, 0, 2, 1, 3, 0};
  for (int epoch = 0; epoch < 3; ++epoch) {
    const double loss = whole.epoch({k, y}, 6, 4);
    CHECK(loss == category.epoch({k, y}, 6, 4));
    CHECK(loss == floats.epoch({as_floats, y}, 6, 4));
  }
}
