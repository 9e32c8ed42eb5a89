// The text of frontend/prelude.descent, which the build embeds in the library.
#pragma once

#include <string_view>

namespace descent::frontend {

extern const std::string_view prelude_source;

}  // namespace descent::frontend
