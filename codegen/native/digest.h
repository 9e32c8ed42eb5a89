// Keys of caches.
#pragma once

#include <string>

namespace descent::codegen {

/// 32 hexadecimal digits that texts share only if they are the same, for all practical purposes: 128 bits of XXH3.
std::string digest_of(const std::string& text);

}  // namespace descent::codegen
