#include "runtime/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "runtime/file.h"
#include "runtime/quote.h"

namespace descent::runtime {

namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the values of a safetensors file are little-endian");

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // the reference implementation's limit
constexpr int deepest_header = 3;                      // object, tensor, list
constexpr const char* metadata_key = "__metadata__";

/// The number of elements, or nothing if a size is negative or the product of all is more than 2^63 - 1.
std::optional<std::uint64_t> element_count(const std::vector<std::int64_t>& shape) {
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 0; })) return std::nullopt;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return static_cast<std::uint64_t>(count);
}

/// Where a tensor's bytes are.
struct Extent {
  std::uint64_t begin, end;
  bool is_double;
  std::string name;
  std::vector<std::int64_t> shape;
};

/// The reader of one file: everything in it is checked before it is used.
class Reader {
 public:
  Reader(const std::string& bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  TensorFile read() {
    const json header = parse_header();
    TensorFile file;
    std::vector<Extent> extents;
    for (const auto& [name, entry] : header.items()) {
      if (name == metadata_key) {
        file.metadata = read_metadata(entry);
      } else {
        extents.push_back(read_extent(name, entry));
      }
    }
    check_layout(extents);
    for (const Extent& extent : extents) {
      file.tensors.emplace_back(extent.name, tensor_at(extent));
    }
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw file_error(path_, "this is no safetensors file: " + what,
                     "weights are written by: descent train FILE --save weights.safetensors");
  }

  std::string_view data() const { return std::string_view(bytes_).substr(length_bytes + header_length_); }

  json parse_header() {
    if (bytes_.size() < length_bytes)
      fail(fmt::format("it has {} bytes, fewer than the length of its header", bytes_.size()));
    std::memcpy(&header_length_, bytes_.data(), length_bytes);
    const std::size_t there = bytes_.size() - length_bytes;
    if (header_length_ > longest_header || header_length_ > there) {
      fail(fmt::format("its header should have {} bytes, but {} are there", header_length_, there));
    }
    const std::string_view text = std::string_view(bytes_).substr(length_bytes, header_length_);
    if (text.empty() || text.front() != '{') fail("its header does not begin with '{'");
    // A name that is there twice would hide a tensor, and nothing valid nests deeper.
    std::vector<std::set<std::string>> names;
    const auto check = [&](int depth, json::parse_event_t event, json& value) {
      const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
      if (opens && depth >= deepest_header) fail("its header is nested too deep");
      if (event == json::parse_event_t::object_start) names.emplace_back();
      if (event == json::parse_event_t::object_end) names.pop_back();
      if (event == json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second) {
        fail("its header names " + in_quotes(value.get<std::string>()) + " twice");
      }
      return true;
    };
    try {
      return json::parse(text, check);
    } catch (const json::exception&) {
      fail("its header is not JSON");
    }
  }

  std::map<std::string, std::string> read_metadata(const json& entry) const {
    std::map<std::string, std::string> metadata;
    if (!entry.is_object()) fail("its metadata are not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) fail("its metadata " + in_quotes(key) + " is not a text");
      metadata[key] = value.get<std::string>();
    }
    return metadata;
  }

  Extent read_extent(const std::string& name, const json& entry) const {
    const auto fails = [&](const std::string& what) { fail("tensor " + in_quotes(name) + " " + what); };
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets")) {
      fails("has other fields than dtype, shape and data_offsets");
    }
    Extent extent{0, 0, false, name, {}};
    if (!entry["dtype"].is_string()) fails("has a dtype that is not a text");
    const auto dtype = entry["dtype"].get<std::string>();
    if (dtype != "F32" && dtype != "F64") {
      throw file_error(
          path_, fmt::format("tensor {} has the dtype {}, expected F32 or F64", in_quotes(name), shorten(dtype, 20)),
          "convert the file's tensors to float32 or float64");
    }
    extent.is_double = dtype == "F64";
    if (!entry["shape"].is_array()) fails("has a shape that is not a list");
    for (const json& size : entry["shape"]) extent.shape.push_back(natural(size, name, "shape"));
    const json& offsets = entry["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) fails("has data_offsets that are not a list of two");
    extent.begin = static_cast<std::uint64_t>(natural(offsets[0], name, "data_offsets"));
    extent.end = static_cast<std::uint64_t>(natural(offsets[1], name, "data_offsets"));
    if (extent.begin > extent.end || extent.end > data().size()) {
      fails(fmt::format("lies at bytes {} to {}, but there are {}", extent.begin, extent.end, data().size()));
    }
    const std::uint64_t size = extent.end - extent.begin;
    const std::uint64_t width = extent.is_double ? sizeof(double) : sizeof(float);
    const auto count = element_count(extent.shape);
    if (!count || *count != size / width || size % width != 0) {
      fails(fmt::format("has {} bytes, which do not fit its shape [{}]", size, fmt::join(extent.shape, ", ")));
    }
    return extent;
  }

  std::int64_t natural(const json& value, const std::string& name, const char* field) const {
    constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > largest) {
      fail(fmt::format("tensor {} has a {} that is not of whole numbers", in_quotes(name), field));
    }
    return value.get<std::int64_t>();
  }

  /// Every byte of the data belongs to one tensor.
  void check_layout(std::vector<Extent>& extents) const {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t end = 0;
    for (const Extent& extent : extents) {
      if (extent.begin < end) fail("tensor " + in_quotes(extent.name) + " overlaps another");
      if (extent.begin > end) fail(fmt::format("bytes {} to {} of its data belong to no tensor", end, extent.begin));
      end = extent.end;
    }
    if (end < data().size()) fail(fmt::format("bytes {} to {} of its data belong to no tensor", end, data().size()));
  }

  SavedTensor tensor_at(const Extent& extent) const {
    SavedTensor tensor{extent.shape, {}};
    if (extent.is_double) tensor.values = std::vector<double>();
    tensor.set_bytes(std::as_bytes(std::span(data()).subspan(extent.begin, extent.end - extent.begin)));
    return tensor;
  }

  const std::string& bytes_;
  const std::string& path_;
  std::uint64_t header_length_ = 0;
};

void check_savable(const std::string& path, const TensorFile& file) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : file.tensors) {
    if (name == metadata_key) throw file_error(path, "a tensor cannot be named \"__metadata__\"");
    if (!names.insert(name).second) throw file_error(path, "two tensors are named " + in_quotes(name));
    if (element_count(tensor.shape) != tensor.size()) {
      throw file_error(path, fmt::format("tensor {} has {} values, which do not fit its shape [{}]", in_quotes(name),
                                         tensor.size(), fmt::join(tensor.shape, ", ")));
    }
  }
}

}  // namespace

std::size_t SavedTensor::size() const {
  return std::visit([](const auto& numbers) { return numbers.size(); }, values);
}

std::span<const std::byte> SavedTensor::bytes() const {
  return std::visit([](const auto& numbers) { return std::as_bytes(std::span(numbers)); }, values);
}

void SavedTensor::set_bytes(std::span<const std::byte> bytes) {
  std::visit(
      [&](auto& numbers) {
        numbers.resize(bytes.size() / sizeof(numbers[0]));
        if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
      },
      values);
}

const SavedTensor* TensorFile::find(const std::string& name) const {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; });
  return at == tensors.end() ? nullptr : &at->second;
}

void save_tensors(const std::string& path, const TensorFile& file) {
  check_savable(path, file);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header[metadata_key] = file.metadata;
  std::vector<std::string_view> pieces(2);
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const std::span<const std::byte> bytes = tensor.bytes();
    pieces.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::uint64_t end = offset + pieces.back().size();
    header[name] = {{"dtype", tensor.dtype() == ir::DType::f64 ? "F64" : "F32"},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw file_error(path, "a tensor's name or a text of the metadata is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begin at a multiple of 8
  const std::uint64_t length = text.size();
  pieces[0] = std::string_view(reinterpret_cast<const char*>(&length), length_bytes);
  pieces[1] = text;
  write_file_atomically(path, pieces);
}

TensorFile load_tensors(const std::string& path) { return parse_tensors(read_file(path), path); }

TensorFile parse_tensors(const std::string& bytes, const std::string& path) { return Reader(bytes, path).read(); }

}  // namespace descent::runtime
