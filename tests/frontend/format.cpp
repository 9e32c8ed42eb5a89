// The one layout: what it looks like, that it is stable, and that it means the same.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "descent/error.h"
#include "frontend/format.h"
#include "frontend/prelude.h"
#include "frontend/print.h"

using namespace descent;
namespace fs = std::filesystem;

namespace {

std::string formatted(const std::string& text) { return frontend::format(text, "m"); }

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("blanks_stand_around_operators_but_not_around_powers_and_signs") {
  CHECK(formatted("fn f(x,y=2)=-x ^2*( y+1 )- - 3") == "fn f(x, y = 2) = -x^2 * (y + 1) - -3\n");
  CHECK(formatted("fn f( x )=x [:,1 : n-1] |>g( a=1 )|>h") == "fn f(x) = x[:, 1:n - 1] |> g(a = 1) |> h\n");
  CHECK(formatted("fn f(x)=if not(x>0)then[1,2]else(3)") == "fn f(x) = if not (x > 0) then [1, 2] else (3)\n");
  CHECK(formatted("fn f(x : [n,2 * d])=map( 0 .. k,fn (i)=i )") == "fn f(x: [n, 2 * d]) = map(0..k, fn(i) = i)\n");
  CHECK(formatted("data{x=columns(\"a\"..\"b\")}") == "data { x = columns(\"a\" .. \"b\") }\n");
}

TEST_CASE("blocks_and_open_brackets_are_indented") {
  CHECK(
      formatted("model m {\n      input x: [n, 2]\n\n\n  for i in 0..2 {\nlet h = dense(\nx,\n[1,\n2]\n)\n}\n\n}\n") ==
      "model m {\n"
      "    input x: [n, 2]\n"
      "\n"
      "    for i in 0..2 {\n"
      "        let h = dense(\n"
      "            x,\n"
      "            [1,\n"
      "                2]\n"
      "        )\n"
      "    }\n"
      "}\n");
}

TEST_CASE("an_expression_that_goes_on_is_indented_once") {
  CHECK(formatted("fn f(x) =\nx\n|> relu\n|> exp") == "fn f(x) =\n    x\n    |> relu\n    |> exp\n");
}

TEST_CASE("declarations_of_one_kind_stand_in_columns") {
  CHECK(formatted("model m {\ninput x: [n, 30]\ntarget why: [n]\noutput p = x\nloss = 1\n}") ==
        "model m {\n    input  x: [n, 30]\n    target why: [n]\n    output p = x\n    loss = 1\n}\n");
  CHECK(formatted("layer d(x) {\nparam w: [i, units] = init\nparam b: [units] = zeros // a bias\nreturn x\n}") ==
        "layer d(x) {\n    param w: [i, units] = init\n    param b: [units]    = zeros  // a bias\n    return x\n}\n");
  CHECK(formatted("train {\nepochs = 3\noptimizer = adam\n\nbatch = 4\n}") ==
        "train {\n    epochs    = 3\n    optimizer = adam\n\n    batch = 4\n}\n");
}

TEST_CASE("comments_stay_where_they_are") {
  CHECK(formatted("// first\n\n/// doc\nfn f(x) = x// last\n// end") ==
        "// first\n\n/// doc\nfn f(x) = x  // last\n// end\n");
}

TEST_CASE("a_wrong_file_is_not_formatted") { CHECK_THROWS_AS(formatted("model m { output p = }"), Error); }

TEST_CASE("formatting_is_stable_and_keeps_the_meaning") {
  std::vector<std::string> texts{std::string(frontend::prelude_source)};
  for (const char* folder : {"examples", "tests/frontend/wrong", "tests/golden"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SOURCE_DIR) / folder)) {
      if (entry.path().extension() == ".descent") texts.push_back(read(entry.path()));
    }
  }
  for (const std::string& text : texts) {
    std::string once;
    try {
      once = formatted(text);
    } catch (const Error&) {
      continue;  // a wrong file
    }
    CHECK(formatted(once) == once);
    CHECK(frontend::print_syntax_tree(once, "m") == frontend::print_syntax_tree(text, "m"));
  }
}

TEST_CASE("the_prelude_and_the_examples_are_formatted") {
  CHECK(formatted(std::string(frontend::prelude_source)) == frontend::prelude_source);
  for (const auto& entry : fs::directory_iterator(fs::path(SOURCE_DIR) / "examples")) {
    if (entry.path().extension() != ".descent") continue;
    INFO(entry.path());
    CHECK(formatted(read(entry.path())) == read(entry.path()));
  }
}
