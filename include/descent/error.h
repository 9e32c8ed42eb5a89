// Diagnostics and the one exception type that Descent throws.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace descent {

/// A second place that explains a mistake: where a size was first known, where a function was called.
struct Note {
  std::string message;
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1;
};

/// One mistake of the user's, with the place where it stands.
struct Diagnostic {
  std::string file;         ///< as the user named it; empty where there is no file
  int line = 0;             ///< from 1; 0 where there is no line
  int column = 0;           ///< from 1, in characters of the source line
  int length = 1;           ///< how many characters the caret line underlines
  std::string message;      ///< what is wrong: what was found and what was expected
  std::string hint;         ///< what to write instead; may be empty
  std::string source_line;  ///< the text of that line; empty where there is none
  std::vector<Note> notes = {};
  bool is_warning = false;  ///< nothing is wrong yet

  /// The diagnostic as shown to a person:
  ///     file:3:7: error: message
  ///       3 | source line
  ///         |       ^^^^
  ///         = note: file:2:3: what else explains it
  ///         = help: hint
  std::string to_string() const;
};

/// The user's file, data or call is wrong. Thrown by every public function; the library never prints or exits.
class Error : public std::runtime_error {
 public:
  explicit Error(std::vector<Diagnostic> diagnostics);
  explicit Error(Diagnostic diagnostic);
  explicit Error(const std::string& message, const std::string& hint = "");
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace descent
