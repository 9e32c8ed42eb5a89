// Which parameters a group of the train block names.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace descent::frontend {

/// '*' stands for any characters: "*.b". A pattern without one names a parameter, or all below a path: "encoder" names
/// encoder.w and encoder.dense.0.b.
inline bool path_matches(std::string_view pattern, std::string_view path) {
  if (pattern.find('*') == std::string_view::npos) {
    return path == pattern || (path.starts_with(pattern) && path.substr(pattern.size()).starts_with('.'));
  }
  // The last '*' takes as few characters as it can, then one more after every failure.
  std::size_t p = 0, s = 0, star = std::string_view::npos, resume = 0;
  while (s < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = s;
    } else if (p < pattern.size() && pattern[p] == path[s]) {
      ++p, ++s;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      s = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

template <typename Position>
bool belongs_to(std::string_view path, const std::vector<std::pair<std::string, Position>>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return path_matches(p.first, path); });
}

}  // namespace descent::frontend
