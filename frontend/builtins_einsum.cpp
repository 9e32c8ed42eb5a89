// einsum("nij,njk->nik", a, b): products and sums over axes that are named by letters.
//
// Letters of one operand alone that the result lacks are summed first; then one dot_general multiplies over the letters
// that both have and the result lacks, for every index of the letters that all three have; then the axes are put into
// the order of the result.
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
    for (const char c : all) {
      if (std::count(all.begin(), all.end(), c) == 1) f.result += c;
    }
  }
  return f;
}

void check_formula(const BuiltinCall& call, const Formula& f, std::size_t operands) {
  if (f.operands.size() != operands) {
    call.fail(0, "the text names the axes of " + std::to_string(f.operands.size()) + " tensors, but " +
                     std::to_string(operands) + (operands == 1 ? " is" : " are") + " given");
  }
  std::string known;
  for (const std::string& letters : f.operands) {
    known += letters;
    for (const char c : letters) {
      if (std::count(letters.begin(), letters.end(), c) > 1) {
        call.fail(0, std::string("the axis ") + c + " occurs twice in \"" + letters + "\": diagonals cannot be taken");
      }
    }
  }
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

Value einsum(const BuiltinCall& call) {
  Formula f = parse_formula(call);
  std::vector<Expr> x{call.numbers(1)};
  if (call.given(2)) x.push_back(call.numbers(2));
  check_formula(call, f, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (f.operands[i].size() == x[i].shape().size()) continue;
    call.fail(i + 1, "\"" + f.operands[i] + "\" names " + std::to_string(f.operands[i].size()) + " axes, but this is " +
                         describe(Value::of(x[i])));
  }
  if (x.size() == 1) {
    const Expr sum = sum_unneeded(x[0], f.operands[0], f.result);
    return Value::of(in_order(sum, f.operands[0], f.result));
  }
  std::string &a = f.operands[0], &b = f.operands[1];
  x[0] = sum_unneeded(x[0], a, b + f.result);
  x[1] = sum_unneeded(x[1], b, a + f.result);
  ir::Attributes axes;
  std::string letters;  // of the product: batches, the rest of a, the rest of b
  for (const char c : a) {
    if (!contains(b, c)) continue;
    const int l = position(a, c), r = position(b, c);
    const ir::Dimension &p = x[0].shape()[static_cast<std::size_t>(l)], &q = x[1].shape()[static_cast<std::size_t>(r)];
    if (p != q) {
      call.fail(std::string("the axis ") + c + " is " + p.to_string() + " in the first tensor and " + q.to_string() +
                " in the second");
    }
    (contains(f.result, c) ? axes.lhs_batch : axes.lhs_contract).push_back(l);
    (contains(f.result, c) ? axes.rhs_batch : axes.rhs_contract).push_back(r);
    if (contains(f.result, c)) letters += c;
  }
  for (const char c : a) letters += contains(b, c) ? "" : std::string(1, c);
  for (const char c : b) letters += contains(a, c) ? "" : std::string(1, c);
  return Value::of(in_order(ir::dot_general(x[0], x[1], axes), letters, f.result));
}

constexpr Builtin table[] = {
    {"einsum", "axes, a, b = none",
     "Products summed over axes named by letters: einsum(\"nij,njk->nik\", a, b) is the batched matrix product.",
     einsum},
};

}  // namespace

std::span<const Builtin> einsum_builtins() { return table; }

}  // namespace descent::frontend
