// Measures trained weights on data.
#include "cli/commands.h"
#include "cli/figures.h"

namespace descent::cli {

int evaluate(const EvaluateArguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  const runtime::Scores s = runtime::score(trainer, model, runtime::load_dataset(trainer, model, a.file, a.data, true));
  if (a.as_json) {
    fmt::print("{}\n", nlohmann::json{{"rows", s.rows},
                                      {"loss", figure(s.loss)},
                                      {"accuracy", figure(s.accuracy)},
                                      {"auc", figure(s.auc)},
                                      {"brier", figure(s.brier)}}
                           .dump());
  } else {
    fmt::print("rows {}  loss {}  accuracy {}  AUC {}  Brier {}\n", s.rows, shown(s.loss), shown(s.accuracy),
               shown(s.auc), shown(s.brier));
  }
  return 0;
}

}  // namespace descent::cli
