// Trains exclusive-or from a model in a string, in this process: the smallest use of Descent as a library.
#include <cstdio>
#include <vector>

#include "descent/descent.h"

int main() {
  try {
    const descent::Model model = descent::Model::from_string(R"(
      model xor {
          input  x: [n, 2]
          target y: [n, 1]
          output p = x |> dense(8) |> tanh |> dense(1) |> sigmoid
          loss = bce(p, y)
      }
      train { optimizer = adam(lr = 0.05) }
    )");
    const std::vector<float> x = {0, 0, 0, 1, 1, 0, 1, 1};
    const std::vector<float> y = {0, 1, 1, 0};

    descent::Trainer trainer(model, 1);
    double loss = 0;
    for (int i = 0; i < 500; ++i) loss = trainer.step({x, y}, 4);
    std::printf("loss after %lld steps: %.6f\n", static_cast<long long>(trainer.steps()), static_cast<double>(loss));

    const std::vector<float> p = trainer.predict({x}, 4);
    bool right = true;
    for (std::size_t i = 0; i < 4; ++i) {
      std::printf("%g xor %g = %.4f\n", static_cast<double>(x[2 * i]), static_cast<double>(x[2 * i + 1]),
                  static_cast<double>(p[i]));
      right = right && (p[i] > 0.5f) == (y[i] > 0.5f);
    }
    return right ? 0 : 1;
  } catch (const descent::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
