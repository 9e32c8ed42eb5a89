// What a person can look up: the entries of the prelude with their documentation and source, and the primitive
// functions.
#pragma once

#include <string>
#include <vector>

namespace descent::frontend {

struct Entry {
  std::string section;        ///< "Activations"
  std::string name;           ///< "sigmoid"
  std::string signature;      ///< "fn sigmoid(x)"
  std::string documentation;  ///< lines, each ended
  std::string source;         ///< empty for a primitive function, which has none in the language

  std::string summary() const;  ///< its first sentence, in one line
};

/// In the order of the prelude; primitive functions last.
const std::vector<Entry>& documentation();

}  // namespace descent::frontend
