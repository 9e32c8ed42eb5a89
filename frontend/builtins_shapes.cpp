// Primitive functions that move elements, or speak of shapes.
#include <algorithm>
#include <numeric>

#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Dimension;
using ir::Expr;
using ir::Shape;

std::vector<int> all_axes(std::size_t rank) {
  std::vector<int> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}
Dimension& along(Shape& shape, int axis) { return shape[static_cast<std::size_t>(axis)]; }
const Dimension& along(const Shape& shape, int axis) { return shape[static_cast<std::size_t>(axis)]; }

/// The part from `start` to before `limit` of one axis.
Expr part(Expr x, int axis, const Dimension& start, const Dimension& limit) {
  Shape starts(x.shape().size(), Dimension(0)), limits = x.shape();
  along(starts, axis) = start;
  along(limits, axis) = limit;
  return ir::slice(x, starts, limits, std::vector<int>(starts.size(), 1));
}

Value transpose(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  const std::size_t rank = x.shape().size();
  if (rank < 2 && !call.given(1)) call.fail(0, "'transpose' takes a matrix, found " + describe(call.value(0)));
  std::vector<int> axes = all_axes(rank);
  if (call.given(1)) {
    axes = call.axes(1, rank);
    if (axes.size() != rank) call.fail(1, "each of the " + std::to_string(rank) + " axes must be named once");
  } else {
    std::reverse(axes.begin(), axes.end());
  }
  return Value::of(ir::transpose(x, axes).node);
}

/// The shape of argument 1, in which one size of -1 stands for what is left of `count` elements.
Shape shape_for(const BuiltinCall& call, const Dimension& count) {
  const Value& v = call.value(1);
  const auto open = [](const Value& item) { return item.kind == Value::Kind::number && item.number == -1; };
  if (v.kind != Value::Kind::list) return call.shape(1);
  std::vector<Value> items = call.list(1);
  const auto first = std::find_if(items.begin(), items.end(), open);
  if (first == items.end()) return call.shape(1);
  if (std::count_if(items.begin(), items.end(), open) > 1) call.fail(1, "only one size can be left open with -1");
  *first = Value::of(1.0);
  Shape shape = call.lowering.shape_argument(Value::list(items), call.at(1));
  const auto rest = count.divided_by(ir::element_count(shape));
  if (!rest) {
    call.fail(1,
              count.to_string() + " elements do not divide into " + ir::to_string(shape) + " with one size left open");
  }
  shape[static_cast<std::size_t>(first - items.begin())] = *rest;
  return shape;
}

Value reshape(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  const Shape shape = shape_for(call, ir::element_count(x.shape()));
  if (ir::element_count(shape) != ir::element_count(x.shape())) {
    call.fail(ir::to_string(x.shape()) + " and " + ir::to_string(shape) + " have different numbers of elements",
              "one size can be -1, for what is left");
  }
  return Value::of(ir::reshape(x, shape).node);
}

Value squeeze(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  std::vector<int> axes;
  if (call.given(1)) axes = call.axes(1, x.shape().size());
  Shape shape;
  for (int axis = 0; axis < static_cast<int>(x.shape().size()); ++axis) {
    const Dimension& size = along(x.shape(), axis);
    const bool named = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (named && !size.is_one())
      call.fail(1, "axis " + std::to_string(axis) + " has the size " + size.to_string() + ", not 1");
    if (!(named || (!call.given(1) && size.is_one()))) shape.push_back(size);
  }
  return Value::of(ir::reshape(x, shape).node);
}

Value expand(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  Shape shape = x.shape();
  const int axis = call.axis(1, shape.size() + 1, 0);
  shape.insert(shape.begin() + axis, Dimension(1));
  return Value::of(ir::reshape(x, shape).node);
}

/// The tensors of a list, of one rank and, but for `axis`, one shape.
std::vector<Expr> alike(const BuiltinCall& call, bool same_along_axis, int axis_in_each) {
  std::vector<Expr> tensors;
  for (const Value& item : call.list(0)) tensors.push_back(call.lowering.tensor(item, call.at(0)));
  call.lowering.unify_numbers(tensors, call.at(0));
  for (const Expr& x : tensors) {
    Shape shape = x.shape();
    const bool same_rank = shape.size() == tensors[0].shape().size();
    if (same_rank && !same_along_axis) along(shape, axis_in_each) = along(tensors[0].shape(), axis_in_each);
    if (shape != tensors[0].shape() || x.node->type.dtype != tensors[0].node->type.dtype) {
      call.fail(0,
                ir::to_string(tensors[0].node->type) + " and " + ir::to_string(x.node->type) + " do not fit together");
    }
  }
  return tensors;
}

std::size_t rank_of_first(const BuiltinCall& call) {
  return call.lowering.tensor(call.list(0)[0], call.at(0)).shape().size();
}

Value concat(const BuiltinCall& call) {
  const std::size_t rank = rank_of_first(call);
  if (rank == 0) call.fail(0, "numbers have no axis to be put along", "use stack");
  const int axis = call.axis(1, rank, 0);
  return Value::of(ir::concatenate(alike(call, false, axis), axis).node);
}

Value stack(const BuiltinCall& call) {
  const int axis = call.axis(1, rank_of_first(call) + 1, 0);
  std::vector<Expr> parts = alike(call, true, 0);
  for (Expr& e : parts) {
    Shape shape = e.shape();
    shape.insert(shape.begin() + axis, Dimension(1));
    e = ir::reshape(e, shape);
  }
  return Value::of(ir::concatenate(parts, axis).node);
}

Value split(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  if (x.shape().empty()) call.fail(0, "a number cannot be split");
  const int axis = call.axis(2, x.shape().size(), -1);
  const Dimension& size = along(x.shape(), axis);
  Shape sizes;
  if (call.value(1).kind == Value::Kind::list) {
    sizes = call.shape(1);
  } else {
    const std::int64_t parts = call.whole(1, 1);
    const auto each = parts < 1 ? std::nullopt : size.divided_by(Dimension(parts));
    if (!each) {
      call.fail(
          1, "an axis of size " + size.to_string() + " does not split into " + std::to_string(parts) + " equal parts");
    }
    sizes.assign(static_cast<std::size_t>(parts), *each);
  }
  std::vector<Value> items;
  Dimension start(0);
  for (const Dimension& each : sizes) {
    items.push_back(Value::of(part(x, axis, start, start + each).node));
    start = start + each;
    const Dimension rest = size - start;
    if (rest.is_constant() && rest.constant() < 0) break;
  }
  if (start != size) call.fail(1, "these sizes do not add up to the " + size.to_string() + " of the axis");
  return Value::list(std::move(items));
}

Value pad(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  const std::size_t rank = x.shape().size();
  const std::int64_t before = call.whole(1, 0), after = call.whole(2, before);
  if (before < 0) call.fail(1, "an axis can only grow", "cut it with a slice");
  if (after < 0) call.fail(2, "an axis can only grow", "cut it with a slice");
  if (rank == 0) call.fail(0, "a number has no axis");
  Shape low(rank, Dimension(0)), high = low;
  for (int axis : call.given(3) ? call.axes(3, rank) : std::vector<int>{static_cast<int>(rank) - 1}) {
    along(low, axis) = Dimension(before);
    along(high, axis) = Dimension(after);
  }
  return Value::of(ir::pad(x, low, high, std::vector<int>(rank, 0)).node);
}

Value reverse(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  return Value::of(ir::reverse(x, call.axes(1, x.shape().size())).node);
}

Value windows(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  if (x.shape().empty()) call.fail(0, "a number has no axis");
  const int axis = call.axis(1, x.shape().size(), 0);
  const auto positive = [&](std::size_t i) {
    const std::int64_t n = call.whole(i, 1);
    if (n < 1) call.fail(i, "expected a whole number from 1, found " + describe(call.value(i)));
    return n;
  };
  const std::int64_t size = positive(2), stride = positive(3), dilation = positive(4);
  const std::int64_t reach = dilation * (size - 1) + 1;
  const Dimension rest = along(x.shape(), axis) - reach;
  constexpr std::int64_t longest = 1'000'000'000;
  if (reach > longest || (rest.is_constant() && rest.constant() < 0)) {
    call.fail(
        2,
        "a window over " + std::to_string(reach) + " elements does not fit into an axis of " +
            along(x.shape(), axis).to_string(),
        reach > longest ? "" : "make it smaller, or the axis longer: pad(x, 1, axis = " + std::to_string(axis) + ")");
  }
  if (!rest.divided_by(stride)) {
    call.fail(3,
              "how many windows there are depends on the remainder of " + along(x.shape(), axis).to_string() + " by " +
                  std::to_string(stride),
              "use a stride of 1, or an axis whose size is known");
  }
  return Value::of(
      ir::windows(x, axis, static_cast<int>(size), static_cast<int>(stride), static_cast<int>(dilation)).node);
}

/// A parameter is [window..., in, out]: every position of a convolution's window has its inputs and its outputs. A
/// vector counts as one input.
Value fan(const Shape& shape, std::size_t from_end) {
  if (shape.empty()) return Value::of(1.0);
  if (shape.size() == 1) return Value::of(shape[0]);
  Dimension count = shape[shape.size() - from_end];
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) count = count * shape[i];
  return Value::of(count);
}
Value fan_in(const BuiltinCall& call) { return fan(call.shape(0), 2); }
Value fan_out(const BuiltinCall& call) { return fan(call.shape(0), 1); }

constexpr Builtin table[] = {
    {"transpose", "x, axes = reversed",
     "Axis i of the result is axis axes[i] of x; without axes, their order is reversed: rows become columns.",
     transpose},
    {"reshape", "x, shape",
     "The same elements in row-major order under another shape, one size of which may be -1: what is left.", reshape},
    {"squeeze", "x, axis = all", "Without the axes named, which have the size 1; without any axis of size 1.", squeeze},
    {"expand", "x, axis = 0", "With a new axis of size 1.", expand},
    {"concat", "list, axis = 0", "Tensors one after the other along an axis.", concat},
    {"stack", "list, axis = 0", "Tensors of one shape along a new axis.", stack},
    {"split", "x, parts, axis = -1", "A list of parts along an axis: so many equal ones, or of the sizes in a list.",
     split},
    {"pad", "x, before, after = before, axis = -1", "Zeros before and after the elements along one axis or several.",
     pad},
    {"reverse", "x, axis = all", "The elements from the last to the first along the axes.", reverse},
    {"windows", "x, axis, size, stride = 1, dilation = 1",
     "One axis as two: overlapping windows, and the elements of each. Windows begin `stride` apart, their elements lie "
     "`dilation` apart.",
     windows},
    {"fan_in", "shape", "The number of inputs of each unit of a parameter [window..., in, out].", fan_in},
    {"fan_out", "shape", "The number of units that each input of a parameter [window..., in, out] reaches.", fan_out},
};

}  // namespace

std::span<const Builtin> shape_builtins() { return table; }

}  // namespace descent::frontend
