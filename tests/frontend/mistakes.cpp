// Malformed text of any kind is a mistake with a message, never a crash. The exact messages are in wrong/.
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "frontend/frontend.h"

using namespace descent;

namespace {

std::string mistakes(const std::string& text) {
  try {
    frontend::load_model(text, "m.descent");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

}  // namespace

TEST_CASE("a_right_file_has_no_mistakes") {
  CHECK(mistakes("model logistic {\n input x: [n, 30]\n target y: [n, 1]\n output p = sigmoid(dense(x, 1))\n loss = "
                 "bce(p, y)\n}") == "");
}

TEST_CASE("malformed_text_never_crashes") {
  for (const char* text :
       {"", "{", "model", "model m", "model m {", "model m { input }", "((((", "fn f(", "model m { output p = ", "\"",
        "1e999", "\xff\xfe", "data { x = }", "model m { output p = [", "fn f(x) = f(x) model m { output p = f(1) }"}) {
    CHECK(mistakes(text) != "");
  }
}

TEST_CASE("nesting_of_any_kind_has_a_clear_end") {
  constexpr int deep = 100000;
  for (const char* opening : {"(", "[", "-", "f(", "if ", "not ", "x[", "fn(x) = ", "2^"}) {
    CHECK(mistakes("model m {\n output p = " + repeated(opening, deep)).find("nested more than 200 deep") !=
          std::string::npos);
  }
  CHECK(mistakes("model m {" + repeated(" repeat 2 {", deep)).find("nested more than 200 deep") != std::string::npos);
  CHECK(mistakes("model m {" + repeated(" fn f(x) {", deep)).find("nested more than 200 deep") != std::string::npos);
}

TEST_CASE("a_long_chain_is_not_nesting") {
  CHECK(mistakes("model m {\n input x: [n, 2]\n output p = x" + repeated(" + x", 20000) + "\n}") == "");
  CHECK(mistakes("model m {\n input x: [n, 2]\n output p = x" + repeated(" |> relu", 2000) + "\n}") == "");
}
