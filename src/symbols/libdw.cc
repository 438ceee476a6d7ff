#include "symbols/libdw.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <optional>
#include <type_traits>

#include "symbols/debug_file.h"

namespace trc::symbols::libdw {
namespace {

/// Sections that say nothing of types and functions' parameters.
constexpr std::array<std::string_view, 7> kNotOfTypes = {".debug_line", ".debug_frame", ".debug_macro", ".debug_macinfo", ".debug_pubnames",
                                                         ".debug_gnu_pubnames", ".debug_names"};

bool is_wanted(const ElfSection& section, Part part) {
  if (!section.name.starts_with(".debug") && !section.name.starts_with(".zdebug") && !section.name.starts_with(".gnu_debug")) return false;
  if (part == Part::All) return true;
  for (const std::string_view name : kNotOfTypes) {
    if (section.name == name) return false;
  }
  return true;
}

/// Copies bytes of the file to their place. False if the file is not as long as it was.
bool copy(const ElfReader& file, Bytes& to, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kPiece = 1 << 22;
  if (offset > to.size() || size > to.size() - offset) return false;
  for (std::uint64_t done = 0; done < size;) {
    const std::string piece = file.read(offset + done, std::min(kPiece, size - done));
    if (piece.empty()) return false;
    std::memcpy(to.data() + offset + done, piece.data(), piece.size());
    done += piece.size();
  }
  return true;
}

/// The header, the table of sections with their names, and the wanted sections. libelf reads nothing else of a file that has no use for its segments.
bool copy_wanted(const ElfReader& file, Bytes& to, Part part) {
  constexpr std::uint64_t kHeader = 64;   // sizeof(Elf64_Ehdr), the larger one
  if (!copy(file, to, 0, std::min<std::uint64_t>(kHeader, to.size()))) return false;
  std::uint64_t table = 0, entry = 0, count = 0, names = 0;
  if (file.is_64bit()) {
    Elf64_Ehdr header;
    if (to.size() < sizeof header) return false;
    std::memcpy(&header, to.data(), sizeof header);
    table = header.e_shoff, entry = header.e_shentsize, count = header.e_shnum, names = header.e_shstrndx;
  } else {
    Elf32_Ehdr header;
    if (to.size() < sizeof header) return false;
    std::memcpy(&header, to.data(), sizeof header);
    table = header.e_shoff, entry = header.e_shentsize, count = header.e_shnum, names = header.e_shstrndx;
  }
  // More sections than the header can count: all of the file, which is rare.
  if (count == 0 || names >= file.sections().size()) return copy(file, to, 0, to.size());
  if (!copy(file, to, table, entry * count)) return false;
  for (std::size_t i = 0; i < file.sections().size(); ++i) {
    const ElfSection& section = file.sections()[i];
    if (section.type == SHT_NOBITS || (i != names && !is_wanted(section, part))) continue;
    if (!copy(file, to, section.offset, section.size)) return false;
  }
  return true;
}

std::unique_ptr<Loaded> load_one(const ElfReader& file, Part part) {
  if (functions() == nullptr || !file.is_native_order() || file.section(".debug_info") == nullptr) return nullptr;
  auto loaded = std::make_unique<Loaded>(file.size());
  if (loaded->bytes.data() == nullptr || !copy_wanted(file, loaded->bytes, part)) return nullptr;
  ::elf_version(EV_CURRENT);
  loaded->elf = ElfHandle(::elf_memory(loaded->bytes.data(), loaded->bytes.size()));
  if (!loaded->elf) return nullptr;
  loaded->dwarf = DwarfHandle(functions()->dwarf_begin_elf(loaded->elf.get(), DWARF_C_READ, nullptr));
  return loaded->dwarf ? std::move(loaded) : nullptr;
}

/// The file that several debug files share parts in; null if it is not there. libdw would look for it itself, by a name that may be anything, and map it.
std::unique_ptr<Loaded> load_shared(const std::string& build_id, Part part) {
  if (build_id.size() < 3) return nullptr;
  const auto file = ElfReader::open(fmt::format("/usr/lib/debug/.build-id/{}/{}.debug", build_id.substr(0, 2), build_id.substr(2)));
  return file && read_build_id(*file) == build_id ? load_one(*file, part) : nullptr;
}

}  // namespace

const Functions* functions() {
  static const std::optional<Functions> kFunctions = []() -> std::optional<Functions> {
    void* handle = ::dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return std::nullopt;
    Functions functions;
    bool complete = true;
    const auto load = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
      complete &= function != nullptr;
    };
#define TRC_DW_LOAD(name) load(functions.name, #name);
    TRC_DW_FUNCTIONS(TRC_DW_LOAD)
#undef TRC_DW_LOAD
    return complete ? std::optional(functions) : std::nullopt;
  }();
  return kFunctions ? &*kFunctions : nullptr;
}

void end_dwarf(Dwarf* dwarf) { functions()->dwarf_end(dwarf); }

Bytes::Bytes(std::size_t size) : size_(size) {
  void* memory = size == 0 ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) data_ = static_cast<char*>(memory);
}

Bytes::~Bytes() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

std::unique_ptr<Loaded> load(const ElfReader& file, Part part) {
  auto main = load_one(file, part);
  if (!main) return nullptr;
  const char* name = nullptr;
  const void* id = nullptr;
  const ssize_t size = functions()->dwelf_dwarf_gnu_debugaltlink(main->dwarf.get(), &name, &id);
  if (size == 0) return main;
  std::string build_id;
  for (ssize_t i = 0; i < size; ++i) build_id += fmt::format("{:02x}", static_cast<const unsigned char*>(id)[i]);
  main->shared = load_shared(build_id, part);
  if (!main->shared) return nullptr;
  functions()->dwarf_setalt(main->dwarf.get(), main->shared->dwarf.get());
  return main;
}

bool is_split(Dwarf_Die& unit) {
  Dwarf_Attribute attribute;
  return functions()->dwarf_attr(&unit, DW_AT_dwo_name, &attribute) != nullptr || functions()->dwarf_attr(&unit, DW_AT_GNU_dwo_name, &attribute) != nullptr;
}

}  // namespace trc::symbols::libdw
