#include <cstdlib>
#include <memory>

#include <llvm/Demangle/Demangle.h>

#include "base/strings.h"
#include "symbols/symbolizer.h"

namespace trc::symbols {
namespace {

/// Takes over a malloc'ed text; empty when the demangler gave up.
std::string take(char* text) {
  const std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);
  return text != nullptr ? text : "";
}

/// "17h" and 16 hexadecimal digits: the hash that ends every path of Rust's older mangling, which otherwise looks like C++.
constexpr std::size_t kHashLength = 16;

bool has_rust_hash(std::string_view name) {
  constexpr std::string_view kMark = "17h";
  if (!name.ends_with('E') || name.size() < kMark.size() + kHashLength + 1) return false;
  const std::string_view tail = name.substr(name.size() - 1 - kHashLength - kMark.size());
  if (!tail.starts_with(kMark)) return false;
  for (const char c : tail.substr(kMark.size(), kHashLength)) {
    if (hex_digit(c) < 0) return false;
  }
  return true;
}

struct Escape { std::string_view code, text; };
constexpr Escape kRustEscapes[] = {{"SP", "@"}, {"BP", "*"}, {"RF", "&"}, {"LT", "<"}, {"GT", ">"}, {"LP", "("}, {"RP", ")"}, {"C", ","}};

/// The text of "$code$", empty if it is not one that Rust writes.
std::string rust_escape(std::string_view code) {
  for (const Escape& escape : kRustEscapes) {
    if (escape.code == code) return std::string(escape.text);
  }
  if (!code.starts_with('u')) return {};
  const auto character = parse_unsigned("0x" + std::string(code.substr(1)));
  return character && *character >= 0x20 && *character < 0x7f ? std::string(1, static_cast<char>(*character)) : std::string();
}

/// What the C++ demangler leaves of an older Rust name: "_$LT$T$u20$as$u20$a..B$GT$::f" is "<T as a::B>::f".
std::string unescape_rust(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.front() == '$' ? text.find('$', 1) : std::string_view::npos;
    const std::string escape = end == std::string_view::npos ? "" : rust_escape(text.substr(1, end - 1));
    const bool path_start = out.empty() || out.ends_with(':');
    if (!escape.empty()) {
      out += escape;
      text.remove_prefix(end + 1);
    } else if (text.starts_with("..")) {
      out += "::";
      text.remove_prefix(2);
    } else if (path_start && text.starts_with("_$")) {
      text.remove_prefix(1);  // an identifier must not start with '$', so Rust puts an underscore there
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string demangle_rust_legacy(std::string_view name) {
  // "path::name::h0123456789abcdef"
  const std::string path = take(llvm::itaniumDemangle(name));
  constexpr std::size_t kSuffix = 3 + kHashLength;
  return path.size() > kSuffix ? unescape_rust(std::string_view(path).substr(0, path.size() - kSuffix)) : std::string();
}

/// "_D3foo3barFiZv" is "foo.bar": the path alone. LLVM reads the types of variables, but not of functions.
std::string demangle_d_path(std::string_view name) {
  std::string out;
  name.remove_prefix(2);
  while (!name.empty() && is_digit(name.front())) {
    std::size_t length = 0;
    while (!name.empty() && is_digit(name.front()) && length <= name.size()) {
      length = length * 10 + static_cast<std::size_t>(name.front() - '0');
      name.remove_prefix(1);
    }
    if (length == 0 || length > name.size()) return {};
    if (!out.empty()) out += '.';
    out += name.substr(0, length);
    name.remove_prefix(length);
  }
  return out;
}

std::string demangle_d(std::string_view name) {
  std::string plain = take(llvm::dlangDemangle(name));
  return plain.empty() ? demangle_d_path(name) : plain;
}

}  // namespace

std::string demangle(std::string_view name) {
  std::string plain;
  if (name.starts_with("_Z") || name.starts_with("___Z")) {
    // The optimiser's mark on local Rust symbols; C++ ones show theirs in parentheses.
    const std::string_view base = name.substr(0, name.find(".llvm."));
    plain = has_rust_hash(base) ? demangle_rust_legacy(base) : take(llvm::itaniumDemangle(name));
  } else if (name.starts_with("_R")) {
    plain = take(llvm::rustDemangle(name));
  } else if (name.starts_with("_D")) {
    plain = demangle_d(name);
  }
  return plain.empty() ? std::string(name) : plain;
}

}  // namespace trc::symbols
