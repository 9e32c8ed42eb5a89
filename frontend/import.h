// A file and those that it imports.
#pragma once

#include <memory>
#include <vector>

#include "frontend/source.h"

namespace descent::frontend {

/// A file and all files that it imports, directly or not; each is read once.
struct SourceTree {
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<std::unique_ptr<File>> files;
  const File* main = nullptr;
};

/// Parses `text` and what it imports: paths are relative to the folder of the importing file. Mistakes are added to
/// `mistakes`; a file that cannot be read, or that imports itself through others, is one.
std::unique_ptr<SourceTree> load_source_tree(const std::string& text, const std::string& name,
                                             std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
