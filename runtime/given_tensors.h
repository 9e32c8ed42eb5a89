// The tensors of a call as native code reads them.
#pragma once

#include <vector>

#include "descent/tensor.h"
#include "frontend/model.h"
#include "runtime/memory.h"

namespace descent::runtime {

/// Whether native code can read a tensor like this one where it lies, whatever its numbers are.
bool fits_as_it_is(const ir::Input& input, const frontend::Model& model, const TensorView& tensor);

class GivenTensors {
 public:
  /// The address of each tensor: the caller's own, or of a copy as the model declares it. Copies are kept until the
  /// next call. Throws descent::Error for a number that the input cannot hold: one that is not whole, or names no
  /// category or row of a table.
  const std::vector<const void*>& read(const ir::Declarations& program, const frontend::Model& model,
                                       const Tensors& tensors);

 private:
  std::vector<const void*> addresses_;
  std::vector<Elements> copies_;
};

}  // namespace descent::runtime
