// A program in float64 instead of float32.
#pragma once

#include "ir/program.h"

namespace descent::test {

/// The same program with every f32 as f64: inputs, variables, and all that is computed.
ir::Program in_doubles(const ir::Program& program);

}  // namespace descent::test
