// What the cache remembers of a model by its text, so that a model which has been compiled before is neither lowered
// nor differentiated nor planned again: its interface, how its variables begin, how its metrics are made of what
// is computed, and the digests under which the code of its functions is found.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "codegen/compile.h"
#include "codegen/native/object_cache.h"
#include "ir/program.h"
#include "passes/by_rows.h"

namespace descent::runtime {

struct KnownModel {
  ir::Interface interface;
  std::string initial;  ///< for read_initial
  passes::DividedFunction metrics;
  std::shared_ptr<ir::Graph> metrics_graph;                           ///< of its nodes
  bool rows_are_independent = false;                                  ///< of the outputs
  codegen::Digests digests;                                           ///< of every function but `initial`
  std::map<std::string, std::int64_t> category_counts, index_counts;  ///< as in frontend::Model
};

/// What there is of the model whose files have this text (frontend::ModelSource::text); nothing for none.
std::optional<KnownModel> find_known(const std::string& text, codegen::ObjectCache& cache);
void store_known(const std::string& text, const KnownModel& model, codegen::ObjectCache& cache);

/// The function `initial` as KnownModel has it: as many nodes as there are variables, and more, read when they are
/// asked for.
std::string initial_bytes(const ir::Function& initial);
ir::Program read_initial(const std::string& bytes);

}  // namespace descent::runtime
