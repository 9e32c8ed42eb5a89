// The data and train blocks: settings, not graph.
#pragma once

#include "frontend/lower.h"
#include "frontend/model.h"
#include "frontend/source.h"

namespace descent::frontend {

DataSpec read_data_block(const Definition& block, const Definition& model, std::vector<Diagnostic>& mistakes);

/// Also gives the expressions that say what a step changes. `data`: the data block, null if there is none.
TrainSpec read_train_block(const Definition& block, const Definition& model, const Definition* data, UpdateRules& rules,
                           std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
