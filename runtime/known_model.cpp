#include "runtime/known_model.h"

#include "codegen/backend.h"
#include "codegen/native/digest.h"
#include "descent/error.h"
#include "ir/program_bytes.h"
#include "ir/stage_times.h"

namespace descent::runtime {

namespace {

using ir::ByteReader, ir::ByteWriter;

std::string key_of(const std::string& text) {
  return codegen::digest_of(std::string(codegen::build_id) + "\nmodel\n" + text);
}

void write(ByteWriter& out, const std::map<std::string, std::int64_t>& counts) {
  out.count(counts.size());
  for (const auto& [name, count] : counts) {
    out.text(name);
    out.number(count);
  }
}

std::map<std::string, std::int64_t> read_counts(ByteReader& in) {
  std::map<std::string, std::int64_t> counts;
  for (std::size_t left = in.count(); left > 0; --left) {
    std::int64_t& count = counts[in.text()];
    count = in.number();
  }
  return counts;
}

void write(ByteWriter& out, const passes::DividedFunction& metrics) {
  out.count(metrics.parts.size());
  for (const passes::RowPart& part : metrics.parts) {
    out.text(part.value.name);
    out.shape(part.value.node->shape());
    out.one_of(part.value.node->type.dtype);
    out.one_of(part.gather);
    out.number(part.axis);
  }
  ir::write(out, metrics.rest);
}

passes::DividedFunction read_metrics(ByteReader& in, ir::Graph& graph) {
  passes::DividedFunction metrics;
  metrics.parts.resize(in.count());
  for (passes::RowPart& part : metrics.parts) {
    part.value.name = in.text();
    const ir::Shape shape = in.shape();
    part.value.node = graph.leaf(ir::Op::input, part.value.name, shape, in.one_of(ir::DType::boolean));
    part.gather = in.one_of(passes::RowPart::Gather::smallest);
    part.axis = static_cast<int>(in.number());
  }
  metrics.rest = ir::read_function(in, graph);
  return metrics;
}

}  // namespace

std::string initial_bytes(const ir::Function& initial) {
  ByteWriter out;
  ir::write(out, initial);
  return out.take();
}

ir::Program read_initial(const std::string& bytes) {
  ByteReader in(bytes);
  ir::Program program;
  program.functions.push_back(ir::read_function(in, *program.graph));
  return program;
}

std::optional<KnownModel> find_known(const std::string& text, codegen::ObjectCache& cache) {
  const StageTimer timer(Stage::cache);
  if (text.empty()) return std::nullopt;
  const auto entry = cache.find(key_of(text));
  if (!entry) return std::nullopt;
  const auto pieces = entry->pieces();
  try {
    if (pieces.size() != 2) throw Error("another number of pieces");
    ByteReader in(pieces[0]);
    std::optional<KnownModel> known(std::in_place);
    known->interface = ir::read_interface(in);
    known->metrics_graph = std::make_shared<ir::Graph>();
    known->metrics = read_metrics(in, *known->metrics_graph);
    known->rows_are_independent = in.one_of(true);
    for (std::size_t functions = in.count(); functions > 0; --functions) {
      std::string& digest = known->digests[in.text()];
      digest = in.text();
    }
    known->category_counts = read_counts(in);
    known->index_counts = read_counts(in);
    in.expect_end();
    known->initial = pieces[1];
    return known;
  } catch (const Error&) {
    cache.count_damaged();
    return std::nullopt;
  }
}

void store_known(const std::string& text, const KnownModel& model, codegen::ObjectCache& cache) {
  const StageTimer timer(Stage::cache);
  ByteWriter out;
  ir::write(out, model.interface);
  write(out, model.metrics);
  out.one_of(model.rows_are_independent);
  out.count(model.digests.size());
  for (const auto& [function, digest] : model.digests) {
    out.text(function);
    out.text(digest);
  }
  write(out, model.category_counts);
  write(out, model.index_counts);
  const std::string bytes = out.take();
  const std::string_view pieces[] = {bytes, model.initial};
  cache.store(key_of(text), pieces);
}

}  // namespace descent::runtime
