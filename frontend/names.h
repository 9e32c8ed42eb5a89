// What can be said of a file's names before anything is evaluated, also of functions that nobody calls.
#pragma once

#include <set>

#include "frontend/source.h"

namespace descent::frontend {

/// Reports unknown names, and functions that call themselves. Returns the latter, which must not be evaluated.
std::set<const Definition*> check_names(const File& file, const File* prelude, std::vector<Diagnostic>& mistakes);

/// The callable definition of that name that `file` sees: its own hide those it imports, and these the prelude's.
const Definition* find_definition(const std::string& name, const File* file, const File* prelude);
/// All names of such definitions, of one kind if it is given, sorted.
std::vector<std::string> definition_names(const File& file, const File* prelude,
                                          std::optional<Definition::Kind> kind = std::nullopt);

/// Names that are always known, and mean something only the compiler knows.
bool is_special_name(const std::string& name);
/// What can be meant by a name that is not known: also primitive functions and special names.
std::string name_hint(const std::string& name, std::vector<std::string> visible, const File& file, const File* prelude);

}  // namespace descent::frontend
