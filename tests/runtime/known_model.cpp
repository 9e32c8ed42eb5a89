// A model whose text has been compiled before is taken from the cache: it must not differ from the one that was
// compiled.
#include "runtime/known_model.h"

#include <cmath>

#include "frontend/frontend.h"
#include "ir/program_bytes.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "runtime/model.h"
#include "tests/runtime/support.h"

using namespace descent;
using test::Cached, test::Folder, test::read, test::write;

namespace {

const char* const kModel =
    "import \"layers.descent\"\n"
    "model m { input x: [n, 3] input kind: [n] category(4) target y: [n, 1]\n"
    "  output p = x |> standardize |> widen |> relu |> dropout(0.1) |> dense(1) |> sigmoid\n"
    "  output raw = x |> dense(2)\n"
    "  loss = bce(p, y) + 1e-3 * l2(weights) + 0 * sum(raw) + 0 * sum(kind)\n"
    "  metric fit = r_squared(p, y)  metric largest = max(p) + l2(weights) }\n"
    "train { optimizer = adam(lr = 0.1) batch = 4 epochs = 2 }\n";

struct Outcome {
  double loss = 0;
  std::vector<runtime::Elements> variables;
  std::vector<float> prediction;
  std::vector<double> figures;
  bool operator==(const Outcome&) const = default;
};

Outcome train(const Model& model, int threads = 1) {
  std::vector<float> x, kind, y;
  for (int row = 0; row < 10; ++row) {
    for (int column = 0; column < 3; ++column) x.push_back(std::sin(static_cast<float>(7 * row + column)));
    kind.push_back(static_cast<float>(row % 4));
    y.push_back(static_cast<float>(row % 2));
  }
  Trainer trainer(model, 3);
  trainer.implementation().set_members(threads);
  trainer.implementation().barrier_us = 0;  // on several threads, whether that is faster or not
  trainer.epoch({x, kind, y}, 10, 4);
  const double loss = trainer.epoch({x, kind, y}, 10, 4);
  std::vector<double> figures;
  for (const Trainer::Figure& figure : trainer.measure({x, kind, y}, 10)) figures.push_back(figure.value);
  CHECK(figures.size() == 3);
  return {loss, trainer.implementation().variables, trainer.predict({x, kind}, 10), figures};
}

template <typename Part>
std::string bytes_of(const Part& part) {
  ir::ByteWriter out;
  ir::write(out, part);
  return out.take();
}

std::string all_of(const Model& model) {
  Model::Implementation& self = *model.implementation();
  std::string text = bytes_of(self.interface) + bytes_of(self.initial());
  for (const auto& [name, count] : self.settings.category_counts) text += name + " " + std::to_string(count) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a_model_from_the_cache_is_the_one_that_was_compiled") {
  const Folder folder;
  write("layers.descent", "layer widen(x: [n, i]) { return dense(x, 2 * i) }");
  write("m.descent", kModel);
  const Model uncached = Model::from_file("m.descent");
  const Cached cached;
  const Model compiled = Model::from_file("m.descent");
  const Outcome expected = train(uncached);
  CHECK(train(compiled) == expected);
  const Model found = Model::from_file("m.descent");
  const auto hits = object_cache()->statistics().hits;
  CHECK(hits == 1);
  CHECK(all_of(found) == all_of(uncached));
  CHECK(found.outputs() == std::vector<std::string>{"p", "raw"});
  CHECK(train(found) == expected);
  CHECK(train(found, 2) == expected);
  CHECK(object_cache()->statistics().hits > hits);  // the code, too
  // What the cache does not have can still be asked of it.
  CHECK(ir::print(found.implementation()->program()) == ir::print(uncached.implementation()->program()));
}

TEST_CASE("a_change_of_any_file_of_a_model_is_another_model") {
  const Folder folder;
  const Cached cached;
  write("layers.descent", "layer widen(x: [n, i]) { return dense(x, 2 * i) }");
  write("m.descent", kModel);
  const std::int64_t before = Model::from_file("m.descent").parameter_count();
  write("layers.descent", "layer widen(x: [n, i]) { return dense(x, 3 * i) }");
  CHECK(Model::from_file("m.descent").parameter_count() > before);
  // One with a mistake is never taken from the cache.
  std::filesystem::remove("layers.descent");
  CHECK_THAT(test::error_of([] { Model::from_file("m.descent"); }), Catch::Contains("there is no file layers.descent"));
}

TEST_CASE("settings_are_those_of_the_file_and_not_of_the_cache") {
  const Folder folder;
  const Cached cached;
  const std::string text = "model m { input x: [n, 2] target y: [n, 1] output p = dense(x, 1) loss = mse(p, y) }\n";
  write("a.descent", text + "train { epochs = 5 }");
  write("b.descent", text + "train { epochs = 6 }");
  for (int round = 0; round < 2; ++round) {
    CHECK(Model::from_file("a.descent").implementation()->settings.train.epochs == 5);
    CHECK(Model::from_file("b.descent").implementation()->settings.train.epochs == 6);
  }
}

TEST_CASE("a_damaged_entry_of_a_model_is_made_again") {
  const Folder folder;
  const Cached cached;
  write("layers.descent", "layer widen(x: [n, i]) { return dense(x, 2 * i) }");
  write("m.descent", kModel);
  const Outcome expected = train(Model::from_file("m.descent"));
  const std::string text = frontend::ModelSource(read("m.descent"), "m.descent").text();
  auto known = runtime::find_known(text, *object_cache());
  REQUIRE(known);
  for (auto& [function, digest] : known->digests) digest += "0";  // no code has these
  runtime::store_known(text, *known, *object_cache());
  CHECK(train(Model::from_file("m.descent")) == expected);
  for (const auto& entry : std::filesystem::directory_iterator("cache")) {
    const std::string bytes = read(entry.path().string());
    write(entry.path().string(), bytes.substr(0, bytes.size() - 3));
  }
  CHECK(train(Model::from_file("m.descent")) == expected);
  CHECK(object_cache()->statistics().damaged > 0);
}

TEST_CASE("the_bytes_of_an_interface_and_of_functions_read_back_as_the_same") {
  const std::filesystem::path examples = std::filesystem::path(SOURCE_DIR) / "examples";
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(examples)) {
    if (file.path().extension() != ".descent") continue;
    const auto model = frontend::load_model(read(file.path().string()), file.path().string());
    const std::string bytes = bytes_of(ir::interface_of(*model.program));
    ir::ByteReader in(bytes);
    const ir::Interface interface = ir::read_interface(in);
    CHECK(in.at_end());
    CHECK(bytes_of(interface) == bytes);
    CHECK(interface.dimensions() == model.program->dimensions());
    const ir::Program optimized = passes::run_pipeline(*model.program);
    for (const ir::Function& function : optimized.functions) {
      const std::string nodes = bytes_of(function);
      ir::ByteReader of_function(nodes);
      ir::Graph graph;
      const ir::Function again = ir::read_function(of_function, graph);
      CHECK(of_function.at_end());
      CHECK(bytes_of(again) == nodes);
      CHECK(graph.size() == ir::reachable(again.roots()).size());
    }
    ++count;
  }
  CHECK(count >= 10);
}
