// A block of few rows (passes/few_rows.cpp), made from the operands as they lie: a batch of one row by row, of several
// in tiles that are lower than those for many. Rows of a tile beyond the last one are the last one again; nobody reads
// what is made of them.
#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;
using Axis = passes::ContractionAxes::Axis;

void KernelEmitter::emit_few_rows(const Product& product, const Block& block) {
  const passes::FewRows& few = blocking_.few;
  const bool strided = !product.b_column.is_one() && !(product.b_column == Dimension(0));
  const auto emit_tiles = [&] { strided ? emit_dot_tiles(product, block) : emit_low_tiles(product, block); };
  if (few.tiles_from == few.below) return emit_single_rows(product, block);
  if (few.tiles_from == 1) return emit_tiles();
  Value* has_tiles = builder_.CreateICmpSGE(size(product.rows), i64(few.tiles_from));
  branch(has_tiles, emit_tiles);
  branch(builder_.CreateNot(has_tiles), [&] { emit_single_rows(product, block); });
}

/// A panel of `tile.vectors` vectors from column `j` of the block on, or from so far before it that there are as many:
/// sets the tile's place and returns its first column.
llvm::Value* KernelEmitter::begin_panel(const Product& product, const Block& block, Value* j, Tile& tile) {
  const std::int64_t panel = tile.vectors * machine_.lanes;
  Value* column = add(block.column, j);
  const bool known = product.columns.is_constant();
  if (known && product.columns.constant() >= panel) {
    // A thread's part may end anywhere.
    column = minimum(column, builder_.CreateSub(size(product.columns), i64(panel)));
  } else {
    for (std::int64_t end = machine_.lanes; end <= panel; end += machine_.lanes) {
      const bool whole = known && product.columns.constant() >= end;
      tile.masks.push_back(
          whole ? nullptr : lane_mask(builder_.CreateSub(block.column_count, add(j, i64(end - machine_.lanes)))));
    }
  }
  tile.b = element(product.b, multiply(column, size(product.b_column)));
  tile.depth = size(product.contracted.back().size);
  tile.stride = blocking_.few.block_columns;
  tile.scratch = element(block.scratch, builder_.CreateSub(column, block.column));
  return column;
}

/// Where a tile's rows begin, from the first one on: beyond the last one of the block, that again.
KernelEmitter::Values KernelEmitter::row_offsets(const Product& product, Value* last, std::int64_t rows) {
  Values offsets;
  for (std::int64_t r = 0; r < rows; ++r)
    offsets.push_back(r == 0 ? i64(0) : multiply(minimum(i64(r), last), size(product.a_row)));
  return offsets;
}

void KernelEmitter::emit_low_tiles(const Product& product, const Block& block) {
  const passes::FewRows& few = blocking_.few;
  loop(i64(0), block.column_count, i64(few.tile_vectors * machine_.lanes), [&](Value* j) {
    Tile panel;
    panel.vectors = static_cast<unsigned>(few.tile_vectors);
    panel.splits = static_cast<unsigned>(few.splits);
    begin_panel(product, block, j, panel);
    const auto tiles = [&](Value* begin, Value* end, std::int64_t height) {
      loop(begin, end, i64(height), [&](Value* i) {
        Tile tile = panel;
        tile.rows = static_cast<unsigned>(height);
        tile.row_offsets = row_offsets(product, builder_.CreateSub(block.row_count, add(i, i64(1))), height);
        tile.a = element(product.a, multiply(add(block.row, i), size(product.a_row)));
        tile.scratch = element(panel.scratch, multiply(i, i64(few.block_columns)));
        emit_tile(product, tile);
      });
    };
    if (few.low_rows == few.tile_rows) return tiles(i64(0), block.row_count, few.tile_rows);
    Value* high = multiply(count_tiles(block.row_count, few.tile_rows, few.low_rows).high, i64(few.tile_rows));
    tiles(i64(0), high, few.tile_rows);
    tiles(high, block.row_count, few.low_rows);
  });
}

/// Whether each column of the second operand is contiguous along the contracted axis.
bool KernelEmitter::has_dots(const Product& product) const {
  return product.contracted.size() == 1 && product.contracted[0].rhs.is_one() && !product.b_column.is_one() &&
         product.columns.is_constant() && product.columns.constant() >= machine_.lanes;
}

/// Tiles of dot products: lanes along the contracted axis, as many sums as lanes, which are then turned into one
/// vector.
void KernelEmitter::emit_dot_tiles(const Product& product, const Block& block) {
  const Axis& k = product.contracted[0];
  const std::int64_t lanes = machine_.lanes, rows = blocking_.few.tile_rows, columns = lanes / rows;
  Value *depth = size(k.size), *whole = builder_.CreateAnd(depth, i64(-lanes));
  loop(i64(0), block.column_count, i64(columns), [&](Value* j) {
    Value* column = minimum(add(block.column, j), builder_.CreateSub(size(product.columns), i64(columns)));
    Value* b = element(product.b, multiply(column, size(product.b_column)));
    loop(i64(0), block.row_count, i64(rows), [&](Value* i) {
      Value* a = element(product.a, multiply(add(block.row, i), size(product.a_row)));
      const Values offsets = row_offsets(product, builder_.CreateSub(block.row_count, add(i, i64(1))), rows);
      const auto step = [&](Value* at, Value* mask, Values sums) {
        Values column_vectors;
        for (std::int64_t c = 0; c < columns; ++c) {
          Value* from = element(b, add(multiply(i64(c), size(product.b_column)), at));
          column_vectors.push_back(load_vector(from, i64(1), true, mask));
        }
        for (std::size_t r = 0; r < offsets.size(); ++r) {
          Value* row = load_vector(element(a, add(offsets[r], at)), i64(1), true, mask);
          for (std::size_t c = 0; c < column_vectors.size(); ++c) {
            Value*& sum = sums[r * column_vectors.size() + c];
            sum = builder_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {product_vector()}, {row, column_vectors[c], sum});
          }
        }
        return sums;
      };
      Values sums(static_cast<std::size_t>(lanes), llvm::Constant::getNullValue(product_vector()));
      sums =
          carry(i64(0), whole, i64(lanes), sums, [&](Value* at, const Values& now) { return step(at, nullptr, now); });
      if (!k.size.is_constant() || k.size.constant() % lanes != 0) {
        sums = carry(whole, depth, i64(lanes), sums, [&](Value* at, const Values& now) {
          return step(at, lane_mask(builder_.CreateSub(depth, at)), now);
        });
      }
      Value* made = add_lanes(sums);
      Value* scratch = element(block.scratch, builder_.CreateSub(column, block.column));
      for (std::int64_t r = 0; r < rows; ++r) {
        llvm::SmallVector<int> part;
        for (std::int64_t c = 0; c < columns; ++c) part.push_back(static_cast<int>(r * columns + c));
        Value* to = element(scratch, multiply(add(i, i64(r)), i64(blocking_.few.block_columns)));
        builder_.CreateAlignedStore(builder_.CreateShuffleVector(made, part), to, llvm::Align(4));
      }
    });
  });
}

void KernelEmitter::emit_single_rows(const Product& product, const Block& block) {
  const Axis& k = product.contracted.back();
  const bool dots = has_dots(product);
  Tile row;
  row.vectors = static_cast<unsigned>(dots ? 1 : blocking_.few.row_vectors);
  row.splits = static_cast<unsigned>(blocking_.few.row_splits);
  loop(i64(0), block.row_count, i64(1), [&](Value* i) {
    loop(i64(0), block.column_count, i64(row.vectors * machine_.lanes), [&](Value* j) {
      Tile tile = row;
      Value* column = begin_panel(product, block, j, tile);
      tile.a = element(product.a, multiply(add(block.row, i), size(product.a_row)));
      tile.scratch = element(tile.scratch, multiply(i, i64(tile.stride)));
      if (!dots) return emit_tile(product, tile);
      const Product turned{product.b,
                           tile.a,
                           product.columns,
                           Dimension(1),
                           product.b_column,
                           Dimension(0),
                           {Axis{k.size, k.rhs, k.lhs, Dimension(0)}},
                           nullptr,
                           nullptr};
      const Values sums = dot_rows(turned, width(), column, false);
      builder_.CreateAlignedStore(add_lanes(sums), tile.scratch, llvm::Align(4));
    });
  });
}

}  // namespace descent::codegen
