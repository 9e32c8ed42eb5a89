// The frontend as a whole: text in, model out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "frontend/model.h"

namespace descent::frontend {

struct File;

/// The tree of the prelude, parsed once.
const File& prelude();

/// What a model is wanted for: to know its mistakes a step need not update every parameter.
enum class Purpose { training, check };

/// A .descent file and what it imports, read and parsed; the graph is made when it is asked for.
class ModelSource {
 public:
  /// `file` is the name used in messages, and what imports are relative to. Mistakes are kept for `lower`.
  ModelSource(const std::string& text, const std::string& file);
  ~ModelSource();
  ModelSource(ModelSource&&) noexcept;
  ModelSource& operator=(ModelSource&&) noexcept;

  /// Another batch than the file says, before anything is asked for.
  void set_batch(std::int64_t batch);

  /// The model without its program and without what follows from that. Right only where `lower` throws nothing.
  const Model& settings() const;
  /// The texts of all files and what has been set, which decide everything about the model; empty where there are
  /// mistakes already.
  std::string text() const;
  /// Throws descent::Error with every mistake of the text.
  Model lower(Purpose purpose = Purpose::training) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Compiles the text of a .descent file to its model. `file` is the name used in messages.
/// Throws descent::Error with every mistake of the text.
Model load_model(const std::string& text, const std::string& file, Purpose purpose = Purpose::training);

/// The place in the text of a model from which a node of its program stems; also of one that passes have made.
std::optional<Location> origin_of(const Model& model, const ir::Node* node);

/// A program whose function "predict" has the value of `expression` (scalars in the names of `values`) as result
/// "value".
ir::Program load_expression(const std::string& expression, const std::map<std::string, double>& values);

}  // namespace descent::frontend
