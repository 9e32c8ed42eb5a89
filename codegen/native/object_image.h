// Loads relocatable object files into memory and makes them ready to run, without LLVM and without the system's linker.
//
// What Descent's own code generator writes is all that is understood: ELF for x86-64 or AArch64, code and constants, no
// writable data, no thread-local storage; and of other libraries nothing but functions of the C library.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace descent::codegen {

/// Machine code in memory.
struct Linked {
  std::shared_ptr<void> owner;           ///< keeps the code
  std::map<std::string, void*> symbols;  ///< addresses of functions and tables, by name
};

/// The symbols are all that are not local to an object. Throws std::runtime_error for an object that
/// is malformed or that has something the loader does not know.
Linked load_objects(std::span<const std::string_view> objects);

}  // namespace descent::codegen
