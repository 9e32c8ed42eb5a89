#include "runtime/file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "support.h"

using namespace descent::runtime;
using namespace descent::test;

namespace {

void write_pieces(const std::string& path, std::initializer_list<std::string_view> pieces) {
  write_file_atomically(path, {pieces.begin(), pieces.size()});
}

/// While it lives, no file can grow beyond `bytes`: a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_ = {};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("write_file_atomically_writes_all_pieces_and_leaves_no_other_file") {
  const Folder folder;
  write_pieces("f", {"one", "", " two", std::string_view("\0\n", 2)});
  CHECK(read_file("f") == std::string("one two\0\n", 9));
  write_pieces("f", {"new"});
  CHECK(read_file("f") == "new");
  CHECK(files_in(".") == 1);
}

TEST_CASE("write_file_atomically_keeps_the_mode_and_follows_a_link") {
  const Folder folder;
  write("target", "old");
  ::chmod("target", 0640);
  std::filesystem::create_symlink("target", "link");
  write_pieces("link", {"new"});
  CHECK(read("target") == "new");
  CHECK(std::filesystem::is_symlink("link"));
  struct stat status = {};
  REQUIRE(::stat("target", &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("write_file_atomically_makes_what_a_link_names_and_is_not_there_yet") {
  const Folder folder;
  std::filesystem::create_directory("runs");
  std::filesystem::create_symlink("runs/3", "latest");
  std::filesystem::create_symlink("latest", "link");
  write_pieces("link", {"new"});
  CHECK(read("runs/3") == "new");
  CHECK(std::filesystem::is_symlink("link"));
  CHECK(std::filesystem::is_symlink("latest"));
}

TEST_CASE("a_write_that_fails_leaves_the_old_file_and_nothing_else") {
  const Folder folder;
  write("f", "old");
  std::string message;
  {
    const FileSizeLimit full(100);
    message = error_of([] { write_pieces("f", {std::string(50, 'x'), std::string(100, 'y')}); });
  }
  CHECK(message == "f: error: cannot write the file: File too large");
  CHECK(read("f") == "old");
  CHECK(files_in(".") == 1);
}

TEST_CASE("write_file_atomically_says_why_it_cannot_write") {
  const Folder folder;
  CHECK(error_of([] { write_pieces("no/f", {"x"}); }) ==
        "no/f: error: cannot write the file: its folder does not exist");
  CHECK(error_of([] { write_pieces(".", {"x"}); }) == ".: error: cannot write the file: it is a folder");
  write("f", "");
  CHECK(error_of([] { write_pieces("f/g", {"x"}); }) == "f/g: error: cannot write the file: Not a directory");
  if (std::filesystem::exists("/dev/full")) {
    CHECK(error_of([] { write_pieces("/dev/full", {"x"}); }) ==
          "/dev/full: error: cannot write the file: No space left on device");
  }
}

TEST_CASE("read_file_reads_files_of_every_size") {
  const Folder folder;
  for (const std::size_t size : {0u, 1u, 65'536u, 1'000'000u}) {
    write("f", std::string(size, 'z'));
    CHECK(read_file("f") == std::string(size, 'z'));
  }
  CHECK(read_file("/dev/null").empty());
}

TEST_CASE("read_file_says_why_it_cannot_read") {
  const Folder folder;
  write("weights.safetensors", "");
  CHECK(error_of([] { read_file("wieghts.safetensors"); }) ==
        "wieghts.safetensors: error: there is no such file\n  = help: did you mean \"weights.safetensors\"?");
  CHECK(error_of([] { read_file("."); }) == ".: error: cannot read the file: it is a folder");
  CHECK(error_of([] { read_file("weights.safetensors/x"); }) ==
        "weights.safetensors/x: error: cannot read the file: Not a directory");
}

TEST_CASE("check_writable_says_beforehand_what_writing_would_say") {
  const Folder folder;
  write("f", "old");
  CHECK_NOTHROW(check_writable("f"));
  CHECK_NOTHROW(check_writable("new"));
  CHECK_NOTHROW(check_writable("/dev/null"));
  CHECK(read("f") == "old");
  CHECK(files_in(".") == 1);
  CHECK_THROWS_WITH(check_writable("nowhere/f"), "nowhere/f: error: cannot write the file: its folder does not exist");
  CHECK_THROWS_WITH(check_writable("."), ".: error: cannot write the file: it is a folder");
}

TEST_CASE("a_missing_file_suggests_a_name_that_is_like_it_without_its_extension") {
  const Folder folder;
  write("tumour.descent", "");
  CHECK_THROWS_WITH(read_file("tumuor.descent"),
                    "tumuor.descent: error: there is no such file\n  = help: did you mean \"tumour.descent\"?");
  CHECK_THROWS_WITH(read_file("nothing.descent"), "nothing.descent: error: there is no such file");
}
