// Parts of a program as bytes (ir/bytes.h). As in the text form, nodes are numbered in the order in which they appear.
#pragma once

#include "ir/bytes.h"
#include "ir/program.h"

namespace descent::ir {

void write(ByteWriter& out, const Interface& interface);
Interface read_interface(ByteReader& in);

/// The results and updates of a function, with all nodes that they reach.
void write(ByteWriter& out, const Function& function);
/// Makes them in the graph. The op's own rules are asked whether they can be.
Function read_function(ByteReader& in, Graph& graph);

}  // namespace descent::ir
