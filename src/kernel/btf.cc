#include "kernel/btf.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <tuple>

#include "base/owned.h"
#include "base/read_file.h"

namespace trc::kernel {
namespace {

constexpr std::string_view kRawPrefix = "btf_trace_";
constexpr const char* kVmlinux = "/sys/kernel/btf/vmlinux";
constexpr unsigned kMaxNesting = 32;   // of typedefs and structures; damaged BTF may go in circles
constexpr std::uint32_t kStride = 32;  // a place for each of 126,000 types would take longer to write than a few to look up

/// Bytes that follow the header of a type: `fixed`, and `each` for each of the things that it counts.
struct Trailing { std::uint8_t fixed = 0, each = 0; bool known = false; };

/// By kind. What is not known is from a later kernel than this reader.
constexpr auto kTrailing = [] {
  std::array<Trailing, BTF_INFO_KIND(~0u) + 1> kinds{};
  kinds[BTF_KIND_INT] = {4, 0, true};
  kinds[BTF_KIND_ARRAY] = {sizeof(btf_array), 0, true};
  kinds[BTF_KIND_STRUCT] = kinds[BTF_KIND_UNION] = {0, sizeof(btf_member), true};
  kinds[BTF_KIND_ENUM] = {0, sizeof(btf_enum), true};
  kinds[BTF_KIND_FUNC_PROTO] = {0, sizeof(btf_param), true};
  kinds[BTF_KIND_VAR] = {sizeof(btf_var), 0, true};
  kinds[BTF_KIND_DATASEC] = {0, sizeof(btf_var_secinfo), true};
  kinds[BTF_KIND_DECL_TAG] = {sizeof(btf_decl_tag), 0, true};
  kinds[BTF_KIND_ENUM64] = {0, sizeof(btf_enum64), true};
  for (const auto kind : {BTF_KIND_PTR, BTF_KIND_FWD, BTF_KIND_TYPEDEF, BTF_KIND_VOLATILE, BTF_KIND_CONST, BTF_KIND_RESTRICT, BTF_KIND_FUNC, BTF_KIND_FLOAT,
                          BTF_KIND_TYPE_TAG}) {
    kinds[kind] = {0, 0, true};
  }
  return kinds;
}();

std::size_t trailing_size(std::uint32_t info) {
  const Trailing& trailing = kTrailing[BTF_INFO_KIND(info)];
  return trailing.fixed + std::size_t{trailing.each} * BTF_INFO_VLEN(info);
}

constexpr auto kKinds = [] {
  std::array<BtfKind, BTF_INFO_KIND(~0u) + 1> kinds{};
  kinds[BTF_KIND_INT] = BtfKind::Integer;
  kinds[BTF_KIND_PTR] = BtfKind::Pointer;
  kinds[BTF_KIND_ARRAY] = BtfKind::Array;
  kinds[BTF_KIND_STRUCT] = BtfKind::Struct;
  kinds[BTF_KIND_UNION] = BtfKind::Union;
  kinds[BTF_KIND_ENUM] = kinds[BTF_KIND_ENUM64] = BtfKind::Enum;
  kinds[BTF_KIND_FWD] = BtfKind::Forward;
  kinds[BTF_KIND_TYPEDEF] = BtfKind::Typedef;
  kinds[BTF_KIND_VOLATILE] = kinds[BTF_KIND_CONST] = kinds[BTF_KIND_RESTRICT] = BtfKind::Qualifier;
  kinds[BTF_KIND_TYPE_TAG] = BtfKind::TypeTag;
  kinds[BTF_KIND_FUNC] = BtfKind::Function;
  kinds[BTF_KIND_FUNC_PROTO] = BtfKind::Prototype;
  kinds[BTF_KIND_FLOAT] = BtfKind::Float;
  return kinds;
}();

bool is_structure(std::uint32_t info) { return BTF_INFO_KIND(info) == BTF_KIND_STRUCT || BTF_INFO_KIND(info) == BTF_KIND_UNION; }

template <class T>
T read_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

/// The bytes of a file, mapped or read.
class Btf::Storage {
 public:
  explicit Storage(std::string text) : text_(std::move(text)), bytes_(text_) {}
  Storage(const void* mapped, std::size_t size) : bytes_(static_cast<const char*>(mapped), size), is_mapped_(true) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage() {
    if (is_mapped_) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string text_;
  std::string_view bytes_;
  bool is_mapped_ = false;
};

Btf::Btf(Btf&& other) noexcept = default;
Btf& Btf::operator=(Btf&& other) noexcept = default;
Btf::~Btf() = default;

Result<Btf> Btf::parse(std::string bytes, const Btf* base) { return parse_stored(std::make_unique<Storage>(std::move(bytes)), base); }

Result<Btf> Btf::open(const std::string& path, const Btf* base) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error::from_errno("open " + path);
  struct stat status {};
  // Only a file of the kernel's own: one that somebody may cut short must not be mapped.
  struct statfs system {};
  const bool is_constant = ::fstat(fd.get(), &status) == 0 && status.st_size > 0 && ::fstatfs(fd.get(), &system) == 0 && system.f_type == SYSFS_MAGIC;
  if (is_constant) {
    const auto size = static_cast<std::size_t>(status.st_size);
    const void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapped != MAP_FAILED) return parse_stored(std::make_unique<Storage>(mapped, size), base);
  }
  TRC_TRY(bytes, read_all(fd.get(), path));
  return parse(std::move(bytes), base);
}

Result<Btf> Btf::parse_stored(std::unique_ptr<const Storage> storage, const Btf* base) {
  const std::string_view bytes = storage->bytes();
  Btf btf;
  btf.storage_ = std::move(storage);
  btf.bytes_ = bytes;
  btf.base_ = base;
  if (bytes.size() < sizeof(btf_header)) return Error("BTF: the file is too short");
  const auto header = read_at<btf_header>(bytes, 0);
  if (header.magic != BTF_MAGIC) return Error("BTF: not a BTF file of this byte order");
  const std::uint64_t types = std::uint64_t{header.hdr_len} + header.type_off, strings = std::uint64_t{header.hdr_len} + header.str_off;
  if (types + header.type_len > bytes.size() || strings + header.str_len > bytes.size()) return Error("BTF: the file is damaged");
  btf.types_ = types;
  btf.strings_ = strings;
  btf.strings_size_ = header.str_len;
  const std::uint32_t first = btf.first_id();
  for (std::size_t at = 0; at < header.type_len; ++btf.count_) {
    if (header.type_len - at < sizeof(btf_type)) return Error("BTF: the file is damaged");
    const auto type = read_at<btf_type>(bytes, types + at);
    if (!kTrailing[BTF_INFO_KIND(type.info)].known) return Error("BTF: the kernel uses a kind of type that this version of trc does not know");
    if (btf.count_ % kStride == 0) btf.landmarks_.push_back(static_cast<std::uint32_t>(at));
    if (is_structure(type.info) && type.name_off != 0) btf.structures_.push_back({first + btf.count_, type.name_off});
    const std::size_t size = trailing_size(type.info);
    if (header.type_len - at - sizeof(btf_type) < size) return Error("BTF: the file is damaged");
    at += sizeof(btf_type) + size;
  }
  return btf;
}

/// Where a type of this file begins.
std::optional<std::size_t> Btf::position(std::uint32_t id) const {
  if (id < first_id() || id >= end_id()) return std::nullopt;
  const std::uint32_t number = id - first_id();
  std::size_t at = types_ + landmarks_[number / kStride];
  for (std::uint32_t skip = number % kStride; skip != 0; --skip) at += sizeof(btf_type) + trailing_size(read_at<btf_type>(bytes_, at).info);
  return at;
}

std::optional<Btf::Record> Btf::record(std::uint32_t id) const {
  if (base_ && id < first_id()) return base_->record(id);
  const auto at = position(id);
  if (!at) return std::nullopt;
  const auto type = read_at<btf_type>(bytes_, *at);
  return Record{type.name_off, type.info, type.type};
}

std::uint32_t Btf::strings_end() const {
  return static_cast<std::uint32_t>(strings_size_) + (base_ ? base_->strings_end() : 0);
}

/// The string section from a string on.
std::string_view Btf::string_from(std::uint32_t offset) const {
  const std::uint32_t start = base_ ? base_->strings_end() : 0;
  if (offset < start) return base_->string_from(offset);
  if (offset >= strings_end()) return "";
  return bytes_.substr(strings_ + (offset - start), strings_size_ - (offset - start));
}

std::string_view Btf::string_at(std::uint32_t offset) const {
  const std::string_view rest = string_from(offset);
  return rest.substr(0, rest.find('\0'));
}

std::optional<std::uint32_t> Btf::probe_arguments(std::uint32_t pointer_id) const {
  const auto pointer = record(pointer_id);
  if (!pointer || BTF_INFO_KIND(pointer->info) != BTF_KIND_PTR) return std::nullopt;
  const auto function = record(pointer->size_or_type);
  if (!function || BTF_INFO_KIND(function->info) != BTF_KIND_FUNC_PROTO || BTF_INFO_VLEN(function->info) == 0) return std::nullopt;
  return BTF_INFO_VLEN(function->info) - 1;  // the first parameter is the probe's own
}

/// What follows the header of a type.
std::string_view Btf::trailing(std::uint32_t id) const {
  if (base_ && id < first_id()) return base_->trailing(id);
  const auto at = position(id);
  if (!at) return {};
  return bytes_.substr(*at + sizeof(btf_type), trailing_size(read_at<btf_type>(bytes_, *at).info));
}

/// The type behind typedefs and qualifiers.
Btf::Record Btf::without_names(std::uint32_t id, std::uint32_t& found) const {
  for (unsigned steps = 0; steps < kMaxNesting; ++steps) {
    const auto type = record(id);
    if (!type) return {};
    switch (BTF_INFO_KIND(type->info)) {
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_TYPE_TAG: id = type->size_or_type; break;
      default: found = id; return *type;
    }
  }
  return {};
}

std::optional<std::uint64_t> Btf::offset_in(std::uint32_t id, std::string_view path, unsigned depth) const {
  const Record structure = without_names(id, id);
  const auto kind = BTF_INFO_KIND(structure.info);
  if (depth > kMaxNesting || (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION)) return std::nullopt;
  const std::string_view name = path.substr(0, path.find('.'));
  const std::string_view rest = name.size() == path.size() ? std::string_view() : path.substr(name.size() + 1);
  const std::string_view members = trailing(id);
  for (std::size_t at = 0; at + sizeof(btf_member) <= members.size(); at += sizeof(btf_member)) {
    btf_member member;
    std::memcpy(&member, members.data() + at, sizeof member);
    const bool has_width = BTF_INFO_KFLAG(structure.info);
    const std::uint64_t bits = has_width ? BTF_MEMBER_BIT_OFFSET(member.offset) : member.offset;
    const std::string_view member_name = string_at(member.name_off);
    if (member_name.empty()) {
      if (const auto inner = offset_in(member.type, path, depth + 1)) return bits / 8 + *inner;
    } else if (member_name == name) {
      if (bits % 8 != 0 || (has_width && BTF_MEMBER_BITFIELD_SIZE(member.offset) != 0)) return std::nullopt;
      if (rest.empty()) return bits / 8;
      const auto inner = offset_in(member.type, rest, depth + 1);
      return inner ? std::optional(bits / 8 + *inner) : std::nullopt;
    }
  }
  return std::nullopt;
}

BtfType Btf::type(std::uint32_t id) const {
  if (base_ && id < first_id()) return base_->type(id);
  const auto found = id == 0 ? std::nullopt : record(id);
  if (!found) return {};
  BtfType type{.kind = kKinds[BTF_INFO_KIND(found->info)], .name = string_at(found->name)};
  const bool flag = BTF_INFO_KFLAG(found->info);
  switch (type.kind) {
    case BtfKind::Integer: {
      type.size = found->size_or_type;
      const auto encoding = BTF_INT_ENCODING(read_at<std::uint32_t>(trailing(id), 0));
      type.is_signed = encoding & BTF_INT_SIGNED;
      type.is_bool = encoding & BTF_INT_BOOL;
      break;
    }
    case BtfKind::Struct:
    case BtfKind::Union:
    case BtfKind::Float: type.size = found->size_or_type; break;
    case BtfKind::Enum:
      type.size = found->size_or_type;
      type.is_signed = flag;
      break;
    case BtfKind::Forward: type.is_union = flag; break;
    case BtfKind::Qualifier: {
      const auto kind = BTF_INFO_KIND(found->info);
      type.name = kind == BTF_KIND_CONST ? "const" : kind == BTF_KIND_VOLATILE ? "volatile" : "restrict";
      type.target = found->size_or_type;
      break;
    }
    case BtfKind::Pointer:
    case BtfKind::Typedef:
    case BtfKind::TypeTag:
    case BtfKind::Function:
    case BtfKind::Prototype: type.target = found->size_or_type; break;
    case BtfKind::Array:
    case BtfKind::Unknown: break;
  }
  return type;
}

std::vector<BtfMember> Btf::members(std::uint32_t id) const {
  std::vector<BtfMember> members;
  const auto structure = record(id);
  if (!structure || !is_structure(structure->info)) return members;
  const std::string_view bytes = trailing(id);
  const bool has_widths = BTF_INFO_KFLAG(structure->info);
  for (std::size_t at = 0; at + sizeof(btf_member) <= bytes.size(); at += sizeof(btf_member)) {
    const auto member = read_at<btf_member>(bytes, at);
    members.push_back({string_at(member.name_off), member.type, has_widths ? BTF_MEMBER_BIT_OFFSET(member.offset) : member.offset,
                       has_widths ? BTF_MEMBER_BITFIELD_SIZE(member.offset) : 0});
  }
  return members;
}

BtfArray Btf::array(std::uint32_t id) const {
  if (type(id).kind != BtfKind::Array) return {};
  const auto array = read_at<btf_array>(trailing(id), 0);
  return {array.type, array.nelems};
}

std::vector<BtfEnumerator> Btf::enumerators(std::uint32_t id) const {
  std::vector<BtfEnumerator> all;
  const auto enumeration = record(id);
  if (!enumeration) return all;
  const std::string_view bytes = trailing(id);
  const bool is_signed = BTF_INFO_KFLAG(enumeration->info);
  if (BTF_INFO_KIND(enumeration->info) == BTF_KIND_ENUM) {
    for (std::size_t at = 0; at + sizeof(btf_enum) <= bytes.size(); at += sizeof(btf_enum)) {
      const auto one = read_at<btf_enum>(bytes, at);
      all.push_back({string_at(one.name_off), is_signed ? std::int64_t{one.val} : std::int64_t{static_cast<std::uint32_t>(one.val)}});
    }
  } else if (BTF_INFO_KIND(enumeration->info) == BTF_KIND_ENUM64) {
    for (std::size_t at = 0; at + sizeof(btf_enum64) <= bytes.size(); at += sizeof(btf_enum64)) {
      const auto one = read_at<btf_enum64>(bytes, at);
      all.push_back({string_at(one.name_off), static_cast<std::int64_t>(std::uint64_t{one.val_hi32} << 32 | one.val_lo32)});
    }
  }
  return all;
}

std::vector<BtfParameter> Btf::parameters(std::uint32_t id) const {
  std::vector<BtfParameter> all;
  if (type(id).kind != BtfKind::Prototype) return all;
  const std::string_view bytes = trailing(id);
  for (std::size_t at = 0; at + sizeof(btf_param) <= bytes.size(); at += sizeof(btf_param)) {
    const auto one = read_at<btf_param>(bytes, at);
    all.push_back({string_at(one.name_off), one.type});
  }
  return all;
}

/// Where a name stands in the strings, those of the base included. Names are not repeated, as a rule; a text that only ends like the name
/// may hold it too. So the types can be searched by comparing numbers.
std::vector<std::uint32_t> Btf::offsets_of(std::string_view name) const {
  std::vector<std::uint32_t> offsets;
  if (name.empty()) return offsets;
  if (base_) offsets = base_->offsets_of(name);
  const std::uint32_t start = base_ ? base_->strings_end() : 0;
  const std::string_view strings = bytes_.substr(strings_, strings_size_);
  const std::string wanted = std::string(name) + '\0';
  for (std::size_t from = 0; from < strings.size();) {   // memmem: far faster here than string_view::find
    const void* place = ::memmem(strings.data() + from, strings.size() - from, wanted.data(), wanted.size());
    if (place == nullptr) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(place) - strings.data());
    offsets.push_back(start + static_cast<std::uint32_t>(at));
    from = at + 1;
  }
  return offsets;
}

std::optional<std::uint32_t> Btf::find(BtfKind kind, std::string_view name) const {
  if (kind == BtfKind::Function && !functions_.empty()) {
    const auto place = std::lower_bound(functions_.begin(), functions_.end(), name, [](const BtfFunction& a, std::string_view b) { return a.name < b; });
    return place != functions_.end() && place->name == name ? std::optional(place->id) : std::nullopt;
  }
  const std::vector<std::uint32_t> offsets = offsets_of(name);
  if (offsets.empty()) return std::nullopt;
  std::size_t at = types_;
  for (std::uint32_t number = 0; number < count_; ++number) {
    const auto type = read_at<btf_type>(bytes_, at);
    at += sizeof type + trailing_size(type.info);
    if (kKinds[BTF_INFO_KIND(type.info)] == kind && std::count(offsets.begin(), offsets.end(), type.name_off) != 0) return first_id() + number;
  }
  return std::nullopt;
}

const std::vector<BtfFunction>& Btf::functions() const {
  if (!functions_.empty()) return functions_;
  std::size_t at = types_;
  for (std::uint32_t number = 0; number < count_; ++number) {
    const auto type = read_at<btf_type>(bytes_, at);
    at += sizeof type + trailing_size(type.info);
    if (BTF_INFO_KIND(type.info) == BTF_KIND_FUNC) functions_.push_back({string_at(type.name_off), first_id() + number});
  }
  std::sort(functions_.begin(), functions_.end(), [](const BtfFunction& a, const BtfFunction& b) { return std::tie(a.name, a.id) < std::tie(b.name, b.id); });
  return functions_;
}

std::optional<BtfConstant> Btf::find_enumerator(std::string_view name) const {
  const std::vector<std::uint32_t> offsets = offsets_of(name);
  if (offsets.empty()) return std::nullopt;
  std::size_t at = types_;
  for (std::uint32_t number = 0; number < count_; ++number) {
    const auto type = read_at<btf_type>(bytes_, at);
    at += sizeof type + trailing_size(type.info);
    if (kKinds[BTF_INFO_KIND(type.info)] != BtfKind::Enum) continue;
    const std::uint32_t id = first_id() + number;
    for (const BtfEnumerator& one : enumerators(id)) {
      if (one.name == name) return BtfConstant{id, one.value};
    }
  }
  return std::nullopt;
}

std::vector<std::optional<std::uint64_t>> Btf::member_offsets(std::span<const std::string> members) const {
  std::vector<std::optional<std::uint64_t>> offsets(members.size());
  std::bitset<256> first_letters;   // there are thousands of structures, and few are asked for
  for (const std::string& member : members) {
    if (!member.empty()) first_letters.set(static_cast<unsigned char>(member.front()));
  }
  for (const Structure& structure : structures_) {
    const std::string_view rest = string_from(structure.name);
    if (rest.empty() || !first_letters[static_cast<unsigned char>(rest.front())]) continue;
    const std::string_view name = string_at(structure.name);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string_view member = members[i];
      if (offsets[i] || member.size() <= name.size() || member[name.size()] != '.' || !member.starts_with(name)) continue;
      offsets[i] = offset_in(structure.id, member.substr(name.size() + 1), 0);
    }
  }
  return offsets;
}

Result<std::vector<std::optional<std::uint64_t>>> kernel_member_offsets(std::span<const std::string> members) {
  TRC_TRY(btf, Btf::open(kVmlinux));
  return btf.member_offsets(members);
}

std::vector<RawTracepoint> Btf::raw_tracepoints() const {
  std::vector<RawTracepoint> found;
  std::size_t at = types_;
  for (std::uint32_t number = 0; number < count_; ++number) {
    const auto type = read_at<btf_type>(bytes_, at);
    at += sizeof type + trailing_size(type.info);
    if (BTF_INFO_KIND(type.info) != BTF_KIND_TYPEDEF || !string_from(type.name_off).starts_with(kRawPrefix)) continue;
    const std::string_view name = string_at(type.name_off);
    if (const auto arguments = probe_arguments(type.type)) found.push_back({std::string(name.substr(kRawPrefix.size())), *arguments});
  }
  std::sort(found.begin(), found.end(), [](const RawTracepoint& a, const RawTracepoint& b) { return a.name < b.name; });
  found.erase(std::unique(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name == b.name; }), found.end());
  return found;
}

}  // namespace trc::kernel
