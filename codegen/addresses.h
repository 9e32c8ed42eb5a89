// Where the kernels of a function find what they work on: for each call an array of addresses, one after the other.
//
// A kernel does not know its buffers: equal kernels over other buffers, or over other slices, are one code
// (passes/signature.h). The addresses are worked out once for the buffers of a run, not by every kernel in every step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace descent::codegen {

/// What a call finds at one place: the address of a buffer's byte, or where there is no buffer a number (the stream of
/// a random tensor). Its layout is part of the compiled code, which brings the slots of its functions along.
struct Slot {
  static constexpr std::int64_t kNumber = -1;
  std::int64_t buffer;  ///< of the plan, or kNumber
  std::int64_t value;   ///< the byte, or the number
};

/// The addresses for all calls of a function. The slots must outlive it.
class AddressTable {
 public:
  AddressTable() = default;
  /// `buffers`: an address for each buffer of the plan; null for what will be set before the function runs.
  AddressTable(std::span<const Slot> slots, std::vector<void*> buffers);

  /// Another address for a buffer.
  void set(std::size_t buffer, void* address);
  void* buffer(std::size_t index) const { return buffers_[index]; }
  /// For the compiled code: an address, or a number, for each slot.
  void* const* data() const { return addresses_.data(); }
  bool empty() const { return buffers_.empty(); }

 private:
  static void* address(const Slot& slot, void* buffer);

  std::span<const Slot> slots_;
  std::vector<void*> buffers_, addresses_;
  /// The slots of buffer b are places_[begins_[b]] to places_[begins_[b + 1]].
  std::vector<std::uint32_t> begins_, places_;
};

}  // namespace descent::codegen
