// Compiled code kept on disk: what is found is what was stored, or nothing.
#include "codegen/native/object_cache.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "codegen/compile.h"
#include "codegen/native/object_image.h"
#include "codegen/native/table_bytes.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "passes/passes.h"

using namespace descent;
using codegen::ObjectCache;
namespace fs = std::filesystem;

namespace {

/// A folder of its own that is removed with the test.
class CacheFolder {
 public:
  CacheFolder() {
    static int number = 0;
    path_ =
        fs::temp_directory_path() / ("descent-cache-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    fs::remove_all(path_);
  }
  ~CacheFolder() { fs::remove_all(path_); }
  CacheFolder(const CacheFolder&) = delete;
  CacheFolder& operator=(const CacheFolder&) = delete;
  std::string path() const { return path_.string(); }
  fs::path only_file() const { return fs::directory_iterator(path_)->path(); }

 private:
  fs::path path_;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

using Objects = std::vector<std::string>;
std::vector<std::string_view> views_of(const Objects& objects) { return {objects.begin(), objects.end()}; }
void store(ObjectCache& cache, const std::string& key, const Objects& objects) { cache.store(key, views_of(objects)); }
std::optional<Objects> find(ObjectCache& cache, const std::string& key) {
  const auto entry = cache.find(key);
  if (!entry) return std::nullopt;
  return Objects(entry->pieces().begin(), entry->pieces().end());
}
const Objects two{std::string("one\0more", 8), ""};

ir::Program example() {
  const char* text =
      "model m { input x: [n, 5] target y: [n, 1]"
      " output p = x |> dense(9) |> tanh |> dropout(0.2) |> dense(1) |> sigmoid loss = bce(p, y) }";
  return passes::run_pipeline(*frontend::load_model(text, "m.descent").program);
}

/// What one step makes of buffers that are all 0.25: every buffer's first numbers.
std::vector<float> outcome(const codegen::CompiledProgram& program) {
  const codegen::CompiledFunction& step = program.function("step");
  const ir::DimensionValues sizes{{"n", 7}};
  std::vector<std::vector<float>> memory;
  std::vector<void*> addresses;
  for (const passes::Buffer& buffer : step.plan.buffers) {
    memory.emplace_back(static_cast<std::size_t>(ir::element_count(buffer.shape, sizes)) + 16, 0.25f);
  }
  for (auto& values : memory) addresses.push_back(values.data());
  const std::int64_t rows = 7;
  codegen::RunState state{1, 0, 3};
  step.run_on(std::move(addresses), &rows, &state);
  std::vector<float> result;
  for (const auto& values : memory) result.insert(result.end(), values.begin(), values.end() - 16);
  return result;
}

}  // namespace

TEST_CASE("the_cache_gives_back_what_was_stored_and_nothing_else") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  CHECK(!find(cache, "a"));
  store(cache, "a", two);
  store(cache, "b", {});
  CHECK(find(cache, "a") == two);
  CHECK(find(cache, "b") == Objects{});
  CHECK(!find(cache, "c"));
  const auto s = ObjectCache(folder.path()).statistics();
  CHECK(s.entries == 2);
  CHECK(cache.statistics().hits == 2);
  CHECK(cache.statistics().misses == 2);
  CHECK(cache.statistics().damaged == 0);
  CHECK(cache.clear() == 2);
  CHECK(!find(cache, "a"));
  ObjectCache none("");
  store(none, "a", two);
  CHECK(!find(none, "a"));
}

TEST_CASE("a_damaged_entry_is_no_entry") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  store(cache, "a", two);
  const fs::path file = folder.only_file();
  const std::string bytes = read(file);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write(file, bytes.substr(0, length));
    REQUIRE(!find(cache, "a"));
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    write(file, changed);
    REQUIRE(!find(cache, "a"));
  }
  write(file, bytes + "x");
  CHECK(!find(cache, "a"));
  CHECK(cache.statistics().damaged == 2 * bytes.size() + 1);
  write(file, bytes);
  CHECK(find(cache, "a") == two);
}

TEST_CASE("what_others_may_write_is_not_trusted") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  store(cache, "a", two);
  ::chmod(folder.path().c_str(), 0777);
  CHECK(!find(cache, "a"));
  ::chmod(folder.path().c_str(), 0700);
  CHECK(find(cache, "a"));
  ::chmod(folder.only_file().c_str(), 0666);
  CHECK(!find(cache, "a"));
  ::chmod(folder.only_file().c_str(), 0600);
  CHECK(find(cache, "a"));
  const fs::path elsewhere = folder.path() + "-elsewhere";
  fs::rename(folder.only_file(), elsewhere);
  fs::create_symlink(elsewhere, folder.path() + "/a.objects");
  CHECK(!find(cache, "a"));
  fs::remove(elsewhere);
}

TEST_CASE("the_least_recently_used_entries_make_room") {
  const CacheFolder folder;
  ObjectCache cache(folder.path(), 2500);
  const Objects kilobyte{std::string(1000, 'x')};
  const auto age = [&](const std::string& key, int hours) {
    fs::last_write_time(folder.path() + "/" + key + ".objects",
                        fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  store(cache, "a", kilobyte);
  store(cache, "b", kilobyte);
  age("a", 5), age("b", 3);
  CHECK(find(cache, "a"));  // used now
  store(cache, "c", kilobyte);
  CHECK(find(cache, "a"));
  CHECK(!find(cache, "b"));
  CHECK(find(cache, "c"));
}

TEST_CASE("processes_that_die_while_they_store_leave_a_cache_that_holds_no_wrong_entry") {
  const CacheFolder folder;
  const auto objects_of = [](int key) { return Objects{std::string(static_cast<std::size_t>(20000 + key), 'k')}; };
  std::vector<pid_t> children;
  for (int child = 0; child < 8; ++child) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      ObjectCache cache(folder.path());
      for (int i = 0; i < 2000; ++i) {
        const int key = (i * 7 + child) % 20;
        const auto found = find(cache, std::to_string(key));
        if (found && *found != objects_of(key)) ::_exit(1);
        store(cache, std::to_string(key), objects_of(key));
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  std::mt19937 random(1);
  for (std::size_t i = 0; i < children.size(); i += 2) {
    ::usleep(static_cast<useconds_t>(random() % 20000));
    ::kill(children[i], SIGKILL);
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    ::waitpid(children[i], &status, 0);
    INFO("process " << i);
    CHECK(((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (i % 2 == 0 && WIFSIGNALED(status))));
  }
  ObjectCache cache(folder.path());
  for (int key = 0; key < 20; ++key) {
    const auto found = find(cache, std::to_string(key));
    if (found) CHECK(*found == objects_of(key));
  }
  CHECK(cache.statistics().damaged == 0);
}

TEST_CASE("code_from_the_cache_does_what_the_code_that_was_compiled_does") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  const ir::Program program = example();
  const auto compiled = codegen::compile(program, {"step"}, &cache);
  CHECK(cache.statistics().misses == 1);
  const auto loaded = codegen::compile(program, {"step"}, &cache);
  CHECK(cache.statistics().hits == 1);
  CHECK(outcome(*loaded) == outcome(*compiled));
  CHECK(loaded->kernel(0) != nullptr);
  // Another function is another entry.
  codegen::compile(program, {"evaluate"}, &cache);
  CHECK(cache.statistics().entries == 2);
}

TEST_CASE("an_object_that_is_malformed_is_rejected_and_compiled_again") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  const ir::Program program = example();
  const auto compiled = codegen::compile(program, {"step"}, &cache);
  const std::string key = folder.only_file().stem().string();
  const Objects entry = *find(cache, key);  // the tables of buffers and kernels, then the objects
  REQUIRE(entry.size() > 2);
  const Objects objects(entry.begin() + 2, entry.end());
  CHECK_NOTHROW(codegen::load_objects(views_of(objects)));
  const std::string& object = objects[0];
  for (std::size_t length = 0; length < object.size(); length += 1 + length / 50) {
    REQUIRE_THROWS_AS(codegen::load_objects(views_of({object.substr(0, length)})), std::runtime_error);
  }
  // Whatever stands in its headers, loading ends, in an error or not.
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    Objects changed = objects;
    for (int i = 0; i < 1 + round % 3; ++i) {
      std::string& bytes = changed[random() % changed.size()];
      const std::size_t range = round % 2 == 0 ? 64 : bytes.size();
      bytes[random() % range] = static_cast<char>(random());
    }
    try {
      codegen::load_objects(views_of(changed));
    } catch (const std::runtime_error&) {
    } catch (const std::bad_alloc&) {
    }
  }
  store(cache, key, {entry[0], entry[1], "no object"});
  CHECK(outcome(*codegen::compile(program, {"step"}, &cache)) == outcome(*compiled));
  CHECK(cache.statistics().damaged == 1);
  CHECK(find(cache, key) == entry);
}

TEST_CASE("the_tables_beside_the_code_read_back_as_the_same") {
  const CacheFolder folder;
  ObjectCache cache(folder.path());
  codegen::compile(example(), {"step", "evaluate"}, &cache);
  const Objects entry = *find(cache, folder.only_file().stem().string());
  CHECK(codegen::to_bytes(codegen::buffer_tables(entry[0])) == entry[0]);
  CHECK(codegen::to_bytes(codegen::kernel_table(entry[1])) == entry[1]);
  // Whatever else the bytes are, reading ends.
  const auto read_both = [](const std::string& bytes) {
    try {
      codegen::buffer_tables(bytes);
    } catch (const Error&) {
    }
    try {
      codegen::kernel_table(bytes);
    } catch (const Error&) {
    }
  };
  std::mt19937 random(3);
  for (const std::string& bytes : {entry[0], entry[1]}) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      read_both(bytes.substr(0, length));
      std::string changed = bytes;
      changed[random() % bytes.size()] = static_cast<char>(random());
      read_both(changed);
    }
  }
}
