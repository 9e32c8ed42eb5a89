// "Did you mean": the known name nearest to an unknown one.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace descent::ir {

/// Damerau and Levenshtein's distance: insertions, deletions and replacements of characters, and neighbours exchanged.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);  // of the table's rows i - 2, i - 1 and i
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

/// The candidate that differs least, if it differs in less than half of its characters.
inline std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  // Of a single letter every other one differs by one character: none is nearer than the others.
  std::size_t least = name.size() < 2 ? 1 : name.size() / 2 + 1;
  for (const std::string& candidate : candidates) {
    // They differ by as many characters as one is longer.
    if (std::max(name.size(), candidate.size()) - std::min(name.size(), candidate.size()) >= least) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) least = distance, best = candidate;
  }
  return best;
}

}  // namespace descent::ir
