#include "passes/dependencies.h"

#include <algorithm>

namespace descent::passes {

namespace {
std::size_t at(int task) { return static_cast<std::size_t>(task); }
}  // namespace

int Dependencies::add() {
  needs_.emplace_back();
  users_.emplace_back();
  rank_.push_back(0);
  return size() - 1;
}

void Dependencies::require(int task, int other) {
  auto& needs = needs_[at(task)];
  if (std::find(needs.begin(), needs.end(), other) != needs.end()) return;
  needs.push_back(other);
  users_[at(other)].push_back(task);
  std::vector<int> raised;
  const auto raise = [&](int t, int above) {
    if (rank_[at(t)] > above) return;
    rank_[at(t)] = above + 1;
    raised.push_back(t);
  };
  raise(task, rank_[at(other)]);
  while (!raised.empty()) {
    const int t = raised.back();
    raised.pop_back();
    for (int user : users_[at(t)]) raise(user, rank_[at(t)]);
  }
}

bool Dependencies::waits(int task, int other) const {
  if (rank_[at(task)] <= rank_[at(other)] || users_[at(other)].empty()) return false;
  seen_.resize(rank_.size(), 0);
  ++search_;
  std::vector<int> work{task};
  while (!work.empty()) {
    const int t = work.back();
    work.pop_back();
    for (int need : needs_[at(t)]) {
      if (need == other) return true;
      if (rank_[at(need)] <= rank_[at(other)] || seen_[at(need)] == search_) continue;
      seen_[at(need)] = search_;
      work.push_back(need);
    }
  }
  return false;
}

std::vector<int> Dependencies::order() const {
  std::vector<int> sequence;
  std::vector<char> begun(rank_.size(), 0);
  std::vector<std::pair<int, std::size_t>> path;  // a task, and how many of its needs have been visited
  for (int first = 0; first < size(); ++first) {
    if (begun[at(first)] == 0) path.emplace_back(first, 0), begun[at(first)] = 1;
    while (!path.empty()) {
      const int task = path.back().first;
      const std::size_t next = path.back().second;
      if (next == needs_[at(task)].size()) {
        sequence.push_back(task);
        path.pop_back();
        continue;
      }
      ++path.back().second;
      const int need = needs_[at(task)][next];
      if (begun[at(need)] == 0) path.emplace_back(need, 0), begun[at(need)] = 1;
    }
  }
  return sequence;
}

}  // namespace descent::passes
