// What the tests of the runtime share: files in a folder of their own, and the text of the error that a call throws.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "descent/descent.h"

namespace descent::test {

/// A new folder, the current one until the end of the test: messages then name files without a path.
class Folder {
 public:
  Folder() : before_(std::filesystem::current_path()) {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("descent-test-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directory(path_);
    std::filesystem::current_path(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

 private:
  std::filesystem::path before_, path_;
};

/// The cache of all models made while it lives.
class Cached {
 public:
  Cached() { set_cache_folder((std::filesystem::current_path() / "cache").string()); }
  ~Cached() { set_cache_folder(""); }
  Cached(const Cached&) = delete;
  Cached& operator=(const Cached&) = delete;
};

inline void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

/// The text of the descent::Error that the call throws; "nothing thrown" if it throws none.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace descent::test
