// Writes BTF byte by byte, as a kernel build would.
#pragma once

#include <linux/btf.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trc {

class BtfBuilder {
 public:
  explicit BtfBuilder(std::uint32_t first_string = 0) : first_string_(first_string) {
    if (first_string == 0) strings_ += '\0';
  }
  BtfBuilder& type(const char* name, std::uint32_t kind, std::uint32_t vlen, std::uint32_t target, std::size_t trailing) {
    const btf_type header{text(name), kind << 24 | vlen, {target}};   // vlen may bring the top bit
    types_.append(reinterpret_cast<const char*>(&header), sizeof header);
    types_.append(trailing, '\0');
    return *this;
  }
  struct Member { const char* name; std::uint32_t type, offset; };
  /// A structure or union; `with_widths`: offsets have the width of a bit field in their high byte.
  BtfBuilder& structure(const char* name, std::uint32_t kind, const std::vector<Member>& members, bool with_widths = false,
                        std::uint32_t size = 64) {
    type(name, kind, static_cast<std::uint32_t>(members.size()) | (with_widths ? 1u << 31 : 0), size, 0);
    for (const Member& member : members) {
      append(btf_member{text(member.name), member.type, member.offset});
    }
    return *this;
  }
  BtfBuilder& integer(const char* name, std::uint32_t size, std::uint32_t encoding = 0) {
    type(name, BTF_KIND_INT, 0, size, 0);
    return append(encoding << 24 | size * 8);
  }
  BtfBuilder& array(std::uint32_t element, std::uint32_t count) {
    type("", BTF_KIND_ARRAY, 0, 0, 0);
    return append(btf_array{element, 0, count});
  }
  BtfBuilder& enumeration(const char* name, const std::vector<std::pair<const char*, std::int32_t>>& values, bool is_signed = false) {
    type(name, BTF_KIND_ENUM, static_cast<std::uint32_t>(values.size()) | (is_signed ? 1u << 31 : 0), 4, 0);
    for (const auto& [one, value] : values) append(btf_enum{text(one), value});
    return *this;
  }
  BtfBuilder& enumeration64(const char* name, const std::vector<std::pair<const char*, std::int64_t>>& values) {
    type(name, BTF_KIND_ENUM64, static_cast<std::uint32_t>(values.size()), 8, 0);
    for (const auto& [one, value] : values) {
      append(btf_enum64{text(one), static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32)});
    }
    return *this;
  }
  BtfBuilder& prototype(std::uint32_t result, const std::vector<std::pair<const char*, std::uint32_t>>& parameters) {
    type("", BTF_KIND_FUNC_PROTO, static_cast<std::uint32_t>(parameters.size()), result, 0);
    for (const auto& [one, target] : parameters) append(btf_param{text(one), target});
    return *this;
  }
  std::string bytes() const {
    btf_header header{};
    header.magic = BTF_MAGIC;
    header.version = BTF_VERSION;
    header.hdr_len = sizeof header;
    header.type_len = static_cast<std::uint32_t>(types_.size());
    header.str_off = header.type_len;
    header.str_len = static_cast<std::uint32_t>(strings_.size());
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) + types_ + strings_;
  }

 private:
  std::uint32_t text(const char* name) {
    if (!*name) return 0;
    const auto at = first_string_ + static_cast<std::uint32_t>(strings_.size());
    strings_.append(name).push_back('\0');
    return at;
  }
  template <class T>
  BtfBuilder& append(const T& raw) {
    types_.append(reinterpret_cast<const char*>(&raw), sizeof raw);
    return *this;
  }

  std::uint32_t first_string_;
  std::string types_, strings_;
};

}  // namespace trc
