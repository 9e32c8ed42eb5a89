// What the compiler made, on disk, so that it need not be made again.
//
// One file an entry, named by its key, in a folder that belongs to the user alone. A file is written under another name
// and renamed, so that any number of processes may read and write at once; its content is checksummed, so that a
// damaged one is as good as none. When all files together are larger than the limit, those unused for longest are
// removed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace descent::codegen {

/// What was stored under a key, as it was read: the pieces lie one behind the other.
class CacheEntry {
 public:
  std::span<const std::string_view> pieces() const { return pieces_; }

 private:
  friend class ObjectCache;
  std::unique_ptr<char[]> bytes_;
  std::vector<std::string_view> pieces_;
};

class ObjectCache {
 public:
  static constexpr std::uint64_t kDefaultLimit = std::uint64_t{256} << 20;

  /// Uses the folder, made when the first entry is stored. Empty: a cache that holds nothing.
  explicit ObjectCache(std::string folder, std::uint64_t limit = kDefaultLimit);

  /// The pieces stored under the key: object files, and texts that belong to them. Nothing where there is no such
  /// entry, or one that cannot be trusted: damaged, of another user, or in a folder to which others may write.
  std::optional<CacheEntry> find(const std::string& key);
  /// Failure is silent: a full disk is no reason not to train.
  void store(const std::string& key, std::span<const std::string_view> pieces);
  /// Removes every entry; returns how many there were.
  std::uint64_t clear();

  struct Statistics {
    std::uint64_t hits = 0, misses = 0, damaged = 0;  ///< of this process
    std::uint64_t entries = 0, bytes = 0;             ///< in the folder
  };
  Statistics statistics() const;
  void count_damaged() { ++damaged_; }
  bool is_open() const { return !folder_.empty(); }  ///< or one that holds nothing
  const std::string& folder() const { return folder_; }
  std::uint64_t limit() const { return limit_; }

 private:
  static std::optional<CacheEntry> read(const std::string& path);

  std::string folder_;
  std::uint64_t limit_;
  std::atomic<std::uint64_t> hits_ = 0, misses_ = 0, damaged_ = 0;
};

/// descent/ in $XDG_CACHE_HOME, or in ~/.cache; $DESCENT_CACHE instead, where `off` stands for none.
std::string default_cache_folder();

}  // namespace descent::codegen
