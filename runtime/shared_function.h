// A compiled function run by a team of threads: which kernels are worth sharing, who makes which part of them, and
// where members must wait for each other.
//
// Members walk the kernels, each at its own pace. A kernel that is too small to be shared, or cannot be, is made by the
// first member while the others go on to what does not need it. A member waits only where its part of a kernel touches
// memory that another member may still be at work on, and only for that member: where every layer is cut by the rows of
// the batch, nobody waits. Of many members, some share one axis and some another, so that each has enough to do and
// reads a part of both operands. Parts lie along axes without sums (passes/partition.h), so results are bitwise the
// same on any number of threads.
#pragma once

#include <memory>

#include "codegen/compile.h"
#include "codegen/kernel_table.h"
#include "runtime/faster_way.h"
#include "runtime/memory.h"
#include "runtime/progress.h"

namespace descent::runtime {

class SharedFunction {
 public:
  /// For one batch size: `sizes`, and the same in native order. `addresses` are those of a run on one thread.
  /// `barrier_us` is what it is taken to cost that members wait for each other; with 0 all that can be shared is.
  SharedFunction(const codegen::CompiledProgram& program, const std::string& function, const ir::DimensionValues& sizes,
                 std::vector<std::int64_t> dimensions, const codegen::AddressTable& addresses, int threads,
                 double barrier_us);

  /// Whether several threads may be faster than one.
  bool is_worth_it() const { return worth_it_; }
  /// Whether they are.
  FasterWay& way() { return way_; }
  /// Another address for an input.
  void set_buffer(std::size_t buffer, void* address);
  /// What one member does; all members must call it, equally often. The first kernels begin at once, and some members
  /// return earlier than others: barriers before and after are up to the caller.
  void run(int member, codegen::RunState* state);
  /// The same, and how long the member has waited before each kernel and then worked at it.
  struct Spent {
    double waited_us, worked_us;
  };
  void run(int member, codegen::RunState* state, std::vector<Spent>& spent);
  /// All of it on the thread that calls: each member goes on as far as its waits allow before the next one in `order`
  /// does anything. With too few waits the numbers come out wrong: for tests.
  void run_apart(const std::vector<std::size_t>& order, codegen::RunState* state) const;

 private:
  /// What a member makes of each axis that is cut.
  using Share = std::vector<codegen::Part>;
  static bool is_empty(const Share& share);
  struct Wait {
    std::size_t member;
    std::uint32_t tasks;  ///< until the member has done so many of this run
  };
  struct Task {
    const passes::KernelOutline& kernel;
    codegen::KernelCode code;
    std::size_t first_slot;                ///< of its addresses
    std::vector<Share> shares;             ///< by member; empty: the first member makes all of it
    bool is_small;                         ///< too small to be worth a wait
    std::vector<std::vector<Wait>> waits;  ///< by member, before it begins
    bool is_awaited;                       ///< by some member: others say that they have done it
  };
  struct Member {
    Progress done;             ///< tasks, of all runs
    std::uint32_t before = 0;  ///< tasks of the runs before this one; known to the member alone
  };
  struct Touched;
  double share(Task& task, const codegen::CompiledFunction& function, const ir::DimensionValues& sizes) const;
  struct Grid;
  double read_us(const Task& task, const codegen::CompiledFunction& function, const ir::DimensionValues& sizes,
                 const Grid& grid) const;
  Grid grid(const Task& task, const codegen::CompiledFunction& function, const ir::DimensionValues& sizes) const;
  std::vector<Touched> touched(const Task& task, const codegen::CompiledFunction& function,
                               const ir::DimensionValues& sizes) const;
  /// What different members may not touch in any order, of two tasks.
  static std::vector<std::pair<const Touched*, const Touched*>> conflicts(const std::vector<Touched>& earlier,
                                                                          const std::vector<Touched>& later);
  struct Passed;
  std::vector<std::vector<Wait>> waits_before(std::size_t task, const std::vector<std::vector<Touched>>& earlier,
                                              const std::vector<Touched>& own, Passed& passed) const;
  void place_waits(const codegen::CompiledFunction& function, const ir::DimensionValues& sizes);
  void perform(std::size_t task, std::size_t member, codegen::RunState* state) const;
  /// Walks the kernels; `say` is called before the first, and for each when its waits are over and when it is done.
  template <class Say>
  void walk(int member, codegen::RunState* state, Say say);
  void give_workspaces(const codegen::CompiledFunction& function, const ir::DimensionValues& sizes);

  int threads_;
  double barrier_us_;
  bool worth_it_ = false;
  FasterWay way_;
  std::vector<Task> tasks_;
  std::vector<std::int64_t> dimensions_;
  std::vector<codegen::AddressTable> addresses_;  ///< by member
  std::unique_ptr<Member[]> members_;
  std::vector<Bytes> workspaces_;  ///< of all members but the first, whose workspaces are in the arena
};

}  // namespace descent::runtime
