// Text from a user's file inside a message: short, on one line, and harmless on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace descent::runtime {

/// Whether the byte goes on with a UTF-8 character that an earlier one began.
inline bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// How many characters UTF-8 text has.
inline std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += !continues_character(byte);
  return count;
}

/// The first `longest` characters, followed by "..." where there are more; control characters become blanks.
inline std::string shorten(std::string_view text, std::size_t longest) {
  std::string result;
  std::size_t count = 0;
  for (const char byte : text) {
    if (!continues_character(byte) && count++ == longest) return result + "...";
    const auto code = static_cast<unsigned char>(byte);
    result += code < 0x20 || code == 0x7F ? ' ' : byte;
  }
  return result;
}

inline std::string in_quotes(std::string_view text) { return '"' + shorten(text, 60) + '"'; }

}  // namespace descent::runtime
