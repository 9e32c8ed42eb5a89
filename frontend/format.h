// The one layout of .descent files.
#pragma once

#include <string>

namespace descent::frontend {

/// The text in the canonical layout: four blanks for each block and each bracket that is open over lines, one blank
/// around operators but ^ and .., at most one empty line, and `=` in a column where lines of one kind follow each other
/// (input and target; param; state; fit; let; settings of data and train), and `<-`. Where lines end is left to the
/// writer. Comments stay. What is formatted does not change when it is formatted again, and means the same. Throws
/// descent::Error with every mistake of spelling and grammar; `file` is the name used in messages.
std::string format(const std::string& text, const std::string& file);

}  // namespace descent::frontend
