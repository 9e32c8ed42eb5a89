// The reference data of the prelude: what PyTorch computes, in float64, for small tensors. tests/prelude/data/*.json
// are written by tests/prelude/make_reference.py, where their form is explained.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace descent::test {

/// The cases of data/NAME.json.
nlohmann::json reference_cases(const std::string& name);
/// The names of all files, without ".json".
std::vector<std::string> reference_files();

}  // namespace descent::test
