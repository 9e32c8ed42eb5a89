// What a parameter declares of the number it takes: `rate: fraction = 0.5`. A rule is one row of the table, and every
// function, layer and optimizer that needs it names it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "frontend/value.h"

namespace descent::frontend {

struct NumberKind {
  const char* name;         ///< as it is written behind the colon
  const char* description;  ///< for messages and the documentation: "a number above 0"
  bool (*holds)(double);
  bool is_size;  ///< may have symbols in it, and can name an axis
};

std::span<const NumberKind> number_kinds();
const NumberKind* find_number_kind(std::string_view name);

/// Whether the value can be what is declared. Tensors can: their numbers are known when they are computed.
bool can_be(const NumberKind& kind, const Value& value);

/// "did you mean 50%?" of 50 where a part of the whole is wanted, or the most that there can be; empty where nothing is
/// likely.
std::string likely_meant(const NumberKind& kind, const Value& value);

}  // namespace descent::frontend
