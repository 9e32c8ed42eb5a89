// What the commands write. Results go to standard output: where they cannot be written, the command fails. Progress and
// messages go to standard error as far as it takes them: no training ends because a log is full or closed.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace descent::cli {

void write_result(std::string_view text);
void write_message(std::string_view text);

template <typename... T>
void print(fmt::format_string<T...> format, T&&... values) {
  write_result(fmt::vformat(format, fmt::make_format_args(values...)));
}
template <typename... T>
void say(fmt::format_string<T...> format, T&&... values) {
  write_message(fmt::vformat(format, fmt::make_format_args(values...)));
}

/// Makes the numbers of closed standard streams unusable, so that no file that is opened later gets one and is written
/// over by messages.
void occupy_closed_streams();

/// Throws descent::Error where a result was not written to its end.
void finish_results();

}  // namespace descent::cli
