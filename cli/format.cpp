// Writes a file in the one layout, or says that it is not.
#include "frontend/format.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "runtime/file.h"

namespace descent::cli {

int format(const FormatArguments& a) {
  const std::string text = runtime::read_file(a.file);
  const std::string formatted = frontend::format(text, a.file);
  if (formatted == text) return 0;
  if (a.check) {
    say("{} is not formatted\n  = help: run descent format {}\n", a.file, a.file);
    return 1;
  }
  const std::string_view pieces[] = {formatted};
  runtime::write_file_atomically(a.file, pieces);
  return 0;
}

}  // namespace descent::cli
