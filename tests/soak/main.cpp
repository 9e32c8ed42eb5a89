// Compiles and drops one model after the other, all different, and fails if memory grows: `soak [MODELS [BEFORE]]`. The
// first BEFORE models are let through, since LLVM keeps what it sets up once.
//
// Three figures must stay: what malloc has given out, mappings of memory (each compiled model has one of its own), and
// what is resident. Only the last one is allowed some room, for memory that malloc holds in pieces.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "descent/descent.h"

namespace {

struct Memory {
  std::size_t allocated = 0, mappings = 0, resident = 0;
};

Memory memory() {
  Memory now;
  now.allocated = mallinfo2().uordblks;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) ++now.mappings;
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  now.resident = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return now;
}

/// Models of other widths, activations, optimizers and names.
std::string model_text(int number) {
  static constexpr const char* activations[] = {"relu", "tanh", "gelu"};
  static constexpr const char* optimizers[] = {"sgd(lr = 0.1)", "adam", "rmsprop"};
  return fmt::format(
      "model m{0} {{ input x: [n{0}, {1}] target y: [n{0}, 1]\n"
      "  output p = x |> dense({2}) |> {3} |> dense(1) |> sigmoid\n  loss = bce(p, y) }}\n"
      "train {{ optimizer = {4} }}\n",
      number, 1 + number % 23, 1 + number % 37, activations[number % 3], optimizers[number / 3 % 3]);
}

void compile_and_drop(int number) {
  const descent::Model model = descent::Model::from_string(model_text(number));
  descent::Trainer trainer(model);
  const std::vector<float> x(static_cast<std::size_t>(2 * (1 + number % 23)), 0.5f), y{0, 1};
  trainer.step({x, y}, 2);
}

}  // namespace

int main(int argc, char** argv) {
  const int models = argc > 1 ? std::atoi(argv[1]) : 10000;
  const int before = argc > 2 ? std::atoi(argv[2]) : 100;
  descent::set_cache_folder("");
  Memory begin;
  for (int number = 0; number < models; ++number) {
    if (number == before) begin = memory();
    compile_and_drop(number);
    if ((number + 1) % 1000 == 0)
      fmt::print("{} models: {:.1f} MB resident\n", number + 1, static_cast<double>(memory().resident) / 1e6);
  }
  const Memory end = memory();
  fmt::print("from model {} to model {}: {} bytes more allocated, {} more mappings, {:.1f} MB more resident\n", before,
             models, static_cast<long>(end.allocated) - static_cast<long>(begin.allocated),
             static_cast<long>(end.mappings) - static_cast<long>(begin.mappings),
             (static_cast<double>(end.resident) - static_cast<double>(begin.resident)) / 1e6);
  constexpr std::size_t kRoom = 4 << 20;
  const auto allowed = static_cast<std::size_t>(16 * (models - before)) + 4096;  // bytes: less than one string a model
  return end.allocated > begin.allocated + allowed || end.mappings > begin.mappings + 8 ||
         end.resident > begin.resident + kRoom;
}
