#include "symbols/elf_reader.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "symbols/elf_file.h"
#include "symbols/zlib.h"

namespace trc::symbols {
namespace {

struct Class32 { using Header = Elf32_Ehdr; using Segment = Elf32_Phdr; using Section = Elf32_Shdr; using Symbol = Elf32_Sym; using Dynamic = Elf32_Dyn; };
struct Class64 { using Header = Elf64_Ehdr; using Segment = Elf64_Phdr; using Section = Elf64_Shdr; using Symbol = Elf64_Sym; using Dynamic = Elf64_Dyn; };

/// More than any real table has; a hostile sparse file may claim more than memory.
constexpr std::uint64_t kMaxTableBytes = std::uint64_t{1} << 30;

/// The records in `bytes`, the incomplete last one left out.
template <class T>
std::vector<T> records(const std::string& bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

std::string_view string_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return "";
  const std::string_view rest = table.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

Error not_elf(const std::string& path) {
  const std::string interpreter = script_interpreter(path);
  if (interpreter.empty()) return Error(path + " is not an ELF file");
  return Error(path + " is a script, not an ELF file")
      .hint(fmt::format("its interpreter is {}: probe that, or the program that the script starts", interpreter));
}

}  // namespace

Result<ElfReader> ElfReader::open(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return Error::from_errno("open " + path);
  return from_file(std::move(file), path);
}

Result<ElfReader> ElfReader::from_file(Fd file, const std::string& path) {
  ElfReader reader;
  reader.fd_ = std::move(file);
  struct stat st {};
  if (::fstat(reader.fd_.get(), &st) != 0) return Error::from_errno("stat " + path);
  if (!S_ISREG(st.st_mode)) return Error(path + (S_ISDIR(st.st_mode) ? " is a directory, not an ELF file" : " is not a regular file"));
  reader.size_ = static_cast<std::uint64_t>(st.st_size);
  TRC_CHECK(reader.parse(path));
  return reader;
}

Result<ElfReader> ElfReader::from_bytes(std::string bytes, const std::string& path) {
  ElfReader reader;
  reader.in_memory_ = true;
  reader.size_ = bytes.size();
  reader.bytes_ = std::move(bytes);
  TRC_CHECK(reader.parse(path));
  return reader;
}

std::string ElfReader::read(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= size_) return "";
  size = std::min({size, size_ - offset, kMaxTableBytes});
  if (in_memory_) return bytes_.substr(offset, size);
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd_.get(), out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

std::string ElfReader::read(const ElfSection& section) const {
  return has_bytes(section) ? read(section.offset, section.size) : "";
}

std::string ElfReader::read_unpacked(const ElfSection& section, std::uint64_t limit) const {
  if ((section.flags & SHF_COMPRESSED) == 0) return section.size <= limit ? read(section) : "";
  if (!is_64bit_ || section.type == SHT_NOBITS || section.offset > size_ || section.size > std::min(size_ - section.offset, limit)) return "";
  const std::string bytes = read(section.offset, section.size);
  Elf64_Chdr header;
  if (bytes.size() < sizeof header) return "";
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.ch_type != ELFCOMPRESS_ZLIB) return "";
  auto unpacked = unpack_zlib(std::string_view(bytes).substr(sizeof header), limit);
  return unpacked ? std::move(*unpacked) : "";
}

bool ElfReader::has_bytes(const ElfSection& section) const {
  if (section.type == SHT_NOBITS || (section.flags & SHF_COMPRESSED)) return false;
  return section.offset <= size_ && section.size <= size_ - section.offset;
}

const ElfSegment* ElfReader::segment_of(std::uint64_t address) const {
  for (const ElfSegment& segment : segments_) {
    if (segment.type == PT_LOAD && address >= segment.address && address - segment.address < segment.memory_size) return &segment;
  }
  return nullptr;
}

std::optional<std::uint64_t> ElfReader::file_offset(std::uint64_t address) const {
  const ElfSegment* segment = segment_of(address);
  if (!segment || address - segment->address >= segment->file_size) return std::nullopt;
  return segment->offset + (address - segment->address);
}

std::optional<std::uint64_t> ElfReader::virtual_address(std::uint64_t file_offset) const {
  for (const ElfSegment& segment : segments_) {
    if (segment.type == PT_LOAD && file_offset >= segment.offset && file_offset - segment.offset < segment.file_size) {
      return segment.address + (file_offset - segment.offset);
    }
  }
  return std::nullopt;
}

const ElfSection* ElfReader::section(std::string_view name) const {
  for (const ElfSection& section : sections_)
    if (section.name == name) return &section;
  return nullptr;
}

Result<> ElfReader::parse(const std::string& path) {
  const std::string ident = read(0, EI_NIDENT);
  if (ident.size() < EI_NIDENT || ident.compare(0, SELFMAG, ELFMAG) != 0) return not_elf(path);
  const auto word_class = static_cast<unsigned char>(ident[EI_CLASS]), order = static_cast<unsigned char>(ident[EI_DATA]);
  const bool known = (word_class == ELFCLASS32 || word_class == ELFCLASS64) && (order == ELFDATA2LSB || order == ELFDATA2MSB);
  if (!known) return Error(path + " is a damaged ELF file: its identification is not valid");
  is_64bit_ = word_class == ELFCLASS64;
  is_native_order_ = (order == ELFDATA2LSB) == (std::endian::native == std::endian::little);
  const Result<> tables = is_64bit_ ? parse_tables<Class64>() : parse_tables<Class32>();
  if (!tables) return Error(fmt::format("{} is a damaged ELF file: {}", path, tables.error().message()));
  return {};
}

template <class Class>
Result<> ElfReader::parse_tables() {
  const auto headers = records<typename Class::Header>(read(0, sizeof(typename Class::Header)));
  if (headers.empty()) return Error("it ends inside the header");
  const auto& header = headers.front();
  machine_ = header.e_machine;
  type_ = header.e_type;
  if (!is_native_order_) {
    machine_ = __builtin_bswap16(machine_);
    type_ = __builtin_bswap16(type_);
    return {};
  }
  if (header.e_phnum != 0) {
    if (header.e_phentsize != sizeof(typename Class::Segment)) return Error("its program headers have a wrong size");
    const std::string table = read(header.e_phoff, std::uint64_t{header.e_phnum} * header.e_phentsize);
    if (table.size() != std::size_t{header.e_phnum} * header.e_phentsize) return Error("its program headers lie outside the file");
    for (const auto& s : records<typename Class::Segment>(table))
      segments_.push_back({s.p_type, s.p_flags, s.p_offset, s.p_vaddr, s.p_filesz, s.p_memsz, s.p_align});
  }
  // Running needs no section headers, and strippers cut them off: without good ones there are no symbols, but no error either.
  if (header.e_shoff != 0 && header.e_shentsize == sizeof(typename Class::Section)) parse_sections<Class>(header);
  return {};
}

template <class Class>
void ElfReader::parse_sections(const typename Class::Header& header) {
  using Section = typename Class::Section;
  const auto first = records<Section>(read(header.e_shoff, sizeof(Section)));
  if (first.empty()) return;
  // Large files keep the counts in section 0.
  const std::uint64_t count = header.e_shnum != 0 ? header.e_shnum : first[0].sh_size;
  const std::uint64_t names_index = header.e_shstrndx == SHN_XINDEX ? first[0].sh_link : header.e_shstrndx;
  if (count > size_ / sizeof(Section)) return;
  const auto table = records<Section>(read(header.e_shoff, count * sizeof(Section)));
  std::vector<std::uint32_t> name_offsets;
  for (const Section& s : table) {
    sections_.push_back({"", s.sh_type, s.sh_link, s.sh_flags, s.sh_addr, s.sh_offset, s.sh_size, s.sh_entsize});
    name_offsets.push_back(s.sh_name);
  }
  if (names_index >= sections_.size()) return;
  const std::string names = read(sections_[names_index]);
  // Names may share bytes of one huge string; no section that we look for has a long one.
  constexpr std::size_t kMaxName = 64;
  for (std::size_t i = 0; i < sections_.size(); ++i) sections_[i].name = string_at(names, name_offsets[i]).substr(0, kMaxName);
}

bool ElfReader::read_symbols(const ElfSection& section, std::uint64_t first, std::vector<ElfSymbol>& out) const {
  constexpr std::uint64_t kAtOnce = 16384;
  out.clear();
  if (!has_bytes(section)) return false;
  const std::uint64_t size = is_64bit_ ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), count = section.size / size;
  if (first >= count) return false;
  const std::string bytes = read(section.offset + first * size, std::min(kAtOnce, count - first) * size);
  const auto add = [&](const auto& symbols) {
    out.reserve(symbols.size());
    for (const auto& s : symbols) {
      out.push_back({s.st_name, static_cast<std::uint8_t>(s.st_info & 0xf), static_cast<std::uint8_t>(s.st_info >> 4), s.st_shndx,
                     s.st_value, s.st_size});
    }
  };
  if (is_64bit_) add(records<Elf64_Sym>(bytes));
  else add(records<Elf32_Sym>(bytes));
  return !out.empty();
}

std::vector<ElfSymbol> ElfReader::symbols(const ElfSection& section) const {
  std::vector<ElfSymbol> out;
  for_each_symbol(section, [&](const ElfSymbol& symbol) { out.push_back(symbol); });
  return out;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> ElfReader::dynamic() const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  const auto add = [&](const auto& entries) {
    for (const auto& e : entries) {
      if (e.d_tag == DT_NULL) break;
      out.emplace_back(static_cast<std::uint64_t>(e.d_tag), e.d_un.d_val);
    }
  };
  for (const ElfSegment& segment : segments_) {
    if (segment.type != PT_DYNAMIC) continue;
    const std::string bytes = read(segment.offset, segment.file_size);
    if (is_64bit_) add(records<Elf64_Dyn>(bytes));
    else add(records<Elf32_Dyn>(bytes));
    break;
  }
  return out;
}

std::vector<ElfNote> parse_notes(std::string_view bytes, std::uint64_t align) {
  const std::uint64_t step = align == 8 ? 8 : 4;
  const auto round = [&](std::uint64_t n) { return (n + step - 1) / step * step; };
  std::vector<ElfNote> notes;
  std::uint64_t at = 0;
  while (at + sizeof(Elf64_Nhdr) <= bytes.size()) {
    Elf64_Nhdr header;  // the same in both word sizes
    std::memcpy(&header, bytes.data() + at, sizeof header);
    const std::uint64_t name = at + sizeof header, description = name + round(header.n_namesz), end = description + header.n_descsz;
    if (end > bytes.size()) break;
    std::string_view owner = bytes.substr(name, header.n_namesz);
    notes.push_back({header.n_type, owner.substr(0, owner.find('\0')), bytes.substr(description, header.n_descsz)});
    at = description + round(header.n_descsz);
  }
  return notes;
}

std::string script_interpreter(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return "";
  char buffer[256];
  const ssize_t got = ::pread(fd.get(), buffer, sizeof buffer, 0);
  std::string_view line(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (!line.starts_with("#!")) return "";
  line = line.substr(2, line.find('\n') == std::string_view::npos ? std::string_view::npos : line.find('\n') - 2);
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return "";
  line = line.substr(start);
  return std::string(line.substr(0, line.find_first_of(" \t")));
}

}  // namespace trc::symbols
