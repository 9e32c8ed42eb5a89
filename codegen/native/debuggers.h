// Names for code that was made at run time, for the tools that look at a running program.
//
// With DESCENT_DEBUG=1 in the environment, perf finds the names of kernels in /tmp/perf-PID.map, and gdb gets every
// object file by its JIT interface, so that breakpoints and disassembly do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace descent::codegen {

bool wants_debug_names();

/// A function in memory.
struct CodeSymbol {
  std::string name;
  std::uint64_t address, size;
};
/// Adds lines to perf's map of this process (tools/perf/Documentation/jit-interface.txt of the Linux kernel).
void tell_perf(const std::vector<CodeSymbol>& symbols);

/// Objects whose section headers hold the addresses of the sections in memory, as gdb wants them ("JIT Compilation
/// Interface" in gdb's manual); gdb knows them until this is destroyed.
class GdbRegistration {
 public:
  explicit GdbRegistration(std::vector<std::string> objects);
  ~GdbRegistration();
  GdbRegistration(const GdbRegistration&) = delete;
  GdbRegistration& operator=(const GdbRegistration&) = delete;

 private:
  struct Entry;
  std::vector<std::string> objects_;
  std::vector<Entry*> entries_;
};

}  // namespace descent::codegen
