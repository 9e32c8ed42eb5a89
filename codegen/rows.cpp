// Kernels that are no single loop nest: phases of a row (passes/row_fusion.h), and a scan of elements one by one.
#include <algorithm>
#include <memory>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using llvm::Value;

/// A phase is emitted into the function of its kernel.
void KernelEmitter::share_frame(const KernelEmitter& whole) {
  function_ = whole.function_;
  pointers_ = whole.pointers_;
  symbols_ = whole.symbols_;
  streams_ = whole.streams_;
  state_ = whole.state_;
  partition_ = whole.partition_;
  parts_ = whole.parts_;
  builder_.SetInsertPoint(whole.builder_.GetInsertBlock());
}

/// How many rows are made together, each phase of all of them before the next. What is one number for each row is then
/// made of a vector of rows at once, and a row does not wait for what the phase before makes of it. Longer rows, of
/// which so many would not stay in the first-level cache, are made one by one.
std::int64_t KernelEmitter::rows_of_phases() const {
  std::int64_t numbers = 0;  // of a row, in all phases
  bool has_numbers = false;  // or sums, which are
  for (const passes::Kernel& phase : kernel_.phases) {
    if (is_number(phase) || !phase.reductions.empty()) has_numbers = true;
    ir::Shape row(phase.space.begin() + static_cast<std::ptrdiff_t>(kernel_.space.size()), phase.space.end());
    const Dimension count = ir::element_count(row);
    if (!count.is_constant()) return 1;
    numbers += count.constant();
  }
  const bool has_rows =
      std::any_of(kernel_.space.begin(), kernel_.space.end(), [](const Dimension& d) { return !d.is_one(); });
  constexpr std::int64_t kBuffers = 3;  // that a phase reads and writes, about
  const bool fits = numbers * kBuffers * machine_.element * machine_.lanes <= machine_.level1 / 2;
  return has_numbers && has_rows && fits ? machine_.lanes : 1;
}

/// Whether a phase makes one number for each row.
bool KernelEmitter::is_number(const passes::Kernel& phase) const { return phase.space.size() == kernel_.space.size(); }

void KernelEmitter::emit_phases() {
  const std::int64_t block = rows_of_phases();
  std::vector<std::unique_ptr<KernelEmitter>> phases;
  const auto each = [&](const std::function<void(KernelEmitter&)>& emit_part_of) {
    for (const auto& phase : phases) {
      phase->builder_.SetInsertPoint(builder_.GetInsertBlock());
      emit_part_of(*phase);
      builder_.SetInsertPoint(phase->builder_.GetInsertBlock());
    }
  };
  for (const passes::Kernel& phase : kernel_.phases) {
    passes::Machine machine = machine_;
    if (is_number(phase) && block == 1) machine.lanes = 1;
    phases.push_back(std::make_unique<KernelEmitter>(module_, program_, plan_, phase, signature_, machine));
    phases.back()->share_frame(*this);
    phases.back()->blocks_ = block > 1;
    for (const Dimension& d : kernel_.space) phases.back()->row_axes_ += d.is_one() ? 0 : 1;
    phases.back()->collect_buffers();
  }
  each([](KernelEmitter& phase) { phase.begin_reductions(); });
  std::vector<Loop> rows;
  for (const Dimension& d : kernel_.space) {
    if (!d.is_one()) rows.push_back(Loop{i64(0), size(d), d});
  }
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    if (axis == rows.size()) return each([&](KernelEmitter& phase) { phase.emit_row(rows); });
    Range range{i64(0), rows[axis].count};
    if (axis == 0) range = part(passes::Cut::Axis::first, rows[0].size);
    if (axis + 1 == rows.size() && block > 1) {
      return loop(range.begin, range.end, i64(block), [&](Value* first) {
        rows[axis].base = first;
        const Dimension& count = rows[axis].size;
        const bool whole = count.is_constant() && count.constant() % block == 0 && (axis > 0 || partition_.empty());
        rows[axis].count = whole ? i64(block) : minimum(i64(block), builder_.CreateSub(range.end, first));
        each([&](KernelEmitter& phase) { phase.emit_rows_of_phase(rows); });
      });
    }
    loop(range.begin, range.end, i64(1), [&](Value* index) {
      rows[axis].index = index;
      self(self, axis + 1);
    });
  };
  nest(nest, 0);
  each([](KernelEmitter& phase) { phase.end_reductions(); });
}

/// The rows of a block, which is a part of the last axis of `loops`.
void KernelEmitter::emit_rows_of_phase(std::vector<Loop> loops) {
  if (axes_.size() == loops.size()) return emit_inner(loops, nullptr);  // a number of each
  if (is_short_rows() && axes_.size() == loops.size() + 1) {
    loops.push_back(Loop{i64(0), size(axes_.back()), axes_.back()});
    return emit_short_rows(loops, loops.size() - 2);
  }
  const bool sums = std::any_of(accumulators_.begin(), accumulators_.end(), [&](auto& a) { return is_row(a); });
  if (axes_.size() == loops.size() + 1 && sums) {
    loops.push_back(Loop{i64(0), size(axes_.back()), axes_.back()});
    return for_rows(loops, [&] { emit_inner(loops, nullptr); });
  }
  Loop& rows = loops.back();
  loop(i64(0), rows.count, i64(1), [&](Value* local) {
    rows.index = add(rows.base, local);
    emit_row(loops);
  });
}

/// The axes of this phase within one row, whose indices stand in `loops`.
void KernelEmitter::emit_row(std::vector<Loop> loops) {
  const std::size_t rows = loops.size();
  for (std::size_t axis = rows; axis < axes_.size(); ++axis)
    loops.push_back(Loop{i64(0), size(axes_[axis]), axes_[axis]});
  if (loops.size() == rows) {  // one element
    return emit_vector(loops, nullptr, machine_.lanes == 1 ? nullptr : lane_mask(i64(1)));
  }
  if (is_short_rows()) return emit_short_rows(loops, rows);
  if (emit_held(loops)) return;
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    if (axis + 1 >= loops.size()) return emit_inner(loops, nullptr);
    loop(i64(0), loops[axis].count, i64(1), [&](Value* index) {
      loops[axis].index = index;
      self(self, axis + 1);
    });
  };
  nest(nest, rows);
}

/// first_occurrence in one pass, with a table that says for each number where it was first seen. The table is not
/// cleared before: an entry counts only if it names an earlier place that holds this number (Briggs and Torczon, "An
/// efficient representation for sparse sets", 1993).
void KernelEmitter::emit_scan() {
  const passes::View numbers = passes::view_of(kernel_.scan->operands[0], plan_);
  Value *table = address(kernel_.workspace), *first = address(kernel_.scanned);
  auto* i32 = builder_.getInt32Ty();
  const auto slot = [&](Value* base, Value* index) { return builder_.CreateGEP(i32, base, index); };
  std::vector<Loop> loops{{i64(0), size(kernel_.space[0]), kernel_.space[0]}};
  current_ = &loops;
  mask_ = nullptr;
  const auto number = [&](Value* index) -> Value* {
    loops[0].index = index;
    mask_ = lane_mask(i64(1));
    return builder_.CreateExtractElement(load(numbers, ir::DType::i32), std::uint64_t{0});
  };
  Value* limit = builder_.CreateTrunc(builder_.CreateSub(size(kernel_.scan->attributes.shape[0]), i64(1)), i32);
  loop(i64(0), size(kernel_.space[0]), i64(1), [&](Value* place) {
    Value* value = number(place);
    // Numbers are in range; memory is safe even if they are not.
    Value* entry = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, value, limit);
    Value* at = slot(table, builder_.CreateZExt(entry, builder_.getInt64Ty()));
    Value* seen = builder_.CreateZExt(builder_.CreateLoad(i32, at), builder_.getInt64Ty());
    Value* earlier = builder_.CreateICmpULT(seen, place);
    Value* before = number(builder_.CreateSelect(earlier, seen, i64(0)));
    Value* again = builder_.CreateAnd(earlier, builder_.CreateICmpEQ(before, value));
    Value* result = builder_.CreateTrunc(builder_.CreateSelect(again, seen, place), i32);
    builder_.CreateStore(result, at);
    builder_.CreateStore(result, slot(first, place));
  });
}

}  // namespace descent::codegen
