// The data and train blocks: settings, not graph.
#pragma once

#include "frontend/model.h"
#include "frontend/source.h"

namespace descent::frontend {

DataSpec read_data_block(const Definition& block, const ir::Program& program, std::vector<Diagnostic>& mistakes);

/// Also gives the expression of the optimizer; null where the block names none.
TrainSpec read_train_block(const Definition& block, const Expression** optimizer, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
