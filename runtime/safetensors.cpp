#include "runtime/safetensors.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "descent/error.h"
#include "runtime/file.h"

namespace descent::runtime {

using nlohmann::json;

void save_tensors(const std::string& path, const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  const std::uint64_t length = text.size();
  std::string content(reinterpret_cast<const char*>(&length), sizeof length);
  write_file(path, content + text + data);
}

TensorFile load_tensors(const std::string& path) {
  const std::string content = read_file(path);
  const auto fail = [&](const std::string& what) {
    throw Error(Diagnostic{path, 0, 0, 1, "this is no safetensors file: " + what, "weights are written by: descent train FILE --save weights.safetensors", ""});
  };
  std::uint64_t length = 0;
  if (content.size() < 8) fail("it is too short");
  std::memcpy(&length, content.data(), 8);
  if (length > content.size() - 8 || length > 100'000'000) fail("its header is longer than the file");
  const std::size_t data_size = content.size() - 8 - length;
  TensorFile file;
  // A parser that gives up on deep nesting keeps a hostile header from filling the stack.
  const auto shallow = [](int depth, json::parse_event_t, json&) {
    if (depth > 8) throw Error("nested too deep");
    return true;
  };
  try {
    const json header = json::parse(content.begin() + 8, content.begin() + 8 + static_cast<std::ptrdiff_t>(length), shallow);
    if (!header.is_object()) fail("its header is no JSON object");
    std::size_t total = 0;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      if (entry.at("dtype") != "F32") fail("the tensor '" + name + "' is not of type F32");
      SavedTensor tensor;
      std::size_t count = 1;
      for (const json& size : entry.at("shape")) {
        const auto n = size.get<std::uint64_t>();
        if (n > data_size) fail("the tensor '" + name + "' is larger than the file");
        count *= n;
        if (count > data_size) fail("the tensor '" + name + "' is larger than the file");
        tensor.shape.push_back(static_cast<std::int64_t>(n));
      }
      const auto offsets = entry.at("data_offsets").get<std::vector<std::uint64_t>>();
      if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size || offsets[1] - offsets[0] != count * 4) {
        fail("the place of the tensor '" + name + "' does not fit its shape");
      }
      total += count * 4;
      tensor.values.resize(count);
      if (count > 0) std::memcpy(tensor.values.data(), content.data() + 8 + length + offsets[0], count * 4);
      file.tensors.emplace(name, std::move(tensor));
    }
    if (total != data_size) fail("its tensors do not fill it");
  } catch (const json::exception&) {
    fail("its header is not understood");
  }
  return file;
}

}  // namespace descent::runtime
