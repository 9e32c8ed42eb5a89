#include "codegen/addresses.h"

#include <utility>

namespace descent::codegen {

AddressTable::AddressTable(std::span<const Slot> slots, std::vector<void*> buffers)
    : slots_(slots), buffers_(std::move(buffers)), addresses_(slots.size()), begins_(buffers_.size() + 1, 0) {
  for (const Slot& slot : slots_) {
    if (slot.buffer != Slot::kNumber) ++begins_[static_cast<std::size_t>(slot.buffer) + 1];
  }
  for (std::size_t b = 0; b < buffers_.size(); ++b) begins_[b + 1] += begins_[b];
  places_.resize(begins_.back());
  std::vector<std::uint32_t> next(begins_.begin(), begins_.end() - 1);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const auto b = static_cast<std::size_t>(slot.buffer);
    addresses_[i] = address(slot, slot.buffer == Slot::kNumber ? nullptr : buffers_[b]);
    if (slot.buffer != Slot::kNumber) places_[next[b]++] = static_cast<std::uint32_t>(i);
  }
}

void* AddressTable::address(const Slot& slot, void* buffer) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(buffer) + static_cast<std::uintptr_t>(slot.value));
}

void AddressTable::set(std::size_t buffer, void* address) {
  if (buffers_[buffer] == address) return;
  buffers_[buffer] = address;
  for (std::uint32_t i = begins_[buffer]; i < begins_[buffer + 1]; ++i) {
    addresses_[places_[i]] = AddressTable::address(slots_[places_[i]], address);
  }
}

}  // namespace descent::codegen
