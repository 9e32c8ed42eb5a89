#include "codegen/native/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "codegen/compile.h"

namespace descent::codegen {

namespace {

std::int64_t cache_size(int name, std::int64_t otherwise) {
  const long size = sysconf(name);
  return size > 0 ? size : otherwise;
}

/// The processors that a control group's file cpu.max allows: "max 100000" is any number, "150000 100000" (microseconds
/// of a period) are two.
int allowed_by(const std::string& file, int otherwise) {
  std::ifstream in(file);
  double quota = 0, period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return otherwise;
  return std::max(1, static_cast<int>(std::ceil(std::min(quota / period, static_cast<double>(otherwise)))));
}

}  // namespace

int host_processors() {
  cpu_set_t bound;
  CPU_ZERO(&bound);
  int processors = sched_getaffinity(0, sizeof bound, &bound) == 0
                       ? CPU_COUNT(&bound)
                       : static_cast<int>(std::thread::hardware_concurrency());
  processors = std::max(1, processors);
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    // The quota of each group limits the groups in it.
    for (std::string path = line.substr(3); !path.empty(); path.resize(path.find_last_of('/')))
      processors = allowed_by("/sys/fs/cgroup" + path + "/cpu.max", processors);
  }
  return processors;
}

passes::Machine this_machine() {
  passes::Machine machine;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool fuses = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  passes::set_vectors(machine, fuses && __builtin_cpu_supports("avx512f") ? passes::Vectors::avx512
                               : fuses                                    ? passes::Vectors::avx2
                               : __builtin_cpu_supports("sse4.1")         ? passes::Vectors::sse4
                                                                          : passes::Vectors::sse2);
#else
  passes::set_vectors(machine, passes::Vectors::neon);
#endif
  machine.level1 = cache_size(_SC_LEVEL1_DCACHE_SIZE, machine.level1);
  machine.level2 = cache_size(_SC_LEVEL2_CACHE_SIZE, machine.level2);
  return machine;
}

std::string host_identity() {
  // The first processor's lines but those that change from moment to moment or from core to core.
  std::ifstream file("/proc/cpuinfo");
  std::string identity, line;
  while (std::getline(file, line) && !line.empty()) {
    const std::string name = line.substr(0, line.find_first_of("\t:"));
    for (const char* kept : {"vendor_id", "cpu family", "model", "model name", "stepping", "flags", "CPU implementer",
                             "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"}) {
      if (name == kept) identity += line + "\n";
    }
  }
  const passes::Machine machine = this_machine();
  std::ostringstream caches;
  caches << "caches " << machine.level1 << " " << machine.level2 << "\n";
  return identity + caches.str();
}

}  // namespace descent::codegen
