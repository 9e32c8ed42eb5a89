// Loading the code generator while something else is done.
#pragma once

#include <future>

namespace descent::codegen {

/// To be called when it is known that something will have to be compiled, before it is known what: a thread of its own
/// loads the library with LLVM until the result, whose end waits for it, is gone. Says nothing of failures, which the
/// compilation meets again.
[[nodiscard]] std::future<void> prepare_backend();

}  // namespace descent::codegen
