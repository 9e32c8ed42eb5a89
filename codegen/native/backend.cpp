#include "codegen/backend.h"

#include <dlfcn.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "codegen/prepare.h"
#include "descent/error.h"

namespace descent::codegen {

namespace {

constexpr const char* kLibrary = "libdescent_llvm.so";

/// The folder of the program or library that this code is part of.
std::filesystem::path own_folder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failed;
  const auto path = std::filesystem::canonical(info.dli_fname, failed);
  if (!failed) return path.parent_path();
  // A program that was found by PATH is known by its bare name.
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::filesystem::path() : program.parent_path();
}

const Backend& load() {
  std::string reason;
  for (const auto& folder : {own_folder(), own_folder() / "../lib", std::filesystem::path(DESCENT_LIBRARY_FOLDER)}) {
    void* library = dlopen((folder / kLibrary).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      if (reason.empty() || std::filesystem::exists(folder / kLibrary)) reason = dlerror();
      continue;
    }
    const auto* found = static_cast<const Backend*>(dlsym(library, "descent_backend"));
    if (found != nullptr && std::strcmp(found->build_id, build_id) == 0) return *found;
    reason = (folder / kLibrary).string() + " belongs to another version of Descent";
  }
  throw Error(std::string("the code generator, ") + kLibrary + ", cannot be loaded: " + reason,
              "it belongs beside the program or library that uses Descent");
}

}  // namespace

const Backend& backend() {
  const StageTimer timer(Stage::load_backend);  // or the wait for who has begun to
  static const Backend& loaded = load();
  return loaded;
}

std::future<void> prepare_backend() {
  static std::atomic<bool> begun = false;
  if (begun.exchange(true)) return {};
  try {
    return std::async(std::launch::async, [] { backend().prepare(); });
  } catch (const std::system_error&) {
    return {};  // no thread to be had: loaded when it is needed
  }
}

}  // namespace descent::codegen
