#include "runtime/safetensors.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "support.h"

using namespace descent::runtime;
using namespace descent::test;

namespace {

const std::string preamble = "w: error: this is no safetensors file: ";
const std::string hint = "\n  = help: weights are written by: descent train FILE --save weights.safetensors";

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

TensorFile example() {
  TensorFile file;
  file.tensors = {{"dense.0.w", {{2, 3}, Floats{1, -2, 3.5f, 0, -0.0f, 1e-45f}}},
                  {"dense.0.b", {{3}, Floats{std::numeric_limits<float>::infinity(), 5, 6}}},
                  {"double", {{2}, Doubles{0.1, 1e300}}},
                  {"scale", {{}, Floats{7}}},
                  {"none", {{0, 4}, Floats{}}}};
  file.metadata = {{"format", "descent"}, {"model", "tumour \"2\" ü"}};
  return file;
}

std::string bytes_of(const TensorFile& file) {
  const Folder folder;
  save_tensors("w", file);
  return read("w");
}

std::string with_header(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string error_of_header(const std::string& header, std::size_t data_bytes = 0) {
  return error_of([&] { parse_tensors(with_header(header, std::string(data_bytes, '\0')), "w"); });
}

std::string tensor(const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_CASE("save_tensors_and_load_tensors_give_the_same_tensors_and_metadata") {
  const Folder folder;
  save_tensors("w", example());
  CHECK(load_tensors("w") == example());
  CHECK(load_tensors("w").find("dense.0.x") == nullptr);
  save_tensors("w", TensorFile{});
  CHECK(load_tensors("w") == TensorFile{});
}

TEST_CASE("save_tensors_keeps_the_bits_of_nan") {
  TensorFile file;
  file.tensors = {{"a", {{1}, Floats{std::nanf("5")}}}};
  const TensorFile loaded = parse_tensors(bytes_of(file), "w");
  CHECK(std::memcmp(loaded.find("a")->bytes().data(), file.find("a")->bytes().data(), 4) == 0);
}

TEST_CASE("save_tensors_writes_the_layout_of_the_format") {
  TensorFile file;
  file.tensors = {{"b", {{2}, Floats{1, 2}}}};
  file.metadata["k"] = "v";
  const std::string header = R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const float values[] = {1, 2};
  CHECK(bytes_of(file) == with_header(padded, std::string(reinterpret_cast<const char*>(values), 8)));
}

TEST_CASE("save_tensors_rejects_what_no_file_can_hold") {
  const Folder folder;
  TensorFile file;
  file.tensors = {{"__metadata__", {{1}, Floats{1}}}};
  CHECK(error_of([&] { save_tensors("w", file); }) == "w: error: a tensor cannot be named \"__metadata__\"");
  file.tensors = {{"a", {{1}, Floats{1}}}, {"a", {{1}, Floats{2}}}};
  CHECK(error_of([&] { save_tensors("w", file); }) == "w: error: two tensors are named \"a\"");
  file.tensors = {{"a", {{2, 2}, Floats{1, 2, 3}}}};
  CHECK(error_of([&] { save_tensors("w", file); }) ==
        "w: error: tensor \"a\" has 3 values, which do not fit its shape [2, 2]");
  file.tensors = {{"\xFF", {{1}, Floats{1}}}};
  CHECK(error_of([&] { save_tensors("w", file); }) ==
        "w: error: a tensor's name or a text of the metadata is not UTF-8");
  CHECK(files_in(".") == 0);
}

TEST_CASE("load_tensors_says_what_is_wrong_with_a_malformed_file") {
  const Folder folder;
  CHECK(error_of([] { load_tensors("absent"); }) == "absent: error: there is no such file");
  CHECK(error_of([] { parse_tensors("abc", "w"); }) ==
        preamble + "it has 3 bytes, fewer than the length of its header" + hint);
  CHECK(error_of([] { parse_tensors(std::string(8, '\xFF') + "{}", "w"); }) ==
        preamble + "its header should have 18446744073709551615 bytes, but 2 are there" + hint);
  CHECK(error_of_header("") == preamble + "its header does not begin with '{'" + hint);
  CHECK(error_of_header("[]") == preamble + "its header does not begin with '{'" + hint);
  CHECK(error_of_header("{") == preamble + "its header is not JSON" + hint);
  CHECK(error_of_header("{\"\xFF\":1}") == preamble + "its header is not JSON" + hint);
  CHECK(error_of_header(R"({"__metadata__":1})") == preamble + "its metadata are not an object" + hint);
  CHECK(error_of_header(R"({"__metadata__":{"k":1}})") == preamble + "its metadata \"k\" is not a text" + hint);
  CHECK(error_of_header(R"({"__metadata__":{},"__metadata__":{}})") ==
        preamble + "its header names \"__metadata__\" twice" + hint);
  CHECK(error_of_header(R"({"a":1})") ==
        preamble + "tensor \"a\" has other fields than dtype, shape and data_offsets" + hint);
  CHECK(error_of_header(R"({"a":{"dtype":1,"shape":[],"data_offsets":[0,4]}})", 4) ==
        preamble + "tensor \"a\" has a dtype that is not a text" + hint);
  CHECK(error_of_header(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", 4) ==
        "w: error: tensor \"a\" has the dtype BF16, expected F32 or F64\n  = help: convert the file's tensors to "
        "float32 or float64");
  CHECK(error_of_header(tensor("1", "[0,4]"), 4) == preamble + "tensor \"a\" has a shape that is not a list" + hint);
  CHECK(error_of_header(tensor("[-1]", "[0,4]"), 4) ==
        preamble + "tensor \"a\" has a shape that is not of whole numbers" + hint);
  CHECK(error_of_header(tensor("[1.0]", "[0,4]"), 4) ==
        preamble + "tensor \"a\" has a shape that is not of whole numbers" + hint);
  CHECK(error_of_header(tensor("[1]", "[0]"), 4) ==
        preamble + "tensor \"a\" has data_offsets that are not a list of two" + hint);
  CHECK(error_of_header(tensor("[1]", "[0,\"4\"]"), 4) ==
        preamble + "tensor \"a\" has a data_offsets that is not of whole numbers" + hint);
}

TEST_CASE("load_tensors_checks_where_the_data_lie") {
  CHECK(error_of_header(tensor("[1]", "[0,8]"), 4) ==
        preamble + "tensor \"a\" lies at bytes 0 to 8, but there are 4" + hint);
  CHECK(error_of_header(tensor("[1]", "[4,0]"), 4) ==
        preamble + "tensor \"a\" lies at bytes 4 to 0, but there are 4" + hint);
  CHECK(error_of_header(tensor("[1]", "[0,18446744073709551615]"), 4) ==
        preamble + "tensor \"a\" has a data_offsets that is not of whole numbers" + hint);
  CHECK(error_of_header(tensor("[2]", "[0,4]"), 4) ==
        preamble + "tensor \"a\" has 4 bytes, which do not fit its shape [2]" + hint);
  CHECK(error_of_header(tensor("[1]", "[0,5]"), 5) ==
        preamble + "tensor \"a\" has 5 bytes, which do not fit its shape [1]" + hint);
  // The product of the sizes is 2^64, in 64 bits 0.
  CHECK(error_of_header(tensor("[4294967296,4294967296]", "[0,0]")) ==
        preamble + "tensor \"a\" has 0 bytes, which do not fit its shape [4294967296, 4294967296]" + hint);
  CHECK(error_of_header(tensor("[1]", "[4,8]"), 8) == preamble + "bytes 0 to 4 of its data belong to no tensor" + hint);
  CHECK(error_of_header(tensor("[1]", "[0,4]"), 8) == preamble + "bytes 4 to 8 of its data belong to no tensor" + hint);
  CHECK(error_of_header("{}", 1) == preamble + "bytes 0 to 1 of its data belong to no tensor" + hint);
  CHECK(error_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                        R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                        12) == preamble + "tensor \"b\" overlaps another" + hint);
}

TEST_CASE("load_tensors_survives_deep_nesting_and_long_lists") {
  const std::string deep = preamble + "its header is nested too deep" + hint;
  CHECK(error_of_header("{\"a\":" + std::string(1'000'000, '[')) == deep);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(error_of_header(objects) == deep);
  std::string ones = "[1";
  for (int i = 0; i < 100'000; ++i) ones += ",1";
  CHECK(parse_tensors(with_header(tensor(ones + "]", "[0,4]"), "\1\2\3\4"), "w").find("a")->size() == 1);
}

TEST_CASE("load_tensors_rejects_a_file_that_was_cut_off_anywhere") {
  const std::string bytes = bytes_of(example());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    INFO(length << " of " << bytes.size() << " bytes");
    CHECK(error_of([&] { parse_tensors(bytes.substr(0, length), "w"); }).find("w: error: ") == 0);
  }
  CHECK(error_of([&] { parse_tensors(bytes + '\0', "w"); }).find("w: error: ") == 0);
}

TEST_CASE("load_tensors_rejects_or_reads_a_file_with_any_changed_byte") {
  const std::string bytes = bytes_of(example());
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  for (std::size_t at = 0; at < 8 + header; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      // Anything but descent::Error leaves error_of and fails the test.
      const std::string outcome = error_of([&] { parse_tensors(changed, "w"); });
      if (outcome != "nothing thrown") REQUIRE(outcome.find("w: error: ") == 0);
    }
  }
}

TEST_CASE("load_tensors_rejects_or_reads_random_changes") {
  const std::string bytes = bytes_of(example());
  const std::string alphabet = "{}[]\":,0123456789-eE.aF32 \\u\n";
  std::mt19937 random(3);
  for (int round = 0; round < 5'000; ++round) {
    std::string changed = bytes;
    for (int i = 0; i < 1 + round % 4; ++i) {
      changed[random() % changed.size()] =
          round % 2 ? alphabet[random() % alphabet.size()] : static_cast<char>(random());
    }
    const std::string outcome = error_of([&] { parse_tensors(changed, "w"); });
    if (outcome != "nothing thrown") REQUIRE(outcome.find("w: error: ") == 0);
  }
}
