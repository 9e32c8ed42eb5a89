// One kernel as an LLVM function: void kernel(ptr addresses, ptr dimensions, ptr state, ptr parts).
//
// `parts` are the first index and the end of each axis that threads share (passes/partition.h), of which it makes the
// elements; an end beyond the axis is the axis' own.
// A kernel that may differ from others in its sizes alone takes them as a further argument, an array of numbers, so
// that all of them are one function (codegen/module.cpp). `addresses` holds for each of its buffers where the kernel
// begins in it, so that equal kernels over other buffers, or over other slices, are one function (passes/signature.h);
// then the numbers of its random streams.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <array>
#include <functional>
#include <map>
#include <set>

#include "codegen/lanes.h"
#include "passes/kernels.h"
#include "passes/partition.h"
#include "passes/signature.h"

namespace descent::codegen {

using passes::Machine;

/// x, where the node is exp(-|x|); else null.
const ir::Node* magnitude_of_decay(const ir::Node* node);

/// The sizes that a kernel takes as arguments, in the order of the array: found while it is emitted, each number once.
struct Sizes {
  // What is known of all kernels that may share the code: the most elements of a space, and whether the rows of each
  // fill its tiles.
  std::int64_t most_elements = 0;
  bool whole_tiles = true;
  std::vector<std::int64_t> values = {};
};

class KernelEmitter {
 public:
  KernelEmitter(llvm::Module& module, const ir::Program& program, const passes::KernelPlan& plan,
                const passes::Kernel& kernel, const passes::Signature& signature, const Machine& machine);
  /// With `sizes`, its sizes are arguments; those below 32 are still numbers in the code.
  llvm::Function* emit(const std::string& name, Sizes* sizes = nullptr);

 private:
  using Value = llvm::Value;
  using Values = llvm::SmallVector<llvm::Value*, 32>;
  using Dimension = ir::Dimension;
  using Indirection = passes::Indirection;

  struct Range {
    Value *begin, *end;
  };
  /// Where in memory an element of a buffer is, from which on the kernel sees the buffer (passes/signature.h).
  struct Pointer {
    Value* address;
    std::int64_t element;
  };
  /// One axis of the space while its loop runs: elements base + local, local in [0, count).
  struct Loop {
    Value* base;                   ///< where this part of the axis begins
    Value* count;                  ///< how many elements it has
    ir::Dimension size;            ///< of the whole axis
    Value* index = nullptr;        ///< base + local, of the first lane on the innermost axis
    std::int64_t ahead = 0;        ///< the vector at hand is this much further than `index`
    Value* tile_stride = nullptr;  ///< of the contraction's tile, in elements
    bool whole_vectors = false;    ///< the count is known to be a multiple of the lanes
  };
  /// A reduction that is accumulated while the loops run.
  struct Accumulator {
    const ir::Node* node;
    int buffer;
    passes::View place;       ///< of each element in the result; stride 0 along reduced axes
    Value* vector = nullptr;  ///< memory for partial sums in lanes, where the innermost axis is reduced
    /// A summand log(1 + e) with 0 <= e <= 1, which is not computed each time: the sum of such logarithms is the
    /// logarithm of a product, and `product` is memory for that product less 1, in lanes.
    const ir::Node* logarithm = nullptr;
    Value* product = nullptr;
    std::vector<Value*> columns = {};  ///< the same for each vector of a tile, where only the rows are; of short rows
    Value* rows = nullptr;             ///< memory for `vector` of several rows (row_sums.cpp, short_rows.cpp)
    bool at_once =
        false;  ///< every element of the result is stored when it is complete: none has to begin with anything
  };

  // rows.cpp: phases of a row, and what is done element after element
  void emit_phases();
  void share_frame(const KernelEmitter& whole);
  std::int64_t rows_of_phases() const;
  bool is_number(const passes::Kernel& phase) const;
  void emit_rows_of_phase(std::vector<Loop> loops);
  void emit_row(std::vector<Loop> loops);
  void emit_scan();

  // kernel_emitter.cpp
  void collect_buffers();

  // nest.cpp
  void emit_elementwise();
  /// The loops over a part of the space; the contraction's values are in `tile` (null without a contraction).
  void emit_part(std::vector<Loop>& loops, Value* tile);
  void emit_inner(std::vector<Loop>& loops, Value* tile);
  void emit_columns(std::vector<Loop>& loops, Value* tile);
  void end_row(Accumulator& accumulator, std::vector<Loop>& loops);
  unsigned side_by_side() const;
  /// Calls `body` for the vectors of the innermost axis: several side by side, as one of more lanes; single ones; then
  /// what is left under a mask.
  void for_vectors(Loop& inner, const std::function<void(Value* mask)>& body);
  Value* tile_vector(const std::vector<Loop>& loops, Value* tile, Value* mask);
  void emit_vector(std::vector<Loop>& loops, Value* product, Value* mask);
  bool merge_axes();
  void for_each_strides(const std::function<void(std::vector<ir::Dimension>&)>& change);

  // held_sums.cpp: reductions that keep the innermost axis, in registers
  struct Held {
    Accumulator* accumulator;
    std::size_t depth;  ///< it is held while the loops from this one on run
    std::vector<Value*> vectors;
  };
  struct Holding {
    std::vector<Held> held;
    std::size_t outside = 0;   ///< loops outside of those in which they are held
    std::int64_t vectors = 0;  ///< that are written out inside; 0: one after the other is taken through the loops
  };
  /// The part of an axis in which bounds of views hold.
  struct Interior {
    std::int64_t begin = 0, end = 0;
    std::vector<const passes::View::Bound*> bounds;
  };
  Holding choose_held();
  bool keeps_innermost(const Accumulator& accumulator) const;
  std::size_t depth_of(const Accumulator& accumulator) const;
  void order_axes();
  bool is_written_out(std::size_t axis, std::int64_t vectors) const;
  Interior interior_of(std::size_t axis, const std::vector<Loop>& loops) const;
  bool emit_held(std::vector<Loop>& loops);
  void emit_held_loops(std::vector<Loop>& loops, std::size_t axis, std::vector<Held>& held, std::int64_t vectors);

  // row_sums.cpp
  bool begin_row_sums(const std::vector<Loop>& loops);
  void for_rows(std::vector<Loop>& loops, const std::function<void()>& body);
  void end_rows(const Accumulator& accumulator, const std::vector<Loop>& loops, Value* count);
  void store_rows(const Accumulator& accumulator, const std::vector<Loop>& loops, Value* results, Value* mask,
                  bool read_again);

  // short_rows.cpp: several rows in one vector
  enum class Lie { same, by_row, in_row, flat, other };  ///< a number of each row, the same row each time
  Lie lie_of(const std::vector<ir::Dimension>& strides) const;
  void choose_short_rows();
  bool is_short_rows() const { return short_rows_.length > 0; }
  void begin_short_rows();
  void finish_short_rows();
  Value* load_short_rows(const passes::View& view, Lie lie, llvm::Type* type);
  Value* end_short_rows(Values vectors, const ir::Node* reduction);
  std::size_t depth_of_short_rows(const Accumulator& accumulator) const;
  std::vector<Held> choose_held_rows();
  void add_short_rows(Accumulator& accumulator, const Values& vectors, std::vector<Loop>& loops);
  void end_held_rows(Held& held, std::vector<Loop>& loops, std::int64_t count);
  void emit_short_rows(std::vector<Loop>& loops, Value* start, std::int64_t rows, Value* left,
                       const std::vector<Held>& held, std::int64_t first);
  void emit_short_rows(std::vector<Loop>& loops, std::size_t first);

  // vector.cpp, access.cpp: lane values, of the current vector
  Value* lane_value(const ir::Node* node);
  /// Memory of one vector: a first address, and by lane what is added to it where that is not a stride alone.
  struct Place {
    Value *address, *offsets;
  };
  /// With `in_range` an index that is out of range is not brought into it, but said there: by lane or for all.
  Place place(int buffer, const passes::View& view, Value** in_range = nullptr);
  Value* load(const passes::View& view, ir::DType dtype);
  Value* load_number(Value* pointer, Value* condition, llvm::Type* type);
  Value* gather_lanes(const Place& from, Value* stride, Value* mask, llvm::Type* type);
  Value* index_of(const Indirection& indirection, Value** in_range);
  void store(const passes::Store& store, const passes::View& to, Value* value);
  Value* from_memory(Value* loaded, ir::DType dtype);
  Value* to_memory(Value* value, ir::DType dtype);
  Value* inside(const passes::View::Bound& bound);
  Value* uniform(const ir::Node* leaf);
  Value* run_state(std::size_t offset, llvm::Type* type);  ///< a field of RunState (codegen/compile.h)
  bool is_uniform(const ir::Node* node) const;
  bool is_same_in_row(const ir::Node* node) const;
  Value* by_reciprocal(const ir::Node* quotient);
  const ir::Node* both_sides(const ir::Node* node) const;
  Value* one_side(const ir::Node* x, bool mirrored);
  /// A number of elements, of which a part is known before the loops run: neighbouring vectors then share the other.
  struct Offset {
    Value* varying;
    Dimension fixed;
    Value* ahead;  ///< the rest of the known part, where a stride is an argument
  };
  Offset split_offset(const std::vector<ir::Dimension>& strides, const std::vector<Loop>& loops);
  Value* offset_of(const std::vector<ir::Dimension>& strides, const std::vector<Loop>& loops);
  Value* load_vector(Value* pointer, Value* stride, bool unit, Value* mask, llvm::Type* type);
  Value* load_vector(Value* pointer, Value* stride, bool unit, Value* mask) {
    return load_vector(pointer, stride, unit, mask, product_type());
  }
  /// With `read_again` memory beside what is stored is read soon.
  void store_vector(Value* value, Value* pointer, Value* stride, bool unit, Value* mask, bool read_again = false);
  void store_first(Value* value, Value* pointer, unsigned lanes);

  // reductions.cpp
  void begin_reductions();
  void find_results_at_once();
  void end_reductions();
  bool is_row(const Accumulator& accumulator) const;
  bool is_column(const Accumulator& accumulator) const;
  void accumulate(Accumulator& accumulator, Value* value);
  void for_each_vector(Value* value, const std::function<void(Value*)>& body);
  Value* counted(const Accumulator& accumulator);
  const ir::Node* find_logarithm(const ir::Node* reduction) const;
  void accumulate_logarithm(Accumulator& accumulator);
  void take_logarithms(Accumulator& accumulator, Value* product, Value* all);
  void add_logarithms(Accumulator& accumulator, Value* product);
  /// Whether logarithms are taken after a block, not after a vector.
  bool is_by_block() const { return kernel_.contraction != nullptr && blocking_.form == passes::Blocking::Form::dots; }
  void end_block(Value* is_last);
  void store_result(Accumulator& accumulator, Value* value);
  void accumulate_each(const Accumulator& accumulator, Value* value);
  bool is_whole(const Accumulator& accumulator) const;

  // contraction.cpp
  void emit_contraction();
  /// A matrix product in the form that the inner loop wants: out[row, column] = sum over k of a[row, k] * b[k, column],
  /// where columns are the lanes of vectors and a's elements are repeated in all lanes.
  struct Product {
    Value *a, *b;
    Dimension rows, columns;
    Dimension a_row, b_column;
    std::vector<passes::ContractionAxes::Axis> contracted;  ///< lhs: stride in a, rhs: stride in b
    Loop* row_loop;                                         ///< null where there is one row
    Loop* column_loop;                                      ///< null where there is one column
  };
  /// A part of the result while it is made, row by row in `scratch`.
  struct Block {
    Value *row, *row_count;
    Value* high_rows;  ///< how many high tiles make, where there are low ones
    Value *column, *column_count;
    Value* scratch;
  };
  Product in_order(const Product& product) const;
  Range rows_of(const Product& product);
  Range columns_of(const Product& product);
  void emit_blocks(const Product& whole, const Product& plain, std::vector<Loop>& loops);
  void for_column_blocks(const Product& whole, const Product& plain, const std::function<void(Value*, Value*)>& body);
  Value* column_stride(const Product& plain);
  Product pack_slab(const Product& whole, const Product& plain, Value* column, Value* count);
  void emit_columns(const Product& product, const Product& plain, Value* column, Value* column_count,
                    std::vector<Loop>& loops);
  bool has_low_tiles() const;
  bool fill_tiles(const Dimension& rows) const;  ///< none of a tile's rows is made for nothing
  struct TileCount {
    Value *all, *high;
  };
  TileCount count_tiles(Value* rows, std::int64_t high, std::int64_t low);
  void for_row_blocks(const Range& rows, Value* many, const std::function<void(Value*, Value*, Value*)>& body);
  bool has_whole_tile(const Product& product) const;
  Value* has_many_rows(const Product& product);
  Value* block_memory();
  void emit_block(const Product& product, const Block& block, std::vector<Loop>& loops);
  void emit_pass(const Product& product, const Block& block, Value* begin, Value* count, bool accumulate,
                 std::vector<Loop>& loops);
  void clear_block(const Block& block);

  // single_pass.cpp
  void emit_single_pass();
  Product turned_product(std::vector<Loop>& loops);
  Block begin_sums(const Product& product);
  void end_sums(const Product& product, const Block& block, std::vector<Loop>& loops);

  // tile.cpp
  struct Tile {
    unsigned rows = 1, vectors = 1, splits = 1;
    Value *a = nullptr, *b = nullptr, *depth = nullptr;
    std::vector<Value*> masks;  ///< of the vectors of columns; null for a whole one; empty: all are whole
    Value* scratch = nullptr;
    std::int64_t stride = 0;  ///< of the scratch memory's rows
    bool accumulate = false;  ///< adds to what is there
    bool fetches = false;     ///< the first operand's rows come from far away (prefetch.cpp)
    Values row_offsets;       ///< of the first operand's rows, in elements; empty: they are the product's rows in order
    /// What is done for each row of the tile while its sums are made, spread along the contracted axis.
    std::function<void(Value* row)> on_the_way = {};
  };
  /// The columns of a row of tiles, and those of them that no panel before has made.
  struct Panel {
    Value* column;  ///< the first one
    Range own;
    bool all;      ///< known to be all of them
    bool repeats;  ///< the others exist too, and may be stored again
  };
  /// The same of the rows of one tile.
  struct TileRows {
    Value* first;
    Range own;
    bool all, repeats;
  };
  void emit_rows(const Product& product, const Block& block, Value* begin, const Tile& tile, const Panel& panel,
                 std::vector<Loop>& loops);
  void emit_tiles(const Product& product, const Block& block, Value* begin, Tile tile, const Range& range, bool exact,
                  const Panel& panel, std::vector<Loop>& loops);
  Value* place_in(const Tile& tile, unsigned r, unsigned v);
  void emit_tile(const Product& product, const Tile& tile);
  Values tile_sums(const Product& product, const Tile& tile);
  void emit_tile_step(const Product& product, const Tile& tile, llvm::ArrayRef<Value*> a, Value* b, Value** sums);
  std::int64_t rows_together(const Product& product, const Tile& tile) const;
  Values walk_depth(const Product& product, const Tile& tile, Value* a, Value* b, Value* depth, Values sums);
  Values joined(const Tile& tile, Values sums);
  void emit_dot_products(const Product& product, std::vector<Loop>& loops);
  Values dot_rows(const Product& product, unsigned rows, Value* first, bool written_out);

  // few_rows.cpp
  void emit_few_rows(const Product& product, const Block& block);
  void emit_low_tiles(const Product& product, const Block& block);
  void emit_dot_tiles(const Product& product, const Block& block);
  void emit_single_rows(const Product& product, const Block& block);
  bool has_dots(const Product& product) const;
  Values row_offsets(const Product& product, Value* last, std::int64_t rows);
  Value* begin_panel(const Product& product, const Block& block, Value* j, Tile& tile);

  // outer_product.cpp
  bool may_be_outer(const Product& product) const;
  void emit_outer_product(const Product& product, std::vector<Loop>& loops);
  Value* outer_vector(Value* mask);

  // exchange.cpp
  std::pair<Value*, Value*> evens_and_odds(Value* a, Value* b, int unit, int within);
  int lanes_of_piece() const;
  Value* add_lanes(Values vectors, const ir::Node* reduction = nullptr);
  Values transpose(Values vectors);

  // prefetch.cpp
  struct Rows {
    Value* base;
    std::vector<Dimension> strides;  ///< by loop
    ir::DType dtype;
    bool written;
  };
  bool comes_from_afar(std::size_t operand, const Dimension& step) const;
  std::vector<Rows> large_rows(std::size_t row_axis, std::size_t column_axis);
  void fetch_line(Value* at, bool written, bool into_first = true);
  void fetch(Value* from, std::int64_t count);
  void fetch(const Rows& rows, const std::vector<Loop>& loops, Value* row, Value* column, std::int64_t count);
  bool tiles_fetch() const;
  Value* sums_many(const std::vector<passes::ContractionAxes::Axis>& contracted);
  void fetch_next_row(const std::vector<Loop>& loops);
  void fetch_on_the_way(const Product& product, Tile& tile, Value* row, Value* column, const std::vector<Loop>& loops);

  // finish.cpp: the rest of the kernel while a tile's sums are in registers
  bool finishes_tiles() const;
  void begin_columns();
  void for_own_vectors(const Product& product, const Panel& panel,
                       const std::function<void(std::size_t, Value*)>& body);
  void finish_tile(const Product& product, const Panel& panel, const TileRows& rows, const Values& sums,
                   std::vector<Loop>& loops);
  void end_columns(const Product& product, const Panel& panel, std::vector<Loop>& loops);

  // pack.cpp
  /// A matrix to pack: `lines` are rows of the first operand or columns of the second.
  struct Panels {
    Value* from;
    Value* lines;
    Dimension line_step, depth, depth_step;
    std::int64_t width;     ///< lines of a panel
    Dimension panel_depth;  ///< contracted elements of a whole panel, of which these may be a part
    bool whole;             ///< the lines are known to fill all panels
    bool far;               ///< they come from far away, one by one (prefetch.cpp)
  };
  void pack_operands(Product& product, const passes::ContractionAxes& axes);
  void read_packed_columns(Product& product);
  void pack_columns(const Product& product, Value* first, Value* count);
  void pack(const Panels& panels, Value* to);
  void pack_contiguous(const Panels& panels, Value* to);
  void pack_side_by_side(const Panels& panels, Value* from, Value* to, std::int64_t number);
  void copy_lines(std::int64_t lines, Value* from, Value* to, Value* left);
  void pack_strided(const Panels& panels, Value* from, Value* to, std::int64_t number, Value* left);
  void store_lanes(Value* vector, Value* to, std::int64_t number);

  /// The part of an axis that this call makes: the whole of it, unless it is the one that threads share.
  Range part(passes::Cut::Axis axis, const ir::Dimension& whole);

  // helpers
  unsigned width() const { return lanes_.width(); }  ///< lanes of a vector; of all those that are made side by side
  Value* i64(std::int64_t value) { return builder_.getInt64(static_cast<std::uint64_t>(value)); }
  Value* size(const ir::Dimension& dimension);
  bool is_argument(std::int64_t size) const { return sizes_ != nullptr && size >= 32; }
  Value* size(std::int64_t number);
  /// A size that is a number in the code, whatever sizes of the kernel happen to be as large.
  Dimension literal(std::int64_t number);
  Value* multiply(Value* a, Value* b);
  Value* add(Value* a, Value* b);
  /// What an element is in memory: booleans are the floats 0 and 1.
  llvm::Type* memory_type(ir::DType dtype);
  llvm::Type* memory_type(int buffer) { return memory_type(plan_.buffers[static_cast<std::size_t>(buffer)].dtype); }
  llvm::VectorType* vector_type(ir::DType dtype) { return lanes_.vector(memory_type(dtype)); }
  llvm::Type* product_type() { return memory_type(kernel_.contraction->type.dtype); }
  llvm::VectorType* product_vector() { return lanes_.vector(product_type()); }
  Value* number(double value, ir::DType dtype);  ///< in all lanes
  Value* element(Value* base, Value* offset, llvm::Type* type) {
    auto* known = llvm::dyn_cast<llvm::ConstantInt>(offset);
    return known != nullptr && known->isZero() ? base : builder_.CreateGEP(type, base, offset);
  }
  Value* element(Value* base, Value* offset) { return element(base, offset, product_type()); }  ///< of a contraction
  Value* lane_mask(Value* remaining);
  Value* both(Value* mask, Value* other);  ///< of masks, of which null is true everywhere
  Value* lane_numbers(llvm::IntegerType* type);
  Value* address(int buffer, const ir::Dimension& offset = 0);  ///< of an element of a buffer
  Value* address(const passes::View& view);                     ///< of its first element
  Value* stack(llvm::Type* type, const char* name);
  void loop(Value* begin, Value* end, Value* step, const std::function<void(Value*)>& body);
  /// A loop that carries values from one turn to the next: `body` gets the index and the values, and gives the new
  /// ones.
  Values carry(Value* begin, Value* end, Value* step, Values values,
               const std::function<Values(Value*, const Values&)>& body);
  /// The same of many values, of which none are given again behind the loop: its condition stands in front. What does
  /// not change is not taken out of such a loop where it could go wrong, as loads are.
  Values carry_many(Value* begin, Value* end, Value* step, Values values,
                    const std::function<Values(Value*, const Values&)>& body);
  void branch(Value* condition, const std::function<void()>& body);
  Value* divided_up(Value* a, Value* b) { return builder_.CreateSDiv(add(a, builder_.CreateSub(b, i64(1))), b); }
  Value* minimum(Value* a, Value* b) { return builder_.CreateSelect(builder_.CreateICmpSLT(a, b), a, b); }
  Value* reduce_lanes(const ir::Node* reduction, Value* vector);
  Value* combine(const ir::Node* reduction, Value* a, Value* b);
  Value* identity(const ir::Node* reduction);

  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> builder_;
  VectorEmitter lanes_;
  const ir::Program& program_;
  const passes::KernelPlan& plan_;
  const passes::Kernel& kernel_;
  const passes::Signature& signature_;
  const Machine machine_;

  const passes::Blocking& blocking_;  ///< of the contraction
  passes::Partition partition_;
  std::vector<Range> parts_;  ///< what this call makes, by cut

  int instructions_ = 0;  // of what is computed for every vector of the space
  llvm::Function* function_ = nullptr;
  std::map<int, Pointer> pointers_;        // by buffer
  std::map<std::string, Value*> symbols_;  // symbolic size → value
  Sizes* sizes_ = nullptr;
  std::vector<Value*> size_values_;  // those of `sizes_`
  Value* state_ = nullptr;
  std::map<double, Value*> streams_;  // of random numbers: the kernel's argument for each
  std::vector<Accumulator> accumulators_;

  // While the loops run: the space without axes of size 1, possibly with neighbours merged, and how views look on it.
  ir::Shape axes_;
  std::map<const ir::Node*, passes::View> views_;
  std::size_t places_ = 0;  ///< axes in front of the innermost one of which each place has held sums of its own
  std::vector<const passes::View::Bound*> known_bounds_;  ///< of them: those that hold where code is being written
  std::map<const ir::Node*, const ir::Node*> decays_;     // x → exp(-|x|), where the kernel computes that
  std::set<const ir::Node*> both_sides_;  // x, where the kernel computes the logistic function of x and of -x
  std::vector<ir::Dimension> space_strides_;
  std::vector<passes::View> store_places_;      // by store
  Dimension merged_ = 1;                        // elements of the axes that were merged into the first one
  std::size_t row_axes_ = 0;                    // leading axes whose loops are shared with other phases
  std::function<void(Value*)> after_products_;  // of dot products: what is made before a block's rest, by first row
  std::vector<Loop>* current_ = nullptr;
  Value* mask_ = nullptr;
  Value *counted_rows_ = nullptr, *counted_columns_ = nullptr;  // by lane: what a reduction takes in; null: all
  bool stores_over_ = false;    // whether the kernel reads what it stores over: that may not be made twice
  bool mostly_whole_ = false;   // whether a mask is that of a loop over whole vectors and a last one
  Value* held_mask_ = nullptr;  ///< of the vector that goes through a window (held_sums.cpp)
  Value* tile_value_ = nullptr;
  struct ShortRows {
    std::int64_t length = 0;    ///< of a row; 0: rows are walked one by one
    std::int64_t together = 0;  ///< rows that are made at a time
    // While they are: how many, of which these are there (null: all), and which of their vectors is at hand.
    std::int64_t rows = 0;
    Value* left = nullptr;
    std::int64_t vector = 0;
  } short_rows_ = {};
  bool in_short_rows_ = false;      ///< while a vector of them is made
  bool blocks_ = false;             ///< whether the rows of phases come in blocks
  Value* row_ = nullptr;            ///< which of the rows whose sums are made together is at hand
  std::ptrdiff_t outside_ = 0;      // of a contraction's loops, how many are around those over its tiles' rows
  const Product* outer_ = nullptr;  // while its rest runs: the outer product whose numbers are made on the way
  std::map<const ir::Node*, Value*> values_;
  std::map<const ir::Node*, std::array<Value*, 2>> sides_;  // the logistic function of x and of -x
};

}  // namespace descent::codegen
