#include "runtime/dataset.h"

#include <catch2/catch.hpp>

#include "support.h"

using namespace descent;
using namespace descent::runtime;
using namespace descent::test;

namespace {

const std::string at_binding = "  7 |     x = columns(...)\n    |         ^^^^^^^\n";

frontend::Location location() { return {"m.descent", 7, 9, 7, "    x = columns(...)"}; }

frontend::ColumnBinding bind(const std::string& tensor,
                             const std::vector<std::pair<std::string, std::string>>& ranges) {
  frontend::ColumnBinding binding;
  binding.tensor = tensor;
  for (const auto& [first, last] : ranges) binding.columns.push_back({first, last, location()});
  binding.location = location();
  return binding;
}

/// A model with input x: [n, 2] and target y: [n, 1].
frontend::Model model_of(std::vector<frontend::ColumnBinding> bindings) {
  auto program = std::make_shared<ir::Program>();
  const ir::Dimension n = ir::Dimension::symbol("n");
  program->inputs = {{"x", {n, 2}, false}, {"y", {n, 1}, true}};
  frontend::Model model;
  model.program = program;
  model.data.emplace();
  model.data->bindings = std::move(bindings);
  model.data->location = location();
  return model;
}

Table example() {
  write("data.csv", "kind,area,radius,grade\nM,1,2,0.1\nB,3,4,0.2\nM,5,6,0.3\n");
  return load_csv("data.csv");
}

Dataset make_dataset(const Table& table, const frontend::Model& model, bool with_targets,
                     CategoriesByTensor& categories) {
  return runtime::make_dataset(table, *model.program, model, with_targets, categories);
}
Dataset make_dataset(const Table& table, const frontend::Model& model, bool with_targets) {
  CategoriesByTensor categories;
  return make_dataset(table, model, with_targets, categories);
}

using Values = std::vector<float>;

Values target_of(frontend::ColumnBinding binding) {
  return make_dataset(example(), model_of({bind("x", {{"area", "radius"}}), std::move(binding)}), true)
      .tensors[1]
      .as_floats();
}

std::string error_of_binding(frontend::ColumnBinding binding) {
  return error_of([&] { make_dataset(example(), model_of({std::move(binding)}), false); });
}

}  // namespace

TEST_CASE("make_dataset_fills_tensors_row_by_row") {
  const Folder folder;
  auto target = bind("y", {{"kind", "kind"}});
  target.equals_text.emplace("M");
  const auto model = model_of({bind("x", {{"radius", "radius"}, {"area", "area"}}), target});
  const Dataset data = make_dataset(example(), model, true);
  CHECK(data.rows == 3);
  CHECK(data.tensors == std::vector<runtime::Numbers>{Values{2, 1, 4, 3, 6, 5}, Values{1, 0, 1}});
  CHECK(data.views(true, *model.program).size() == 2);
  CHECK(data.views(false, *model.program).size() == 1);
  const Dataset part = data.select({2, 0});
  CHECK(part.rows == 2);
  CHECK(part.tensors == std::vector<runtime::Numbers>{Values{6, 5, 2, 1}, Values{1, 1}});
}

TEST_CASE("a_column_is_compared_with_a_number_or_a_text") {
  const Folder folder;
  auto binding = bind("y", {{"grade", "grade"}});
  binding.compare_value = 0.2;
  const std::pair<const char*, Values> expected[] = {{"==", {0, 1, 0}}, {"!=", {1, 0, 1}}, {"<", {1, 0, 0}},
                                                     {"<=", {1, 1, 0}}, {">", {0, 0, 1}},  {">=", {0, 1, 1}}};
  for (const auto& [op, values] : expected) {
    binding.compare_operator = op;
    CHECK(target_of(binding) == values);
  }
  auto text = bind("y", {{"kind", "kind"}});
  text.equals_text.emplace("B");
  CHECK(target_of(text) == Values{0, 1, 0});
  text.compare_operator = "!=";
  CHECK(target_of(text) == Values{1, 0, 1});
}

TEST_CASE("without_targets_their_columns_may_be_absent") {
  const Folder folder;
  const auto model = model_of({bind("x", {{"area", "radius"}}), bind("y", {{"absent", "absent"}})});
  const Dataset data = make_dataset(example(), model, false);
  CHECK(data.tensors[0] == Values{1, 2, 3, 4, 5, 6});
  CHECK(data.tensors[1].size() == 0);
}

TEST_CASE("rows_that_lack_a_value_can_be_left_out") {
  const Folder folder;
  const auto leave_out = [](const std::string& rows, const frontend::Model& model) {
    write("data.csv", "kind,area,radius,grade\n" + rows);
    Table table = load_csv("data.csv");
    CHECK(leave_out_missing(table, model) == 2);
    return make_dataset(table, model, true).tensors;
  };
  auto grade = bind("y", {{"grade", "grade"}});
  const auto numbers = model_of({bind("x", {{"area", "radius"}}), grade});
  // Of a column that is not read nothing can be missing.
  const auto tensors = leave_out("M,1,2,3\nM,NaN,4,5\n,6,7,8\nM,9,?,1\nB,2,3,4\n", numbers);
  CHECK(tensors == std::vector<runtime::Numbers>{Values{1, 2, 6, 7, 2, 3}, Values{3, 8, 4}});
  // "none" is a text, and nothing is none.
  auto kind = bind("y", {{"kind", "kind"}});
  kind.equals_text = "none";
  CHECK(leave_out("none,1,2,3\n,1,2,3\nB,1,2,\nB,1,,3\n", model_of({bind("x", {{"area", "radius"}}), kind}))[1] ==
        Values{1, 0});
  auto categories = numbers;
  categories.category_counts["y"] = 3;
  categories.data->bindings[1] = bind("y", {{"kind", "kind"}});
  CHECK(leave_out("none,1,2,3\n,1,2,3\n?,1,2,\nB,1,,3\n", categories)[1].size() == 2);
  write("data.csv", "kind,area,radius,grade\nM,1,,3\nM,,2,3\n");
  Table table = load_csv("data.csv");
  CHECK(error_of([&] { leave_out_missing(table, numbers); }).find("every row of data.csv lacks a value") !=
        std::string::npos);
}

TEST_CASE("without_a_data_block_the_columns_are_taken_in_order") {
  const Folder folder;
  frontend::Model model = model_of({});
  model.data.reset();
  write("data.csv", "a,b,y\n1,2,0\n3,4,1\n");
  CHECK(make_dataset(load_csv("data.csv"), model, true).tensors ==
        std::vector<runtime::Numbers>{Values{1, 2, 3, 4}, Values{0, 1}});
  write("data.csv", "a,b\n1,2\n3,4\n");
  CHECK(make_dataset(load_csv("data.csv"), model, false).tensors[0] == Values{1, 2, 3, 4});
  CHECK(error_of([&] { make_dataset(load_csv("data.csv"), model, true); }) ==
        "data.csv: error: the file has 2 columns, but the model takes 3 or more\n"
        "  = help: say in a data block which columns they are");
}

TEST_CASE("an_unknown_column_is_shown_in_the_model_file") {
  const Folder folder;
  CHECK(error_of_binding(bind("x", {{"area", "raduis"}})) ==
        "m.descent:7:9: error: data.csv has no column \"raduis\"\n" + at_binding +
            "    = help: did you mean \"radius\"?");
  CHECK(error_of_binding(bind("x", {{"entirely else", "area"}})) ==
        "m.descent:7:9: error: data.csv has no column \"entirely else\"\n" + at_binding +
            "    = help: its columns are \"kind\", \"area\", \"radius\", \"grade\"");
}

TEST_CASE("a_range_written_backwards_is_an_error") {
  const Folder folder;
  CHECK(error_of_binding(bind("x", {{"radius", "area"}})) ==
        "m.descent:7:9: error: column \"radius\" stands after \"area\" in data.csv\n" + at_binding +
            "    = help: write \"area\" .. \"radius\"");
}

TEST_CASE("another_number_of_columns_than_the_model_declares_is_an_error") {
  const Folder folder;
  CHECK(error_of_binding(bind("x", {{"area", "grade"}})) ==
        "m.descent:7:9: error: x takes 2 columns, but 3 are bound to it\n" + at_binding +
            "    = help: bind 2 columns, or declare x: [n, 3]");
  CHECK(error_of_binding(bind("x", {{"area", "area"}})).find("x takes 2 columns, but 1 is bound to it\n") !=
        std::string::npos);
  CHECK(error_of_binding(bind("x", {{"kind", "kind"}})).find("= help: write x = one_hot(column(\"kind\"))") !=
        std::string::npos);
}

TEST_CASE("a_tensor_that_the_data_block_leaves_out_is_an_error") {
  const Folder folder;
  CHECK(error_of_binding(bind("z", {})) == "m.descent:7:9: error: the data block does not say where x comes from\n" +
                                               at_binding + "    = help: write x = columns(\"first\" .. \"last\")");
}

TEST_CASE("a_text_that_no_row_holds_is_an_error_where_the_rows_differ") {
  const Folder folder;
  auto binding = bind("y", {{"kind", "kind"}});
  binding.equals_text.emplace("m");
  CHECK(error_of([&] { target_of(binding); }) == "m.descent:7:9: error: no row of data.csv has \"m\" there\n" +
                                                     at_binding + "    = help: the column holds \"M\", \"B\"");
  // Rows of the other class alone are data like any other.
  write("data.csv", "kind,area,radius\nB,1,2\nB,3,4\n");
  CHECK(make_dataset(load_csv("data.csv"), model_of({bind("x", {{"area", "radius"}}), binding}), true).tensors[1] ==
        Values{0, 0});
}

TEST_CASE("a_text_in_a_number_column_is_shown_in_the_data") {
  const Folder folder;
  CHECK(error_of_binding(bind("x", {{"kind", "area"}}))
            .find("data.csv:2:1: error: column \"kind\" holds the text \"M\" where a number is expected\n  2 | "
                  "M,1,2,0.1\n    | ^\n") == 0);
}

namespace {

/// A model with input x: [n, 2] and target y: [n, width], which is one_hot(column("kind")).
frontend::Model one_hot_model(std::int64_t width, std::vector<std::string> categories = {}) {
  auto binding = bind("y", {{"kind", "kind"}});
  binding.one_hot = true;
  binding.categories = std::move(categories);
  auto model = model_of({bind("x", {{"area", "radius"}}), binding});
  auto program = std::make_shared<ir::Program>();
  program->inputs = model.program->inputs;
  program->inputs[1].shape[1] = ir::Dimension(width);
  model.program = program;
  return model;
}

}  // namespace

TEST_CASE("one_hot_gives_every_category_a_column_in_sorted_order") {
  const Folder folder;
  CategoriesByTensor categories;
  CHECK(make_dataset(example(), one_hot_model(2), true, categories).tensors[1] == Values{0, 1, 1, 0, 0, 1});
  CHECK(categories == CategoriesByTensor{{"y", {"B", "M"}}});
  // In the order of the list, if there is one.
  categories.clear();
  CHECK(make_dataset(example(), one_hot_model(2, {"M", "B"}), true, categories).tensors[1] == Values{1, 0, 0, 1, 1, 0});
  // New data are encoded as the data before.
  write("data.csv", "kind,area,radius\nM,1,2\n");
  CHECK(make_dataset(load_csv("data.csv"), one_hot_model(2), true, categories).tensors[1] == Values{1, 0});
  // Numbers are sorted as numbers.
  write("data.csv", "kind,area,radius\n10,1,2\n9,1,2\n-1,0,0\n");
  categories.clear();
  make_dataset(load_csv("data.csv"), one_hot_model(3), true, categories);
  CHECK(categories.at("y") == Categories{"-1", "9", "10"});
}

TEST_CASE("one_hot_says_which_categories_do_not_fit") {
  const Folder folder;
  CHECK(error_of([] { make_dataset(example(), one_hot_model(3), true); }) ==
        "m.descent:7:9: error: y takes 3 numbers, but the column has 2 categories: \"B\", \"M\"\n" + at_binding +
            "    = help: declare y: [n, 2]");
  CategoriesByTensor known{{"y", {"Benign", "Malignant"}}};
  write("data.csv", "kind,area,radius\nBenign,1,2\nMalignent,3,4\n");
  CHECK(error_of([&] { make_dataset(load_csv("data.csv"), one_hot_model(2), true, known); }) ==
        "data.csv:3:1: error: column \"kind\" holds \"Malignent\", which is none of its 2 categories\n"
        "  3 | Malignent,3,4\n"
        "    | ^^^^^^^^^\n"
        "    = help: did you mean \"Malignant\"?");
  write("data.csv", "kind,area,radius\n,1,2\nB,3,4\n");
  CHECK(error_of([&] { make_dataset(load_csv("data.csv"), one_hot_model(2), true); }) ==
        "data.csv:2:1: error: missing value: column \"kind\" is empty here\n"
        "  2 | ,1,2\n"
        "    | ^\n"
        "    = help: write a category there, or leave the row out");
}

TEST_CASE("categories_are_kept_as_text") {
  const Categories categories{"a \"b\"", "ü", ""};
  CHECK(from_text(to_text(categories), "w") == categories);
  CHECK(error_of([] { from_text("[1]", "w"); }) == "w: error: its categories are not a list of texts");
}
