#include "runtime/standalone_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <set>
#include <string_view>

#include "codegen/native/digest.h"

namespace descent::runtime {

namespace {

constexpr std::string_view kWords[] = {
    // of C and C++
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const",
    "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return",
    "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "typeof_unqual", "union",
    "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
    // of the functions' other parameters
    "model", "memory", "seed", "rows"};

const char* c_type(ir::DType dtype) {
  return dtype == ir::DType::f64 ? "double" : dtype == ir::DType::i32 ? "int32_t" : "float";
}

/// A text that stays inside of its line.
std::string as_comment(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0 || c == '\\'; },
      '?');
  return text;
}

std::string upper(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  return name;
}

}  // namespace

std::string c_prefix(const std::string& name) {
  std::string result;
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    result += fits ? c : '_';
  }
  return result.empty() || (result[0] >= '0' && result[0] <= '9') ? "_" + result : result;
}

std::string c_name(const std::string& name) {
  const std::string result = c_prefix(name);
  return std::find(std::begin(kWords), std::end(kWords), result) != std::end(kWords) ? result + "_" : result;
}

std::string StandaloneHeader::create() const {
  return fmt::format(
      "/// Bytes of memory that a model works in, and the most rows of a step.\n"
      "#define {1}_BYTES {2}\n"
      "#define {1}_BATCH {3}\n"
      "/// What training changes is the first {1}_STATE_BYTES bytes: to keep a model, write them to a file; to go on,\n"
      "/// call {0}_create and read them back to the same place.\n"
      "#define {1}_STATE_BYTES {4}\n\n"
      "typedef struct {0}_model {0}_model;\n\n"
      "/// Makes a model of {1}_BYTES bytes at `memory`, whose address must be a multiple of {5}; NULL if it is not.\n"
      "/// `seed`: of the random numbers that training uses, such as dropout's. Nothing is allocated, and nothing "
      "needs\n"
      "/// to be freed but the memory. Several models are independent; one is used by one thread at a time.\n"
      "{0}_model *{0}_create(void *memory, uint32_t seed);\n\n",
      model.prefix, upper(model.prefix), bytes, model.batch, state_bytes, codegen::StandaloneLayout::kAlignment);
}

std::string StandaloneHeader::function(const std::string& name) const {
  const ir::Function& function = program.function(name);
  const std::vector<std::string> symbols = program.dimensions();
  std::string tensors, parameters;
  const auto add = [&](const std::string& tensor, const ir::Shape& shape, ir::DType dtype, const char* constant) {
    tensors += fmt::format("///   {:<12} {}", c_name(tensor), ir::to_string(shape));
    if (const auto count = counts.find(tensor); count != counts.end() && *constant != '\0') {
      tensors += fmt::format(", whole numbers from 0 to {}: others are not found out", count->second - 1);
    }
    if (const auto names = categories.find(tensor); names != categories.end()) {
      tensors += fmt::format(", in this order: {}", as_comment(fmt::format("{}", fmt::join(names->second, ", "))));
    }
    tensors += "\n";
    parameters += fmt::format(", {}{} *{}", constant, c_type(dtype), c_name(tensor));
  };
  for (const ir::Input* input : codegen::given_inputs(program, name)) {
    add(input->name, input->shape, input->dtype, "const ");
  }
  std::string result = "int", what;
  if (name == "predict") {
    for (const ir::Binding& output : function.results)
      add(output.name, output.node->type.shape, output.node->type.dtype, "");
    what = "/// Writes the outputs for the rows and returns 0";
  } else {
    result = c_type(function.results[0].node->type.dtype);
    what = name == "step" ? "/// One step of training on a batch; returns its loss before the step"
                          : "/// The loss of the rows, without what happens in training alone";
  }
  const bool in_parts = name != "step" && model.rows_are_independent;
  if (!symbols.empty()) {
    parameters += ", int64_t rows";
    what += fmt::format(
        ", or {} where `rows` is {}.\n/// {}, row-major:\n", name == "predict" ? "1" : "NaN",
        in_parts ? (name == "predict" ? "below 0" : "below 1") : fmt::format("not 1 to {}_BATCH", upper(model.prefix)),
        symbols[0] == "rows" ? "The tensors" : "The tensors, where " + symbols[0] + " is `rows`");
  } else {
    what += ".\n/// The tensors, row-major:\n";
  }
  return fmt::format("{}{}{} {}_{}({}_model *model{});\n\n", what, tensors, result, model.prefix, name, model.prefix,
                     parameters);
}

std::string StandaloneHeader::variables() const {
  std::string text = fmt::format(
      "/// Steps that the model has made, and the epochs done, with the fraction of the present one: for models whose\n"
      "/// learning rate depends on them. Steps are counted by {0}_step, epochs by whoever goes through the data.\n"
      "static inline int64_t *{0}_steps({0}_model *model) {{ return (int64_t *)((char *)model + {1}); }}\n"
      "static inline double *{0}_epochs({0}_model *model) {{ return (double *)((char *)model + {2}); }}\n\n"
      "// The model's numbers, row-major, to be read and written.\n\n",
      model.prefix, offsetof(codegen::RunState, step), offsetof(codegen::RunState, epoch));
  std::set<std::string> used;
  for (std::size_t i = 0; i < program.variables.size(); ++i) {
    const ir::Variable& v = program.variables[i];
    std::string name = c_prefix(v.name);
    while (!used.insert(name).second) name += "_";
    text += fmt::format(
        "/// {}: {}\nstatic inline {} *{}_value_{}({}_model *model) {{ return ({} *)((char *)model + {}); }}\n", v.name,
        ir::to_string(v.shape), c_type(v.dtype), model.prefix, name, model.prefix, c_type(v.dtype), places[i]);
  }
  return text;
}

std::string StandaloneHeader::declarations() const {
  std::string text = create();
  for (const char* name : {"step", "evaluate", "predict"}) {
    if (program.find_function(name) != nullptr) text += function(name);
  }
  return text + variables();
}

std::string StandaloneHeader::digest() const { return codegen::digest_of(declarations()).substr(0, 16); }

std::string StandaloneHeader::text() const {
  std::string text = fmt::format(
      "// The model '{0}', made by `descent build` from {1}.\n"
      "// Compile with any C or C++ compiler and link the object file; nothing of Descent is needed.\n"
      "#ifndef DESCENT_{2}_H\n#define DESCENT_{2}_H\n\n#include <stdint.h>\n\n"
      "#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n",
      program.name, as_comment(source), upper(model.prefix));
  text += fmt::format(
      "// Links with the object file that was made with this header, and with that of no other machine, batch or\n"
      "// version of the model.\n"
      "#define {0}_create {0}_create_{1}\n\n",
      model.prefix, model.header_digest);
  return text + declarations() + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
}

}  // namespace descent::runtime
