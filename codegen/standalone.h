// A model as an object file that needs nothing of Descent where it is linked: its functions have the C calling
// convention, and all they work on is one block of memory that the caller provides.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/kernel_set.h"
#include "ir/program.h"

namespace descent::codegen {

/// Where everything lies in the block of memory, in bytes from its beginning, which is aligned to kAlignment. A
/// RunState comes first, then what `first_values` has.
struct StandaloneLayout {
  static constexpr std::int64_t kAlignment = 64;
  static constexpr std::int64_t kGiven = -1;

  struct Function {
    std::int64_t addresses = 0;         ///< of its calls, which `create` works out
    std::vector<std::int64_t> buffers;  ///< of each buffer of its plan; kGiven: each call brings its own
  };
  std::int64_t first_values = 0;  ///< of the variables whose first values are not all 0, one after the other
  std::int64_t cleared = 0;       ///< everything in front of this is 0 at first, but for those
  std::int64_t dimensions = 0;    ///< the values of the symbolic sizes
  std::map<std::string, Function> functions;
};

/// What `descent build` makes machine code of.
struct Standalone {
  std::string prefix;                 ///< of the names of the functions
  std::string header_digest;          ///< NAME_create is also called NAME_create_DIGEST
  std::int64_t batch = 0;             ///< the most rows that the memory has room for
  bool rows_are_independent = false;  ///< of the outputs: more rows are made some at a time
  StandaloneLayout layout;
  std::string first_values;  ///< their bytes
};

/// The inputs that a function is given, in the order of the program: predict does without targets, unless an output
/// depends on one.
inline std::vector<const ir::Input*> given_inputs(const ir::Declarations& program, const std::string& function) {
  std::vector<const ir::Input*> inputs;
  for (const ir::Input& input : program.inputs) {
    if (function != "predict" || !input.is_target || program.predicts_from_targets) inputs.push_back(&input);
  }
  return inputs;
}

}  // namespace descent::codegen
