// Lanes of several vectors exchanged: sums in lanes put together as one vector, squares of numbers turned.
//
// Both take as many vectors as they have lanes through rounds in which neighbours exchange lanes: first within pieces
// of 128 bits, which every processor does with one cheap instruction, then whole pieces.
#include <llvm/IR/Intrinsics.h>

#include <tuple>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using llvm::Value;

/// Of two vectors together, every other group of `unit` lanes, of each stretch of `within` lanes the first's and then
/// the second's: from the first group on, and from the second on.
std::pair<Value*, Value*> KernelEmitter::evens_and_odds(Value* a, Value* b, int unit, int within) {
  const auto lanes = static_cast<int>(machine_.lanes);
  llvm::SmallVector<int> even, odd;
  for (int at = 0; at < lanes; at += within) {
    for (int source : {0, lanes}) {
      for (int t = 0; t < within; t += 2 * unit) {
        for (int lane = 0; lane < unit; ++lane) {
          even.push_back(source + at + t + lane);
          odd.push_back(source + at + t + unit + lane);
        }
      }
    }
  }
  Value* odds = builder_.CreateShuffleVector(a, b, odd);
  return {builder_.CreateShuffleVector(a, b, even), odds};
}

int KernelEmitter::lanes_of_piece() const { return static_cast<int>(std::min(machine_.lanes, 16 / machine_.element)); }

/// Lane i of the result is the sum of the lanes of vector i, or what else the reduction makes of them: neighbours in
/// two vectors are added and put beside each other until one vector is left.
Value* KernelEmitter::add_lanes(Values vectors, const ir::Node* reduction) {
  const auto lanes = static_cast<int>(machine_.lanes);
  const int piece = lanes_of_piece();
  const auto add_neighbours = [&](int unit, int within) {
    const std::size_t count = vectors.size() / 2;
    for (std::size_t i = 0; i < count; ++i) {
      const auto [even, odd] = evens_and_odds(vectors[2 * i], vectors[2 * i + 1], unit, within);
      vectors[i] = combine(reduction, even, odd);
    }
    vectors.truncate(count);
  };
  for (int left = piece; left > 1; left /= 2) add_neighbours(1, piece);
  for (int left = lanes / piece; left > 1; left /= 2) add_neighbours(piece, lanes);
  return vectors[0];
}

/// Lane i of vector j becomes lane j of vector i.
KernelEmitter::Values KernelEmitter::transpose(Values vectors) {
  const auto lanes = static_cast<int>(machine_.lanes);
  const int piece = lanes_of_piece();
  const auto exchange_neighbours = [&](int unit, int within) {
    const std::size_t half = vectors.size() / 2;
    Values next(vectors.size(), nullptr);
    for (std::size_t i = 0; i < half; ++i)
      std::tie(next[i], next[half + i]) = evens_and_odds(vectors[2 * i], vectors[2 * i + 1], unit, within);
    vectors = next;
  };
  for (int left = piece; left > 1; left /= 2) exchange_neighbours(1, piece);
  if (lanes == piece) return vectors;
  // Not to be looked through: LLVM tries each shuffle together with all those that lead to it, and finds nothing, in as
  // much time as a fifth of all that a kernel takes.
  for (Value*& v : vectors) v = builder_.CreateIntrinsic(llvm::Intrinsic::arithmetic_fence, {v->getType()}, {v});
  for (int left = lanes / piece; left > 1; left /= 2) exchange_neighbours(piece, lanes);
  return vectors;
}

}  // namespace descent::codegen
