// Which statements may stand in which block.
#pragma once

#include "frontend/source.h"

namespace descent::frontend {

/// Reports statements that have no meaning where they stand, and marks them as broken; also a fn or layer without a
/// result.
void check_statements(Definition& d, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
