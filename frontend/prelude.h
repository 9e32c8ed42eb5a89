// The text of frontend/prelude.descent, kept in the binary.
#pragma once

#include <string_view>

namespace descent::frontend {
extern const std::string_view prelude_source;
}
