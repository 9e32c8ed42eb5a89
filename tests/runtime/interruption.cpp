// Training that stops in the middle of an epoch, because it was interrupted or the machine went off, goes on from its
// file as if it had not.
#include "runtime/file.h"
#include "runtime/training.h"
#include "tests/runtime/support.h"

using namespace descent;

namespace {

struct Stopped {};  // the machine went off

/// 240 rows of training data are 40 batches of 6; random numbers and the learning rate depend on step and epoch.
void write_model() {
  test::write("m.descent", R"(model m {
    input  x: [n, 2]
    target y: [n, 1]
    output p = x |> standardize |> dense(7) |> relu |> dropout(0.2) |> dense(1) |> sigmoid
    loss = bce(p, y)
}
data {
    source     = csv("m.csv")
    x          = columns("a", "b")
    y          = column("y")
    validation = split(20%)
}
train {
    optimizer = adam(lr = cosine(0.1, epochs = 6))
    batch     = 6
    stop      = early(validation.loss, patience = 4)
    average   = ema(decay = 0.9)
}
)");
  std::string rows = "a,b,y\n";
  for (int i = 0; i < 300; ++i) {
    rows += std::to_string(i % 17) + "," + std::to_string(i * 7 % 29) + "," + (i % 17 > i * 7 % 29 - 9 ? "1\n" : "0\n");
  }
  test::write("m.csv", rows);
}

runtime::TrainOptions saving_to(const std::string& path, std::int64_t epochs) {
  runtime::TrainOptions options;
  options.save = path;
  options.epochs = epochs;
  return options;
}

}  // namespace

TEST_CASE("training_that_is_interrupted_between_two_batches_goes_on_as_if_it_were_not") {
  const test::Folder folder;
  write_model();
  const Model model = Model::from_file("m.descent");
  const std::int64_t epochs = 4;
  const runtime::TrainReport straight = runtime::train(model, "m.descent", saving_to("straight", epochs), {});
  for (const int threads : {1, 2}) {
    std::int64_t done = 0, parts = 0;
    std::vector<double> losses;
    while (done < epochs) {
      runtime::TrainOptions options = saving_to("part", epochs - done);
      options.threads = threads;
      if (parts++ > 0) options.resume = "part";
      int asked = 0;
      options.is_interrupted = [&] { return ++asked == 4; };  // after at most 1 + 2 + 4 + 8 batches
      const runtime::TrainReport report = runtime::train(model, "m.descent", options, {});
      CHECK(report.was_interrupted == (done + report.epochs < epochs));
      for (const auto& epoch : report.history) losses.push_back(epoch.loss);
      done += report.epochs;
    }
    CHECK(parts > epochs);
    CHECK(runtime::read_file("part") == runtime::read_file("straight"));
    REQUIRE(losses.size() == straight.history.size());
    for (std::size_t i = 0; i < losses.size(); ++i) CHECK(losses[i] == straight.history[i].loss);
  }
}

TEST_CASE("a_file_that_was_written_on_the_way_is_as_good_as_the_last_one") {
  const test::Folder folder;
  write_model();
  const Model model = Model::from_file("m.descent");
  runtime::train(model, "m.descent", saving_to("straight", 4), {});
  for (const double share : {0.0, 0.5, 1.0}) {
    runtime::TrainOptions options = saving_to("part", 4);
    options.save_every_s = 0;
    // What stands in the file was written before this call, a piece of the epoch earlier.
    const auto stop = [&](const runtime::TrainProgress& now) {
      if (now.epoch == 2 && now.share >= share) throw Stopped();
    };
    CHECK_THROWS_AS(runtime::train(model, "m.descent", options, stop), Stopped);
    options.resume = "part";
    options.epochs = 3;  // the rest of the second, or of the first
    std::int64_t finished = 0;
    const auto count = [&](const runtime::TrainProgress& now) { finished = now.epoch; };
    const runtime::TrainReport report = runtime::train(model, "m.descent", options, count);
    CHECK(finished == report.epochs);
    if (report.steps < 4 * 40) {
      options.epochs = 1;
      runtime::train(model, "m.descent", options, {});
    }
    CHECK(runtime::read_file("part") == runtime::read_file("straight"));
  }
}

TEST_CASE("an_epoch_of_other_batches_begins_anew") {
  const test::Folder folder;
  write_model();
  const Model model = Model::from_file("m.descent");
  runtime::TrainOptions options = saving_to("part", 1);
  options.is_interrupted = [] { return true; };
  CHECK(runtime::train(model, "m.descent", options, {}).steps == 1);
  options.is_interrupted = nullptr;
  options.resume = "part";
  options.batch = 24;
  CHECK(runtime::train(model, "m.descent", options, {}).steps == 1 + 10);
}

TEST_CASE("a_loss_that_is_no_number_ends_training_and_leaves_the_file") {
  const test::Folder folder;
  write_model();
  test::write("wild.descent",
              "model wild { input x: [n, 2] target y: [n, 1] output p = dense(x, 1) loss = mse(p, y) } "
              "train { optimizer = sgd(lr = 1e30) batch = 1 }");
  const Model model = Model::from_file("wild.descent");
  test::write("kept", "kept");
  runtime::TrainOptions options = saving_to("kept", 3);
  options.data = "m.csv";
  options.save_every_s = 1e9;
  CHECK_THROWS_WITH(runtime::train(model, "wild.descent", options, {}),
                    Catch::Contains("the loss is no longer a finite number in epoch 1"));
  CHECK(runtime::read_file("kept") == "kept");
}
