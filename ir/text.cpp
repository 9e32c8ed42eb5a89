// One line a declaration, node, result or update:
//     %5 = dot_general %0, %3 lhs_contract=[1] rhs_contract=[0] : f32[n, 16]
#include "ir/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "descent/error.h"
#include "ir/op.h"

namespace descent::ir {

namespace {

const char* keyword(const Variable& variable) {
  switch (variable.kind) {
    case Variable::Kind::parameter:
      return "parameter";
    case Variable::Kind::fitted:
      return "fitted";
    case Variable::Kind::constant:
      return "table";
    case Variable::Kind::state:
      return variable.of_optimizer ? "optimizer_state" : "state";
  }
  return "";
}

std::string list(const std::vector<int>& axes) { return fmt::format("[{}]", fmt::join(axes, ", ")); }

/// The shortest text that reads back as the same number.
std::string number(double value) { return fmt::format("{}", value); }

/// The attributes that are lists with one number, or one size, for each axis, by their keys.
struct NumbersKey {
  const char* key;
  std::vector<int> Attributes::* list;
};
struct SizesKey {
  const char* key;
  Shape Attributes::* list;
};
constexpr NumbersKey number_lists[] = {{"axes", &Attributes::axes},
                                       {"lhs_batch", &Attributes::lhs_batch},
                                       {"rhs_batch", &Attributes::rhs_batch},
                                       {"lhs_contract", &Attributes::lhs_contract},
                                       {"rhs_contract", &Attributes::rhs_contract},
                                       {"strides", &Attributes::strides},
                                       {"interior", &Attributes::interior},
                                       {"window", &Attributes::window}};
constexpr SizesKey size_lists[] = {{"starts", &Attributes::starts},
                                   {"limits", &Attributes::limits},
                                   {"low", &Attributes::low},
                                   {"high", &Attributes::high}};

std::string attributes_text(const Node& node) {
  const Attributes& a = node.attributes;
  std::string text;
  if (!a.name.empty()) text += " name=" + a.name;
  if (node.op == Op::constant || node.op == Op::rng_uniform) text += " value=" + number(a.value);
  for (const SizesKey& k : size_lists) {
    if (!(a.*k.list).empty()) text += fmt::format(" {}={}", k.key, to_string(a.*k.list));
  }
  for (const NumbersKey& k : number_lists) {
    const bool shown =
        (node.op == Op::broadcast_in_dim && k.list == &Attributes::axes) ||
        (node.op == Op::dot_general && (k.list == &Attributes::lhs_contract || k.list == &Attributes::rhs_contract));
    if (shown || !(a.*k.list).empty()) text += fmt::format(" {}={}", k.key, list(a.*k.list));
  }
  if (node.op == Op::dimension || node.op == Op::first_occurrence) text += " size=" + to_string(a.shape);
  return text;
}

void print_function(const Function& function, std::string& text) {
  text += "\nfunction " + function.name + "\n";
  if (function.memory_limit) {
    text += fmt::format("  memory {}", function.memory_limit->bytes);
    for (const auto& [name, size] : function.memory_limit->sizes) text += fmt::format(" {} = {}", name, size);
    text += "\n";
  }
  std::unordered_map<const Node*, std::size_t> numbers;
  for (const Node* node : reachable(function.roots())) {
    const std::size_t index = numbers.size();
    numbers[node] = index;
    text += fmt::format("  %{} = {}", index, info(node).name);
    for (std::size_t i = 0; i < node->operands.size(); ++i) {
      text += fmt::format("{}%{}", i > 0 ? ", " : " ", numbers.at(node->operands[i]));
    }
    text += attributes_text(*node) + " : " + to_string(node->type) + "\n";
  }
  for (const Binding& b : function.results) text += fmt::format("  result {} = %{}\n", b.name, numbers.at(b.node));
  for (const Binding& b : function.updates) text += fmt::format("  update {} = %{}\n", b.name, numbers.at(b.node));
}

/// Calls `body` for every line of a text, with its number.
void for_lines(std::string_view text, const std::function<void(std::string_view, int)>& body) {
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    body(text.substr(0, end), line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Reads one line from left to right.
class LineReader {
 public:
  LineReader(std::string_view text, int line) : text_(text), line_(line) {}

  bool accept(std::string_view token) {
    skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("expected '" + std::string(token) + "'");
  }
  bool at_end() {
    skip();
    return at_ >= text_.size();
  }
  std::string_view word() {
    const auto ends = [](char c) {
      return c == ' ' || c == ',' || c == ':' || c == '=' || c == '[' || c == ']' || c == '%';
    };
    skip();
    const std::size_t begin = at_;
    while (at_ < text_.size() && !ends(text_[at_])) ++at_;
    if (begin == at_) fail("expected a word");
    return text_.substr(begin, at_ - begin);
  }
  double real() {
    const std::string_view w = word();
    if (w == "nan") return std::nan("");
    if (w == "inf") return HUGE_VAL;
    if (w == "-inf") return -HUGE_VAL;
    double value = 0;
    const auto [end, error] = std::from_chars(w.data(), w.data() + w.size(), value);
    if (error != std::errc() || end != w.data() + w.size()) fail("'" + std::string(w) + "' is not a number");
    return value;
  }
  std::size_t index() {
    expect("%");
    const double value = real();
    if (value < 0 || value > 1e9) fail("there is no such node");
    return static_cast<std::size_t>(value);
  }
  std::int64_t count() {
    const std::string_view w = word();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(w.data(), w.data() + w.size(), value);
    if (error != std::errc() || end != w.data() + w.size() || value < 0)
      fail("'" + std::string(w) + "' is not a whole number");
    return value;
  }
  std::vector<int> axes() {
    std::vector<int> values;
    expect("[");
    while (!accept("]")) {
      values.push_back(static_cast<int>(real()));
      accept(",");
    }
    return values;
  }
  Shape shape() {
    expect("[");
    const std::size_t end = text_.find(']', at_);
    if (end == std::string_view::npos) fail("expected ']'");
    std::string_view items = text_.substr(at_, end - at_);
    at_ = end + 1;
    Shape sizes;
    while (!items.empty()) {
      const std::size_t comma = std::min(items.find(','), items.size());
      std::string_view item = items.substr(0, comma);
      items.remove_prefix(std::min(comma + 1, items.size()));
      item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
      sizes.push_back(Dimension::parse(item.substr(0, item.find_last_not_of(' ') + 1)));
    }
    return sizes;
  }
  Type type() {
    Type t;
    if (accept("bool"))
      t.dtype = DType::boolean;
    else if (accept("i32"))
      t.dtype = DType::i32;
    else if (accept("f64"))
      t.dtype = DType::f64;
    else
      expect("f32");
    t.shape = shape();
    return t;
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(Diagnostic{"", line_, static_cast<int>(at_) + 1, 1, message, "", std::string(text_)});
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  std::string_view text_;
  int line_;
  std::size_t at_ = 0;
};

/// The list of this key; null if there is none.
template <typename Keys>
auto find_key(const Keys& keys, std::string_view key) -> decltype(keys[0].list) {
  for (const auto& k : keys) {
    if (key == k.key) return k.list;
  }
  return nullptr;
}

const Node* read_node(LineReader& in, Graph& graph, const std::vector<const Node*>& nodes) {
  const std::string_view name = in.word();
  const std::optional<Op> op = find_op(name);
  if (!op) in.fail("there is no op '" + std::string(name) + "'");
  std::vector<const Node*> operands;
  const int arity = info(*op).arity;
  for (int i = 0; arity == variadic ? i == 0 || in.accept(",") : i < arity; ++i) {
    if (i > 0 && arity != variadic) in.expect(",");
    const std::size_t index = in.index();
    if (index >= nodes.size()) in.fail("there is no such node");
    operands.push_back(nodes[index]);
  }
  Attributes a;
  while (!in.accept(":")) {
    const std::string_view key = in.word();
    in.expect("=");
    if (key == "name")
      a.name = in.word();
    else if (key == "value")
      a.value = in.real();
    else if (key == "size")
      a.shape = in.shape();
    else if (auto numbers = find_key(number_lists, key))
      a.*numbers = in.axes();
    else if (auto sizes = find_key(size_lists, key))
      a.*sizes = in.shape();
    else
      in.fail("there is no attribute '" + std::string(key) + "'");
  }
  const Type type = in.type();
  const bool shape_is_attribute = (info(*op).kind == OpKind::leaf && *op != Op::dimension) ||
                                  *op == Op::broadcast_in_dim || *op == Op::reshape || *op == Op::scatter_add;
  if (shape_is_attribute) a.shape = type.shape;
  if (info(*op).kind == OpKind::leaf || *op == Op::convert) a.dtype = type.dtype;
  const Node* node = nullptr;
  try {
    node = graph.make(*op, std::move(operands), std::move(a));
  } catch (const Error& error) {
    in.fail(error.diagnostics()[0].message);
  }
  if (node->type != type) in.fail("the type is " + to_string(node->type) + ", not " + to_string(type));
  return node;
}

}  // namespace

std::string print(const Program& program) {
  std::string text = "program " + program.name + "\n";
  for (const Input& input : program.inputs) {
    text += fmt::format("{} {} : {}\n", input.is_target ? "target" : "input", input.name,
                        to_string(Type{input.dtype, input.shape}));
  }
  for (const Variable& v : program.variables) {
    text += fmt::format("{} {} : {}\n", keyword(v), v.name, to_string(Type{v.dtype, v.shape}));
  }
  for (const Function& function : program.functions) print_function(function, text);
  return text;
}

Program parse(const std::string& text) {
  Program program;
  std::vector<const Node*> nodes;
  for_lines(text, [&](std::string_view content, int line) {
    LineReader in(content.substr(0, content.find("//")), line);
    if (in.at_end()) return;
    if (in.accept("%")) {
      in.word();
      in.expect("=");
      nodes.push_back(read_node(in, *program.graph, nodes));
      return;
    }
    const std::string_view word = in.word();
    if (word == "program") {
      program.name = in.word();
    } else if (word == "function") {
      program.functions.push_back(Function{std::string(in.word()), {}, {}});
      nodes.clear();
    } else if (word == "memory") {
      if (program.functions.empty()) in.fail("there is no function yet");
      MemoryLimit limit{in.count(), {}};
      while (!in.at_end()) {
        std::int64_t& size = limit.sizes[std::string(in.word())];
        in.expect("=");
        size = in.count();
      }
      program.functions.back().memory_limit = std::move(limit);
    } else if (word == "result" || word == "update") {
      std::string name(in.word());
      in.expect("=");
      const std::size_t index = in.index();
      if (program.functions.empty() || index >= nodes.size()) in.fail("there is no such node");
      auto& bindings = word == "result" ? program.functions.back().results : program.functions.back().updates;
      bindings.push_back(Binding{std::move(name), nodes[index]});
    } else {
      std::string name(in.word());
      in.expect(":");
      Type type = in.type();
      if (word == "input" || word == "target") {
        program.inputs.push_back(Input{std::move(name), std::move(type.shape), word == "target", type.dtype});
        return;
      }
      Variable variable{std::move(name), std::move(type.shape)};
      variable.dtype = type.dtype;
      if (word == "fitted")
        variable.kind = Variable::Kind::fitted;
      else if (word == "table")
        variable.kind = Variable::Kind::constant;
      else if (word == "state")
        variable.kind = Variable::Kind::state;
      else if (word == "optimizer_state")
        variable.kind = Variable::Kind::state, variable.of_optimizer = true;
      else if (word != "parameter")
        in.fail("unknown declaration '" + std::string(word) + "'");
      program.variables.push_back(std::move(variable));
    }
  });
  verify(program, "parse");
  return program;
}

void verify(const Program& program, const std::string& pass) {
  const auto fail = [&](const std::string& what) { throw Error("after the pass '" + pass + "': " + what); };
  std::unordered_map<std::string_view, const Variable*> variables;
  for (const Variable& v : program.variables) variables.emplace(v.name, &v);
  for (const Function& function : program.functions) {
    for (const Node* node : reachable(function.roots())) {
      const Type type = info(node).infer(info(node), node->operands, node->attributes);
      if (type != node->type) fail(std::string("a node ") + info(node).name + " has a wrong type");
      if (node->op == Op::input && program.find_input(node->attributes.name) == nullptr) {
        fail("there is no input '" + node->attributes.name + "'");
      }
      if ((node->op == Op::parameter || node->op == Op::state) && !variables.contains(node->attributes.name)) {
        fail("there is no variable '" + node->attributes.name + "'");
      }
    }
    for (const Binding& update : function.updates) {
      const auto found = variables.find(update.name);
      if (found == variables.end()) fail("the update of '" + update.name + "' has no variable");
      const Variable* variable = found->second;
      if (variable->shape != update.node->shape()) fail("the update of '" + update.name + "' has another shape");
      if (variable->dtype != update.node->type.dtype) fail("the update of '" + update.name + "' has another type");
    }
  }
}

}  // namespace descent::ir
