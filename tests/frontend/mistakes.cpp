// Malformed text of any kind is a mistake with a message, never a crash. The exact messages are in wrong/.
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "frontend/format.h"
#include "frontend/frontend.h"
#include "frontend/print.h"

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

TEST_CASE("the_tree_of_a_long_chain_is_printed_as_deep_as_can_be_read") {
  const std::string tree = frontend::print_syntax_tree("fn f(x) = x" + repeated(" + x", 100000), "m.descent");
  CHECK(tree.find("...") != std::string::npos);
  CHECK(tree.size() < 10'000'000);
}

// Nobody reads more, and a text that is no model at all would give one for each of its words.
TEST_CASE("after_a_hundred_mistakes_no_others_are_looked_for") {
  std::string lines, line = "x", definitions, imports;
  for (int i = 0; i < 20000; ++i) {
    const std::string number = std::to_string(i);
    lines += "\n let h" + number + " = zz" + number;
    line += " + zz" + number;
    definitions += "fn f(x) = x\n";
    imports += "import \"no_such_file_" + number + "\"\n";
  }
  const std::string items = "[" + repeated("x + y, ", 20000) + "x]";
  const auto in_model = [](const std::string& body) {
    return "model m {\n input x: [n, 2]\n input y: [n, 3]" + body + "\n output p = x\n}";
  };
  for (const std::string& text : {in_model(lines), in_model("\n let h = " + line), definitions + in_model(""),
                                  imports + in_model(""), repeated("$\n", 20000)}) {
    const std::string found = mistakes(text);
    INFO(found.substr(0, 200));
    CHECK(found.ends_with("m.descent: error: after so many mistakes no others were looked for"));
    CHECK(found.size() < 100'000);
  }
  CHECK(mistakes(in_model("\n let h = " + items)).size() < 100'000);
}

TEST_CASE("bytes_that_are_no_text_are_shown_as_one_sign_each") {
  const auto line = [](const std::string& bytes, const std::string& shown, const std::string& byte,
                       const std::string& help) {
    CHECK(mistakes("model m {\n lo" + bytes + "ss = 1\n}") == "m.descent:2:4: error: this is not text: the byte 0x" +
                                                                  byte + "\n  2 |  lo" + shown +
                                                                  "ss = 1\n    |    ^\n    = help: " + help);
  };
  const std::string help = "a .descent file is UTF-8";
  line(std::string("\0", 1), "\uFFFD", "00", help);
  line("\xff", "\uFFFD", "ff", help);
  line("\xc0\x80", "\uFFFD", "c0", help);          // written longer than need be
  line("\xed\xa0\x80", "\uFFFD", "ed", help);      // half of a pair of UTF-16
  line("\xf4\x90\x80\x80", "\uFFFD", "f4", help);  // beyond the last character
  CHECK(mistakes(std::string("\xff\xfem\0o\0\n\0x\0", 10)) ==
        "m.descent:1:1: error: this is not text: the byte 0xff\n  1 | \uFFFD\uFFFDm\uFFFDo\uFFFD\n    | ^^^^^^\n"
        "    = help: save the file as UTF-8: this is UTF-16");
}

TEST_CASE("of_a_file_that_is_no_text_at_all_one_mistake_is_reported") {
  CHECK(mistakes(std::string("a\x04\0\0\0{\xff\n\x01\n8g \xfe", 13)) ==
        "m.descent:1:2: error: this is not text: the byte 0x04\n  1 | a\uFFFD\uFFFD\uFFFD\uFFFD{\uFFFD\n    |  ^^^^^^\n"
        "    = help: a .descent file is UTF-8");
}

TEST_CASE("a_byte_0_ends_no_message") {
  CHECK(mistakes(std::string("import \"a\0b\"\nmodel m {\n input x: [n]\n output p = x\n}", 52)) ==
        "m.descent:1:8: error: there is no file a\uFFFDb\n  1 | import \"a\uFFFDb\"\n    |        ^^^^^\n"
        "    = help: the path is relative to the folder of this file");
}

TEST_CASE("long_texts_take_no_longer_than_they_are_long") {
  const auto in_model = [](const std::string& body) {
    return "model m {\n input x: [n, 2]\n output p = x\n" + body + "\n}";
  };
  CHECK(mistakes(in_model(" let h = " + repeated("b", 1000000))).find("unknown name") != std::string::npos);
  CHECK(mistakes(in_model(" let h = 0." + repeated("1", 1000000))) == "");
  CHECK(mistakes(in_model("//" + repeated("b", 1000000))) == "");
  CHECK(mistakes(in_model(" let h = einsum(\"" + repeated("ij", 500000) + "\", x)")).find("more axes than letters") !=
        std::string::npos);
  std::string parameters = "a";
  for (int i = 0; i < 50000; ++i) parameters += ", a" + std::to_string(i);
  CHECK(mistakes("fn f(" + parameters + ") = a\n" + in_model("")) == "");
}

TEST_CASE("line_ends_of_every_system_are_blanks") {
  const std::string text = "model m {\n input x: [n, 2]\n output p = x\n}\n";
  for (const char* end : {"\r\n", "\r", "\f", "\v"}) {
    std::string other;
    for (const char c : text) other += c == '\n' ? end : std::string(1, c);
    CHECK(mistakes(other) == "");
  }
}
