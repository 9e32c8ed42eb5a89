// Any bytes are a file with mistakes or without, never a crash: lexer, parser, name check, lowering and shape
// inference, the formatter and the syntax tree's printer. `./dev fuzz` runs it with libFuzzer; ctest replays the
// corpus.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "descent/error.h"
#include "frontend/format.h"
#include "frontend/frontend.h"
#include "frontend/print.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  if (text.find("import") == std::string::npos) {  // files are not read
    try {
      descent::frontend::load_model(text, "fuzz.descent");
    } catch (const descent::Error&) {
    }
  }
  try {
    const std::string once = descent::frontend::format(text, "fuzz.descent");
    if (descent::frontend::format(once, "fuzz.descent") != once) std::abort();
    if (descent::frontend::print_syntax_tree(once, "f") != descent::frontend::print_syntax_tree(text, "f"))
      std::abort();
  } catch (const descent::Error&) {
  }
  return 0;
}
