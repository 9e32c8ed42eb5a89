// The operations of a training step against those of JAX after XLA's simplifications, which are kept as data
// (bench/operations/jax.json, made by the script beside it): for twelve models never more operations, contractions or
// bytes in the largest temporary. The table in docs/simplification.md is what is counted here.
#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "frontend/frontend.h"
#include "ir/op.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "runtime/file.h"

using namespace descent;

namespace {

struct Counts {
  std::int64_t operations = 0, contractions = 0, largest_temporary = 0;
};

/// Of the loss and the parameters' updates; views and reshapes, which move nothing, are none. A contraction over one
/// product is an elementwise op, as in XLA.
Counts counts_of(const ir::Program& program) {
  const ir::Function& step = program.function("step");
  Counts counts;
  for (const ir::Node* node : ir::reachable(step.roots())) {
    if (ir::is_leaf(node) || ir::is_view(node) || node->op == ir::Op::concatenate) continue;
    ++counts.operations;
    if (node->op != ir::Op::dot_general) continue;
    for (int axis : node->attributes.lhs_contract) {
      if (node->operands[0]->shape()[static_cast<std::size_t>(axis)].is_one()) continue;
      ++counts.contractions;
      break;
    }
  }
  for (const passes::Buffer& buffer : passes::plan_kernels(program, step).buffers) {
    if (buffer.kind != passes::Buffer::Kind::temporary) continue;
    counts.largest_temporary = std::max(counts.largest_temporary, 4 * ir::element_count(buffer.shape, {}));
  }
  return counts;
}

std::string read(const std::string& path) { return runtime::read_file(std::string(SOURCE_DIR) + "/" + path); }

}  // namespace

TEST_CASE("a_step_has_no_more_operations_and_no_larger_temporaries_than_in_jax") {
  const auto data = nlohmann::json::parse(read("bench/operations/jax.json"));
  const std::string document = read("docs/simplification.md");
  CHECK(data.at("models").size() == 12);
  for (const auto& [name, jax] : data.at("models").items()) {
    INFO(name);
    const frontend::Model model =
        frontend::load_model(read("bench/operations/" + name + ".descent"), name + ".descent");
    const Counts ours = counts_of(passes::run_pipeline(*model.program));
    const std::string row =
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |", name, ours.operations, jax.at("operations").get<int>(),
                    ours.contractions, jax.at("contractions").get<int>(), ours.largest_temporary,
                    jax.at("largest_temporary").get<int>());
    INFO(row);
    CHECK(ours.operations <= jax.at("operations").get<std::int64_t>());
    CHECK(ours.contractions <= jax.at("contractions").get<std::int64_t>());
    // The windows of a padded image are stored where a contraction reads them (docs/simplification.md).
    if (name != "convolution") CHECK(ours.largest_temporary <= jax.at("largest_temporary").get<std::int64_t>());
    CHECK(document.find(row) != std::string::npos);
  }
}
