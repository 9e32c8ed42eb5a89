#include "runtime/categories.h"

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "descent/error.h"
#include "ir/edit_distance.h"
#include "runtime/file.h"
#include "runtime/quote.h"

namespace descent::runtime {

namespace {

/// "its categories are ..." with the first few.
std::string list_of(const Categories& categories) {
  constexpr std::size_t shown = 8;
  std::string text = "its categories are ";
  for (std::size_t i = 0; i < std::min(shown, categories.size()); ++i) {
    text += (i > 0 ? ", " : "") + in_quotes(categories[i]);
  }
  if (categories.size() > shown) text += fmt::format(" and {} more", categories.size() - shown);
  return text;
}

}  // namespace

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Categories find_categories(const Table& table, std::size_t column) {
  std::unordered_set<std::string_view> seen;
  Categories found;
  std::vector<Diagnostic> missing;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view text = table.text(row, column);
    if (text.empty() && missing.size() < 5) {
      missing.push_back(table.diagnose(
          row, column, fmt::format("missing value: column {} is empty here", in_quotes(table.columns()[column])),
          "write a category there, or leave the row out"));
    }
    if (seen.insert(text).second) found.emplace_back(text);
  }
  if (!missing.empty()) throw Error(std::move(missing));
  const bool numbers = std::all_of(found.begin(), found.end(), [](const auto& text) { return number_of(text); });
  std::sort(found.begin(), found.end(), [&](const std::string& a, const std::string& b) {
    if (!numbers || *number_of(a) == *number_of(b)) return a < b;
    return *number_of(a) < *number_of(b);
  });
  return found;
}

std::vector<std::uint32_t> encode(const Table& table, std::size_t column, const Categories& categories) {
  std::unordered_map<std::string_view, std::uint32_t> codes;
  for (std::size_t i = 0; i < categories.size(); ++i) codes.emplace(categories[i], static_cast<std::uint32_t>(i));
  std::vector<std::uint32_t> result;
  std::vector<Diagnostic> unknown;
  std::unordered_set<std::string_view> reported;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view text = table.text(row, column);
    const auto at = codes.find(text);
    if (at != codes.end()) {
      result.push_back(at->second);
    } else if (unknown.size() < 5 && reported.insert(text).second) {
      const auto meant = ir::nearest(text, categories);
      unknown.push_back(
          table.diagnose(row, column,
                         fmt::format("column {} holds {}, which is none of its {} categories",
                                     in_quotes(table.columns()[column]), in_quotes(text), categories.size()),
                         meant ? "did you mean " + in_quotes(*meant) + "?" : list_of(categories)));
    }
  }
  if (!unknown.empty()) throw Error(std::move(unknown));
  return result;
}

std::string to_text(const Categories& categories) { return nlohmann::json(categories).dump(); }

Categories from_text(const std::string& text, const std::string& path) {
  try {
    return nlohmann::json::parse(text).get<Categories>();
  } catch (const nlohmann::json::exception&) {
    throw file_error(path, "its categories are not a list of texts");
  }
}

}  // namespace descent::runtime
