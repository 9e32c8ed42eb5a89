// A model as an object file: its functions compute what a Trainer does.
#include "runtime/standalone.h"

#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "codegen/native/object_image.h"
#include "runtime/standalone_header.h"
#include "tests/runtime/examples.h"
#include "tests/runtime/support.h"
#include "tests/support/models.h"

using namespace descent;

namespace {

/// Calls a C function of pointers and a last argument.
template <typename Result, std::size_t... Index>
Result call_with(void* function, const std::vector<void*>& pointers, std::int64_t rows,
                 std::index_sequence<Index...> /*indices*/) {
  using Function = Result (*)(decltype(static_cast<void>(Index), static_cast<void*>(nullptr))..., std::int64_t);
  return reinterpret_cast<Function>(function)(pointers[Index]..., rows);
}
template <typename Result>
Result call(void* function, const std::vector<void*>& pointers, std::int64_t rows) {
  switch (pointers.size()) {
    case 2:
      return call_with<Result>(function, pointers, rows, std::make_index_sequence<2>());
    case 3:
      return call_with<Result>(function, pointers, rows, std::make_index_sequence<3>());
    case 4:
      return call_with<Result>(function, pointers, rows, std::make_index_sequence<4>());
    case 5:
      return call_with<Result>(function, pointers, rows, std::make_index_sequence<5>());
    default:
      throw std::logic_error("a call with more tensors than the tests know");
  }
}

/// A standalone model in memory of the size that it asks for, with bytes behind it that nobody may write.
class Loaded {
 public:
  explicit Loaded(Trainer& trainer)
      : interface_(trainer.implementation().model->interface),
        settings_(trainer.implementation().model->settings),
        files(runtime::build_standalone(trainer, "m.descent", {})),
        code_(codegen::load_objects(std::vector<std::string_view>{files.object})),
        memory_(static_cast<std::size_t>(files.memory_bytes) + kAround, std::byte{0xCD}) {
    auto* memory = memory_.data() + kAround / 2;
    CHECK(create(memory + 4, 5) == nullptr);
    CHECK(create(nullptr, 5) == nullptr);
    model_ = create(memory, 5);
    REQUIRE(model_ == memory);
  }
  ~Loaded() {
    for (std::size_t i = 0; i < kAround / 2; ++i) {
      if (memory_[i] != std::byte{0xCD} || memory_[memory_.size() - 1 - i] != std::byte{0xCD})
        FAIL_CHECK("memory before or behind the model was written");
    }
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  double step(const Tensors& tensors, std::int64_t rows) { return loss("step", tensors, rows); }
  double evaluate(const Tensors& tensors, std::int64_t rows) { return loss("evaluate", tensors, rows); }
  /// The first output.
  std::vector<double> predict(const Tensors& tensors, std::int64_t rows) {
    std::vector<void*> pointers = given("predict", tensors);
    std::vector<runtime::Elements> outputs;
    for (const ir::Interface::Result& result : interface_.results_of("predict")) {
      ir::DimensionValues sizes;
      for (const std::string& symbol : interface_.dimensions()) sizes[symbol] = rows;
      outputs.emplace_back(result.dtype, static_cast<std::size_t>(ir::element_count(result.shape, sizes)));
      pointers.push_back(outputs.back().bytes.data());
    }
    CHECK(call<int>(symbol("predict"), pointers, rows) == 0);
    return outputs.front().values();
  }
  /// A variable's numbers, where the header says that they are.
  std::vector<double> variable(const ir::Variable& v) const {
    const std::string begin = "/// " + v.name + ": ";
    const std::size_t line = files.header.find(begin), end = files.header.find("); }", line);
    const std::size_t place = files.header.rfind(' ', end);
    const auto at = static_cast<std::size_t>(std::stoll(files.header.substr(place, end - place)));
    return ir::elements(static_cast<std::byte*>(model_) + at, v.dtype,
                        static_cast<std::size_t>(ir::element_count(v.shape).constant()));
  }
  void* symbol(const std::string& name) const { return code_.symbols.at(files.prefix + "_" + name); }
  std::vector<void*> given(const std::string& function, const Tensors& tensors) {
    std::vector<void*> pointers{model_};
    const auto& addresses = given_.read(interface_, settings_, tensors);
    for (std::size_t i = 0; i < interface_.inputs.size(); ++i) {
      if (function != "predict" || !interface_.inputs[i].is_target || interface_.predicts_from_targets)
        pointers.push_back(const_cast<void*>(addresses[i]));  // which the functions only read
    }
    return pointers;
  }

 private:
  static constexpr std::size_t kAround = 256;
  void* create(void* memory, std::uint32_t seed) const {
    return reinterpret_cast<void* (*)(void*, std::uint32_t)>(symbol("create"))(memory, seed);
  }
  double loss(const std::string& function, const Tensors& tensors, std::int64_t rows) {
    if (interface_.results_of(function)[0].dtype == ir::DType::f64)
      return call<double>(symbol(function), given(function, tensors), rows);
    return static_cast<double>(call<float>(symbol(function), given(function, tensors), rows));
  }

  const ir::Interface& interface_;
  const frontend::Model& settings_;

 public:
  runtime::StandaloneFiles files;

 private:
  codegen::Linked code_;
  runtime::Bytes memory_;
  runtime::GivenTensors given_;
  void* model_ = nullptr;
};

Tensors first_rows(const Tensors& tensors, std::int64_t rows, std::int64_t of) {
  Tensors result;
  for (const TensorView& tensor : tensors) {
    const auto all = static_cast<std::size_t>(of), some = static_cast<std::size_t>(rows);
    result.push_back(tensor.first(tensor.size() / all * some));
  }
  return result;
}

/// Steps on batches of several sizes: bitwise the losses and numbers of a trainer. An evaluation and a prediction make
/// some rows at a time, here others than there: sums may round in another order, a few units of 2^-24.
void agrees(Trainer& trainer, const Tensors& tensors, std::int64_t rows) {
  const Model::Implementation& model = *trainer.implementation().model;
  trainer.fit(tensors, rows);
  Loaded loaded(trainer);
  const std::int64_t batch = std::min(model.settings.train.batch, rows);
  if (model.interface.results.contains("step")) {
    for (const std::int64_t count : {batch, batch, std::int64_t{1}, batch / 2 + 1}) {
      const Tensors some = first_rows(tensors, count, rows);
      CHECK(loaded.step(some, count) == trainer.step(some, count));
    }
    CHECK(std::isnan(loaded.step(tensors, 0)));
    CHECK(std::isnan(loaded.step(tensors, model.settings.train.batch + 1)));
    CHECK(std::isnan(loaded.step(tensors, -1)));
    const std::int64_t count = model.rows_are_independent ? rows : batch;
    const double loss = trainer.evaluate(first_rows(tensors, count, rows), count);
    CHECK(loaded.evaluate(tensors, count) == Approx(loss).epsilon(1e-5));
  }
  for (std::size_t i = 0; i < model.interface.variables.size(); ++i) {
    const ir::Variable& v = model.interface.variables[i];
    INFO(v.name);
    CHECK(loaded.variable(v) == trainer.implementation().variables[i].values());
  }
  const std::int64_t count = model.rows_are_independent ? rows : batch;
  Tensors inputs;
  const Tensors some = first_rows(tensors, count, rows);
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (!model.interface.inputs[i].is_target || model.interface.predicts_from_targets) inputs.push_back(some[i]);
  }
  const Trainer::Output expected = trainer.predict_all(inputs, count)[0];
  const std::vector<double> got = loaded.predict(some, count);
  REQUIRE(got.size() == expected.view().size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == Approx(expected.view()[i]).epsilon(1e-5).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("a_standalone_model_trains_as_the_trainer_does") {
  std::vector<float> x(90 * 7), y(90);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i * i));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(i % 3 == 0);
  for (const char* body : test::model_bodies) {
    INFO(body);
    const Model model = Model::from_string(test::model_text(body) + " train { batch = 40 optimizer = adam(0.01) }");
    Trainer trainer(model, 5);
    agrees(trainer, {x, y}, 90);
  }
}

TEST_CASE("a_standalone_model_is_given_the_targets_that_its_outputs_depend_on") {
  const Model model = Model::from_string(
      "model m { input x: [n, 2] target y: [n, 1] let p = dense(x, 1) output error = p - y loss = mse(p, y) }");
  Trainer trainer(model, 5);
  agrees(trainer, {std::vector<float>{1, 2, 3, 4}, std::vector<float>{-1, 20}}, 2);
}

TEST_CASE("standalone_examples_train_as_the_trainer_does") {
  test::for_examples(300, [](const Model& model, const Tensors& tensors, std::int64_t rows) {
    Trainer trainer(model, 5);
    agrees(trainer, tensors, rows);
  });
}

TEST_CASE("a_standalone_model_takes_whole_numbers_and_updates_the_rows_of_a_table") {
  const Model model = Model::from_string(R"(
    model ratings {
        input  person: [n] category(60)
        input  film: [n] category(40)
        target rating: [n]
        output p = sum(embedding(person, 60, 3) * embedding(film, 40, 3), axis = 1)
        loss = mse(p, rating)
    }
    train { optimizer = adam(0.1)  batch = 64 })");
  std::vector<std::int32_t> person, film;
  std::vector<float> rating;
  for (int i = 0; i < 150; ++i)
    person.push_back(i * 7 % 60), film.push_back(i * 11 % 40), rating.push_back(std::sin(static_cast<float>(i)));
  Trainer trainer(model, 5);
  agrees(trainer, {person, film, rating}, 150);
}

TEST_CASE("two_standalone_models_share_their_code_and_nothing_else") {
  const Model model = Model::from_string(test::model_text(test::model_bodies[1]));
  std::vector<float> x(14, 0.5f), y{0, 1};
  Trainer trainer(model, 5);
  Loaded one(trainer), other(trainer);
  const double first = one.step({x, y}, 2);
  CHECK(one.step({x, y}, 2) < first);
  CHECK(other.step({x, y}, 2) == first);
}

TEST_CASE("what_cannot_be_standalone_is_an_error") {
  const Model standardized = Model::from_string(test::model_text(test::model_bodies[3]));
  Trainer not_fitted(standardized);
  CHECK(test::error_of([&] { runtime::build_standalone(not_fitted, "m.descent", {}); }) ==
        "error: the model fits some values to the training data, which the object file is to bring along\n"
        "  = help: train it and write: --weights weights.safetensors");
  const Model sequence = Model::from_string("model m {\n input x: [n, t, 3]\n output p = sum(x, 1)\n}");
  Trainer open(sequence);
  CHECK(test::error_of([&] { runtime::build_standalone(open, "m.descent", {}); }) ==
        "error: the memory of an object file's model is laid out when it is built, but the size 't' is not known "
        "before a call\n  = help: write a number for it; the batch, 'n', may stay open");
  const Model model = Model::from_string(test::model_text(test::model_bodies[0]));
  Trainer trainer(model);
  CHECK(test::error_of([&] {
          runtime::build_standalone(trainer, "m.descent", {"", "z80"});
        }).starts_with("error: there is no processor 'z80' of the target "));
  CHECK(test::error_of([&] { runtime::build_standalone(trainer, "m.descent", {"sparc-linux", ""}); }) ==
        "error: there is no code generator for the target 'sparc-linux'\n"
        "  = help: write one such as x86_64-linux-gnu or aarch64-linux-gnu");
}

TEST_CASE("objects_for_other_machines_are_of_their_format") {
  const Model model = Model::from_string(test::model_text(test::model_bodies[1]));
  Trainer trainer(model);
  constexpr int kAarch64 = 183, kX86 = 62;  // e_machine of ELF
  for (const auto& [target, machine] : {std::pair(codegen::Target{"aarch64-linux-gnu", ""}, kAarch64),
                                        std::pair(codegen::Target{"aarch64-linux-gnu", "neoverse-n1"}, kAarch64),
                                        std::pair(codegen::Target{"x86_64-linux-gnu", "x86-64-v4"}, kX86),
                                        std::pair(codegen::Target{"", "x86-64"}, kX86)}) {
    const std::string object = runtime::build_standalone(trainer, "m.descent", target).object;
    CHECK(object.substr(1, 3) == "ELF");
    CHECK(static_cast<unsigned char>(object[18]) == machine);
  }
}

TEST_CASE("names_of_a_standalone_model_are_names_of_c") {
  CHECK(runtime::c_prefix("dense.0.w") == "dense_0_w");
  CHECK(runtime::c_prefix("2d") == "_2d");
  CHECK(runtime::c_prefix("xor") == "xor");
  CHECK(runtime::c_name("int") == "int_");
  CHECK(runtime::c_name("rows") == "rows_");
}
