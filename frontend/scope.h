// The names that an expression can see, and what they stand for.
#pragma once

#include <unordered_map>

#include "frontend/value.h"

namespace descent::frontend {

struct Binding {
  Value value;
  Span origin;           ///< where the name was declared or first known
  std::string variable;  ///< of a param or state: the path of the variable
  bool is_state = false;
};

/// One block: of a definition, or of one round of a loop in it.
class Scope {
 public:
  /// The block of a definition; `outer` is where a local one was defined.
  Scope(const File* file, Scope* outer) : file_(file), outer_(outer) {}
  /// One round of a loop; `round` is "." and its number.
  Scope(Scope* outer, const std::string& round)
      : file_(outer->file_), outer_(outer), is_round_(true), rounds_(outer->rounds_ + round) {}

  const File* file() const { return file_; }
  /// ".2" in the third round of a loop, ".2.0" in a loop in it: what tells the parameters of the rounds apart.
  const std::string& rounds() const { return rounds_; }

  Binding* find(const std::string& name) {
    for (Scope* scope = this; scope != nullptr; scope = scope->outer_) {
      if (Binding* binding = scope->find_here(name)) return binding;
    }
    return nullptr;
  }
  Binding* find_here(const std::string& name) {
    const auto at = names_.find(name);
    return at == names_.end() ? nullptr : &at->second;
  }
  Binding& declare(const std::string& name, Value value, const Span& origin) {
    return names_[name] = Binding{std::move(value), origin, "", false};
  }
  /// The block in which `name = ...` gives a value: that of this definition which knows the name, or this one.
  Scope& assignable(const std::string& name) {
    for (Scope* scope = this;; scope = scope->outer_) {
      if (scope->find_here(name) != nullptr) return *scope;
      if (!scope->is_round_) return *this;
    }
  }
  void collect(std::vector<std::string>& names) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
      for (const auto& [name, binding] : scope->names_) names.push_back(name);
    }
  }

 private:
  const File* file_;
  Scope* outer_;
  bool is_round_ = false;
  std::string rounds_;
  std::unordered_map<std::string, Binding> names_;
};

}  // namespace descent::frontend
