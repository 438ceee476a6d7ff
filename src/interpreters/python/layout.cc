// The offsets were taken from CPython's headers with offsetof. A layout is fixed within a minor version from its first release
// candidate on. 3.13 and later publish most offsets in _PyRuntime; those are read there, since builds differ (free threading, debugging),
// and only the rest is known here.
#include "interpreters/python/layout.h"

#include <fmt/format.h>

namespace trc::interpreters::python {
namespace {

constexpr std::uint16_t kAbsent = TRC_PY_ABSENT;
constexpr unsigned kFinalRelease = 0xf;
constexpr std::uint64_t kLargestOffset = 0x4000;   // no member lies further inside; larger numbers are damage

constexpr trc_py_layout kPython311{
    .runtime_interpreters = 40, .runtime_key = 592, .runtime_current = 576,
    .interpreter_next = 0, .interpreter_threads = 16,
    .thread_next = 8, .thread_id = 152, .thread_frame = 56,
    .cframe_frame = 8, .cframe_previous = 16,
    .frame_code = 32, .frame_previous = 48, .frame_instruction = 56, .frame_owner = 69, .frame_entry = 68, .frame_shim = kAbsent,
    .code_first_line = 72, .code_file = 112, .code_qualname = 128, .code_lines = 136, .code_first_traceable = 168, .code_instructions = 184,
    .code_version = kAbsent,
    .object_type = 8, .bytes_size = 16, .bytes_data = 32,
    .string_length = 16, .string_state = 32, .string_ascii = 48, .string_data = 72, .string_shift = 0};

constexpr trc_py_layout kPython312{
    .runtime_interpreters = 40, .runtime_key = 1544, .runtime_current = kAbsent,
    .interpreter_next = 0, .interpreter_threads = 72,
    .thread_next = 8, .thread_id = 136, .thread_frame = 56,
    .cframe_frame = 0, .cframe_previous = 8,
    .frame_code = 0, .frame_previous = 8, .frame_instruction = 56, .frame_owner = 70, .frame_entry = kAbsent, .frame_shim = 3,
    .code_first_line = 68, .code_file = 112, .code_qualname = 128, .code_lines = 136, .code_first_traceable = 176, .code_instructions = 192,
    .code_version = 92,
    .object_type = 8, .bytes_size = 16, .bytes_data = 32,
    .string_length = 16, .string_state = 32, .string_ascii = 40, .string_data = 56, .string_shift = 0};

/// What a version with published offsets does not publish, and where it publishes the rest.
struct Published {
  std::uint16_t runtime_key;
  std::uint16_t code_version, code_first_traceable;   // of a build without free threading, whose objects begin 16 bytes earlier
  bool free_threaded_known;
  unsigned thread, frame, code;                       // the words that these groups begin at
};
constexpr Published kPython313{.runtime_key = 2160, .code_version = 92, .code_first_traceable = 184, .free_threaded_known = true,
                               .thread = 19, .frame = 28, .code = 34};
constexpr Published kPython314{.runtime_key = 2336, .code_version = 92, .code_first_traceable = 192, .free_threaded_known = false,
                               .thread = 22, .frame = 31, .code = 39};

Result<trc_py_layout> read_published(const Published& version, std::span<const std::uint64_t> words, const std::string& name) {
  if (words.size() < kDebugWords || words[0] != kDebugCookie) return Error(fmt::format("the debug offsets of {} are not where they belong", name));
  const bool free_threaded = words[2] != 0;
  if (free_threaded && !version.free_threaded_known) return Error(fmt::format("{} without the global lock (free threading) is not supported yet", name));
  bool sane = true;
  const auto word = [&](unsigned i) {
    if (words[i] > kLargestOffset) sane = false;
    return static_cast<std::uint16_t>(words[i]);
  };
  const std::uint16_t header = free_threaded ? 16 : 0;   // objects begin with so much more
  trc_py_layout layout{
      .runtime_interpreters = word(5), .runtime_key = version.runtime_key, .runtime_current = kAbsent,
      .interpreter_next = word(8), .interpreter_threads = word(9),
      .thread_next = word(version.thread + 2), .thread_id = word(version.thread + 5), .thread_frame = word(version.thread + 4),
      .cframe_frame = kAbsent, .cframe_previous = kAbsent,
      .frame_code = word(version.frame + 2), .frame_previous = word(version.frame + 1), .frame_instruction = word(version.frame + 3),
      .frame_owner = word(version.frame + 5), .frame_entry = kAbsent, .frame_shim = 3,
      .code_first_line = word(version.code + 5), .code_file = word(version.code + 1), .code_qualname = word(version.code + 3),
      .code_lines = word(version.code + 4),
      .code_first_traceable = static_cast<std::uint16_t>(version.code_first_traceable + header),
      .code_instructions = word(version.code + 9),
      .code_version = static_cast<std::uint16_t>(version.code_version + header),
      .object_type = static_cast<std::uint16_t>(8 + header), .bytes_size = static_cast<std::uint16_t>(16 + header),
      .bytes_data = static_cast<std::uint16_t>(32 + header),
      .string_length = static_cast<std::uint16_t>(16 + header), .string_state = static_cast<std::uint16_t>(32 + header),
      .string_ascii = static_cast<std::uint16_t>(40 + header), .string_data = static_cast<std::uint16_t>(56 + header), .string_shift = 0};
  if (!sane) return Error(fmt::format("the debug offsets of {} make no sense", name));
  return layout;
}

}  // namespace

std::string version_name(std::uint32_t version) {
  std::string name = fmt::format("Python {}.{}.{}", version >> 24, version >> 16 & 0xff, version >> 8 & 0xff);
  const unsigned level = version >> 4 & 0xf, serial = version & 0xf;
  if (level == 0xa) name += fmt::format("a{}", serial);
  else if (level == 0xb) name += fmt::format("b{}", serial);
  else if (level == 0xc) name += fmt::format("rc{}", serial);
  return name;
}

Result<trc_py_layout> layout_of(std::uint32_t version, std::span<const std::uint64_t> debug_words) {
  const std::string name = version_name(version);
  if (version >> 24 == 3 && version >> 16 <= 0x030a) return Error(name + " is too old: trc reads the frames of 3.11 and later").hint("its native frames are still shown by ustack");
  if ((version >> 4 & 0xf) != kFinalRelease) return Error(name + " is a pre-release, whose layout is not fixed");
  switch (version >> 16) {
    case 0x030b: return kPython311;
    case 0x030c: return kPython312;
    case 0x030d: return read_published(kPython313, debug_words, name);
    case 0x030e: return read_published(kPython314, debug_words, name);
    default: return Error(name + " is newer than what trc knows: it reads the frames of 3.11 to 3.14");
  }
}

}  // namespace trc::interpreters::python
