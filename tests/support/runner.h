// Runs the functions of a program on named tensors, by the reference interpreter or by generated code, so that a test
// can be written once for both.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "ir/interpreter.h"
#include "ir/program.h"

namespace descent::test {

using Values = std::map<std::string, std::vector<double>>;

/// The values of a program's inputs and variables between calls, and what a call gives.
class Runner {
 public:
  virtual ~Runner() = default;
  /// The results and updates by name. Updates are stored in `tensors`: the next call sees them.
  virtual Values run(const std::string& function) = 0;

  Values tensors;                  ///< inputs and variables by name; those missing are 0
  ir::DimensionValues dimensions;  ///< symbolic sizes
  std::int64_t step = 1;
  double epoch = 0;
  std::uint32_t seed = 0;
};

/// In float64, on the program as it is. A function that contains gradients must have been differentiated.
std::unique_ptr<Runner> interpreted(const ir::Program& program);
/// In float32, by code compiled for these functions of an optimized program. Throws if code writes beyond a buffer.
/// `older`: as of codegen::compile.
std::unique_ptr<Runner> compiled(const ir::Program& program, const std::vector<std::string>& functions,
                                 const std::optional<codegen::OlderMachine>& older = std::nullopt);

/// The processors whose code this one runs, from the oldest on: the last one, without a name, is this one.
std::vector<std::string> processors();
/// One of these as a machine to make code for; none for this one.
std::optional<codegen::OlderMachine> machine_of(const std::string& processor);

}  // namespace descent::test
