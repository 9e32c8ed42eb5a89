// Reports every mistake of a file, or nothing; and where the numbers of a model without mistakes can fail it.
#include <fmt/format.h>

#include "cli/commands.h"
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "passes/unstable.h"
#include "runtime/file.h"

namespace descent::cli {

int check(const CheckArguments& a) {
  const frontend::Model model = frontend::load_model(runtime::read_file(a.file), a.file);
  for (const passes::Unstable& place : passes::find_unstable(passes::run_pipeline(*model.program))) {
    fmt::print(stderr, "{}: warning: in '{}', computed as {}: {}\n  = help: {}\n", a.file, place.place, place.what,
               place.reason, place.advice);
  }
  return 0;
}

}  // namespace descent::cli
