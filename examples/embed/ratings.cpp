// Who likes what: whole numbers as inputs, embeddings, a metric, weights kept in a file. The data are made up here, so
// that what the model should find is known.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "descent/descent.h"

namespace {

constexpr std::int32_t people = 60, films = 40;

/// Everyone and every film has two numbers of its own; a rating is how well they fit together.
struct Ratings {
  std::vector<std::int32_t> person, film;
  std::vector<float> rating;

  /// Those that are trained on, or the fifth that is kept apart.
  explicit Ratings(bool seen) {
    for (std::int32_t i = 0; i < people * films; ++i) {
      const std::int32_t p = i / films, f = i % films;
      if (((p + 2 * f) % 5 != 0) != seen) continue;
      person.push_back(p);
      film.push_back(f);
      rating.push_back(std::sin(static_cast<float>(p)) * std::cos(2.0f * static_cast<float>(f)) +
                       0.5f * std::cos(static_cast<float>(p)) * std::sin(static_cast<float>(f)));
    }
  }
  std::int64_t rows() const { return static_cast<std::int64_t>(rating.size()); }
  descent::Tensors tensors() const { return {person, film, rating}; }
};

}  // namespace

int main() {
  try {
    const descent::Model model = descent::Model::from_string(R"(
      model ratings {
          input  person: [n] category(60)
          input  film: [n] category(40)
          target rating: [n]
          output p = sum(embedding(person, 60, 4) * embedding(film, 40, 4), axis = 1)
          loss = mse(p, rating)
          metric explained = r_squared(p, rating)
      }
      train { optimizer = adam(lr = 0.02) }
    )");

    const Ratings seen(true), unseen(false);
    descent::Trainer trainer(model, /*seed=*/1);
    for (int epoch = 0; epoch < 60; ++epoch) trainer.epoch(seen.tensors(), seen.rows(), /*batch=*/32);

    double explained = 0;
    for (const descent::Trainer::Figure& figure : trainer.measure(unseen.tensors(), unseen.rows())) {
      std::printf("%s %.4f\n", figure.name.c_str(), figure.value);
      if (figure.name == "explained") explained = figure.value;
    }

    const auto path = (std::filesystem::temp_directory_path() / "descent-ratings.safetensors").string();
    trainer.save(path);
    descent::Trainer loaded(model);
    loaded.load(path);
    const std::vector<float> p = loaded.predict({unseen.person, unseen.film}, unseen.rows());
    const bool same = p == trainer.predict({unseen.person, unseen.film}, unseen.rows());
    std::filesystem::remove(path);

    try {
      loaded.predict({std::vector<std::int32_t>{60}, std::vector<std::int32_t>{0}}, 1);
    } catch (const descent::Error& error) {
      std::printf("%s\n", error.diagnostics()[0].message.c_str());
    }
    return same && explained > 0.9 ? 0 : 1;
  } catch (const descent::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
