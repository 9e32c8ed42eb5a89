#include "codegen/native/object_image.h"

#include "codegen/native/debuggers.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <stdexcept>

namespace descent::codegen {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("object file: " + what); }

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
constexpr Elf64_Half kMachine = EM_NONE;
#endif

/// A jump to an address anywhere in memory, for calls whose displacement would not reach it: 16 bytes.
constexpr std::size_t kJumpBytes = 16, kLineBytes = 64;
void write_jump(unsigned char* at, std::uint64_t target) {
#if defined(__aarch64__)
  const std::uint32_t code[2] = {0x58000050, 0xD61F0200};  // ldr x16, #8; br x16
  std::memcpy(at, code, sizeof code);
#else
  const unsigned char code[6] = {0xFF, 0x25, 0x02, 0, 0, 0};  // jmp [rip + 2]
  std::memcpy(at, code, sizeof code);
#endif
  std::memcpy(at + 8, &target, sizeof target);
}

/// One object file: its headers, checked before they are followed.
class Object {
 public:
  explicit Object(std::string_view bytes) : bytes_(bytes) {
    header_ = at<Elf64_Ehdr>(0);
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 || header_.e_ident[EI_CLASS] != ELFCLASS64 ||
        header_.e_type != ET_REL || header_.e_machine != kMachine || header_.e_shentsize != sizeof(Elf64_Shdr)) {
      fail("it is not a relocatable one of this machine");
    }
    for (std::size_t i = 0; i < header_.e_shnum; ++i) {
      sections_.push_back(at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr)));
    }
    if (header_.e_shstrndx >= sections_.size()) fail("it has no names of sections");
  }

  template <typename T>
  T at(std::uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) fail("it ends too early");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }

  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  const Elf64_Shdr& section(std::size_t index) const {
    if (index >= sections_.size()) fail("a section is missing");
    return sections_[index];
  }
  const char* data(const Elf64_Shdr& s) const {
    if (s.sh_offset > bytes_.size() || bytes_.size() - s.sh_offset < s.sh_size) fail("a section ends too late");
    return bytes_.data() + s.sh_offset;
  }
  std::string name(const Elf64_Shdr& strings, std::uint64_t offset) const {
    const char* begin = data(strings);
    if (offset >= strings.sh_size) fail("a name is missing");
    return {begin + offset, strnlen(begin + offset, strings.sh_size - offset)};
  }
  /// The file, with the address of every section in its header.
  template <typename AddressOf>
  std::string with_addresses(AddressOf address_of) const {
    std::string copy(bytes_);
    for (std::size_t i = 0; i < sections_.size(); ++i) {
      Elf64_Shdr section = sections_[i];
      section.sh_addr = address_of(i);
      std::memcpy(copy.data() + header_.e_shoff + i * sizeof section, &section, sizeof section);
    }
    return copy;
  }
  /// Code and constants, which are kept in memory. Tables to unwind the stack are not: no exception passes a kernel.
  bool is_loaded(const Elf64_Shdr& s) const {
    if ((s.sh_flags & SHF_ALLOC) == 0 || s.sh_size == 0) return false;
    if (name(section(header_.e_shstrndx), s.sh_name) == ".eh_frame") return false;
    if (s.sh_type != SHT_PROGBITS || (s.sh_flags & (SHF_WRITE | SHF_TLS)) != 0) fail("it has writable data");
    return true;
  }

 private:
  std::string_view bytes_;
  Elf64_Ehdr header_;
  std::vector<Elf64_Shdr> sections_;
};

/// Memory that is written first and executable afterwards, never both.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : size_(bytes) {
    base_ =
        static_cast<unsigned char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Memory() { munmap(base_, size_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  unsigned char* base() const { return base_; }
  std::unique_ptr<GdbRegistration> known_to_gdb;
  void make_executable() {
    if (mprotect(base_, size_, PROT_READ | PROT_EXEC) != 0) fail("its memory cannot be made executable");
    __builtin___clear_cache(reinterpret_cast<char*>(base_), reinterpret_cast<char*>(base_ + size_));
  }

 private:
  unsigned char* base_ = nullptr;
  std::size_t size_;
};

std::size_t aligned(std::size_t offset, std::uint64_t to) {
  if (to == 0 || (to & (to - 1)) != 0 || to > 4096) fail("a section has an alignment that is no power of two");
  return (offset + to - 1) / to * to;
}

class Loader {
 public:
  explicit Loader(std::span<const std::string_view> files) : objects_(files.begin(), files.end()) {}

  Linked run() {
    lay_out();
    memory_ = std::make_shared<Memory>(total_);
    copy();
    find_symbols();
    for (std::size_t o = 0; o < objects_.size(); ++o) relocate(o);
    memory_->make_executable();
    if (wants_debug_names()) memory_->known_to_gdb = name_for_tools();
    return {memory_, std::move(exported_)};
  }

 private:
  void lay_out() {
    // Sanitizers look for a signature in front of a function that is called by its address: there is memory.
    total_ = kLineBytes;
    std::size_t calls = 0;
    for (const Object& object : objects_) {
      std::vector<std::size_t>& places = places_.emplace_back(object.sections().size(), kNowhere);
      for (std::size_t s = 0; s < places.size(); ++s) {
        const Elf64_Shdr& section = object.sections()[s];
        if (section.sh_type != SHT_NOBITS) object.data(section);  // which says if it is not there
        if (section.sh_type == SHT_SYMTAB) calls += section.sh_size / sizeof(Elf64_Sym);
        if (!object.is_loaded(section)) continue;
        total_ = places[s] = aligned(total_, std::max<std::uint64_t>(1, section.sh_addralign));
        total_ += section.sh_size;
      }
    }
    // At most one jump for every symbol.
    next_jump_ = aligned(total_, kJumpBytes);
    total_ = next_jump_ + std::max<std::size_t>(1, calls) * kJumpBytes;
  }

  void copy() {
    for (std::size_t o = 0; o < objects_.size(); ++o) {
      for (std::size_t s = 0; s < places_[o].size(); ++s) {
        if (places_[o][s] == kNowhere) continue;
        const Elf64_Shdr& section = objects_[o].sections()[s];
        std::memcpy(memory_->base() + places_[o][s], objects_[o].data(section), section.sh_size);
      }
    }
  }

  std::uint64_t address(std::size_t object, std::size_t section, std::uint64_t offset) const {
    const Elf64_Shdr& header = objects_[object].section(section);
    if (places_[object][section] == kNowhere || offset > header.sh_size) fail("a symbol lies outside of the code");
    return reinterpret_cast<std::uint64_t>(memory_->base()) + places_[object][section] + offset;
  }

  template <typename Visit>
  void each_symbol(std::size_t o, Visit visit) const {
    for (const Elf64_Shdr& table : objects_[o].sections()) {
      if (table.sh_type != SHT_SYMTAB) continue;
      for (std::uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); ++i) {
        visit(table, objects_[o].at<Elf64_Sym>(table.sh_offset + i * sizeof(Elf64_Sym)));
      }
    }
  }

  void find_symbols() {
    for (std::size_t o = 0; o < objects_.size(); ++o) {
      each_symbol(o, [&](const Elf64_Shdr& table, const Elf64_Sym& symbol) {
        if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || symbol.st_shndx == SHN_UNDEF) return;
        if (symbol.st_shndx >= SHN_LORESERVE) fail("a symbol is in no section");
        const std::string name = objects_[o].name(objects_[o].section(table.sh_link), symbol.st_name);
        globals_[name] = address(o, symbol.st_shndx, symbol.st_value);
        exported_[name] = reinterpret_cast<void*>(globals_[name]);
      });
    }
  }

  std::unique_ptr<GdbRegistration> name_for_tools() const {
    std::vector<CodeSymbol> symbols;
    std::vector<std::string> located;  // the objects, whose headers say where sections are in memory
    for (std::size_t o = 0; o < objects_.size(); ++o) {
      each_symbol(o, [&](const Elf64_Shdr& table, const Elf64_Sym& symbol) {
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx >= SHN_LORESERVE) return;
        symbols.push_back({objects_[o].name(objects_[o].section(table.sh_link), symbol.st_name),
                           address(o, symbol.st_shndx, symbol.st_value), symbol.st_size});
      });
      located.push_back(objects_[o].with_addresses(
          [&](std::size_t section) { return places_[o][section] == kNowhere ? 0 : address(o, section, 0); }));
    }
    tell_perf(symbols);
    return std::make_unique<GdbRegistration>(std::move(located));
  }

  std::uint64_t value_of(std::size_t o, const Elf64_Shdr& table, const Elf64_Sym& symbol) {
    if (symbol.st_shndx != SHN_UNDEF) {
      if (symbol.st_shndx >= SHN_LORESERVE) fail("a symbol is in no section");
      return address(o, symbol.st_shndx, symbol.st_value);
    }
    const std::string name = objects_[o].name(objects_[o].section(table.sh_link), symbol.st_name);
    if (const auto at = globals_.find(name); at != globals_.end()) return at->second;
    void* function = dlsym(RTLD_DEFAULT, name.c_str());  // memcpy, memset and the like
    if (function == nullptr) fail("there is no function '" + name + "'");
    unsigned char* jump = memory_->base() + next_jump_;
    next_jump_ += kJumpBytes;
    write_jump(jump, reinterpret_cast<std::uint64_t>(function));
    return globals_[name] = reinterpret_cast<std::uint64_t>(jump);
  }

  void relocate(std::size_t o) {
    const Object& object = objects_[o];
    for (const Elf64_Shdr& relocations : object.sections()) {
      if (relocations.sh_type == SHT_REL) fail("it has relocations without addends");
      if (relocations.sh_type != SHT_RELA || relocations.sh_info >= places_[o].size() ||
          places_[o][relocations.sh_info] == kNowhere) {
        continue;
      }
      const Elf64_Shdr& symbols = object.section(relocations.sh_link);
      const Elf64_Shdr& target = object.section(relocations.sh_info);
      for (std::uint64_t i = 0; i < relocations.sh_size / sizeof(Elf64_Rela); ++i) {
        const auto r = object.at<Elf64_Rela>(relocations.sh_offset + i * sizeof(Elf64_Rela));
        const auto symbol = object.at<Elf64_Sym>(symbols.sh_offset + ELF64_R_SYM(r.r_info) * sizeof(Elf64_Sym));
        if (r.r_offset > target.sh_size || target.sh_size - r.r_offset < 4)
          fail("a relocation lies outside of the code");
        apply(static_cast<std::uint32_t>(ELF64_R_TYPE(r.r_info)), address(o, relocations.sh_info, r.r_offset),
              value_of(o, symbols, symbol) + static_cast<std::uint64_t>(r.r_addend), target.sh_size - r.r_offset);
      }
    }
  }

  /// Puts what a symbol's value plus addend is, in the form that the relocation asks for, where `place` is.
  static void apply(std::uint32_t type, std::uint64_t place, std::uint64_t value, std::uint64_t room) {
    auto* at = reinterpret_cast<unsigned char*>(place);
    const auto distance = static_cast<std::int64_t>(value - place);
#if defined(__aarch64__)
    const auto patch = [&](std::uint32_t mask, std::uint64_t bits) {
      std::uint32_t code;
      std::memcpy(&code, at, sizeof code);
      code = (code & ~mask) | (static_cast<std::uint32_t>(bits) & mask);
      std::memcpy(at, &code, sizeof code);
    };
    const auto low = [&](unsigned shift) { patch(0x3FFC00, ((value & 0xFFF) >> shift) << 10); };
    switch (type) {
      case R_AARCH64_ADR_PREL_PG_HI21: {
        const auto pages = static_cast<std::int64_t>((value & ~0xFFFull) - (place & ~0xFFFull)) >> 12;
        if (pages < -(1 << 20) || pages >= 1 << 20) fail("a symbol is too far away");
        return patch(0x60FFFFE0, (static_cast<std::uint64_t>(pages & 3) << 29) |
                                     (static_cast<std::uint64_t>((pages >> 2) & 0x7FFFF) << 5));
      }
      case R_AARCH64_ADD_ABS_LO12_NC:
      case R_AARCH64_LDST8_ABS_LO12_NC:
        return low(0);
      case R_AARCH64_LDST16_ABS_LO12_NC:
        return low(1);
      case R_AARCH64_LDST32_ABS_LO12_NC:
        return low(2);
      case R_AARCH64_LDST64_ABS_LO12_NC:
        return low(3);
      case R_AARCH64_LDST128_ABS_LO12_NC:
        return low(4);
      case R_AARCH64_CALL26:
      case R_AARCH64_JUMP26:
        if (distance < -(1 << 27) || distance >= 1 << 27) fail("a symbol is too far away");
        return patch(0x3FFFFFF, static_cast<std::uint64_t>(distance >> 2));
      case R_AARCH64_ABS64:
        if (room < 8) fail("a relocation lies outside of the code");
        std::memcpy(at, &value, sizeof value);
        return;
      default:
        fail("it has a relocation of the type " + std::to_string(type));
    }
#else
    switch (type) {
      case R_X86_64_PC32:
      case R_X86_64_PLT32: {
        if (distance < std::numeric_limits<std::int32_t>::min() ||
            distance > std::numeric_limits<std::int32_t>::max()) {
          fail("a symbol is too far away");
        }
        const auto near = static_cast<std::int32_t>(distance);
        std::memcpy(at, &near, sizeof near);
        return;
      }
      case R_X86_64_64:
        if (room < 8) fail("a relocation lies outside of the code");
        std::memcpy(at, &value, sizeof value);
        return;
      default:
        fail("it has a relocation of the type " + std::to_string(type));
    }
#endif
  }

  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  std::vector<Object> objects_;
  std::vector<std::vector<std::size_t>> places_;  // by object and section: offset in memory
  std::size_t total_ = 0, next_jump_ = 0;
  std::shared_ptr<Memory> memory_;
  std::map<std::string, std::uint64_t> globals_;
  std::map<std::string, void*> exported_;
};

}  // namespace

Linked load_objects(std::span<const std::string_view> objects) { return Loader(objects).run(); }

}  // namespace descent::codegen
