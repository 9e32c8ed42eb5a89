// Reports every mistake of a file, or nothing.
#include "cli/commands.h"
#include "frontend/frontend.h"
#include "runtime/file.h"

namespace descent::cli {

int check(const CheckArguments& a) {
  frontend::load_model(runtime::read_file(a.file), a.file);
  return 0;
}

}  // namespace descent::cli
