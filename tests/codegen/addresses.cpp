// What kernels are called with: an address for each slot, kept right when a buffer moves.
#include "codegen/addresses.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>

namespace descent::codegen {

TEST_CASE("a_slot_is_an_address_in_its_buffer_or_a_number") {
  std::array<std::byte, 64> first{}, second{};
  const std::array<Slot, 4> slots{Slot{1, 0}, Slot{0, 16}, Slot{Slot::kNumber, 7}, Slot{1, 8}};
  const AddressTable table(slots, {first.data(), second.data()});
  CHECK(table.data()[0] == second.data());
  CHECK(table.data()[1] == first.data() + 16);
  CHECK(reinterpret_cast<std::uintptr_t>(table.data()[2]) == 7);
  CHECK(table.data()[3] == second.data() + 8);
  CHECK(table.buffer(0) == first.data());
}

TEST_CASE("a_buffer_that_moves_takes_all_its_slots_along_and_no_others") {
  std::array<std::byte, 64> first{}, second{}, third{};
  const std::array<Slot, 4> slots{Slot{1, 0}, Slot{0, 16}, Slot{Slot::kNumber, 7}, Slot{1, 8}};
  AddressTable table(slots, {first.data(), nullptr});
  const AddressTable before = table;
  table.set(1, third.data());
  CHECK(table.buffer(1) == third.data());
  CHECK(table.data()[0] == third.data());
  CHECK(table.data()[1] == first.data() + 16);
  CHECK(reinterpret_cast<std::uintptr_t>(table.data()[2]) == 7);
  CHECK(table.data()[3] == third.data() + 8);
  table.set(1, second.data());
  CHECK(table.data()[3] == second.data() + 8);
  CHECK(before.buffer(1) == nullptr);  // a copy has buffers of its own
}

TEST_CASE("a_function_without_kernels_has_an_empty_table") {
  AddressTable table({}, {nullptr, nullptr});
  table.set(1, &table);
  CHECK(table.buffer(1) == &table);
  CHECK(!table.empty());
  CHECK(AddressTable().empty());
}

}  // namespace descent::codegen
