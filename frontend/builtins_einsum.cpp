// einsum("nij,njk->nik", a, b): products and sums over axes that are named by letters.
//
// Tensors are multiplied from left to right. Letters of one alone that nothing else needs are summed first; then one
// dot_general multiplies over the letters that both have and nothing else needs, for every index of the letters that
// both have and something needs; at the end the axes are put into the order of the result. Where one has no letters of
// its own, nothing is multiplied by more than one thing: that is no matrix product, and with the last letter kept (the
// channels of a depthwise convolution) a product of elements, summed, is what vectors are made for.
#include <algorithm>

#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Expr;

struct Formula {
  std::vector<std::string> operands;  // the letters of each
  std::string result;
};

bool contains(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

int position(const std::string& letters, char letter) { return static_cast<int>(letters.find(letter)); }

/// "nij,njk->nik"; without an arrow the result has the letters that occur once, in the order of the alphabet.
Formula parse_formula(const BuiltinCall& call) {
  std::string text = call.text(0);
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  Formula f{{""}, ""};
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      f.operands.emplace_back();
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      f.operands.back() += c;
    } else {
      call.fail(0, std::string("'") + c + "' names no axis: axes are named by single letters",
                "write einsum(\"nij,njk->nik\", a, b)");
    }
  }
  if (arrow != std::string::npos) {
    f.result = text.substr(arrow + 2);
  } else {
    std::string all;
    for (const std::string& letters : f.operands) all += letters;
    std::sort(all.begin(), all.end());
    for (auto c = all.begin(); c != all.end(); c = std::upper_bound(c, all.end(), *c)) {
      if (std::next(c) == all.end() || *std::next(c) != *c) f.result += *c;
    }
  }
  return f;
}

void check_formula(const BuiltinCall& call, const Formula& f, std::size_t operands) {
  if (f.operands.size() != operands) {
    call.fail(0, "the text names the axes of " + std::to_string(f.operands.size()) + " tensors, but " +
                     std::to_string(operands) + (operands == 1 ? " is" : " are") + " given");
  }
  constexpr std::size_t alphabet = 52;
  std::string known;
  for (const std::string& letters : f.operands) {
    if (letters.size() > alphabet) call.fail(0, "there are more axes than letters to name them");
    known += letters;
    for (const char c : letters) {
      if (std::count(letters.begin(), letters.end(), c) > 1) {
        call.fail(0, std::string("the axis ") + c + " occurs twice in \"" + letters + "\": diagonals cannot be taken");
      }
    }
  }
  if (f.result.size() > alphabet) call.fail(0, "there are more axes than letters to name them");
  for (const char c : f.result) {
    if (!contains(known, c)) call.fail(0, std::string("no tensor has the axis '") + c + "' of the result");
    if (std::count(f.result.begin(), f.result.end(), c) > 1) {
      call.fail(0, std::string("the axis ") + c + " occurs twice in the result");
    }
  }
}

/// Sums over the letters that nobody else needs, and takes them out of `letters`.
Expr sum_unneeded(Expr x, std::string& letters, const std::string& needed) {
  std::vector<int> axes;
  std::string kept;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (contains(needed, letters[i])) {
      kept += letters[i];
    } else {
      axes.push_back(static_cast<int>(i));
    }
  }
  letters = kept;
  return ir::reduce_sum(x, axes);
}

Expr in_order(Expr x, const std::string& letters, const std::string& wanted) {
  std::vector<int> axes;
  for (const char c : wanted) axes.push_back(position(letters, c));
  return ir::transpose(x, axes);
}

/// A tensor and the letters of its axes.
struct Lettered {
  Expr tensor;
  std::string letters;
};

bool has_all(const std::string& letters, const std::string& of) {
  return std::ranges::all_of(of, [&](char c) { return contains(letters, c); });
}

/// Whether a and b, which has no letters of its own, are better multiplied element by element.
bool is_elementwise(const Lettered& a, const Lettered& b, const std::string& needed) {
  if (b.letters.empty() || !has_all(a.letters, b.letters)) return false;
  return has_all(needed, b.letters) || (a.letters.back() == b.letters.back() && contains(needed, b.letters.back()));
}

/// The product of elements, summed over what nobody needs; the letters of a stay in their order.
Lettered elementwise_product(const Lettered& a, const Lettered& b, const std::string& needed) {
  std::string order;
  std::vector<int> axes;
  for (const char c : a.letters) {
    if (!contains(b.letters, c)) continue;
    order += c;
    axes.push_back(position(a.letters, c));
  }
  const Expr repeated = ir::broadcast(in_order(b.tensor, b.letters, order), a.tensor.shape(), axes);
  std::string letters = a.letters;
  const Expr sum = sum_unneeded(a.tensor * repeated, letters, needed);
  return {sum, letters};
}

/// What both have and nobody else needs is summed over; of what is needed the axes are: batches, the rest of a, of b.
Lettered product(const BuiltinCall& call, Lettered a, Lettered b, const std::string& needed) {
  call.lowering.unify_types(a.tensor, b.tensor, {call.span, call.span, call.span});
  a.tensor = sum_unneeded(a.tensor, a.letters, b.letters + needed);
  b.tensor = sum_unneeded(b.tensor, b.letters, a.letters + needed);
  ir::Attributes axes;
  std::string letters;
  for (const char c : a.letters) {
    if (!contains(b.letters, c)) continue;
    const int l = position(a.letters, c), r = position(b.letters, c);
    const ir::Dimension &p = a.tensor.shape()[static_cast<std::size_t>(l)],
                        &q = b.tensor.shape()[static_cast<std::size_t>(r)];
    if (p != q) {
      call.fail(std::string("the axis ") + c + " is " + p.to_string() + " in one tensor and " + q.to_string() +
                " in a later one");
    }
    (contains(needed, c) ? axes.lhs_batch : axes.lhs_contract).push_back(l);
    (contains(needed, c) ? axes.rhs_batch : axes.rhs_contract).push_back(r);
    if (contains(needed, c)) letters += c;
  }
  if (is_elementwise(a, b, needed)) return elementwise_product(a, b, needed);
  if (is_elementwise(b, a, needed)) return elementwise_product(b, a, needed);
  for (const char c : a.letters) letters += contains(b.letters, c) ? "" : std::string(1, c);
  for (const char c : b.letters) letters += contains(a.letters, c) ? "" : std::string(1, c);
  return {ir::dot_general(a.tensor, b.tensor, axes), letters};
}

Value einsum(const BuiltinCall& call) {
  const Formula f = parse_formula(call);
  std::vector<Lettered> x;
  for (std::size_t i = 1; i < call.count(); ++i) {
    const Expr e = call.numbers(i);
    x.push_back({is_real(e.node->type.dtype) ? e : ir::convert(e, ir::DType::f32), ""});
  }
  check_formula(call, f, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i].letters = f.operands[i];
    if (x[i].letters.size() == x[i].tensor.shape().size()) continue;
    call.fail(i + 1, "\"" + f.operands[i] + "\" names " + std::to_string(f.operands[i].size()) + " axes, but this is " +
                         describe(Value::of(x[i].tensor)));
  }
  Lettered so_far = x[0];
  for (std::size_t i = 1; i < x.size(); ++i) {
    std::string needed = f.result;
    for (std::size_t later = i + 1; later < x.size(); ++later) needed += x[later].letters;
    so_far = product(call, so_far, x[i], needed);
  }
  const Expr sum = sum_unneeded(so_far.tensor, so_far.letters, f.result);
  return Value::of(in_order(sum, so_far.letters, f.result));
}

constexpr Builtin table[] = {
    {"einsum", "axes, tensors ...",
     "Products summed over axes named by letters: einsum(\"nij,njk->nik\", a, b) is the batched matrix product. Of "
     "several tensors the products are taken from left to right.",
     einsum},
};

}  // namespace

std::span<const Builtin> einsum_builtins() { return table; }

}  // namespace descent::frontend
