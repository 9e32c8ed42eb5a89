// Which of a growing set of tasks must run before which others, with the question whether one waits for another
// answered quickly while edges are added.
//
// Every task has a rank greater than the ranks of all it needs. A search from one task for another then only follows
// tasks of greater rank than the one looked for: in the graphs of networks, where most edges go to what was made just
// before, that is nearly none (Pearce and Kelly, "A dynamic topological sort algorithm", 2006).
#pragma once

#include <vector>

namespace descent::passes {

class Dependencies {
 public:
  int add();  ///< a new task, numbered from 0
  int size() const { return static_cast<int>(rank_.size()); }
  /// `task` waits for `other`; the caller has made sure that `other` does not wait for `task`.
  void require(int task, int other);
  /// Whether `task` needs `other`, directly or through other tasks.
  bool waits(int task, int other) const;
  /// All tasks, each after all it needs; depth first, so that a task runs soon after what it needs.
  std::vector<int> order() const;

 private:
  std::vector<std::vector<int>> needs_, users_;
  std::vector<int> rank_;
  mutable std::vector<int> seen_;  ///< by task: the last search that has met it
  mutable int search_ = 0;
};

}  // namespace descent::passes
