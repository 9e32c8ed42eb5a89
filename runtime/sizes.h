// The symbolic sizes of a call, from the number of rows and the lengths of the tensors given.
#pragma once

#include "descent/descent.h"
#include "ir/program.h"

namespace descent::runtime {

/// The value of every symbolic size of the program: the batch is `rows`, the others follow from how many numbers the
/// tensors have. `tensors` are the inputs with or without the targets; sizes of targets alone are 1 where those are
/// left out. Throws descent::Error where the number of tensors or the length of one does not fit, or a size stays
/// unknown.
ir::DimensionValues sizes_of_call(const ir::Declarations& program, const Tensors& tensors, std::int64_t rows,
                                  bool with_targets);

/// The same values in the order in which native code takes them (Declarations::dimensions).
std::vector<std::int64_t> in_order(const ir::Declarations& program, const ir::DimensionValues& sizes);

/// How many numbers a row of the input has.
std::int64_t row_width(const ir::Input& input, const ir::DimensionValues& sizes);

}  // namespace descent::runtime
