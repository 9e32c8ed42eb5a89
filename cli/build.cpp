// A model as an object file and a header, for programs that have nothing of Descent.
#include "runtime/standalone.h"

#include <filesystem>

#include "cli/commands.h"
#include "cli/output.h"
#include "codegen/backend.h"
#include "passes/memory.h"
#include "runtime/file.h"

namespace descent::cli {

int build(const BuildArguments& a) {
  const codegen::Target target{a.triple, a.cpu};
  try {
    codegen::backend().machine_of(target);
  } catch (const Error& error) {  // of the command line, not of the file
    say("{}\n", error.what());
    return 2;
  }
  if (a.object == a.header) {
    say("--output and --header name the same file, {0}\n  = help: write --header {0}.h\n", a.object);
    return 2;
  }
  for (const std::string& path : {a.object, a.header}) runtime::check_writable(path);
  const Model model = Model::from_file(a.file, a.batch);
  Trainer trainer(model, static_cast<std::uint64_t>(a.seed));
  if (!a.weights.empty()) trainer.load(a.weights);
  const std::string source = std::filesystem::path(a.file).filename().string();
  const runtime::StandaloneFiles files = runtime::build_standalone(trainer, source, target);
  for (const auto& [path, text] : {std::pair(a.object, &files.object), std::pair(a.header, &files.header)}) {
    const std::string_view pieces[] = {*text};
    runtime::write_file_atomically(path, pieces);
  }
  print("{}: {}, {}_create and other functions, which {} declares; a model works in {}\n", a.object,
        passes::memory_text(static_cast<std::int64_t>(files.object.size())), files.prefix, a.header,
        passes::memory_text(files.memory_bytes));
  return 0;
}

}  // namespace descent::cli
