#include "frontend/settings.h"

#include <algorithm>
#include <cmath>
#include <map>

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
  if (e.kind != Expression::Kind::string) {
    fail(e.span, std::string("expected ") + what + " in quotes",
         e.kind == Expression::Kind::name ? "write \"" + e.text + "\"" : "");
  }
  return e.text;
}

double number(const Expression& e) {
  if (e.kind == Expression::Kind::unary && e.text == "-") return -number(*e.operands[0]);
  if (e.kind != Expression::Kind::number) fail(e.span, "expected a number");
  if (!e.unit.empty()) fail(e.span, "expected a number, found a size of memory");
  return e.number;
}

/// A number of bytes, with its unit.
MemorySpec memory(const Expression& e) {
  const bool is_number = e.kind == Expression::Kind::number;
  if (!is_number || e.unit.empty()) {
    fail(e.span, is_number ? "this size of memory has no unit" : "expected a size of memory",
         "write memory = 64 MiB; the units are KiB, MiB, GiB, KB, MB and GB");
  }
  if (e.number < 1) fail(e.span, "expected a size of memory of at least one byte");
  return {static_cast<std::int64_t>(std::min(e.number, 0x1p60)), locate(e.span)};
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
  for (const ExpressionPtr item : e.operands) {
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
  const Expression* e = s.value;
  if (called(*e) == "one_hot") {
    if (e->arguments.empty() || e->arguments.size() > 2) {
      fail(e->span, "'one_hot' takes a column, and a list of its texts if they shall have an order of their own",
           "write one_hot(column(\"kind\")) or one_hot(column(\"kind\"), [\"a\", \"b\"])");
    }
    b.one_hot = true;
    if (e->arguments.size() == 2) b.categories = category_list(*e->arguments[1].value);
    e = e->arguments[0].value;
    if (called(*e) != "column") fail(e->span, "expected a column of texts", "write one_hot(column(\"kind\"))");
  }
  if (e->kind == Expression::Kind::binary) {
    static const std::vector<std::string> comparisons = {"==", "!=", "<", "<=", ">", ">="};
    if (std::find(comparisons.begin(), comparisons.end(), e->text) == comparisons.end()) {
      fail(e->span, "a column can be compared, but '" + e->text + "' is not a comparison",
           "columns are given as they are, or compared, as column(\"name\") == \"M\"; compute with " + s.name +
               " in the model");
    }
    const Expression& right = *e->operands[1];
    if (right.kind == Expression::Kind::string) {
      if (e->text != "==") fail(e->span, "texts are compared with ==");
      b.equals_text = right.text;
    } else {
      b.compare_operator = e->text;
      b.compare_value = number(right);
    }
    e = e->operands[0];
  }
  if (called(*e) != "columns" && called(*e) != "column") {
    const bool computes = e->kind == Expression::Kind::call;
    fail(e->span, "expected columns of the source",
         "write " + s.name + " = columns(\"first\" .. \"last\")" +
             (computes ? ", and compute with " + s.name + " in the model" : ""));
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
      if (!(s.fraction > 0 && s.fraction < 1)) {
        const bool is_percent = s.fraction >= 2 && s.fraction < 100;
        fail(a.span, "the share must lie between 0% and 100%",
             is_percent ? "did you mean " + text_of(a.value->span) + "%?" : "write split(20%)");
      }
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

/// What is known of the validation data after an epoch: the names of losses and metrics, and the measures that every
/// model of probabilities has.
struct Figures {
  std::vector<std::string> losses{"loss", "brier"};  ///< of which the smallest value is best
  std::vector<std::string> scores{"accuracy", "auc"};
  std::vector<std::string> metrics;  ///< the model's own: which value is best has to be said

  explicit Figures(const Definition& model) {
    for (const Statement& s : model.body) {
      if (s.kind == Statement::Kind::loss || s.kind == Statement::Kind::broken) losses.push_back(s.name);
      if (s.kind == Statement::Kind::metric) metrics.push_back(s.name);
    }
  }
  std::vector<std::string> all() const {
    std::vector<std::string> names = losses;
    names.insert(names.end(), scores.begin(), scores.end());
    names.insert(names.end(), metrics.begin(), metrics.end());
    return names;
  }
};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// validation.NAME
std::string validation_figure(const Argument& a, const Figures& figures) {
  const Expression& e = *a.value;
  if (e.kind != Expression::Kind::member || e.operands[0]->kind != Expression::Kind::name ||
      e.operands[0]->text != "validation") {
    fail(a.span, "expected validation.loss, best = ... or patience = ...");
  }
  const std::vector<std::string> known = figures.all();
  if (contains(known, e.text)) return e.text;
  const auto meant = ir::nearest(e.text, known);
  fail(a.span, "the model has no loss or metric '" + e.text + "'",
       meant ? "did you mean validation." + *meant + "?" : "declare it in the model: metric " + e.text + " = ...");
}

EarlyStopping early_stopping(const Expression& e, const Definition& model) {
  EarlyStopping stop;
  stop.location = locate(e.span);
  if (called(e) != "early")
    fail(e.span, "expected a rule for stopping", "write stop = early(validation.loss, patience = 15)");
  const Figures figures(model);
  std::optional<bool> largest_is_best;
  for (const Argument& a : e.arguments) {
    if (a.name == "patience") {
      stop.patience = static_cast<int>(whole(*a.value, 1));
    } else if (a.name == "best") {
      const bool is_name = a.value->kind == Expression::Kind::name;
      if (!is_name || (a.value->text != "largest" && a.value->text != "smallest")) {
        fail(a.span, "expected best = largest or best = smallest");
      }
      largest_is_best = a.value->text == "largest";
    } else if (a.name.empty()) {
      stop.figure = validation_figure(a, figures);
    } else {
      const auto meant = ir::nearest(a.name, {"best", "patience"});
      fail(a.span, "'early' has no argument '" + a.name + "'",
           meant ? "did you mean '" + *meant + "'?" : "its arguments are validation.loss, best and patience");
    }
  }
  if (!largest_is_best && contains(figures.metrics, stop.figure)) {
    fail(e.span, "whether a large or a small '" + stop.figure + "' is best is not known",
         "write early(validation." + stop.figure + ", best = largest) or best = smallest");
  }
  stop.largest_is_best = largest_is_best.value_or(contains(figures.scores, stop.figure));
  return stop;
}

/// group("*.b", weight_decay = 0), group("head", optimizer = sgd(0.1)) or freeze("encoder").
UpdateGroup update_group(const Expression& e) {
  UpdateGroup group;
  group.span = e.span;
  group.is_frozen = called(e) == "freeze";
  if (!group.is_frozen && called(e) != "group") {
    fail(e.span, "expected a group of parameters", "write group(\"*.b\", lr = 0.1) or freeze(\"encoder\")");
  }
  for (const Argument& a : e.arguments) {
    if (a.name.empty()) {
      group.patterns.emplace_back(text(*a.value, "the path of parameters"), a.span);
    } else if (group.is_frozen) {
      fail(a.span, "'freeze' has no argument '" + a.name + "'", "it takes paths of parameters in quotes");
    } else if (a.name == "optimizer") {
      group.optimizer = a.value;
    } else {
      group.settings.push_back(&a);
    }
  }
  if (group.patterns.empty()) {
    fail(e.span, "this group names no parameters",
         "write " + called(e) + "(\"encoder\") or " + called(e) + "(\"*.b\")");
  }
  if (!group.is_frozen && group.optimizer == nullptr && group.settings.empty()) {
    fail(e.span, "this group changes nothing", "give it a setting of the optimizer, such as lr = 0.1");
  }
  return group;
}

void read_groups(const Expression& e, UpdateRules& rules, std::vector<Diagnostic>& mistakes) {
  const std::vector<ExpressionPtr> one{&e};
  for (const ExpressionPtr item : e.kind == Expression::Kind::list ? e.operands : one) {
    try {
      rules.groups.push_back(update_group(*item));
    } catch (const Mistake& mistake) {
      mistakes.push_back(mistake.diagnostic);
    }
  }
}

template <typename Handle>
void each_setting(const Definition& block, std::vector<Diagnostic>& mistakes, Handle handle) {
  std::map<std::string, Span> given;
  for (const Statement& s : block.body) {
    if (s.kind != Statement::Kind::assign) continue;  // reported when it was parsed
    try {
      if (const auto [earlier, is_new] = given.emplace(s.name, s.name_span); !is_new) {
        Diagnostic twice = diagnostic(s.name_span, "'" + s.name + "' is set twice", "remove one of them");
        twice.notes.push_back(note(earlier->second, "first set here"));
        throw Mistake{twice};
      }
      if (s.value->kind != Expression::Kind::broken) handle(s);
    } catch (const Mistake& mistake) {
      mistakes.push_back(mistake.diagnostic);
    }
  }
}

/// csv("data.csv"), or csv("data.csv", decimal = ",").
void read_source(const Expression& e, DataSpec& data) {
  if (called(e) != "csv" || e.arguments.empty()) fail(e.span, "expected a source", "write source = csv(\"data.csv\")");
  data.source = text(*e.arguments[0].value, "the name of a file");
  data.source_location = locate(e.arguments[0].span);
  for (std::size_t i = 1; i < e.arguments.size(); ++i) {
    const Argument& a = e.arguments[i];
    if (a.name != "decimal") {
      fail(a.span, "csv takes a file and what stands before the decimals of its numbers",
           "write csv(\"data.csv\", decimal = \",\"); what separates the cells is seen from the header");
    }
    const std::string sign = text(*a.value, "a sign");
    if (sign != "." && sign != ",") fail(a.value->span, "decimals stand behind a point or a comma");
    data.decimal = sign[0];
  }
}

}  // namespace

DataSpec read_data_block(const Definition& block, const Definition& model, std::vector<Diagnostic>& mistakes) {
  DataSpec data;
  data.location = locate(block.name_span);
  std::vector<std::string> tensors;  // of the model; also those whose declaration is wrong
  for (const Statement& s : model.body) {
    if (s.kind == Statement::Kind::input || s.kind == Statement::Kind::target || s.kind == Statement::Kind::broken) {
      tensors.push_back(s.name);
    }
  }
  const auto is_tensor = [&](const std::string& name) {
    return std::find(tensors.begin(), tensors.end(), name) != tensors.end();
  };
  each_setting(block, mistakes, [&](const Statement& s) {
    if (s.name == "source") {
      read_source(*s.value, data);
    } else if (s.name == "validation") {
      data.validation = split(*s.value);
    } else if (s.name == "missing" && !is_tensor(s.name)) {
      if (s.value->kind != Expression::Kind::name || s.value->text != "skip") {
        fail(s.value->span, "expected what is done with rows that lack a value",
             "write missing = skip, to leave them out");
      }
      data.skips_missing = true;
    } else if (is_tensor(s.name)) {
      data.bindings.push_back(binding(s));
    } else {
      std::vector<std::string> known{"source", "validation", "missing"};
      known.insert(known.end(), tensors.begin(), tensors.end());
      const auto meant = ir::nearest(s.name, known);
      fail(s.name_span, "the model has no input or target '" + s.name + "'",
           meant ? "did you mean '" + *meant + "'?"
                 : "a data block has source, validation, missing, and columns for the inputs and targets of the model");
    }
  });
  if (data.source.empty() && mistakes.empty())
    mistakes.push_back(diagnostic(block.name_span, "the data block has no source", "write source = csv(\"data.csv\")"));
  return data;
}

TrainSpec read_train_block(const Definition& block, const Definition& model, const Definition* data, UpdateRules& rules,
                           std::vector<Diagnostic>& mistakes) {
  TrainSpec train;
  const bool validates = data != nullptr && std::any_of(data->body.begin(), data->body.end(), [](const Statement& s) {
                           return s.name == "validation" || s.kind == Statement::Kind::broken;
                         });
  each_setting(block, mistakes, [&](const Statement& s) {
    if (s.name == "optimizer") {
      rules.optimizer = s.value;
    } else if (s.name == "gradients") {
      rules.gradients = s.value;
    } else if (s.name == "average") {
      rules.average = s.value;
    } else if (s.name == "groups") {
      read_groups(*s.value, rules, mistakes);
    } else if (s.name == "accumulate") {
      rules.accumulate = static_cast<int>(whole(*s.value, 1));
    } else if (s.name == "batch") {
      train.batch = whole(*s.value, 1);
    } else if (s.name == "memory") {
      train.memory = memory(*s.value);
    } else if (s.name == "epochs") {
      train.epochs = whole(*s.value, 0);
    } else if (s.name == "seed") {
      train.seed = static_cast<std::uint64_t>(whole(*s.value, 0));
    } else if (s.name == "stop") {
      train.stop = early_stopping(*s.value, model);
      if (!validates) {
        fail(s.value->span, "no rows are held out for validation, so training would never stop early",
             data != nullptr ? "write in the data block: validation = split(20%)"
                             : "add a data block that holds some out: validation = split(20%)");
      }
    } else {
      const auto meant = ir::nearest(s.name, {"optimizer", "gradients", "average", "groups", "accumulate", "batch",
                                              "memory", "epochs", "seed", "stop"});
      fail(
          s.name_span, "the train block has no setting '" + s.name + "'",
          meant
              ? "did you mean '" + *meant + "'?"
              : "it has optimizer, gradients, average, groups, accumulate, batch, memory, epochs, seed and stop; those "
                "of an optimizer are its arguments: optimizer = adam(lr = 0.01)");
    }
  });
  return train;
}

}  // namespace descent::frontend
