// The header in C and C++ of a model that `descent build` has made an object file of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/standalone.h"
#include "runtime/categories.h"

namespace descent::runtime {

/// The name as the beginning of identifiers of C: what may not stand in one becomes `_`.
std::string c_prefix(const std::string& name);
/// The name as an identifier by itself: none of the words of C and C++.
std::string c_name(const std::string& name);

struct StandaloneHeader {
  const ir::Program& program;
  const codegen::Standalone& model;
  std::string source;                                 ///< the file of the model
  std::vector<std::int64_t> places;                   ///< of the variables, in the model's memory
  const std::map<std::string, std::int64_t>& counts;  ///< of inputs that name one of so many things
  const CategoriesByTensor& categories;               ///< of the data that the model was trained on
  std::int64_t state_bytes;                           ///< of what a training run changes: in front of everything else
  std::int64_t bytes;                                 ///< of the model's memory

  /// Of all that a program takes from the header: the header of another model, machine or batch has another.
  std::string digest() const;
  /// With the digest that `model` has. By it the header links with its own object file alone.
  std::string text() const;

 private:
  std::string declarations() const;
  std::string create() const;
  std::string function(const std::string& name) const;
  std::string variables() const;
};

}  // namespace descent::runtime
