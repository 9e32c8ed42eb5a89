// The value of an expression, in float64.
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <stdexcept>

#include "cli/commands.h"
#include "cli/output.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "passes/passes.h"

namespace descent::cli {

int eval(const EvalArguments& a) {
  std::map<std::string, double> values;
  ir::Environment environment;
  for (const std::string& text : a.values) {
    const std::size_t equals = text.find('=');
    try {
      std::size_t used = 0;
      const std::string number = text.substr(std::min(equals, text.size() - 1) + 1);
      if (equals == std::string::npos || equals == 0) throw std::invalid_argument("");
      values[text.substr(0, equals)] = std::stod(number, &used);
      if (used != number.size()) throw std::invalid_argument("");
    } catch (const std::logic_error&) {
      say("descent eval: '{}' is not of the form name=number\n", text);
      return 2;
    }
  }
  for (const auto& [name, value] : values) environment.tensors[name] = {{}, {value}};
  environment.counters = {{"step", 1}, {"epoch", 0}};
  const ir::Program program = passes::run_pipeline(frontend::load_expression(a.expression, values));
  const ir::Tensor result = ir::interpret({program.function("predict").results[0].node}, environment)[0];
  for (double value : result.values) {
    const double magnitude = std::fabs(value);
    if (std::isnan(value)) value = magnitude;  // whose sign says nothing
    print("{}\n", magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e15) ? fmt::format("{:.6f}", value)
                                                                            : fmt::format("{:.6e}", value));
  }
  return 0;
}

}  // namespace descent::cli
