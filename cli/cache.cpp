// The cache of compiled code: what is in it, and emptying it.
#include "cli/commands.h"
#include "cli/output.h"
#include "runtime/model.h"

namespace descent::cli {

int cache(const CacheArguments& a) {
  const auto cache = object_cache();
  if (cache->folder().empty()) {
    print("no cache: the environment variable DESCENT_CACHE is 'off', or there is no home folder\n");
    return 0;
  }
  if (a.clear) {
    print("{}: {} entries removed\n", cache->folder(), cache->clear());
    return 0;
  }
  const auto s = cache->statistics();
  print("{}: {} entries, {:.1f} of at most {:.0f} MiB\n", cache->folder(), s.entries,
        static_cast<double>(s.bytes) / (1 << 20), static_cast<double>(cache->limit()) / (1 << 20));
  return 0;
}

}  // namespace descent::cli
