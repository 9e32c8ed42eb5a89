// `descent build`: a model as an object file for programs that have nothing of Descent, and the header for it.
#pragma once

#include <string>

#include "codegen/compile.h"
#include "descent/descent.h"

namespace descent::runtime {

struct StandaloneFiles {
  std::string object;         ///< a relocatable object file
  std::string header;         ///< in C and C++
  std::string prefix;         ///< of the functions: the model's name as one of C
  std::int64_t memory_bytes;  ///< that a model works in
};

/// Makes machine code for `target` of the trainer's model. What the trainer's parameters are now becomes their first
/// values. `header_for`: the file of the model, to be named in the header. Throws descent::Error for a target that
/// there is no code for, for a model that was not fitted, and for one with symbolic sizes besides the batch.
StandaloneFiles build_standalone(Trainer& trainer, const std::string& header_for, const codegen::Target& target);

}  // namespace descent::runtime
