#include "runtime/table.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/quote.h"
#include "support.h"

using namespace descent::runtime;
using namespace descent::test;

namespace {

Table parse(const std::string& text) {
  write("data.csv", text);
  return load_csv("data.csv");
}

std::string error_of_parsing(const std::string& text) {
  return error_of([&] { parse(text); });
}

std::string error_of_numbers(const std::string& text, std::size_t column) {
  return error_of([&] { parse(text).numbers(column); });
}

}  // namespace

TEST_CASE("load_csv_keeps_names_texts_and_numbers") {
  const Folder folder;
  const Table table = parse("kind,mean radius,area\nM,17.99,1001\nB,-1e-3, +2.5\t\n");
  CHECK(table.columns() == std::vector<std::string>{"kind", "mean radius", "area"});
  CHECK(table.rows() == 2);
  CHECK(table.texts(0) == std::vector<std::string_view>{"M", "B"});
  CHECK(table.numbers(1) == std::vector<float>{17.99f, -1e-3f});
  CHECK(table.numbers(2) == std::vector<float>{1001, 2.5f});
  const std::size_t both[] = {2, 1};
  CHECK(table.numbers<double>(both) == std::vector<double>{1001, 17.99, 2.5, -1e-3});
  CHECK(table.find_column("area") == 2u);
  CHECK_FALSE(table.find_column("Area").has_value());
}

TEST_CASE("load_csv_reads_quotes_line_ends_byte_order_mark_and_blank_lines") {
  const Folder folder;
  CHECK(parse("a,b\r\n1,2\r\n3,4\r\n").numbers(1) == std::vector<float>{2, 4});
  CHECK(parse("\xEF\xBB\xBF"
              "a,b\n1,2")
            .columns()[0] == "a");
  CHECK(parse("\n\na,b\n\n1,2\n  \n3,4\n\n\n").numbers(0) == std::vector<float>{1, 3});
  const Table table = parse("a,b\n\"1,5\",\"say \"\"hi\"\"\"\n\"two\nlines\",  x  \n,\"\"\n");
  CHECK(table.texts(0) == std::vector<std::string_view>{"1,5", "two\nlines", ""});
  CHECK(table.texts(1) == std::vector<std::string_view>{"say \"hi\"", "x", ""});
  CHECK(parse("a\n\" 1.5 \"\n").numbers(0) == std::vector<float>{1.5f});
}

TEST_CASE("load_csv_sees_from_the_header_what_separates_the_cells") {
  const Folder folder;
  const Table semicolons = parse("\xEF\xBB\xBF\"area, in \"\"m2\"\"\";town\r\n1.5;\"Berlin; Mitte\"\r\n2;a,b\r\n\r\n");
  CHECK(semicolons.columns() == std::vector<std::string>{"area, in \"m2\"", "town"});
  CHECK(semicolons.numbers(0) == std::vector<float>{1.5f, 2});
  CHECK(semicolons.texts(1) == std::vector<std::string_view>{"Berlin; Mitte", "a,b"});
  CHECK(parse("a\tb\n1\t2\n\t \n").texts(1) == std::vector<std::string_view>{"2", ""});
  CHECK(parse("a|b\n1|2\n").numbers(1) == std::vector<float>{2});
  CHECK(parse("a,b;c,d\n1,2,3\n").columns()[1] == "b;c");
  CHECK(parse("\"a;b\"\n1\n").columns()[0] == "a;b");
  CHECK(error_of_parsing("a;b\n1;2\n3;4;5\n") ==
        "data.csv:3:5: error: row 2 has 3 cells, but the header has 2\n"
        "  3 | 3;4;5\n"
        "    |     ^\n"
        "    = help: a cell that holds a semicolon must stand in quotes");
}

TEST_CASE("load_csv_reads_decimal_commas_where_it_is_told") {
  const Folder folder;
  write("data.csv", "a;b\n1,5;-2\n\"1e3\";,25\n");
  CHECK(load_csv("data.csv", ',').numbers(0) == std::vector<float>{1.5f, 1000});
  CHECK(load_csv("data.csv", ',').numbers(1) == std::vector<float>{-2, 0.25f});
  CHECK(error_of_numbers("a;b\n1,5;2\n", 0).find("source = csv(..., decimal = \",\")") != std::string::npos);
  write("data.csv", "a;b\n1.5;2\n1,234.5;1\n");
  CHECK(error_of([] {
          load_csv("data.csv", ',').numbers(0);
        }).find("data.csv:2:1: error: column \"a\" holds the text") == 0);
}

TEST_CASE("load_csv_reads_files_larger_than_its_buffer") {
  const Folder folder;
  std::string text = "number,text\n";
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + ",\"row, " + std::to_string(i) + "\"\n";
  text += "1,\"" + std::string(600'000, 'x') + "\"\n";
  const Table table = parse(text);
  REQUIRE(table.rows() == 100'001);
  CHECK(table.numbers(0)[99'999] == 99'999);
  CHECK(table.text(77'777, 1) == "row, 77777");
  CHECK(table.text(100'000, 1).size() == 600'000);
}

TEST_CASE("load_csv_reads_the_breast_cancer_data") {
  const Table table = load_csv(SOURCE_DIR "/examples/breast_cancer.csv");
  CHECK(table.rows() == 569);
  CHECK(table.columns().size() == 31);
  const auto radius = table.numbers(*table.find_column("mean radius"));
  CHECK(std::count(radius.begin(), radius.end(), 17.99f) >= 1);
}

TEST_CASE("load_csv_says_which_file_cannot_be_read_and_why") {
  const Folder folder;
  write("breast_cancer.csv", "a\n1\n");
  CHECK(error_of([] { load_csv("breast_cancr.csv"); }) ==
        "breast_cancr.csv: error: there is no such file\n  = help: did you mean \"breast_cancer.csv\"?");
  CHECK(error_of([] { load_csv("no/such/folder.csv"); }) == "no/such/folder.csv: error: there is no such file");
  std::filesystem::create_directory("folder");
  CHECK(error_of([] { load_csv("folder"); }) == "folder: error: cannot read the file: it is a folder");
}

TEST_CASE("load_csv_rejects_files_without_data") {
  const Folder folder;
  const std::string empty = "data.csv: error: the file is empty: expected a header row and at least one row of data";
  CHECK(error_of_parsing("") == empty);
  CHECK(error_of_parsing("\n \r\n") == empty);
  CHECK(error_of_parsing("\xEF\xBB\xBF") == empty);
  const std::string no_rows =
      "data.csv: error: the file has a header row but no data: expected at least one row below it";
  CHECK(error_of_parsing("a,b\n") == no_rows);
  CHECK(error_of_parsing("a,b") == no_rows);
}

TEST_CASE("load_csv_shows_a_row_with_another_number_of_cells_than_the_header") {
  const Folder folder;
  CHECK(error_of_parsing("a,b,c\n1,2,3\n\n4,5\n") ==
        "data.csv:4:4: error: row 2 has 2 cells, but the header has 3\n"
        "  4 | 4,5\n"
        "    |    ^\n"
        "    = help: every row must have a cell for every column, which may be empty");
  CHECK(error_of_parsing("a,b\n1,2,30\n") ==
        "data.csv:2:5: error: row 1 has 3 cells, but the header has 2\n"
        "  2 | 1,2,30\n"
        "    |     ^^\n"
        "    = help: a cell that holds a comma must stand in quotes");
  CHECK(error_of_parsing("a,b\n1,2\n3").find("data.csv:3:2: error: row 2 has 1 cell, but") == 0);
}

TEST_CASE("load_csv_shows_what_is_wrong_with_the_header") {
  const Folder folder;
  CHECK(error_of_parsing("a,b,a\n1,2,3\n") ==
        "data.csv:1:5: error: two columns are named \"a\": columns 1 and 3\n"
        "  1 | a,b,a\n"
        "    |     ^\n"
        "    = help: give every column a name of its own");
  CHECK(error_of_parsing("17.99,10.38\n20.57,17.77\n") ==
        "data.csv:1:1: error: the first row holds numbers: expected a header row\n"
        "  1 | 17.99,10.38\n"
        "    | ^^^^^\n"
        "    = help: write the columns' names above the data");
  CHECK(parse("0,1,2\n1,2,3\n").rows() == 1);
  CHECK(error_of_parsing("\xFF\xFE"
                         "a") == "data.csv: error: the file is UTF-16: expected UTF-8\n  = help: save it as CSV UTF-8");
}

TEST_CASE("load_csv_shows_quotes_and_line_ends_that_are_wrong") {
  const Folder folder;
  CHECK(error_of_parsing("a,b\n1,2\n3,\"open\n4,5\n") ==
        "data.csv:3:3: error: the quote that begins this cell is not closed\n"
        "  3 | 3,\"open\n"
        "    |   ^^^^^\n"
        "    = help: end the cell with a quote; a quote in it is written twice");
  CHECK(error_of_parsing("a,b\n1,6\" pipe\n2,3\n") ==
        "data.csv:2:3: error: a quote stands inside a cell\n"
        "  2 | 1,6\" pipe\n"
        "    |   ^^^^^^^\n"
        "    = help: write the whole cell in quotes, and a quote in it twice: \"6\"\" pipe\"");
  CHECK(error_of_parsing("a,b\r1,2\r3,4\r") ==
        "data.csv:1:4: error: a carriage return stands inside the line\n"
        "  1 | a,b\n"
        "    |    ^\n"
        "    = help: save the file with line ends LF or CRLF");
  CHECK(error_of_parsing(std::string("\x7F"
                                     "ELF\0\n1",
                                     7)) == "data.csv: error: the file is no text: expected a table as CSV");
  CHECK(error_of_parsing("a\r1").find("data.csv:1:2: error: a carriage return stands inside the line") == 0);
}

TEST_CASE("numbers_shows_a_text_where_a_number_is_expected") {
  const Folder folder;
  CHECK(error_of_numbers("kind,mean radius\nM,17.99\nB, abc \n", 1) ==
        "data.csv:3:4: error: column \"mean radius\" holds the text \"abc\" where a number is expected\n"
        "  3 | B, abc \n"
        "    |    ^^^\n"
        "    = help: write a number there, or compare the column with a text: column(\"mean radius\") == \"abc\"");
  for (const char* text : {"\"1,5\"", "\"-1,234,567.5\""}) {
    CHECK(error_of_numbers(std::string("a,b\n1,") + text + "\n", 1).find("without commas, 1234.5, or say") !=
          std::string::npos);
  }
  for (const char* text : {"1.5x", "1 2", "0x10", "--1", "+-1", "\"1,5\"", "."}) {
    CHECK(error_of_numbers(std::string("a,b\n1,") + text + "\n", 1)
              .find("data.csv:2:3: error: column \"b\" holds the text") == 0);
  }
}

TEST_CASE("numbers_shows_missing_infinite_and_too_large_values") {
  const Folder folder;
  CHECK(error_of_numbers("a,b\n1,2\n,3\n", 0) ==
        "data.csv:3:1: error: missing value: column \"a\" is empty in row 2\n"
        "  3 | ,3\n"
        "    | ^\n"
        "    = help: write the number there, or leave the row out: missing = skip in the data block does so");
  CHECK(error_of_numbers("a,b\n1,NaN\n", 1) ==
        "data.csv:2:3: error: missing value: column \"b\" holds \"NaN\" in row 1\n"
        "  2 | 1,NaN\n"
        "    |   ^^^\n"
        "    = help: write the number there, or leave the row out: missing = skip in the data block does so");
  CHECK(error_of_numbers("a,b\n1,-inf\n", 1) ==
        "data.csv:2:3: error: column \"b\" holds \"-inf\" in row 1 where a finite number is expected\n"
        "  2 | 1,-inf\n"
        "    |   ^^^^\n"
        "    = help: write the number there, or leave the row out: missing = skip in the data block does so");
  CHECK(error_of_numbers("a,b\n1,1e39\n", 1) ==
        "data.csv:2:3: error: column \"b\" holds \"1e39\" in row 1, which is too large for a number of the model\n"
        "  2 | 1,1e39\n"
        "    |   ^^^^\n"
        "    = help: scale the column: the largest number is 3.4e38");
  for (const char* mark : {"nan", "-nan", "NA", "n/a", "null", "None", "?", "\"\""}) {
    CHECK(error_of_numbers(std::string("a,b\n1,") + mark + "\n", 1).find("data.csv:2:3: error: missing value: ") == 0);
  }
  CHECK(parse("a\n1e-60\n").numbers(0) == std::vector<float>{0});
}

TEST_CASE("numbers_shows_the_first_five_mistakes_and_counts_the_others") {
  const Folder folder;
  const std::string text = error_of_numbers("a\n?\n?\n1\n?\n?\n?\n?\n?\n", 0);
  CHECK(text.find("data.csv:7:1: error:") != std::string::npos);
  CHECK(text.find("data.csv:8:1: error:") == std::string::npos);
  CHECK(text.ends_with("data.csv: error: 2 more cells are not numbers"));
}

TEST_CASE("numbers_shows_one_text_of_each_column") {
  const Folder folder;
  const std::size_t both[] = {0, 1};
  const std::string text = error_of([&] { parse("a,b\nx,1\ny,z\n,v\n").numbers<float>(both); });
  CHECK(text.find("data.csv:2:1: error: column \"a\" holds the text \"x\"") == 0);
  CHECK(text.find("\ndata.csv:3:3: error: column \"b\" holds the text \"z\"") != std::string::npos);
  CHECK(text.find("\ndata.csv:4:1: error: missing value: column \"a\" is empty in row 3") != std::string::npos);
  CHECK(text.ends_with("data.csv: error: 2 more cells are not numbers"));
}

TEST_CASE("numbers_says_that_a_date_is_none") {
  const Folder folder;
  for (const char* date : {"2024-01-31", "31.1.2024", "1/31/24 12:00"}) {
    INFO(date);
    CHECK(error_of_numbers(std::string("a\n") + date + "\n", 0).find("help: a date is no number") != std::string::npos);
  }
  for (const char* other : {"1-2", "1.2.3.4", "192.168.1.1", "1-2/3", "-1-2", "a-b-c"}) {
    INFO(other);
    CHECK(error_of_numbers(std::string("a\n") + other + "\n", 0).find("a date is") == std::string::npos);
  }
}

TEST_CASE("mistakes_are_placed_by_characters_and_by_the_line_of_the_cell") {
  const Folder folder;
  CHECK(error_of_numbers("name,b\nMüller,x\n", 1).find("data.csv:2:8: error:") == 0);
  CHECK(error_of_numbers("\xEF\xBB\xBF"
                         "name,b\nM,x\n",
                         1)
            .find("data.csv:2:3: error:") == 0);
  CHECK(error_of_numbers("a,b,c\n\"two\nlines\",x,1\n", 1) ==
        "data.csv:3:8: error: column \"b\" holds the text \"x\" where a number is expected\n"
        "  3 | lines\",x,1\n"
        "    |        ^\n"
        "    = help: write a number there, or compare the column with a text: column(\"b\") == \"x\"");
  CHECK(error_of_numbers("a,b\n\"a,\"\"b\",x\n", 1).find("data.csv:2:9: error:") == 0);
}

TEST_CASE("a_mistake_far_to_the_right_has_its_place_and_a_long_line_is_cut_after_the_cell") {
  const Folder folder;
  const std::string far = error_of_numbers("a,b\n" + std::string(300, 'y') + ",x\n", 1);
  CHECK(far.find("data.csv:2:302: error:") == 0);
  CHECK(far.find("yyy") == std::string::npos);
  const std::string near = error_of_numbers("a,b\nx," + std::string(300, 'y') + "\n", 0);
  CHECK(near.find("  2 | x," + std::string(98, 'y') + "...\n    | ^\n") != std::string::npos);
}

TEST_CASE("texts_in_messages_are_short_and_hold_no_control_characters") {
  CHECK(in_quotes("a\x1b[31mb\n") == "\"a [31mb \"");
  CHECK(in_quotes(std::string(100, 'x')) == '"' + std::string(60, 'x') + "...\"");
  CHECK(shorten("üüü", 2) == "üü...");
  CHECK(count_characters("Müller") == 6);
}
