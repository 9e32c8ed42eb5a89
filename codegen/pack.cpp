// Packing: a matrix copied into panels that the tiles of a contraction read from one end to the other.
//
// Panel p holds the lines p * width .. (p + 1) * width (rows of the first operand, columns of the second), for each
// contracted element one after the other. Lines that are contiguous in the source are copied; where the contracted axis
// is contiguous, squares of lanes x lanes numbers are turned in registers; the rest is moved one by one. Lines beyond
// the last are zero in the second operand's last panel: tiles read them, nobody uses their sums.
#include <algorithm>
#include <bit>
#include <numeric>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

namespace {
std::int64_t lower(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
}  // namespace

void KernelEmitter::pack(const Panels& panels, Value* to) {
  if (panels.line_step.is_one()) return pack_contiguous(panels, to);
  Value* lines = panels.lines;
  loop(i64(0), lines, i64(panels.width), [&](Value* first) {
    Value* count = builder_.CreateSub(lines, first);
    Value* from = element(panels.from, multiply(first, size(panels.line_step)));
    Value* target = element(to, multiply(first, size(panels.panel_depth)));
    const auto groups = [&](std::int64_t begin, std::int64_t end, std::int64_t number) {
      loop(i64(begin), i64(end), i64(machine_.lanes), [&](Value* group) {
        pack_strided(panels, element(from, multiply(group, size(panels.line_step))), element(target, group), number,
                     panels.whole ? nullptr : builder_.CreateSub(count, group));
      });
    };
    const std::int64_t whole = panels.width - panels.width % machine_.lanes;
    groups(0, whole, machine_.lanes);
    groups(whole, panels.width, panels.width - whole);
  });
}

/// Neighbouring lines. Panels of whole vectors: for each contracted element from one end of the source's memory to the
/// other, which the processor sees and fetches ahead; what is written is spread over the panels. Of narrow ones so many
/// side by side as use up whole cache lines of the source, which may push each other out before the next panel.
void KernelEmitter::pack_contiguous(const Panels& panels, Value* to) {
  Value *depth = size(panels.depth), *width = i64(panels.width);
  Value* whole =
      panels.whole ? panels.lines : builder_.CreateSub(panels.lines, builder_.CreateSRem(panels.lines, width));
  const auto panel_at = [&](Value* first) { return element(to, multiply(first, size(panels.panel_depth))); };
  if (panels.width % machine_.lanes != 0) {
    const std::int64_t line = 64 / machine_.element;
    const std::int64_t together = lower(8, std::lcm(panels.width, line) / panels.width);
    Value* grouped = builder_.CreateSub(whole, builder_.CreateSRem(whole, i64(together * panels.width)));
    const auto groups = [&](Value* begin, Value* end, std::int64_t number) {
      loop(begin, end, i64(number * panels.width),
           [&](Value* first) { pack_side_by_side(panels, element(panels.from, first), panel_at(first), number); });
    };
    groups(i64(0), grouped, together);
    if (together > 1) groups(grouped, whole, 1);
  } else {
    // Where the next piece lies far from this one, the processor does not fetch it ahead by itself.
    constexpr std::int64_t kAhead = 8, kFar = 1024;  // contracted elements; bytes
    const bool far = sizes_ != nullptr || !panels.depth_step.is_constant() ||
                     panels.depth_step.constant() * machine_.element >= kFar;
    carry(i64(0), depth, i64(1), {panels.from, to}, [&](Value*, Values rows) {
      loop(i64(0), whole, width, [&](Value* first) {
        Value *source = element(rows[0], first), *target = element(rows[1], multiply(first, size(panels.panel_depth)));
        if (far) fetch(element(source, multiply(i64(kAhead), size(panels.depth_step))), panels.width);
        copy_lines(panels.width, source, target, nullptr);
      });
      return Values{element(rows[0], size(panels.depth_step)), element(rows[1], width)};
    });
  }
  if (panels.whole) return;
  branch(builder_.CreateICmpSLT(whole, panels.lines), [&] {
    Value* left = builder_.CreateSub(panels.lines, whole);
    carry(i64(0), depth, i64(1), {element(panels.from, whole), panel_at(whole)}, [&](Value*, Values at) {
      copy_lines(panels.width, at[0], at[1], left);
      return Values{element(at[0], size(panels.depth_step)), element(at[1], width)};
    });
  });
}

/// So many neighbouring lines of one contracted element, of which `left` exist; null: all of them.
void KernelEmitter::copy_lines(std::int64_t lines, Value* from, Value* to, Value* left) {
  for (std::int64_t group = 0; group < lines; group += machine_.lanes) {
    const std::int64_t number = lower(machine_.lanes, lines - group);
    Value* mask = nullptr;
    if (left != nullptr) {
      mask = lane_mask(minimum(builder_.CreateSub(left, i64(group)), i64(number)));
    } else if (number < machine_.lanes) {
      mask = lane_mask(i64(number));
    }
    store_lanes(load_vector(element(from, i64(group)), i64(1), true, mask), element(to, i64(group)), number);
  }
}

/// So many narrow panels at once. Where the next contracted element lies further on in memory, a vector may be wider
/// than what is left of a panel's lines: what it reads beyond them exists, and what it writes there the next element
/// overwrites; the last element is copied by itself.
void KernelEmitter::pack_side_by_side(const Panels& panels, Value* from, Value* to, std::int64_t number) {
  const bool widens = panels.depth_step.is_constant() && panels.depth_step.constant() >= machine_.lanes;
  Value* last = builder_.CreateSub(size(panels.depth), i64(widens ? 1 : 0));
  const auto each_panel = [&](Value* source, Value* target, const std::function<void(Value*, Value*)>& copy) {
    for (std::int64_t p = 0; p < number; ++p)
      copy(element(source, i64(p * panels.width)),
           element(target, multiply(i64(p * panels.width), size(panels.panel_depth))));
  };
  const Values ends = carry(i64(0), last, i64(1), {from, to}, [&](Value*, Values at) {
    each_panel(at[0], at[1], [&](Value* source, Value* target) {
      if (!widens) return copy_lines(panels.width, source, target, nullptr);
      for (std::int64_t group = 0; group < panels.width; group += machine_.lanes) {
        const auto wanted = static_cast<std::uint64_t>(lower(machine_.lanes, panels.width - group));
        auto* type = llvm::FixedVectorType::get(product_type(), static_cast<unsigned>(std::bit_ceil(wanted)));
        Value* lines = builder_.CreateAlignedLoad(type, element(source, i64(group)), llvm::Align(4));
        builder_.CreateAlignedStore(lines, element(target, i64(group)), llvm::Align(4));
      }
    });
    return Values{element(at[0], size(panels.depth_step)), element(at[1], i64(panels.width))};
  });
  if (!widens) return;
  branch(builder_.CreateICmpSGE(last, i64(0)), [&] {
    each_panel(ends[0], ends[1],
               [&](Value* source, Value* target) { copy_lines(panels.width, source, target, nullptr); });
  });
}

/// `number` lines, of which `left` exist; null: all of them.
void KernelEmitter::pack_strided(const Panels& panels, Value* from, Value* to, std::int64_t number, Value* left) {
  Value* depth = size(panels.depth);
  const std::int64_t lanes = machine_.lanes;
  Value *line_step = size(panels.line_step), *depth_step = size(panels.depth_step);
  const bool turn = panels.depth_step.is_one() && number > 1;
  // Where it is known how many lines there are, a square has them and zeros.
  auto *known_left = llvm::dyn_cast_or_null<llvm::ConstantInt>(left),
       *known_depth = llvm::dyn_cast<llvm::ConstantInt>(depth);
  const std::int64_t lines =
      known_left == nullptr ? number : std::clamp<std::int64_t>(known_left->getSExtValue(), 0, number);
  const bool knows_lines = left == nullptr || known_left != nullptr;
  Value* complete = knows_lines ? builder_.getTrue() : builder_.CreateICmpSGE(left, i64(number));
  const auto turn_square = [&](Value* k, std::int64_t columns) {
    Values square;
    Value *column = element(from, k), *row = element(to, multiply(k, i64(panels.width)));
    Value* mask = columns == lanes ? nullptr : lane_mask(i64(columns));
    for (std::int64_t line = 0; line < lanes; ++line) {
      Value* at = element(column, multiply(i64(line), line_step));
      if (line < lines && panels.far) fetch_line(element(at, multiply(i64(lanes), line_step)), false);
      square.push_back(line < lines    ? load_vector(at, i64(1), true, mask)
                       : line < number ? static_cast<Value*>(llvm::Constant::getNullValue(product_vector()))
                                       : static_cast<Value*>(llvm::UndefValue::get(product_vector())));
    }
    square = transpose(square);
    for (std::int64_t i = 0; i < columns; ++i)
      store_lanes(square[static_cast<std::size_t>(i)], element(row, i64(i * panels.width)), number);
  };
  Value* begin = i64(0);
  if (turn) {
    Value* whole = builder_.CreateSelect(complete, builder_.CreateAnd(depth, i64(-lanes)), i64(0));
    loop(i64(0), whole, i64(lanes), [&](Value* k) { turn_square(k, lanes); });
    begin = whole;
    if (known_depth != nullptr && knows_lines) {
      if (const std::int64_t rest = known_depth->getSExtValue() % lanes; rest > 0) turn_square(whole, rest);
      return;
    }
  }
  // Number by number: what is left of the depth, or a panel with fewer lines than its width.
  loop(begin, depth, i64(1), [&](Value* k) {
    Value* row = element(to, multiply(k, i64(panels.width)));
    loop(i64(0), i64(number), i64(1), [&](Value* line) {
      Value* at = element(from, add(multiply(line, line_step), multiply(k, depth_step)));
      Value* exists = left == nullptr ? nullptr : builder_.CreateICmpSLT(line, left);
      builder_.CreateStore(load_number(at, exists, product_type()), element(row, line));
    });
  });
}

/// Stores the first `number` lanes.
void KernelEmitter::store_lanes(Value* vector, Value* to, std::int64_t number) {
  if (number < machine_.lanes) {
    llvm::SmallVector<int> first;
    for (int i = 0; i < static_cast<int>(number); ++i) first.push_back(i);
    vector = builder_.CreateShuffleVector(vector, first);
  }
  builder_.CreateAlignedStore(vector, to, llvm::Align(4));
}

}  // namespace descent::codegen
