// Contractions: register-blocked matrix products, written as vector code for the machine (passes/blocking.h says how a
// product is cut into blocks and tiles).
//
// A block of the result is made in scratch memory that stays in the first-level cache; then the elementwise rest of the
// kernel (bias, activation, reductions, the optimizer's update) runs over the block. Tiles and the rest of the kernel
// are separate loops: the rest is in the code once, whatever number of rows is left at the end, and the loop that takes
// nearly all the time (codegen/tile.cpp) is as small as it can be.
//
// A number of rows that is no multiple of the tile's ends in lower tiles, of which one may overlap what is made already
// (of few rows, in tiles of their own: few_rows.cpp). Columns at the end are made by a last tile
// that overlaps the one before it, so that no vector is cut; only a product narrower than a tile is loaded under a
// mask.
#include <llvm/IR/Intrinsics.h>

#include <algorithm>

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
  outside_ = row > 0 && column == row + 1 ? row : 0;

  const auto nest = [&](auto&& self, const std::vector<std::pair<Axis, std::ptrdiff_t>>& levels, std::size_t level,
                        Value* a, Value* b, const std::function<void(Value*, Value*)>& body) -> void {
    if (level == levels.size()) return body(a, b);
    const auto& [axis, at] = levels[level];
    if (at < 0) return self(self, levels, level + 1, a, b, body);
    const Range range = at == 0 ? part(passes::Cut::Axis::outer, axis.size) : Range{i64(0), size(axis.size)};
    loop(range.begin, range.end, i64(1), [&](Value* i) {
      loops[static_cast<std::size_t>(at)].base = loops[static_cast<std::size_t>(at)].index = i;
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
    const auto at_outer = [&](Product whole, const std::function<void(const Product&)>& body) {
      nest(nest, outer, 0, whole.a, whole.b, [&](Value* outer_a, Value* outer_b) {
        whole.a = outer_a;
        whole.b = outer_b;
        body(in_order(whole));
      });
    };
    Value* is_outer = nullptr;
    if (may_be_outer(in_order(product))) {
      is_outer = builder_.CreateICmpEQ(size(product.contracted[0].size), i64(1));
      branch(is_outer, [&] { at_outer(product, [&](const Product& whole) { emit_outer_product(whole, loops); }); });
    }
    branch(is_outer == nullptr ? builder_.getTrue() : builder_.CreateNot(is_outer), [&] {
      Product packed = product;
      pack_operands(packed, axes);
      if (blocking_.columns_outside) {
        for_column_blocks(packed, packed, [&](Value* first, Value* count) {
          at_outer(pack_slab(packed, packed, first, count),
                   [&](const Product& whole) { emit_columns(whole, whole, first, count, loops); });
        });
        return;
      }
      at_outer(packed, [&](const Product& whole) {
        if (blocking_.form == Blocking::Form::dots) return emit_dot_products(whole, loops);
        emit_blocks(whole, blocking_.packs_before() ? product : whole, loops);
      });
    });
  });
}

namespace {

/// Whether every part of so many lines that is packed at once, a block or what one thread makes, is whole panels.
bool fill_panels(const Dimension& lines, std::int64_t width) {
  return lines.is_constant() && lines.constant() % width == 0;
}

}  // namespace

bool KernelEmitter::fill_tiles(const Dimension& rows) const {
  return fill_panels(rows, blocking_.tile_rows) && (sizes_ == nullptr || sizes_->whole_tiles);
}

/// Copies the operands into the kernel's workspace where they do not lie as the tiles read them: the second operand's
/// panels first, all or those of a block's columns, then the first operand's. `product` is changed to what is packed.
void KernelEmitter::pack_operands(Product& product, const passes::ContractionAxes& axes) {
  if (!blocking_.packs_before()) return;
  const Product plain = product;
  const Axis& k = axes.contracted.back();
  if (blocking_.packs_rhs_before()) read_packed_columns(product);
  if (blocking_.pack_lhs) {
    Value* columns = blocking_.slabs
                         ? multiply(i64(blocking_.block_columns), size(passes::whole_depth(axes.contracted)))
                         : size(passes::packed_rhs_size(axes, blocking_, machine_));
    product.a = element(address(kernel_.workspace), columns);
    product.a_row = Dimension(1);
    product.contracted.back().lhs = Dimension(blocking_.tile_rows);
  }
  branch(has_many_rows(plain), [&] {
    if (blocking_.packs_rhs_before()) {
      const Range range = part(passes::Cut::Axis::columns, plain.columns);
      pack_columns(plain, range.begin, builder_.CreateSub(range.end, range.begin));
    }
    if (!blocking_.pack_lhs) return;
    const Range range = part(passes::Cut::Axis::rows, plain.rows);
    pack({element(plain.a, multiply(range.begin, size(plain.a_row))), builder_.CreateSub(range.end, range.begin),
          plain.a_row, k.size, k.lhs, blocking_.tile_rows, k.size, fill_tiles(plain.rows),
          comes_from_afar(0, plain.a_row)},
         element(product.a, multiply(range.begin, size(k.size))));
  });
}

void KernelEmitter::read_packed_columns(Product& product) {
  product.b = address(kernel_.workspace);
  product.b_column = Dimension(1);
  Dimension stride = literal(blocking_.panel(machine_));
  for (std::size_t axis = product.contracted.size(); axis-- > 0;) {
    product.contracted[axis].rhs = stride;
    stride = stride * product.contracted[axis].size;
  }
}

/// Panels of all contracted axes, the last one innermost.
void KernelEmitter::pack_columns(const Product& product, Value* first, Value* count) {
  Product packed = product;
  read_packed_columns(packed);
  const Dimension depth = passes::whole_depth(product.contracted);
  const std::int64_t panel = blocking_.panel(machine_);
  const auto axes = [&](auto&& self, std::size_t axis, Value* from, Value* to) -> void {
    const Axis& k = product.contracted[axis];
    if (axis + 1 == product.contracted.size()) {
      return pack({from, count, product.b_column, k.size, k.rhs, panel, depth, fill_panels(product.columns, panel),
                   comes_from_afar(1, product.b_column)},
                  to);
    }
    loop(i64(0), size(k.size), i64(1), [&](Value* i) {
      self(self, axis + 1, element(from, multiply(i, size(k.rhs))),
           element(to, multiply(i, size(packed.contracted[axis].rhs))));
    });
  };
  Value* to = blocking_.slabs ? packed.b : element(packed.b, multiply(first, size(depth)));
  axes(axes, 0, element(product.b, multiply(first, size(product.b_column))), to);
}

/// The product with the lanes along its columns: with one column, the operands are exchanged.
KernelEmitter::Product KernelEmitter::in_order(const Product& product) const {
  if (blocking_.form != Blocking::Form::turned) return product;
  Product turned{product.b,     product.a, Dimension(1), product.rows,    Dimension(0),
                 product.a_row, {},        nullptr,      product.row_loop};
  for (const Axis& k : product.contracted) turned.contracted.push_back(Axis{k.size, k.rhs, k.lhs, Dimension(0)});
  return turned;
}

/// What this call makes of the rows and columns of a product in order; exchanged, the rows of the space are columns.
KernelEmitter::Range KernelEmitter::columns_of(const Product& product) {
  using PartAxis = passes::Cut::Axis;
  return part(blocking_.form == Blocking::Form::turned ? PartAxis::rows : PartAxis::columns, product.columns);
}

KernelEmitter::Range KernelEmitter::rows_of(const Product& product) {
  if (blocking_.form == Blocking::Form::turned) return {i64(0), size(product.rows)};
  return part(passes::Cut::Axis::rows, product.rows);
}

/// Columns outside, so that the second operand's part of a block stays in the cache while the rows go by.
/// `plain` is the product before anything of it was packed: where there are few rows, that is not done.
void KernelEmitter::emit_blocks(const Product& whole, const Product& plain, std::vector<Loop>& loops) {
  for_column_blocks(whole, plain, [&](Value* column, Value* count) {
    emit_columns(pack_slab(whole, plain, column, count), plain, column, count, loops);
  });
}

/// `body` gets the first column of each block, and how many it has.
void KernelEmitter::for_column_blocks(const Product& whole, const Product& plain,
                                      const std::function<void(Value*, Value*)>& body) {
  const passes::FewRows& few = blocking_.few;
  Value* stride = column_stride(plain);
  const Range columns = columns_of(whole);
  std::int64_t count = 0;
  const bool known = is_constant(builder_.CreateSub(columns.end, columns.begin), &count);
  if (known && count <= blocking_.block_columns && (few.below == 1 || count <= few.block_columns))
    return body(columns.begin, i64(count));
  loop(columns.begin, columns.end, stride,
       [&](Value* column) { body(column, minimum(stride, builder_.CreateSub(columns.end, column))); });
}

/// The columns of a block at most.
llvm::Value* KernelEmitter::column_stride(const Product& plain) {
  Value* stride = i64(blocking_.block_columns);
  if (blocking_.few.below == 1) return stride;
  return builder_.CreateSelect(has_many_rows(plain), stride, i64(blocking_.few.block_columns));
}

/// Packs the second operand's columns of a block where that is done block by block.
KernelEmitter::Product KernelEmitter::pack_slab(const Product& whole, const Product& plain, Value* column,
                                                Value* count) {
  Product product = whole;
  if (!blocking_.slabs) return product;
  branch(has_many_rows(plain), [&] { pack_columns(whole, column, count); });
  read_packed_columns(product);
  return product;
}

/// The blocks of some columns.
void KernelEmitter::emit_columns(const Product& product, const Product& plain, Value* column, Value* column_count,
                                 std::vector<Loop>& loops) {
  Value *memory = block_memory(), *many = has_many_rows(plain), *stride = column_stride(plain);
  const bool whole_vectors = product.columns.is_constant() && product.columns.constant() % machine_.lanes == 0;
  for_row_blocks(rows_of(product), many, [&](Value* row, Value* row_count, Value* high_rows) {
    const Block block{row, row_count, high_rows, column, column_count, memory};
    branch(many, [&] { emit_block(product, block, loops); });
    const auto finish = [&] {
      if (product.row_loop != nullptr) {
        product.row_loop->base = row;
        product.row_loop->count = row_count;
        product.row_loop->tile_stride = stride;
      }
      if (product.column_loop != nullptr) {
        product.column_loop->base = column;
        product.column_loop->count = column_count;
        product.column_loop->tile_stride = i64(1);
        product.column_loop->whole_vectors = whole_vectors;
      }
      emit_part(loops, memory);
    };
    if (blocking_.few.below > 1) {
      branch(builder_.CreateNot(many), [&] {
        emit_few_rows(plain, block);
        if (finishes_tiles()) finish();
      });
    }
    if (!finishes_tiles()) finish();
  });
}

/// Memory for a block of either kind. In front of the first row there is room for a tile that begins before the block,
/// in rows or columns; behind the last for the rows of a tile and the columns of a panel beyond it.
llvm::Value* KernelEmitter::block_memory() {
  const passes::FewRows& few = blocking_.few;
  const std::int64_t stride = blocking_.block_columns, panel = blocking_.panel(machine_);
  std::int64_t before = (blocking_.tile_rows - 1) * stride + panel, after = blocking_.block_rows * stride;
  if (few.below > 1) {
    const std::int64_t wide = std::max(few.tile_vectors, few.row_vectors) * machine_.lanes;
    before = std::max(before, wide);
    after = std::max(after, (few.below - 1 + few.tile_rows - 1) * few.block_columns + wide);
  }
  return element(stack(llvm::ArrayType::get(product_type(), static_cast<std::uint64_t>(before + after)), "block"),
                 i64(before));
}

/// Low tiles read the rows as they lie: packed rows have panels for high ones.
bool KernelEmitter::has_low_tiles() const { return blocking_.low_rows < blocking_.tile_rows && !blocking_.pack_lhs; }

/// How so many rows are shared out to tiles of two heights (passes::row_tiles).
KernelEmitter::TileCount KernelEmitter::count_tiles(Value* rows, std::int64_t high, std::int64_t low) {
  Value* tiles = divided_up(rows, i64(high));
  if (low == high) return {tiles, tiles};
  Value* lower = builder_.CreateSDiv(builder_.CreateSub(multiply(tiles, i64(high)), rows), i64(high - low));
  return {tiles, builder_.CreateSub(tiles, minimum(tiles, lower))};
}

/// Blocks of about equal numbers of tiles. `body` gets a block's first row, its rows, and how many of them high tiles
/// make (passes::row_tiles), which may reach beyond the last row. Few rows are one block.
void KernelEmitter::for_row_blocks(const Range& rows, Value* many,
                                   const std::function<void(Value*, Value*, Value*)>& body) {
  const std::int64_t high = blocking_.tile_rows, low = has_low_tiles() ? blocking_.low_rows : high;
  Value* count = builder_.CreateSub(rows.end, rows.begin);
  const auto [tiles, high_tiles] = count_tiles(count, high, low);
  // The row before which so many tiles end.
  const auto start = [&](Value* tile) {
    Value* row = multiply(tile, i64(high));
    if (low == high) return row;
    Value* lower = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, builder_.CreateSub(tile, high_tiles), i64(0));
    return builder_.CreateSub(row, multiply(lower, i64(high - low)));
  };
  Value* together = i64(1);
  if (blocking_.block_rows > high) {
    Value* blocks = divided_up(tiles, i64(blocking_.block_rows / high));
    together = divided_up(tiles, builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, blocks, i64(1)));
  }
  if (blocking_.few.below > 1) together = builder_.CreateSelect(many, together, tiles);
  // As many tiles as fit are a block, at least one: where there are no rows, none.
  together = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, together, i64(1));
  loop(i64(0), tiles, together, [&](Value* tile) {
    Value *first = start(tile), *end = minimum(start(add(tile, together)), count);
    Value* high_here =
        builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, builder_.CreateSub(high_tiles, tile), i64(0));
    body(add(rows.begin, first), builder_.CreateSub(end, first), multiply(minimum(high_here, together), i64(high)));
  });
}

/// Whether tiles are made only where there are as many rows as one has: none then reaches before the first row.
bool KernelEmitter::has_whole_tile(const Product& product) const {
  const std::int64_t rows = product.rows.is_constant() ? product.rows.constant() : 0;
  return blocking_.few.below > 1 || rows >= blocking_.tile_rows || blocking_.tile_rows == 1;
}

llvm::Value* KernelEmitter::has_many_rows(const Product& product) {
  if (blocking_.few.below == 1) return builder_.getTrue();
  return builder_.CreateICmpSGE(size(product.rows), i64(blocking_.few.below));
}

/// All tiles of a block; with a limited depth, pass after pass over the contracted axis.
void KernelEmitter::emit_block(const Product& product, const Block& block, std::vector<Loop>& loops) {
  Value* depth = size(product.contracted.back().size);
  if (blocking_.depth == 0) return emit_pass(product, block, i64(0), depth, false, loops);
  loop(i64(0), depth, i64(blocking_.depth), [&](Value* begin) {
    Value* count = minimum(i64(blocking_.depth), builder_.CreateSub(depth, begin));
    std::int64_t whole = 0;
    if (is_constant(depth, &whole) && whole <= blocking_.depth)
      return emit_pass(product, block, begin, count, false, loops);
    branch(builder_.CreateICmpEQ(begin, i64(0)), [&] { clear_block(block); });
    emit_pass(product, block, begin, count, true, loops);
  });
}

void KernelEmitter::clear_block(const Block& block) {
  Value* end = multiply(block.row_count, i64(blocking_.block_columns));
  loop(i64(0), end, i64(machine_.lanes), [&](Value* i) {
    builder_.CreateAlignedStore(llvm::Constant::getNullValue(product_vector()), element(block.scratch, i),
                                llvm::Align(4));
  });
}

/// The tiles of a block over `count` contracted elements from `begin`; columns outside, so that a panel of the second
/// operand stays in the first-level cache while the rows go by.
void KernelEmitter::emit_pass(const Product& product, const Block& block, Value* begin, Value* count, bool accumulate,
                              std::vector<Loop>& loops) {
  const std::int64_t panel = blocking_.panel(machine_);
  const Axis& k = product.contracted.back();
  const bool known = product.columns.is_constant();
  const std::int64_t columns = product.columns.constant();
  const bool overlaps = known && columns >= panel && !blocking_.pack_rhs && !accumulate;  // each is added once
  Value* skipped = multiply(begin, size(k.rhs));
  loop(i64(0), block.column_count, i64(panel), [&](Value* j) {
    Value* at = overlaps ? minimum(j, builder_.CreateSub(block.column_count, i64(panel))) : j;
    Value* column = add(block.column, at);
    Tile tile;
    tile.rows = static_cast<unsigned>(blocking_.tile_rows);
    tile.vectors = static_cast<unsigned>(blocking_.tile_vectors);
    tile.splits = static_cast<unsigned>(blocking_.splits);
    Value* start = multiply(column, size(product.b_column));
    if (blocking_.pack_rhs)
      start =
          multiply(blocking_.slabs ? at : column, size(passes::whole_depth(product.contracted)));  // panel after panel
    tile.b = element(product.b, add(start, skipped));
    tile.depth = count;
    tile.accumulate = accumulate;
    tile.fetches = !blocking_.pack_lhs && product.a_row.is_one() && comes_from_afar(0, k.lhs);
    tile.stride = blocking_.block_columns;
    if (!overlaps && !blocking_.pack_rhs) {
      for (std::int64_t v = 0; v < blocking_.tile_vectors; ++v) {
        const bool whole = known && (columns % panel == 0 || (columns <= panel && columns >= (v + 1) * machine_.lanes));
        Value* left = builder_.CreateSub(block.column_count, add(at, i64(v * machine_.lanes)));
        tile.masks.push_back(whole ? nullptr : lane_mask(left));
      }
    }
    const bool all = known && columns % panel == 0;
    const Panel columns_of{
        column, {add(block.column, j), add(block.column, block.column_count)}, all, overlaps && !stores_over_};
    if (finishes_tiles()) begin_columns();
    emit_rows(product, block, begin, tile, columns_of, loops);
    if (finishes_tiles()) end_columns(product, columns_of, loops);
  });
}

/// The tiles of one panel of columns. Packed rows have a whole last panel.
void KernelEmitter::emit_rows(const Product& product, const Block& block, Value* begin, const Tile& tile,
                              const Panel& panel, std::vector<Loop>& loops) {
  const bool exact = fill_tiles(product.rows);
  const Range all{i64(0), block.row_count};
  if (exact || !has_low_tiles()) return emit_tiles(product, block, begin, tile, all, exact, panel, loops);
  emit_tiles(product, block, begin, tile, {all.begin, block.high_rows}, exact, panel, loops);
  Tile low = tile;
  low.rows = static_cast<unsigned>(blocking_.low_rows);
  emit_tiles(product, block, begin, low, {block.high_rows, all.end}, exact, panel, loops);
}

/// The rows of a block from `range.begin` on in tiles as high as `tile`. Where they do not fit, the last one overlaps
/// the one before it, and may begin before the range.
void KernelEmitter::emit_tiles(const Product& product, const Block& block, Value* begin, Tile tile, const Range& range,
                               bool exact, const Panel& panel, std::vector<Loop>& loops) {
  const Axis& k = product.contracted.back();
  // Where the contracted axis is cut, tiles add to what is there: none may overlap, and all operands are packed.
  const bool overlaps = !blocking_.pack_lhs && !exact;
  const std::int64_t tile_rows = tile.rows;
  loop(range.begin, range.end, i64(tile_rows), [&](Value* i) {
    Value* at = overlaps ? minimum(i, builder_.CreateSub(block.row_count, i64(tile_rows))) : i;
    Value* row = add(block.row, at);
    Value* start = multiply(row, blocking_.pack_lhs ? size(k.size) : size(product.a_row));
    tile.a = element(product.a, add(start, multiply(begin, size(k.lhs))));
    Value* column = builder_.CreateSub(panel.column, block.column);
    tile.scratch = element(block.scratch, add(multiply(at, i64(blocking_.block_columns)), column));
    fetch_on_the_way(product, tile, row, panel.column, loops);
    if (!finishes_tiles()) return emit_tile(product, tile);
    const TileRows rows{row,
                        {add(block.row, i), add(block.row, block.row_count)},
                        exact,
                        overlaps && has_whole_tile(product) && !stores_over_};
    finish_tile(product, panel, rows, tile_sums(product, tile), loops);
  });
}

}  // namespace descent::codegen
