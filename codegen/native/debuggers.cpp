#include "codegen/native/debuggers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

// The names, layouts and values are gdb's.
extern "C" {
struct jit_code_entry {
  jit_code_entry *next_entry, *prev_entry;
  const char* symfile_addr;
  std::uint64_t symfile_size;
};
struct jit_descriptor {
  std::uint32_t version;
  std::uint32_t action_flag;
  jit_code_entry *relevant_entry, *first_entry;
};
/// gdb has a breakpoint here.
[[gnu::noinline, gnu::weak]] void __jit_debug_register_code() { asm volatile("" ::: "memory"); }
[[gnu::weak]] jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
}

namespace descent::codegen {

namespace {
constexpr std::uint32_t kRegister = 1, kUnregister = 2;

std::mutex& mutex() {
  static std::mutex one;
  return one;
}
}  // namespace

bool wants_debug_names() {
  const char* value = std::getenv("DESCENT_DEBUG");
  return value != nullptr && std::string(value) == "1";
}

void tell_perf(const std::vector<CodeSymbol>& symbols) {
  const std::lock_guard lock(mutex());
  std::FILE* file = std::fopen(fmt::format("/tmp/perf-{}.map", ::getpid()).c_str(), "a");
  if (file == nullptr) return;  // names are a help, not a need
  for (const CodeSymbol& s : symbols) fmt::print(file, "{:x} {:x} {}\n", s.address, s.size, s.name);
  std::fclose(file);
}

struct GdbRegistration::Entry : jit_code_entry {};

GdbRegistration::GdbRegistration(std::vector<std::string> objects) : objects_(std::move(objects)) {
  const std::lock_guard lock(mutex());
  for (const std::string& object : objects_) {
    auto* entry = new Entry{{__jit_debug_descriptor.first_entry, nullptr, object.data(), object.size()}};
    if (entry->next_entry != nullptr) entry->next_entry->prev_entry = entry;
    __jit_debug_descriptor.first_entry = __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_descriptor.action_flag = kRegister;
    __jit_debug_register_code();
    entries_.push_back(entry);
  }
}

GdbRegistration::~GdbRegistration() {
  const std::lock_guard lock(mutex());
  for (Entry* entry : entries_) {
    if (entry->prev_entry != nullptr) {
      entry->prev_entry->next_entry = entry->next_entry;
    } else {
      __jit_debug_descriptor.first_entry = entry->next_entry;
    }
    if (entry->next_entry != nullptr) entry->next_entry->prev_entry = entry->prev_entry;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_descriptor.action_flag = kUnregister;
    __jit_debug_register_code();
    delete entry;
  }
}

}  // namespace descent::codegen
