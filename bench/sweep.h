// Shapes that nobody chose, to find those at which the code falls off a cliff.
#pragma once

#include <nlohmann/json.hpp>

namespace descent::bench {

/// Networks of two equal layers and a last unit, over widths and batches, each beside the same step by hand: prints the
/// ratio of the faster rival to Descent for each, and the shapes at which Descent is more than a tenth slower.
nlohmann::ordered_json sweep();

}  // namespace descent::bench
