#include "codegen/native/object_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string_view>

#include "codegen/native/descriptor.h"

namespace descent::codegen {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".objects";
constexpr char kMagic[8] = {'d', 'e', 's', 'c', 'o', 'b', 'j', '1'};

/// The head of an entry; then, for every object, its size in 8 bytes and its bytes.
struct Header {
  char magic[8];
  std::uint64_t count;
  std::uint64_t checksum;  ///< XXH3 of everything behind the head
};

/// Ours, and nobody else may write: code from there is run.
bool is_trusted(const struct stat& status) { return status.st_uid == ::geteuid() && (status.st_mode & 022) == 0; }

bool is_trusted_folder(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && is_trusted(status);
}

/// The head of an entry of these pieces.
Header header_of(std::string_view body, std::size_t pieces) {
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.count = pieces;
  header.checksum = XXH3_64bits(body.data(), body.size());
  return header;
}

/// The pieces of a body; nothing where it is not one of so many.
std::optional<std::vector<std::string_view>> pieces_of(std::string_view body, std::uint64_t count) {
  std::vector<std::string_view> pieces;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t size = 0;
    if (body.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, body.data(), sizeof size);
    body.remove_prefix(sizeof size);
    if (body.size() < size) return std::nullopt;
    pieces.push_back(body.substr(0, size));
    body.remove_prefix(size);
  }
  if (!body.empty()) return std::nullopt;
  return pieces;
}

struct Entry {
  fs::path path;
  std::uint64_t bytes;
  fs::file_time_type used;
};

/// Entries, and files that a process which died left half written; the least recently used first.
std::vector<Entry> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    std::error_code gone;  // another process may remove it meanwhile
    if (at->path().filename().string().find(kSuffix) == std::string::npos) continue;
    const auto bytes = at->file_size(gone);
    const auto used = at->last_write_time(gone);
    if (!gone) entries.push_back({at->path(), bytes, used});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  return entries;
}

void remove_least_used(const std::string& folder, std::uint64_t limit) {
  const std::vector<Entry> entries = entries_of(folder);
  std::uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  for (const Entry& entry : entries) {
    if (total <= limit) return;
    std::error_code ignored;
    fs::remove(entry.path, ignored);
    total -= entry.bytes;
  }
}

}  // namespace

ObjectCache::ObjectCache(std::string folder, std::uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

/// The pieces of a regular file of ours; nothing otherwise.
std::optional<CacheEntry> ObjectCache::read(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status = {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || !is_trusted(status)) return std::nullopt;
  const auto size = static_cast<std::size_t>(status.st_size);
  Header header = {};
  if (size < sizeof header) return std::nullopt;
  CacheEntry entry;
  entry.bytes_ = std::make_unique_for_overwrite<char[]>(size);
  if (read_all(file.number(), entry.bytes_.get(), size) != size) return std::nullopt;
  std::memcpy(&header, entry.bytes_.get(), sizeof header);
  const std::string_view body(entry.bytes_.get() + sizeof header, size - sizeof header);
  const Header expected = header_of(body, header.count);
  if (std::memcmp(&header, &expected, sizeof header) != 0) return std::nullopt;
  auto pieces = pieces_of(body, header.count);
  if (!pieces) return std::nullopt;
  entry.pieces_ = std::move(*pieces);
  // Used now: kept longest. Once an hour is often enough.
  if (status.st_mtime + 3600 < ::time(nullptr)) ::futimens(file.number(), nullptr);
  return entry;
}

std::optional<CacheEntry> ObjectCache::find(const std::string& key) {
  const std::string path = folder_ + "/" + key + kSuffix;
  if (folder_.empty() || ::access(path.c_str(), F_OK) != 0) {
    ++misses_;
    return std::nullopt;
  }
  if (is_trusted_folder(folder_)) {
    if (auto entry = read(path)) {
      ++hits_;
      return entry;
    }
  }
  ++damaged_;
  return std::nullopt;
}

void ObjectCache::store(const std::string& key, std::span<const std::string_view> pieces) {
  if (folder_.empty()) return;
  std::error_code ignored;
  if (!fs::exists(folder_, ignored)) {
    fs::create_directories(fs::path(folder_).parent_path(), ignored);
    ::mkdir(folder_.c_str(), 0700);
  }
  if (!is_trusted_folder(folder_)) return;
  static std::atomic<unsigned> count = 0;
  const std::string path = folder_ + "/" + key + kSuffix;
  const std::string unfinished = path + "." + std::to_string(::getpid()) + "-" + std::to_string(count++);
  {
    const Descriptor file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.number() < 0) return;
    std::string body;
    for (const std::string_view piece : pieces) {
      const std::uint64_t size = piece.size();
      body.append(reinterpret_cast<const char*>(&size), sizeof size);
      body += piece;
    }
    const Header header = header_of(body, pieces.size());
    const std::string_view all[] = {{reinterpret_cast<const char*>(&header), sizeof header}, body};
    if (write_all(file.number(), all) != 0 || ::rename(unfinished.c_str(), path.c_str()) != 0) {
      ::unlink(unfinished.c_str());
      return;
    }
  }
  remove_least_used(folder_, limit_);
}

std::uint64_t ObjectCache::clear() {
  std::uint64_t removed = 0;
  if (folder_.empty()) return removed;
  for (const Entry& entry : entries_of(folder_)) {
    std::error_code failed;
    removed += fs::remove(entry.path, failed) && !failed;
  }
  return removed;
}

ObjectCache::Statistics ObjectCache::statistics() const {
  Statistics s{hits_, misses_, damaged_, 0, 0};
  if (folder_.empty()) return s;
  for (const Entry& entry : entries_of(folder_)) {
    ++s.entries;
    s.bytes += entry.bytes;
  }
  return s;
}

std::string default_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string own = variable("DESCENT_CACHE"); !own.empty()) return own == "off" ? "" : own;
  if (const std::string caches = variable("XDG_CACHE_HOME"); caches.starts_with("/")) return caches + "/descent";
  if (const std::string home = variable("HOME"); home.starts_with("/")) return home + "/.cache/descent";
  return "";
}

}  // namespace descent::codegen
