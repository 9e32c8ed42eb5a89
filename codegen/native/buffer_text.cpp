// One line a buffer, in order, with a tab between its parts; then one for each name that callers know.
//     buffer  2  0  [n, 16]  0-3 7-9
//     limit   65536
//     size    n  32
//     name    x  0
#include "codegen/native/buffer_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "descent/error.h"

namespace descent::codegen {

namespace {

using passes::Buffer;

[[noreturn]] void fail() { throw std::runtime_error("the table of buffers cannot be read"); }

/// Takes what stands before the next separator off the text.
std::string_view next(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

template <typename Number>
Number number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) fail();
  return value;
}

ir::Shape shape(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') fail();
  text = text.substr(1, text.size() - 2);
  ir::Shape sizes;
  sizes.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) + 1);
  if (text.ends_with(',')) fail();
  while (!text.empty()) {
    if (text.starts_with(' ')) text.remove_prefix(1);
    sizes.push_back(ir::Dimension::parse(next(text, ',')));
  }
  return sizes;
}

/// "0-3 7-9 ", each with a blank behind it.
std::vector<passes::Life> lives(std::string_view text) {
  std::vector<passes::Life> all;
  while (!text.empty()) {
    const std::size_t dash = text.find('-'), end = text.find(' ');
    if (end == std::string_view::npos || dash >= end) fail();
    all.push_back({number<int>(text.substr(0, dash)), number<int>(text.substr(dash + 1, end - dash - 1))});
    text.remove_prefix(end + 1);
  }
  return all;
}

}  // namespace

std::string print_buffers(const BufferTables& tables) {
  std::string text;
  for (const auto& [function, table] : tables) {
    text += "function\t" + function + "\n";
    if (table.limit > 0) text += fmt::format("limit\t{}\n", table.limit);
    for (const auto& [name, size] : table.limit_sizes) text += fmt::format("size\t{}\t{}\n", name, size);
    for (const Buffer& b : table.buffers) {
      std::string lives;
      for (const passes::Life& life : b.lives) lives += fmt::format("{}-{} ", life.first, life.last);
      text += fmt::format("buffer\t{}\t{}\t{}\t{}\t{}\n", static_cast<int>(b.kind), static_cast<int>(b.dtype),
                          ir::to_string(b.shape), lives, b.name);
    }
    const std::map<std::string, int> sorted(table.names.begin(), table.names.end());  // equal tables, equal texts
    for (const auto& [name, buffer] : sorted) text += fmt::format("name\t{}\t{}\n", name, buffer);
  }
  return text;
}

BufferTables parse_buffers(const std::string& text) {
  BufferTables tables;
  passes::BufferTable* table = nullptr;
  try {
    std::vector<std::string_view> parts;
    for (std::string_view lines = text; !lines.empty();) {
      std::string_view line = next(lines, '\n');
      if (line.empty()) continue;
      parts.clear();
      for (bool more = true; more;) {
        more = line.find('\t') != std::string_view::npos;
        parts.push_back(next(line, '\t'));
      }
      if (parts[0] == "function" && parts.size() == 2) {
        table = &tables[std::string(parts[1])];
      } else if (table != nullptr && parts[0] == "limit" && parts.size() == 2) {
        table->limit = number<std::int64_t>(parts[1]);
      } else if (table != nullptr && parts[0] == "size" && parts.size() == 3) {
        table->limit_sizes[std::string(parts[1])] = number<std::int64_t>(parts[2]);
      } else if (table != nullptr && parts[0] == "buffer" && parts.size() == 6) {
        const int kind = number<int>(parts[1]);
        const int dtype = number<int>(parts[2]);
        if (kind < 0 || kind > static_cast<int>(Buffer::Kind::result)) fail();
        if (dtype < 0 || dtype > static_cast<int>(ir::DType::boolean)) fail();
        table->buffers.push_back({static_cast<Buffer::Kind>(kind), std::string(parts[5]), shape(parts[3]),
                                  static_cast<ir::DType>(dtype), lives(parts[4])});
      } else if (table != nullptr && parts[0] == "name" && parts.size() == 3) {
        const int buffer = number<int>(parts[2]);
        if (buffer < 0 || static_cast<std::size_t>(buffer) >= table->buffers.size()) fail();
        table->names.emplace(parts[1], buffer);
      } else {
        fail();
      }
    }
  } catch (const Error&) {  // of Dimension::parse
    fail();
  }
  return tables;
}

}  // namespace descent::codegen
