#include "codegen/native/table_bytes.h"

#include "ir/bytes.h"

namespace descent::codegen {

namespace {

using ir::ByteReader, ir::ByteWriter;
using passes::Buffer, passes::Cut, passes::Touch;

void write(ByteWriter& out, const Buffer& buffer) {
  out.one_of(buffer.kind);
  out.one_of(buffer.dtype);
  out.shape(buffer.shape);
  out.text(buffer.name);
  out.count(buffer.lives.size());
  for (const passes::Life& life : buffer.lives) {
    out.number(life.first);
    out.number(life.last);
  }
}

Buffer read_buffer(ByteReader& in) {
  Buffer buffer{in.one_of(Buffer::Kind::result), {}, {}};
  buffer.dtype = in.one_of(ir::DType::boolean);
  buffer.shape = in.shape();
  buffer.name = in.text();
  buffer.lives.resize(in.count());
  for (passes::Life& life : buffer.lives) {
    life.first = static_cast<int>(in.number());
    life.last = static_cast<int>(in.number());
  }
  return buffer;
}

void write(ByteWriter& out, const Touch& touch) {
  out.number(touch.slot);
  out.one_of(touch.written);
  out.one_of(touch.whole);
  out.size(touch.offset);
  out.count(touch.strides.size());
  for (const ir::Dimension& stride : touch.strides) out.size(stride);
  out.count(touch.axes.size());
  for (const Touch::Axis& axis : touch.axes) {
    out.size(axis.stride);
    out.size(axis.size);
  }
}

Touch read_touch(ByteReader& in, std::size_t slots) {
  Touch touch{static_cast<int>(in.index(slots)), in.one_of(true), in.one_of(true), in.size()};
  for (std::size_t strides = in.count(); strides > 0; --strides) touch.strides.push_back(in.size());
  for (std::size_t axes = in.count(); axes > 0; --axes) touch.axes.push_back({in.size(), in.size()});
  return touch;
}

void write(ByteWriter& out, const passes::KernelOutline& outline) {
  out.count(outline.slots);
  out.number(outline.workspace);
  out.size(outline.work.flops);
  out.size(outline.work.bytes);
  out.count(outline.partition.size());
  for (const Cut& cut : outline.partition) {
    out.one_of(cut.axis);
    out.count(cut.space_axis);
    out.size(cut.size);
    out.number(cut.unit);
  }
  out.count(outline.touches.size());
  for (const Touch& touch : outline.touches) write(out, touch);
}

passes::KernelOutline read_outline(ByteReader& in) {
  passes::KernelOutline outline;
  outline.slots = static_cast<std::size_t>(in.number());
  outline.workspace = static_cast<int>(in.number());
  outline.work.flops = in.size();
  outline.work.bytes = in.size();
  for (std::size_t cuts = in.count(); cuts > 0; --cuts) {
    Cut cut{in.one_of(Cut::Axis::columns)};
    cut.space_axis = static_cast<std::size_t>(in.number());
    cut.size = in.size();
    cut.unit = in.number();
    outline.partition.push_back(cut);
  }
  for (std::size_t touches = in.count(); touches > 0; --touches) {
    outline.touches.push_back(read_touch(in, outline.slots));
  }
  return outline;
}

}  // namespace

std::string to_bytes(const BufferTables& tables) {
  ByteWriter out;
  out.count(tables.size());
  for (const auto& [function, table] : tables) {
    out.text(function);
    out.number(table.limit);
    out.count(table.limit_sizes.size());
    for (const auto& [name, size] : table.limit_sizes) {
      out.text(name);
      out.number(size);
    }
    out.count(table.buffers.size());
    for (const Buffer& buffer : table.buffers) write(out, buffer);
  }
  return out.take();
}

BufferTables buffer_tables(std::string_view bytes) {
  ByteReader in(bytes);
  BufferTables tables;
  for (std::size_t functions = in.count(); functions > 0; --functions) {
    passes::BufferTable& table = tables[in.text()];
    table.limit = in.number();
    for (std::size_t sizes = in.count(); sizes > 0; --sizes) {
      std::int64_t& size = table.limit_sizes[in.text()];
      size = in.number();
    }
    const std::size_t buffers = in.count();
    table.buffers.reserve(buffers);
    table.names.reserve(buffers);
    for (std::size_t b = 0; b < buffers; ++b) {
      table.buffers.push_back(read_buffer(in));
      const std::string& name = table.buffers.back().name;
      if (!name.empty()) table.names.try_emplace(name, static_cast<int>(b));
    }
  }
  in.expect_end();
  return tables;
}

std::string to_bytes(const KernelTable& table) {
  ByteWriter out;
  out.count(table.kernels.size());
  for (const passes::KernelOutline& outline : table.kernels) write(out, outline);
  out.count(table.calls.size());
  for (const auto& [function, calls] : table.calls) {
    out.text(function);
    out.count(calls.size());
    for (const KernelTable::Call& call : calls) out.count(call.kernel);
  }
  return out.take();
}

KernelTable kernel_table(std::string_view bytes) {
  ByteReader in(bytes);
  KernelTable table;
  for (std::size_t kernels = in.count(); kernels > 0; --kernels) table.kernels.push_back(read_outline(in));
  for (std::size_t functions = in.count(); functions > 0; --functions) {
    auto& calls = table.calls[in.text()];
    for (std::size_t count = in.count(); count > 0; --count) table.add_call(calls, in.index(table.kernels.size()));
  }
  in.expect_end();
  return table;
}

}  // namespace descent::codegen
