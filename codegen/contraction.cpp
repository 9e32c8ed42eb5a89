// Contractions: register-blocked matrix products, written as vector code for the machine (passes/blocking.h says how a
// product is cut into blocks and tiles).
//
// A block of the result is made in scratch memory that stays in the first-level cache; then the elementwise rest of the
// kernel (bias, activation, reductions, the optimizer's update) runs over the block. Tiles and the rest of the kernel
// are separate loops: the rest is in the code once, whatever number of rows is left at the end, and the loop that takes
// nearly all the time (codegen/tile.cpp) is as small as it can be.
//
// A number of rows that is no multiple of the tile's ends in single rows. Columns at the end are made by a last tile
// that overlaps the one before it, so that no vector is cut; only a product narrower than a tile is loaded under a
// mask.
#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;
using passes::Blocking;
using Axis = passes::ContractionAxes::Axis;

namespace {
bool is_constant(llvm::Value* value, std::int64_t* number) {
  auto* constant = llvm::dyn_cast<llvm::ConstantInt>(value);
  if (constant != nullptr) *number = constant->getSExtValue();
  return constant != nullptr;
}
}  // namespace

void KernelEmitter::emit_contraction() {
  const passes::ContractionAxes axes = passes::contraction_axes(kernel_.contraction, plan_);
  const auto source = [&](std::size_t i) { return address(passes::view_of(kernel_.contraction->operands[i], plan_)); };

  // The loops of the space: batch axes, row axes, column axes; those of size 1 have no loop.
  std::vector<Loop> loops;
  std::vector<std::pair<Axis, std::ptrdiff_t>> batches, outer;
  const auto add_axis = [&](const Axis& axis, auto* to) -> std::ptrdiff_t {
    std::ptrdiff_t at = -1;
    if (!axis.size.is_one()) {
      at = static_cast<std::ptrdiff_t>(loops.size());
      loops.push_back(Loop{i64(0), i64(1), axis.size});
    }
    if (to != nullptr) to->emplace_back(axis, at);
    return at;
  };
  std::vector<std::pair<Axis, std::ptrdiff_t>>* inner = nullptr;
  for (const Axis& axis : axes.batch) add_axis(axis, &batches);
  std::ptrdiff_t row = -1, column = -1;
  for (std::size_t i = 0; i < axes.rows.size(); ++i)
    row = add_axis(axes.rows[i], i + 1 < axes.rows.size() ? &outer : inner);
  for (std::size_t i = 0; i < axes.columns.size(); ++i)
    column = add_axis(axes.columns[i], i + 1 < axes.columns.size() ? &outer : inner);

  const auto nest = [&](auto&& self, const std::vector<std::pair<Axis, std::ptrdiff_t>>& levels, std::size_t level,
                        Value* a, Value* b, const std::function<void(Value*, Value*)>& body) -> void {
    if (level == levels.size()) return body(a, b);
    const auto& [axis, at] = levels[level];
    if (at < 0) return self(self, levels, level + 1, a, b, body);
    loop(i64(0), size(axis.size), i64(1), [&](Value* i) {
      loops[static_cast<std::size_t>(at)].base = i;
      self(self, levels, level + 1, element(a, multiply(i, size(axis.lhs))), element(b, multiply(i, size(axis.rhs))),
           body);
    });
  };
  nest(nest, batches, 0, source(0), source(1), [&](Value* a, Value* b) {
    Product product{a,
                    b,
                    axes.rows.back().size,
                    axes.columns.back().size,
                    axes.rows.back().lhs,
                    axes.columns.back().rhs,
                    axes.contracted,
                    row < 0 ? nullptr : &loops[static_cast<std::size_t>(row)],
                    column < 0 ? nullptr : &loops[static_cast<std::size_t>(column)]};
    pack_operands(product, axes);
    nest(nest, outer, 0, product.a, product.b, [&](Value* outer_a, Value* outer_b) {
      product.a = outer_a;
      product.b = outer_b;
      emit_product(product, loops);
    });
  });
}

/// Copies the operands into the kernel's workspace where they do not lie as the tiles read them.
void KernelEmitter::pack_operands(Product& product, const passes::ContractionAxes& axes) {
  const Blocking& blocking = kernel_.blocking;
  if (!blocking.pack_lhs && !blocking.pack_rhs) return;
  const Axis& k = axes.contracted.back();
  Value* workspace = pointers_.at(kernel_.workspace);
  if (blocking.pack_rhs) {
    const Panels panels{product.b, product.columns, product.b_column, k.size, k.rhs, blocking.panel(machine_)};
    pack(panels, workspace);
    product.b = workspace;
    product.b_column = Dimension(1);
    product.contracted.back().rhs = Dimension(panels.width);
  }
  if (blocking.pack_lhs) {
    Value* to = element(workspace, size(passes::packed_rhs_size(axes, blocking, machine_)));
    const Panels panels{product.a, product.rows, product.a_row, k.size, k.lhs, blocking.tile_rows};
    pack(panels, to);
    product.a = to;
    product.a_row = Dimension(1);
    product.contracted.back().lhs = Dimension(panels.width);
  }
}

void KernelEmitter::emit_product(const Product& product, std::vector<Loop>& loops) {
  switch (kernel_.blocking.form) {
    case Blocking::Form::dots:
      return emit_dot_products(product, loops);
    case Blocking::Form::turned: {
      Product turned{product.b,     product.a, Dimension(1), product.rows,    Dimension(0),
                     product.a_row, {},        nullptr,      product.row_loop};
      for (const Axis& k : product.contracted) turned.contracted.push_back(Axis{k.size, k.rhs, k.lhs, Dimension(0)});
      return emit_blocks(turned, loops);
    }
    case Blocking::Form::tiles:
      return emit_blocks(product, loops);
  }
}

void KernelEmitter::emit_blocks(const Product& product, std::vector<Loop>& loops) {
  const Blocking& blocking = kernel_.blocking;
  const std::int64_t panel = blocking.panel(machine_), stride = blocking.block_columns;
  // In front of the first row there is room for the columns of a last tile that begins before the block.
  Value* memory = stack(
      llvm::ArrayType::get(builder_.getFloatTy(), static_cast<std::uint64_t>(blocking.block_rows * stride + panel)),
      "block");
  Value* scratch = element(memory, i64(panel));
  Value *rows = size(product.rows), *columns = size(product.columns);
  loop(i64(0), rows, i64(blocking.block_rows), [&](Value* row) {
    Value* row_count = minimum(i64(blocking.block_rows), builder_.CreateSub(rows, row));
    loop(i64(0), columns, i64(stride), [&](Value* column) {
      Value* column_count = minimum(i64(stride), builder_.CreateSub(columns, column));
      emit_block(product, {row, row_count, column, column_count, scratch});
      if (product.row_loop != nullptr) {
        product.row_loop->base = row;
        product.row_loop->count = row_count;
        product.row_loop->tile_stride = i64(stride);
      }
      if (product.column_loop != nullptr) {
        product.column_loop->base = column;
        product.column_loop->count = column_count;
        product.column_loop->tile_stride = i64(1);
      }
      emit_part(loops, scratch);
    });
  });
}

/// All tiles of a block; with a limited depth, pass after pass over the contracted axis.
void KernelEmitter::emit_block(const Product& product, const Block& block) {
  const Blocking& blocking = kernel_.blocking;
  Value* depth = size(product.contracted.back().size);
  if (blocking.depth == 0) return emit_pass(product, block, i64(0), depth, false);
  loop(i64(0), depth, i64(blocking.depth), [&](Value* begin) {
    Value* count = minimum(i64(blocking.depth), builder_.CreateSub(depth, begin));
    std::int64_t whole = 0;
    if (is_constant(depth, &whole) && whole <= blocking.depth) return emit_pass(product, block, begin, count, false);
    branch(builder_.CreateICmpEQ(begin, i64(0)), [&] { clear_block(block); });
    emit_pass(product, block, begin, count, true);
  });
}

void KernelEmitter::clear_block(const Block& block) {
  const Blocking& blocking = kernel_.blocking;
  Value* end = multiply(block.row_count, i64(blocking.block_columns));
  loop(i64(0), end, i64(machine_.lanes), [&](Value* i) {
    builder_.CreateAlignedStore(llvm::Constant::getNullValue(lanes_.float_vector()), element(block.scratch, i),
                                llvm::Align(4));
  });
}

/// The tiles of a block over `count` contracted elements from `begin`; columns outside, so that a panel of the second
/// operand stays in the first-level cache while the rows go by.
void KernelEmitter::emit_pass(const Product& product, const Block& block, Value* begin, Value* count, bool accumulate) {
  const Blocking& blocking = kernel_.blocking;
  const std::int64_t panel = blocking.panel(machine_), tile_rows = blocking.tile_rows;
  const Axis& k = product.contracted.back();
  std::int64_t columns = 0;
  const bool known = is_constant(size(product.columns), &columns);
  const bool overlaps = known && columns >= panel && !blocking.pack_rhs;
  Value* depth = size(k.size);
  // Columns, then rows, of packed panels lie one panel after the other.
  const auto panel_start = [&](Value* index, std::int64_t width) {
    return add(multiply(builder_.CreateSub(index, builder_.CreateSRem(index, i64(width))), depth),
               add(multiply(begin, i64(width)), builder_.CreateSRem(index, i64(width))));
  };
  loop(i64(0), block.column_count, i64(panel), [&](Value* j) {
    Value* at = overlaps ? minimum(j, builder_.CreateSub(block.column_count, i64(panel))) : j;
    Value* column = add(block.column, at);
    Tile tile;
    tile.vectors = static_cast<unsigned>(blocking.tile_vectors);
    tile.b = element(product.b, blocking.pack_rhs
                                    ? panel_start(column, panel)
                                    : add(multiply(column, size(product.b_column)), multiply(begin, size(k.rhs))));
    tile.depth = count;
    tile.accumulate = accumulate;
    if (!overlaps && !blocking.pack_rhs) {
      for (std::int64_t v = 0; v < blocking.tile_vectors; ++v) {
        const bool whole = known && columns >= (v + 1) * machine_.lanes;
        Value* left = builder_.CreateSub(block.column_count, add(at, i64(v * machine_.lanes)));
        tile.masks.push_back(whole ? nullptr : lane_mask(left));
      }
    }
    const auto rows = [&](std::int64_t number, Value* from, Value* to) {
      loop(from, to, i64(number), [&](Value* i) {
        Value* row = add(block.row, i);
        tile.rows = static_cast<unsigned>(number);
        tile.splits = static_cast<unsigned>(number == tile_rows ? blocking.splits : blocking.row_splits);
        tile.a = element(product.a, blocking.pack_lhs
                                        ? panel_start(row, tile_rows)
                                        : add(multiply(row, size(product.a_row)), multiply(begin, size(k.lhs))));
        tile.scratch = element(block.scratch, add(multiply(i, i64(blocking.block_columns)), at));
        tile.stride = blocking.block_columns;
        emit_tile(product, tile);
      });
    };
    Value* whole = builder_.CreateSub(block.row_count, builder_.CreateSRem(block.row_count, i64(tile_rows)));
    std::int64_t total = 0;
    rows(tile_rows, i64(0), whole);
    const bool exact = is_constant(size(product.rows), &total) && total % tile_rows == 0;
    if (tile_rows > 1 && !exact) rows(1, whole, block.row_count);
  });
}

}  // namespace descent::codegen
