#include "frontend/number_kinds.h"

#include <algorithm>
#include <cmath>

namespace descent::frontend {

using Kind = Value::Kind;

namespace {

bool is_whole(double x) { return x == std::floor(x) && x <= 1e9; }

// Comparisons are false of what is not a number.
constexpr NumberKind table[] = {
    {"size", "a whole number from 1", [](double x) { return x >= 1 && is_whole(x); }, true},
    {"natural", "a whole number from 0", [](double x) { return x >= 0 && is_whole(x); }, false},
    {"positive", "a number above 0", [](double x) { return x > 0 && std::isfinite(x); }, false},
    {"nonnegative", "a number from 0", [](double x) { return x >= 0 && std::isfinite(x); }, false},
    {"share", "a number from 0 to 1", [](double x) { return x >= 0 && x <= 1; }, false},
    {"fraction", "a number from 0 to below 1", [](double x) { return x >= 0 && x < 1; }, false},
};

}  // namespace

std::span<const NumberKind> number_kinds() { return table; }

const NumberKind* find_number_kind(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(table), std::end(table), [&](const auto& k) { return k.name == name; });
  return found == std::end(table) ? nullptr : found;
}

bool can_be(const NumberKind& kind, const Value& value) {
  switch (value.kind) {
    case Kind::number:
      return kind.holds(value.number);
    case Kind::dimension:
      return true;
    case Kind::tensor:
    case Kind::tensors:
    case Kind::list:  // becomes a tensor where one is expected
      return !kind.is_size;
    case Kind::broken:
      return true;  // reported
    default:
      return false;
  }
}

std::string likely_meant(const NumberKind& kind, const Value& value) {
  if (value.is(Kind::number) && value.number > 1e9 && !kind.holds(value.number)) return "the most is 1000000000";
  if (!value.is(Kind::number) || kind.holds(2) || value.number < 2 || !kind.holds(value.number / 100)) return "";
  return "did you mean " + describe(value) + "%?";
}

}  // namespace descent::frontend
