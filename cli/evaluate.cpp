// Measures trained weights on data.
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/output.h"

namespace descent::cli {

int evaluate(const EvaluateArguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  const runtime::Dataset data = runtime::load_dataset(trainer, model, a.file, a.data, true);
  const runtime::Scores s = runtime::score(trainer, data);
  if (a.as_json) {
    nlohmann::ordered_json result = {{"rows", s.rows},
                                     {"loss", figure(s.loss)},
                                     {"accuracy", figure(s.accuracy)},
                                     {"auc", figure(s.auc)},
                                     {"brier", figure(s.brier)}};
    add_named_figures(result, s);
    result["left_out"] = data.left_out;
    print("{}\n", result.dump());
    return 0;
  }
  print("rows {}  loss {}  accuracy {}  AUC {}  Brier {}", s.rows, shown(s.loss), shown(s.accuracy), shown(s.auc),
        shown(s.brier));
  for (const Trainer::Figure& f : named_figures(s)) print("  {} {}", f.name, shown(f.value));
  if (data.left_out > 0) print("  left out {}", data.left_out);
  print("\n");
  return 0;
}

}  // namespace descent::cli
