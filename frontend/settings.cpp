#include "frontend/settings.h"

#include <algorithm>
#include <cmath>

#include "ir/edit_distance.h"

namespace descent::frontend {

namespace {

struct Mistake {
  Diagnostic diagnostic;
};

[[noreturn]] void fail(const Span& span, const std::string& message, const std::string& hint = "") {
  throw Mistake{diagnostic(span, message, hint)};
}

std::string called(const Expression& e) {
  return e.kind == Expression::Kind::call && e.operands[0]->kind == Expression::Kind::name ? e.operands[0]->text : "";
}

std::string text(const Expression& e, const char* what) {
  if (e.kind != Expression::Kind::string) fail(e.span, std::string("expected ") + what + " in quotes");
  return e.text;
}

double number(const Expression& e) {
  if (e.kind == Expression::Kind::unary && e.text == "-") return -number(*e.operands[0]);
  if (e.kind != Expression::Kind::number) fail(e.span, "expected a number");
  return e.number;
}

std::int64_t whole(const Expression& e, std::int64_t least) {
  const double n = number(e);
  if (n != std::floor(n) || n < static_cast<double>(least) || n > 1e9) {
    fail(e.span, "expected a whole number from " + std::to_string(least));
  }
  return static_cast<std::int64_t>(n);
}

std::vector<ColumnRange> column_ranges(const Expression& call) {
  std::vector<ColumnRange> ranges;
  if (call.arguments.empty()) fail(call.span, "expected the name of a column in quotes");
  for (const Argument& a : call.arguments) {
    const Expression& e = *a.value;
    if (e.kind == Expression::Kind::binary && e.text == "..") {
      ranges.push_back(
          {text(*e.operands[0], "the name of a column"), text(*e.operands[1], "the name of a column"), locate(e.span)});
    } else {
      const std::string name = text(e, "the name of a column");
      ranges.push_back({name, name, locate(e.span)});
    }
  }
  return ranges;
}

std::vector<std::string> category_list(const Expression& e) {
  std::vector<std::string> categories;
  if (e.kind != Expression::Kind::list || e.operands.empty()) {
    fail(e.span, "expected a list of texts", "write [\"a\", \"b\"]");
  }
  for (const ExpressionPtr& item : e.operands) {
    const std::string name = text(*item, "a category");
    if (std::find(categories.begin(), categories.end(), name) != categories.end()) {
      fail(item->span, "the category \"" + name + "\" stands twice in the list");
    }
    categories.push_back(name);
  }
  return categories;
}

ColumnBinding binding(const Statement& s) {
  ColumnBinding b;
  b.tensor = s.name;
  b.location = locate(s.span);
  const Expression* e = s.value.get();
  if (called(*e) == "one_hot") {
    if (e->arguments.empty() || e->arguments.size() > 2) {
      fail(e->span, "'one_hot' takes a column, and a list of its texts if they shall have an order of their own",
           "write one_hot(column(\"kind\")) or one_hot(column(\"kind\"), [\"a\", \"b\"])");
    }
    b.one_hot = true;
    if (e->arguments.size() == 2) b.categories = category_list(*e->arguments[1].value);
    e = e->arguments[0].value.get();
    if (called(*e) != "column") fail(e->span, "expected a column of texts", "write one_hot(column(\"kind\"))");
  }
  if (e->kind == Expression::Kind::binary) {
    static const std::vector<std::string> comparisons = {"==", "!=", "<", "<=", ">", ">="};
    if (std::find(comparisons.begin(), comparisons.end(), e->text) == comparisons.end()) {
      fail(e->span, "a column can be compared, but '" + e->text + "' is not a comparison",
           "write column(\"name\") == \"M\"");
    }
    const Expression& right = *e->operands[1];
    if (right.kind == Expression::Kind::string) {
      if (e->text != "==") fail(e->span, "texts are compared with ==");
      b.equals_text = right.text;
    } else {
      b.compare_operator = e->text;
      b.compare_value = number(right);
    }
    e = e->operands[0].get();
  }
  if (called(*e) != "columns" && called(*e) != "column") {
    fail(e->span, "expected columns of the source", "write " + s.name + " = columns(\"first\" .. \"last\")");
  }
  b.columns = column_ranges(*e);
  return b;
}

SplitSpec split(const Expression& e) {
  SplitSpec s;
  s.location = locate(e.span);
  if (called(e) != "split") fail(e.span, "expected a split", "write validation = split(20%)");
  for (const Argument& a : e.arguments) {
    if (a.name.empty() || a.name == "fraction") {
      s.fraction = number(*a.value);
      if (!(s.fraction > 0 && s.fraction < 1)) fail(a.span, "the share must lie between 0% and 100%");
    } else if (a.name == "stratify") {
      if (a.value->kind != Expression::Kind::name) fail(a.span, "expected the name of a target");
      s.stratify = a.value->text;
    } else if (a.name == "seed") {
      s.seed = static_cast<std::uint64_t>(whole(*a.value, 0));
    } else {
      fail(a.span, "'split' has no argument '" + a.name + "'", "its arguments are a share, stratify and seed");
    }
  }
  return s;
}

template <typename Handle>
void each_setting(const Definition& block, std::vector<Diagnostic>& mistakes, Handle handle) {
  for (const Statement& s : block.body) {
    try {
      if (s.kind != Statement::Kind::assign) fail(s.span, "expected a setting: name = value");
      handle(s);
    } catch (const Mistake& mistake) {
      mistakes.push_back(mistake.diagnostic);
    }
  }
}

}  // namespace

DataSpec read_data_block(const Definition& block, const ir::Program& program, std::vector<Diagnostic>& mistakes) {
  DataSpec data;
  data.location = locate(block.span);
  each_setting(block, mistakes, [&](const Statement& s) {
    if (s.name == "source") {
      if (called(*s.value) != "csv" || s.value->arguments.size() != 1)
        fail(s.value->span, "expected a source", "write source = csv(\"data.csv\")");
      data.source = text(*s.value->arguments[0].value, "the name of a file");
      data.source_location = locate(s.value->arguments[0].span);
    } else if (s.name == "validation") {
      data.validation = split(*s.value);
    } else if (program.find_input(s.name) != nullptr) {
      data.bindings.push_back(binding(s));
    } else {
      std::vector<std::string> known{"source", "validation"};
      for (const ir::Input& input : program.inputs) known.push_back(input.name);
      const auto meant = ir::nearest(s.name, known);
      fail(s.name_span, "the model has no input or target '" + s.name + "'",
           meant ? "did you mean '" + *meant + "'?" : "");
    }
  });
  if (data.source.empty() && mistakes.empty())
    mistakes.push_back(diagnostic(block.span, "the data block has no source", "write source = csv(\"data.csv\")"));
  return data;
}

TrainSpec read_train_block(const Definition& block, UpdateRules& rules, std::vector<Diagnostic>& mistakes) {
  TrainSpec train;
  each_setting(block, mistakes, [&](const Statement& s) {
    if (s.name == "optimizer") {
      rules.optimizer = s.value.get();
    } else if (s.name == "gradients") {
      rules.gradients = s.value.get();
    } else if (s.name == "average") {
      rules.average = s.value.get();
    } else if (s.name == "batch") {
      train.batch = whole(*s.value, 1);
    } else if (s.name == "epochs") {
      train.epochs = whole(*s.value, 0);
    } else if (s.name == "seed") {
      train.seed = static_cast<std::uint64_t>(whole(*s.value, 0));
    } else if (s.name == "stop") {
      EarlyStopping stop;
      stop.location = locate(s.value->span);
      if (called(*s.value) != "early")
        fail(s.value->span, "expected a rule for stopping", "write stop = early(validation.loss, patience = 15)");
      for (const Argument& a : s.value->arguments) {
        if (a.name == "patience") {
          stop.patience = static_cast<int>(whole(*a.value, 1));
        } else if (a.value->kind == Expression::Kind::member && a.value->text == "loss" &&
                   a.value->operands[0]->text == "validation") {
          stop.metric = "validation.loss";
        } else {
          fail(a.span, "expected validation.loss or patience = ...");
        }
      }
      train.stop = stop;
    } else {
      const auto meant = ir::nearest(s.name, {"optimizer", "gradients", "average", "batch", "epochs", "seed", "stop"});
      fail(s.name_span, "the train block has no setting '" + s.name + "'",
           meant ? "did you mean '" + *meant + "'?" : "");
    }
  });
  return train;
}

}  // namespace descent::frontend
