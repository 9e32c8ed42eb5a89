// Names of compiled functions for perf and gdb, and only for those who ask.
#include "codegen/native/debuggers.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "codegen/compile.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

using namespace descent;

extern "C" {
struct jit_descriptor {
  std::uint32_t version, action_flag;
  void *relevant_entry, *first_entry;
};
extern jit_descriptor __jit_debug_descriptor;
}

namespace {

std::string perf_map() {
  std::ifstream file("/tmp/perf-" + std::to_string(::getpid()) + ".map");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::shared_ptr<const codegen::CompiledProgram> compile_step() {
  const char* source =
      "model m { input x: [n, 3]  target y: [n, 1]  output p = sigmoid(dense(x, 1))  loss = bce(p, y) }";
  return codegen::compile(passes::run_pipeline(*frontend::load_model(source, "m.descent").program), {"step"});
}

}  // namespace

TEST_CASE("tools_know_kernels_by_name_where_asked_to") {
  ::unsetenv("DESCENT_DEBUG");
  (void)compile_step();
  CHECK(perf_map().empty());
  CHECK(__jit_debug_descriptor.first_entry == nullptr);

  ::setenv("DESCENT_DEBUG", "1", 1);
  auto program = compile_step();
  ::unsetenv("DESCENT_DEBUG");
  // A line is: address and size in hexadecimal, name. The function that runs the step is where it is said to be.
  std::istringstream lines(perf_map());
  std::uint64_t address = 0, size = 0;
  std::string name;
  bool found_step = false, found_kernel = false;
  while (lines >> std::hex >> address >> size >> name) {
    CHECK(size > 0);
    found_kernel = found_kernel || name == "kernel0";
    if (name == "descent_step") {
      found_step = reinterpret_cast<std::uint64_t>(program->function("step").run) == address;
    }
  }
  CHECK(found_step);
  CHECK(found_kernel);
  CHECK(__jit_debug_descriptor.first_entry != nullptr);
  program.reset();
  CHECK(__jit_debug_descriptor.first_entry == nullptr);
  ::unlink(("/tmp/perf-" + std::to_string(::getpid()) + ".map").c_str());
}
