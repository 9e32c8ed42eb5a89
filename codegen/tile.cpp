// The innermost loops of contractions: tiles of sums in registers, and dot products.
//
// A tile of R rows by V vectors of columns holds R * V sums in vector registers while the contracted axis is walked:
// each step loads V vectors of the second operand, repeats R numbers of the first in all lanes, and does R * V fused
// multiply-adds. A tile with too few sums to keep the multiply-add units busy has several for each element, which take
// turns along the contracted axis and are added at the end.
#include <llvm/IR/Intrinsics.h>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;
using Axis = passes::ContractionAxes::Axis;

/// One step of the contracted axis: sums[r * vectors + v] += a[r] * b[v].
void KernelEmitter::emit_tile_step(const Product& product, const Tile& tile, llvm::ArrayRef<Value*> a, Value* b,
                                   Value** sums) {
  auto* type = product_vector();
  const auto width = static_cast<unsigned>(machine_.lanes);
  Value *a_step = size(product.a_row), *b_step = size(product.b_column);
  llvm::SmallVector<Value*, 8> columns;
  for (unsigned v = 0; v < tile.vectors; ++v) {
    Value* from = element(b, multiply(i64(std::int64_t{v} * width), b_step));
    if (product.b_column == Dimension(0)) {
      columns.push_back(builder_.CreateVectorSplat(width, builder_.CreateLoad(product_type(), from)));
    } else {
      columns.push_back(
          load_vector(from, b_step, product.b_column.is_one(), tile.masks.empty() ? nullptr : tile.masks[v]));
    }
  }
  if (tile.fetches) {
    // Into the second-level cache: lines a power of two apart would push each other out of the first.
    constexpr std::int64_t kAhead = 64;  // contracted elements
    fetch_line(element(a[0], multiply(i64(kAhead), size(product.contracted.back().lhs))), false, false);
  }
  for (unsigned r = 0; r < tile.rows; ++r) {
    const auto together = static_cast<unsigned>(rows_together(product, tile));
    Value* offset = tile.row_offsets.empty() ? multiply(i64(r % together), a_step) : tile.row_offsets[r];
    Value* number = builder_.CreateLoad(product_type(), element(a[r / together], offset));
    Value* repeated = builder_.CreateVectorSplat(width, number);
    for (unsigned v = 0; v < tile.vectors; ++v) {
      Value*& sum = sums[r * tile.vectors + v];
      sum = builder_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type}, {repeated, columns[v], sum});
    }
  }
}

/// Rows of a tile that are reached from one address. Where their distance is an argument, each needs a register for its
/// own: of rows further on another address saves some.
std::int64_t KernelEmitter::rows_together(const Product& product, const Tile& tile) const {
  return is_argument(product.a_row.constant()) && tile.row_offsets.empty() ? 4 : tile.rows;
}

/// The innermost contracted axis: `splits` steps at a time, each with sums of its own.
KernelEmitter::Values KernelEmitter::walk_depth(const Product& product, const Tile& tile, Value* a, Value* b,
                                                Value* depth, Values sums) {
  const Axis& k = product.contracted.back();
  const std::size_t count = std::size_t{tile.rows} * tile.vectors;
  Value *a_step = size(k.lhs), *b_step = size(k.rhs);
  Values values;
  for (std::int64_t row = 0; row < tile.rows; row += rows_together(product, tile))
    values.push_back(element(a, multiply(i64(row), size(product.a_row))));
  const std::size_t pointers = values.size(), first = pointers + 1;  // sum
  values.push_back(b);
  const auto steps = [&](Value* from, Value* to, unsigned number, Values before) {
    return carry_many(from, to, i64(number), std::move(before), [&](Value*, Values now) {
      for (unsigned s = 0; s < number; ++s) {
        emit_tile_step(product, tile, llvm::ArrayRef(now).take_front(pointers), now[pointers], &now[first + s * count]);
        for (std::size_t p = 0; p < pointers; ++p) now[p] = element(now[p], a_step);
        now[pointers] = element(now[pointers], b_step);
      }
      return now;
    });
  };
  values.append(sums.begin(), sums.end());
  if (tile.splits > 1) {
    Value* whole = builder_.CreateSub(depth, builder_.CreateSRem(depth, i64(tile.splits)));
    values = steps(i64(0), whole, tile.splits, values);
    values = steps(whole, depth, 1, values);
  } else {
    values = steps(i64(0), depth, 1, values);
  }
  return Values(values.begin() + static_cast<std::ptrdiff_t>(first), values.end());
}

/// Of a tile with several sums for each element: these added, in a fixed order.
KernelEmitter::Values KernelEmitter::joined(const Tile& tile, Values sums) {
  const std::size_t count = std::size_t{tile.rows} * tile.vectors;
  for (unsigned s = 1; s < tile.splits; ++s) {
    for (std::size_t i = 0; i < count; ++i) sums[i] = builder_.CreateFAdd(sums[i], sums[s * count + i]);
  }
  sums.truncate(count);
  return sums;
}

llvm::Value* KernelEmitter::place_in(const Tile& tile, unsigned r, unsigned v) {
  return element(tile.scratch, i64(r * tile.stride + std::int64_t{v} * machine_.lanes));
}

/// The sums of a tile, row by row.
KernelEmitter::Values KernelEmitter::tile_sums(const Product& product, const Tile& tile) {
  auto* type = product_vector();
  Values sums;
  for (unsigned r = 0; r < tile.rows; ++r) {
    for (unsigned v = 0; v < tile.vectors; ++v) {
      sums.push_back(tile.accumulate ? builder_.CreateAlignedLoad(type, place_in(tile, r, v), llvm::Align(4))
                                     : static_cast<Value*>(llvm::Constant::getNullValue(type)));
    }
  }
  // They go through all contracted axes: those inside may be short.
  if (tile.splits > 1) sums.append(sums.size() * (tile.splits - 1), llvm::Constant::getNullValue(type));
  // Of an axis so many elements, of those inside all.
  const auto length_of = [&](std::size_t axis) {
    return axis + 1 == product.contracted.size() ? tile.depth : size(product.contracted[axis].size);
  };
  const auto walk = [&](auto&& self, std::size_t axis, Value* a, Value* b, Value* length,
                        const Values& values) -> Values {
    const Axis& k = product.contracted[axis];
    if (axis + 1 == product.contracted.size()) return walk_depth(product, tile, a, b, length, values);
    return carry(i64(0), length, i64(1), values, [&](Value* i, const Values& now) {
      return self(self, axis + 1, element(a, multiply(i, size(k.lhs))), element(b, multiply(i, size(k.rhs))),
                  length_of(axis + 1), now);
    });
  };
  if (!tile.on_the_way) return joined(tile, walk(walk, 0, tile.a, tile.b, length_of(0), sums));
  const Axis& k = product.contracted[0];
  Value *length = length_of(0), *many = sums_many(product.contracted);
  Value* parts = builder_.CreateSelect(many, i64(tile.rows), i64(1));
  Value* part = builder_.CreateSelect(many, divided_up(length, i64(tile.rows)), length);
  const Values all = carry(i64(0), parts, i64(1), sums, [&](Value* row, const Values& now) {
    branch(many, [&] { tile.on_the_way(row); });
    Value *from = multiply(row, part), *count = minimum(part, builder_.CreateSub(length, from));
    return walk(walk, 0, element(tile.a, multiply(from, size(k.lhs))), element(tile.b, multiply(from, size(k.rhs))),
                count, now);
  });
  return joined(tile, all);
}

void KernelEmitter::emit_tile(const Product& product, const Tile& tile) {
  const Values sums = tile_sums(product, tile);
  for (unsigned r = 0; r < tile.rows; ++r) {
    for (unsigned v = 0; v < tile.vectors; ++v)
      builder_.CreateAlignedStore(sums[r * tile.vectors + v], place_in(tile, r, v), llvm::Align(4));
  }
}

/// One column, contracted along contiguous memory: sums of products in lanes, as many rows at a time as lanes, whose
/// sums are then turned into one vector.
void KernelEmitter::emit_dot_products(const Product& product, std::vector<Loop>& loops) {
  const std::int64_t block = blocking_.block_rows, lanes = machine_.lanes;
  // One vector more than the block, since the rest of the kernel loads whole vectors, and one in front of it.
  Value* memory = stack(llvm::ArrayType::get(product_type(), static_cast<std::uint64_t>(block + 2 * lanes)), "block");
  Value* scratch = element(memory, i64(lanes));
  const Range rows = part(passes::Cut::Axis::rows, product.rows);
  loop(rows.begin, rows.end, i64(block), [&](Value* first) {
    Value* count = minimum(i64(block), builder_.CreateSub(rows.end, first));
    // What whole vectors of rows leave is made by one that overlaps the rows before.
    Value* enough = builder_.CreateICmpSGE(add(first, count), i64(lanes));
    branch(enough, [&] {
      loop(i64(0), count, i64(lanes), [&](Value* i) {
        Value* at = minimum(i, builder_.CreateSub(count, i64(lanes)));
        const Values sums = dot_rows(product, static_cast<unsigned>(lanes), add(first, at), true);
        builder_.CreateAlignedStore(add_lanes(sums), element(scratch, at), llvm::Align(4));
      });
    });
    branch(builder_.CreateNot(enough), [&] {
      loop(i64(0), count, i64(1), [&](Value* i) {
        Value* sum = reduce_lanes(nullptr, dot_rows(product, 1, add(first, i), true)[0]);
        builder_.CreateStore(sum, element(scratch, i));
      });
    });
    product.row_loop->base = first;
    product.row_loop->count = count;
    product.row_loop->tile_stride = i64(1);
    if (after_products_) after_products_(first);
    emit_part(loops, scratch);
    end_block(builder_.CreateICmpSGE(add(first, i64(block)), rows.end));
  });
}

/// The products of `rows` rows from `first` with the one column, summed lane by lane. `written_out`: a short contracted
/// axis without a loop, so that the column stays in registers from row to row; that is much code.
KernelEmitter::Values KernelEmitter::dot_rows(const Product& product, unsigned rows, Value* first, bool written_out) {
  auto* type = product_vector();
  const Axis& k = product.contracted[0];
  Value *length = size(k.size), *b_step = size(k.rhs), *a_step = size(product.a_row);
  Value* base = element(product.a, multiply(first, a_step));
  const auto step = [&](Value* i, Value* mask, Values sums) {
    Value* b = load_vector(element(product.b, multiply(i, b_step)), b_step, k.rhs.is_one(), mask);
    for (unsigned r = 0; r < rows; ++r) {
      Value* a = load_vector(element(base, add(multiply(i64(r), a_step), i)), i64(1), true, mask);
      sums[r] = builder_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type}, {a, b, sums[r]});
    }
    return sums;
  };
  Values sums(rows, llvm::Constant::getNullValue(type));
  const std::int64_t lanes = machine_.lanes;
  if (k.size.is_constant() && k.size.constant() <= (written_out ? 4 : 1) * lanes) {
    for (std::int64_t i = 0; i < k.size.constant(); i += lanes) {
      const std::int64_t left = k.size.constant() - i;
      sums = step(i64(i), left >= lanes ? nullptr : lane_mask(i64(left)), sums);
    }
    return sums;
  }
  Value* whole = builder_.CreateAnd(length, i64(-lanes));
  sums = carry(i64(0), whole, i64(lanes), sums, [&](Value* i, const Values& now) { return step(i, nullptr, now); });
  std::int64_t rest = -1;
  if (k.size.is_constant()) rest = k.size.constant() % lanes;
  if (rest == 0) return sums;
  return carry(whole, length, i64(lanes), sums,
               [&](Value* i, const Values& now) { return step(i, lane_mask(builder_.CreateSub(length, i)), now); });
}

}  // namespace descent::codegen
