#include "kernel/btf.h"

#include <linux/btf.h>

#include <algorithm>
#include <cstring>

#include "base/read_file.h"

namespace trc::kernel {
namespace {

constexpr std::string_view kRawPrefix = "btf_trace_";
constexpr const char* kVmlinux = "/sys/kernel/btf/vmlinux";
constexpr unsigned kMaxNesting = 32;   // of typedefs and structures; damaged BTF may go in circles

/// Bytes that follow the header of a type, or nullopt for a kind from a later kernel than this reader.
std::optional<std::size_t> trailing_size(std::uint32_t info) {
  const std::size_t vlen = BTF_INFO_VLEN(info);
  switch (BTF_INFO_KIND(info)) {
    case BTF_KIND_INT: return 4;
    case BTF_KIND_ARRAY: return sizeof(btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: return vlen * sizeof(btf_member);
    case BTF_KIND_ENUM: return vlen * sizeof(btf_enum);
    case BTF_KIND_FUNC_PROTO: return vlen * sizeof(btf_param);
    case BTF_KIND_VAR: return sizeof(btf_var);
    case BTF_KIND_DATASEC: return vlen * sizeof(btf_var_secinfo);
    case BTF_KIND_DECL_TAG: return sizeof(btf_decl_tag);
    case BTF_KIND_ENUM64: return vlen * sizeof(btf_enum64);
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case BTF_KIND_FLOAT:
    case BTF_KIND_TYPE_TAG: return 0;
    default: return std::nullopt;
  }
}

template <class T>
T read_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

Result<Btf> Btf::parse(std::string bytes, const Btf* base) {
  Btf btf;
  btf.base_ = base;
  if (bytes.size() < sizeof(btf_header)) return Error("BTF: the file is too short");
  const auto header = read_at<btf_header>(bytes, 0);
  if (header.magic != BTF_MAGIC) return Error("BTF: not a BTF file of this byte order");
  const std::uint64_t types = std::uint64_t{header.hdr_len} + header.type_off, strings = std::uint64_t{header.hdr_len} + header.str_off;
  if (types + header.type_len > bytes.size() || strings + header.str_len > bytes.size()) return Error("BTF: the file is damaged");
  btf.bytes_ = std::move(bytes);
  btf.types_ = types;
  btf.strings_ = strings;
  btf.strings_size_ = header.str_len;
  for (std::size_t at = 0; at < header.type_len;) {
    if (header.type_len - at < sizeof(btf_type)) return Error("BTF: the file is damaged");
    const auto size = trailing_size(read_at<btf_type>(btf.bytes_, types + at).info);
    if (!size) return Error("BTF: the kernel uses a kind of type that this version of trc does not know");
    if (header.type_len - at - sizeof(btf_type) < *size) return Error("BTF: the file is damaged");
    btf.offsets_.push_back(static_cast<std::uint32_t>(at));
    at += sizeof(btf_type) + *size;
  }
  return btf;
}

std::optional<Btf::Record> Btf::record(std::uint32_t id) const {
  if (base_ && id < first_id()) return base_->record(id);
  if (id < first_id() || id >= end_id()) return std::nullopt;
  const auto type = read_at<btf_type>(bytes_, types_ + offsets_[id - first_id()]);
  return Record{type.name_off, type.info, type.type};
}

std::uint32_t Btf::strings_end() const {
  return static_cast<std::uint32_t>(strings_size_) + (base_ ? base_->strings_end() : 0);
}

std::string_view Btf::string_at(std::uint32_t offset) const {
  const std::uint32_t start = base_ ? base_->strings_end() : 0;
  if (offset < start) return base_->string_at(offset);
  if (offset >= strings_end()) return "";
  const std::string_view rest(bytes_.data() + strings_ + (offset - start), strings_size_ - (offset - start));
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
  if (id < first_id() || id >= end_id()) return {};
  const std::size_t at = types_ + offsets_[id - first_id()];
  return std::string_view(bytes_).substr(at + sizeof(btf_type), trailing_size(read_at<btf_type>(bytes_, at).info).value_or(0));
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

std::vector<std::optional<std::uint64_t>> Btf::member_offsets(std::span<const std::string> members) const {
  std::vector<std::optional<std::uint64_t>> offsets(members.size());
  for (std::uint32_t id = first_id(); id < end_id(); ++id) {
    const auto type = record(id);
    if (!type || type->name == 0 || (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT && BTF_INFO_KIND(type->info) != BTF_KIND_UNION)) continue;
    const std::string_view name = string_at(type->name);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string_view member = members[i];
      if (offsets[i] || !member.starts_with(name) || member.size() <= name.size() || member[name.size()] != '.') continue;
      offsets[i] = offset_in(id, member.substr(name.size() + 1), 0);
    }
  }
  return offsets;
}

Result<std::vector<std::optional<std::uint64_t>>> kernel_member_offsets(std::span<const std::string> members) {
  TRC_TRY(bytes, read_file(kVmlinux));
  TRC_TRY(btf, Btf::parse(std::move(bytes)));
  return btf.member_offsets(members);
}

std::vector<RawTracepoint> Btf::raw_tracepoints() const {
  std::vector<RawTracepoint> found;
  for (std::uint32_t id = first_id(); id < end_id(); ++id) {
    const auto type = record(id);
    if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_TYPEDEF) continue;
    const std::string_view name = string_at(type->name);
    if (!name.starts_with(kRawPrefix)) continue;
    if (const auto arguments = probe_arguments(type->size_or_type)) found.push_back({std::string(name.substr(kRawPrefix.size())), *arguments});
  }
  std::sort(found.begin(), found.end(), [](const RawTracepoint& a, const RawTracepoint& b) { return a.name < b.name; });
  found.erase(std::unique(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name == b.name; }), found.end());
  return found;
}

}  // namespace trc::kernel
