#include "runtime/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "descent/error.h"
#include "runtime/permute.h"

namespace descent::runtime {

namespace {

Error split_error(const frontend::SplitSpec& spec, const std::string& message, const std::string& hint) {
  const frontend::Location& at = spec.location;
  return Error(Diagnostic{at.file, at.line, at.column, at.length, message, hint, at.source_line});
}

std::uint32_t held_out_rows(const frontend::SplitSpec& spec, std::uint32_t rows) {
  const auto held_out = static_cast<std::uint32_t>(std::llround(spec.fraction * rows));
  if (held_out == 0 || held_out >= rows) {
    const std::string share = fmt::format("{:g}% of {} row{}", spec.fraction * 100, rows, rows == 1 ? "" : "s");
    throw split_error(spec,
                      held_out == 0 ? "the split leaves no row for validation: " + share + " is less than half a row"
                                    : "the split leaves no row for training: " + share + " is every row",
                      "choose another fraction, or give more data");
  }
  return held_out;
}

/// The rows of each class in ascending order; the classes in the order of their first rows.
std::vector<std::vector<std::uint32_t>> rows_by_class(std::span<const float> classes, std::uint32_t width) {
  std::map<std::vector<float>, std::size_t> index;
  std::vector<std::vector<std::uint32_t>> groups;
  std::vector<float> label(width);
  for (std::size_t row = 0; row * width < classes.size(); ++row) {
    std::copy_n(classes.begin() + static_cast<std::ptrdiff_t>(row * width), width, label.begin());
    const auto found = index.try_emplace(label, groups.size()).first;
    if (found->second == groups.size()) groups.emplace_back();
    groups[found->second].push_back(static_cast<std::uint32_t>(row));
  }
  return groups;
}

/// How many rows of each class are held out: they sum to `total`.
std::vector<std::uint32_t> shares(const std::vector<std::vector<std::uint32_t>>& groups, double fraction,
                                  std::uint32_t total) {
  std::vector<std::uint32_t> share(groups.size());
  std::vector<double> remainder(groups.size());
  std::uint32_t given = 0;
  for (std::size_t c = 0; c < groups.size(); ++c) {
    const double exact = fraction * static_cast<double>(groups[c].size());
    share[c] = static_cast<std::uint32_t>(exact);
    remainder[c] =
        std::round((exact - share[c]) * 1e9);  // so that equal remainders are equal after rounding errors too
    given += share[c];
  }
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return remainder[a] != remainder[b] ? remainder[a] > remainder[b] : a < b;
  });
  // The rest is at most one row for each class, for the fractional parts sum to it within rounding.
  for (std::size_t i = 0; given < total && i < order.size(); ++i, ++given) ++share[order[i]];
  return share;
}

}  // namespace

Split split_rows(const frontend::SplitSpec& spec, std::uint32_t rows) {
  const std::uint32_t held_out = held_out_rows(spec, rows);
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  RandomWords words(spec.seed, ir::Stream::split, 0);
  permute(order, words);
  Split split{{order.begin() + held_out, order.end()}, {order.begin(), order.begin() + held_out}};
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  return split;
}

Split split_rows_stratified(const frontend::SplitSpec& spec, std::span<const float> classes, std::uint32_t width) {
  const auto rows = static_cast<std::uint32_t>(classes.size() / width);
  const std::uint32_t held_out = held_out_rows(spec, rows);
  std::vector<std::vector<std::uint32_t>> groups = rows_by_class(classes, width);
  for (const auto& group : groups) {
    if (group.size() > 1) continue;
    throw split_error(spec,
                      fmt::format("cannot stratify by {}: of its {} classes, {} has one row alone, row {}",
                                  spec.stratify.value_or("the target"), groups.size(),
                                  width == 1 ? fmt::format("{:g}", classes[group[0]]) : "one", group[0] + 1),
                      "leave out `stratify`, or stratify by a target with few classes");
  }
  const std::vector<std::uint32_t> share = shares(groups, spec.fraction, held_out);
  RandomWords words(spec.seed, ir::Stream::split, 0);
  Split split;
  for (std::size_t c = 0; c < groups.size(); ++c) {
    permute(groups[c], words);
    const auto cut = groups[c].begin() + share[c];
    split.held_out.insert(split.held_out.end(), groups[c].begin(), cut);
    split.training.insert(split.training.end(), cut, groups[c].end());
  }
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.held_out.begin(), split.held_out.end());
  return split;
}

}  // namespace descent::runtime
