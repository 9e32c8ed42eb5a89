// From graph to kernels: which nodes are computed together, what is stored, and in which order kernels run.
//
// A kernel is a loop nest over a space (a shape). It may start with a contraction that fills the space; every
// elementwise node of that shape that follows is computed on the element just made, and reductions of such nodes are
// accumulated on the way (epilogue fusion). Nodes computed from stored tensors alone are not stored themselves: each
// kernel that needs them computes them again. Views (broadcast, transpose, slice, pad, ...) are never computed: they
// are an offset, strides and bounds of the tensor they view (passes/views.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/program.h"
#include "passes/blocking.h"
#include "passes/memory.h"
#include "passes/views.h"

namespace descent::passes {

/// A node of a kernel's space that is written to a buffer: to the whole of it, or to the part that `strides` and
/// `offset` say.
struct Store {
  const ir::Node* node;
  int buffer;
  ir::Dimension offset = 0;
  std::vector<ir::Dimension> strides = {};     ///< by axis of the space; empty: the whole buffer, row-major
  std::vector<Indirection> indirections = {};  ///< rows that indices name; those out of range are not written
};

struct Kernel {
  ir::Shape space;
  const ir::Node* contraction = nullptr;  ///< a dot_general of the space's shape
  std::vector<Store> stores;
  std::vector<std::pair<const ir::Node*, int>> reductions;  ///< reductions or scatter_add of the space, buffer
  Blocking blocking;                                        ///< of the contraction
  int workspace = -1;                                       ///< buffer for packed operands of the contraction
  const ir::Node* scan = nullptr;  ///< a first_occurrence, found one element after the other; needs the workspace
  int scanned = -1;                ///< its buffer
  /// If there are phases, the kernel consists of them: for each index of `space`, which are the rows (the leading axes
  /// of every phase), the phases' other axes one phase after the other (passes/row_fusion.h).
  std::vector<Kernel> phases;
  bool in_blocks = false;  ///< two phases, made block of rows by block of rows (passes/single_pass.h)
  int group = 0;           ///< as in KernelPlan::group
  bool again = false;      ///< it has run before: what it made has been given up since (passes/rematerialize.h)
};

struct KernelPlan : BufferTable {
  std::vector<Kernel> kernels;                      ///< in the order in which they run
  std::unordered_map<const ir::Node*, int> group;   ///< the kernel group that computes an elementwise node; absent: any
  std::unordered_map<const ir::Node*, int> stored;  ///< the buffer that holds a node's value
  std::unordered_map<const ir::Node*, const ir::Node*> in_memory;  ///< positions that views need stored: their leaves
  std::shared_ptr<ir::Graph> own_graph;                            ///< of leaves that stand for buffers
};

/// Where the elements of a node are that is stored, or a view of one that is. With `itself_stored` false the buffer of
/// the node itself is not considered: the kernel that writes it asks so.
View view_of(const ir::Node* node, const KernelPlan& plan, bool itself_stored = true);

/// Whether the kernel computes the node element by element, or loads it (as the view `access`).
bool computed_in(const Kernel& kernel, const ir::Node* node, const KernelPlan& plan);
/// The view by which the kernel loads a node that it does not compute.
View access(const Kernel& kernel, const ir::Node* node, const KernelPlan& plan);

/// What a reduction or scatter_add of a kernel takes in, element by element.
const ir::Node* reduced_value(const ir::Node* reduction);
/// Where each element of the space goes in its result: strides 0 along reduced axes, indirect for scatter_add.
View reduction_place(const ir::Node* reduction, const KernelPlan& plan);

/// The operands of a contraction as matrices with strides.
ContractionAxes contraction_axes(const ir::Node* dot, const KernelPlan& plan);

/// Calls `use` for every view by which the kernel, without its phases, loads an element for each of its space.
void for_each_load(const Kernel& kernel, const KernelPlan& plan, const std::function<void(const View&)>& use);
/// Calls `use` for every view by which the kernel reads memory.
void for_each_access(const Kernel& kernel, const KernelPlan& plan, const std::function<void(const View&)>& use);

/// The buffers that a kernel reads, and those that it writes (but its workspace).
std::vector<int> buffers_read(const Kernel& kernel, const KernelPlan& plan);
std::vector<int> buffers_written(const Kernel& kernel);
/// Whether a kernel reads what it stores over: an update.
bool stores_over(const Kernel& kernel, const KernelPlan& plan);

KernelPlan plan_kernels(const ir::Program& program, const ir::Function& function, const Machine& machine = {});

std::string print(const KernelPlan& plan);
/// A kernel in a few words: "[n, 64] = x . dense.0.w".
std::string title(const Kernel& kernel, const KernelPlan& plan);

/// What a kernel does and moves: 2 for each multiply-add of its contraction; the bytes of all that it reads and writes,
/// of a table the rows that indices name.
struct Work {
  ir::Dimension flops = 0, bytes = 0;
};
Work work_of(const Kernel& kernel, const KernelPlan& plan);
/// About how long that takes on one thread: what it computes or what it moves, whichever is slower. To compare kernels
/// with each other; being off by a factor of two costs little.
double estimated_us(const Work& work, const ir::DimensionValues& sizes);

}  // namespace descent::passes
