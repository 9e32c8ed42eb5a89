#include "runtime/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "ir/edit_distance.h"

namespace descent::runtime {

using codegen::Descriptor, codegen::write_all;

namespace {

std::string reason(int error_number) { return std::generic_category().message(error_number); }

/// The name in the path's folder that is nearest to the path's own; empty if there is none.
std::string nearest_file(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, failed), end;
  std::vector<std::string> names;
  for (; !failed && entry != end && names.size() < 1000; entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  const std::filesystem::path wanted = std::filesystem::path(path).filename();
  const auto name = ir::nearest(wanted.string(), names);
  // An extension in common makes no names alike.
  if (!name ||
      ir::edit_distance(wanted.string(), *name) > std::max<std::size_t>(1, wanted.stem().string().size() / 2)) {
    return "";
  }
  return (folder / *name).string();
}

Error unwritable_file(const std::string& path, int error_number) {
  if (error_number == EISDIR) return file_error(path, "cannot write the file: it is a folder");
  if (error_number == ENOENT) return file_error(path, "cannot write the file: its folder does not exist");
  return file_error(path, "cannot write the file: " + reason(error_number));
}

/// A new file beside the one it shall replace; removed unless it was committed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target)
      : target_(target), path_(unused_path(target)), descriptor_(create(path_)) {}
  ~TemporaryFile() {
    if (created() && !committed_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool created() const { return descriptor_.number() >= 0; }
  int descriptor() const { return descriptor_.number(); }

  /// Durable, closed and under its final name; 0 or the system's error number.
  int commit() {
    if (::fsync(descriptor()) != 0) return errno;
    if (const int failure = descriptor_.close()) return failure;
    if (::rename(path_.c_str(), target_.c_str()) != 0) return errno;
    committed_ = true;
    // The new name lives in the folder. Some file systems cannot sync a folder; the file itself is safe by now.
    const std::string folder = std::filesystem::path(target_).parent_path().string();
    const Descriptor parent(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.number() >= 0) ::fsync(parent.number());
    return 0;
  }

 private:
  static std::string unused_path(const std::string& target) {
    static std::atomic<unsigned> count = 0;
    return target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
  }
  static int create(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }

  std::string target_, path_;
  Descriptor descriptor_;
  bool committed_ = false;
};

}  // namespace

Error file_error(const std::string& path, const std::string& message, const std::string& hint) {
  return Error(Diagnostic{path, 0, 0, 1, message, hint, ""});
}

Error unreadable_file(const std::string& path, int error_number) {
  if (error_number == EISDIR) return file_error(path, "cannot read the file: it is a folder");
  if (error_number != ENOENT) return file_error(path, "cannot read the file: " + reason(error_number));
  const std::string similar = nearest_file(path);
  return file_error(path, "there is no such file", similar.empty() ? "" : "did you mean \"" + similar + "\"?");
}

InputFile::InputFile(const std::string& path) : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_.number() < 0) throw unreadable_file(path, errno);
  struct stat status = {};
  if (::fstat(descriptor_.number(), &status) == 0 && S_ISDIR(status.st_mode)) throw unreadable_file(path, EISDIR);
}

std::size_t InputFile::read(char* into, std::size_t size) {
  const auto count = codegen::read_all(descriptor_.number(), into, size);
  if (!count) throw unreadable_file(path_, errno);
  return *count;
}

bool InputFile::seek(std::size_t offset) {
  return ::lseek(descriptor_.number(), static_cast<off_t>(offset), SEEK_SET) >= 0;
}

std::string read_file(const std::string& path) {
  InputFile file(path);
  std::error_code failed;
  const std::uintmax_t known = std::filesystem::file_size(path, failed);
  std::string bytes;
  std::size_t filled = 0;
  // One byte more than the known size, so that the first read already meets the end.
  for (std::size_t size = failed ? 1u << 16 : known + 1;; size *= 2) {
    bytes.resize(size);
    filled += file.read(bytes.data() + filled, size - filled);
    if (filled < size) break;
  }
  bytes.resize(filled);
  return bytes;
}

namespace {

/// What stands at a path that shall be written.
struct Target {
  explicit Target(const std::string& name) : path(name) {
    exists = ::stat(name.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) throw unwritable_file(name, EISDIR);
    std::error_code failed;
    if (exists) {
      const std::string real = std::filesystem::canonical(name, failed).string();
      if (!failed) path = real;
      return;
    }
    // A link to what is not there yet: that is made, and the link stays.
    constexpr int most_links = 40;
    for (int links = 0; links < most_links && std::filesystem::is_symlink(path, failed); ++links) {
      const std::filesystem::path to = std::filesystem::read_symlink(path, failed);
      if (failed) return;
      path = (std::filesystem::path(path).parent_path() / to).string();
    }
  }
  /// A terminal or a pipe: it is written directly, since another file cannot take its place.
  bool is_special() const { return exists && !S_ISREG(status.st_mode); }

  std::string path;  ///< links followed
  bool exists = false;
  struct stat status = {};
};

}  // namespace

void write_file_atomically(const std::string& path, std::span<const std::string_view> pieces) {
  const Target target(path);
  if (target.is_special()) {
    Descriptor direct(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (direct.number() < 0) throw unwritable_file(path, errno);
    if (const int failure = write_all(direct.number(), pieces)) throw unwritable_file(path, failure);
    if (const int failure = direct.close()) throw unwritable_file(path, failure);
    return;
  }
  TemporaryFile file(target.path);
  if (!file.created()) throw unwritable_file(path, errno);
  // As it was; where that is not allowed, the default is fine.
  if (target.exists) (void)!::fchmod(file.descriptor(), target.status.st_mode & 07777);
  if (const int failure = write_all(file.descriptor(), pieces)) throw unwritable_file(path, failure);
  if (const int failure = file.commit()) throw unwritable_file(path, failure);
}

void check_writable(const std::string& path) {
  const Target target(path);
  if (target.is_special()) return;
  if (!TemporaryFile(target.path).created()) throw unwritable_file(path, errno);
}

}  // namespace descent::runtime
