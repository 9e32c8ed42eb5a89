// The characters of a text in UTF-8.
#pragma once

#include <string_view>

namespace descent::ir {

/// Whether a byte is a further one of a character, not its first.
inline bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The length of the character that begins the text; 0 if there is none: what is written longer than need be, half of a
/// pair of UTF-16 or beyond the last character is none.
inline std::size_t character_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80             ? 1
                             : (byte(0) & 0xE0) == 0xC0 ? 2
                             : (byte(0) & 0xF0) == 0xE0 ? 3
                             : (byte(0) & 0xF8) == 0xF0 ? 4
                                                        : 0;
  if (length > text.size()) return 0;
  unsigned code = length < 2 ? byte(0) : byte(0) & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues_character(text[i])) return 0;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code < least[length] || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF ? 0 : length;
}

}  // namespace descent::ir
