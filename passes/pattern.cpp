#include "passes/pattern.h"

#include "ir/op.h"

namespace descent::passes {

P::P(ir::Op op, std::initializer_list<P> operands) {
  Pattern p{Pattern::Kind::op, 0, 0, op, {}};
  for (const P& operand : operands) p.operands.push_back(operand.pattern);
  pattern = std::make_shared<Pattern>(std::move(p));
}

P P::letter(char name) { return P(std::make_shared<Pattern>(Pattern{Pattern::Kind::letter, name - 'a', 0, {}, {}})); }
P P::constant(char name) {
  return P(std::make_shared<Pattern>(Pattern{Pattern::Kind::constant, name - 'a', 0, {}, {}}));
}

namespace {

using Work = std::vector<std::pair<const Pattern*, const ir::Node*>>;

/// Matches everything in `work`, backtracking over the orders of commutative operands.
bool match_all(Work work, Letters& letters) {
  while (!work.empty()) {
    const auto [pattern, node] = work.back();
    work.pop_back();
    switch (pattern->kind) {
      case Pattern::Kind::number:
        if (!node->is_constant(pattern->number) || node->type.dtype != ir::DType::f32) return false;
        break;
      case Pattern::Kind::constant:
        if (!node->is_constant()) return false;
        [[fallthrough]];
      case Pattern::Kind::letter: {
        const ir::Node*& bound = letters[static_cast<std::size_t>(pattern->letter)];
        if (bound != nullptr && bound != node) return false;
        bound = node;
        break;
      }
      case Pattern::Kind::op: {
        if (node->op != pattern->op) return false;
        if (ir::info(node).commutative) {
          Work swapped = work;
          swapped.emplace_back(pattern->operands[0].get(), node->operands[1]);
          swapped.emplace_back(pattern->operands[1].get(), node->operands[0]);
          Letters saved = letters;
          work.emplace_back(pattern->operands[0].get(), node->operands[0]);
          work.emplace_back(pattern->operands[1].get(), node->operands[1]);
          if (match_all(std::move(work), letters)) return true;
          letters = std::move(saved);
          return match_all(std::move(swapped), letters);
        }
        for (std::size_t i = 0; i < pattern->operands.size(); ++i) {
          work.emplace_back(pattern->operands[i].get(), node->operands[i]);
        }
        break;
      }
    }
  }
  return true;
}

}  // namespace

bool match(const Pattern& pattern, const ir::Node* node, Letters& letters) {
  letters.assign(26, nullptr);
  return match_all({{&pattern, node}}, letters);
}

const ir::Node* instantiate(const Pattern& pattern, const Letters& letters, ir::Graph& graph, const ir::Shape& shape) {
  switch (pattern.kind) {
    case Pattern::Kind::number:
      return graph.constant(pattern.number, shape);
    case Pattern::Kind::letter:
    case Pattern::Kind::constant:
      return letters[static_cast<std::size_t>(pattern.letter)];
    case Pattern::Kind::op:
      break;
  }
  std::vector<const ir::Node*> operands;
  for (const auto& operand : pattern.operands) operands.push_back(instantiate(*operand, letters, graph, shape));
  return graph.make(pattern.op, std::move(operands));
}

}  // namespace descent::passes
