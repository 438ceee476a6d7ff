#include "runtime/stack_text.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "stdlib/python_abi.h"
#include "stdlib/unwind_abi.h"
#include "symbols/symbolizer.h"

namespace trc::runtime {
namespace {

using symbols::Frame;

/// The address in a word of a user stack that is no Python frame.
std::uint64_t address_of(std::uint64_t word) { return word & ~TRC_STACK_SIGNAL_FRAME; }

/// The frames of a user stack. Return addresses belong to the call before, which may be the last instruction of its function.
class UserFrames {
 public:
  UserFrames(symbols::Symbolizer* symbolizer, std::uint32_t pid, std::uint64_t time) : symbolizer_(symbolizer), pid_(pid), time_(time) {}

  /// The frame of a word of the stack, after those that are inlined in it.
  std::vector<Frame> next(std::uint64_t word) {
    const std::uint64_t address = address_of(word);
    if (symbolizer_ == nullptr) return {{.address = address}};
    const bool is_signal_frame = address != word;
    const std::uint64_t back = is_exact_ || is_signal_frame || address == 0 ? 0 : 1;
    std::vector<Frame> frames = symbolizer_->user_frames(pid_, address - back, time_);
    for (Frame& frame : frames) {
      frame.address = address;
      if (!frame.symbol.empty()) frame.offset += back;
    }
    is_exact_ = is_signal_frame;
    return frames;
  }

 private:
  symbols::Symbolizer* symbolizer_;
  std::uint32_t pid_;
  std::uint64_t time_;
  bool is_exact_ = true;   // the innermost frame is
};

std::string symbol_text(const Frame& frame) {
  if (frame.is_inlined) return frame.symbol;
  return frame.symbol.empty() ? hexadecimal(frame.address, "0x") : frame.symbol + "+" + std::to_string(frame.offset);
}

/// Without debug information nothing.
std::string source_text(const Frame& frame) {
  return frame.file.empty() ? std::string() : " @ " + frame.file + (frame.line != 0 ? ":" + std::to_string(frame.line) : std::string());
}

/// As perf itself prints: the file of a user frame always, of a kernel frame only the module it is in.
std::string module_text(const Frame& frame, bool user) {
  if (user) return " (" + (frame.module.empty() ? std::string("[unknown]") : frame.module) + ")";
  return frame.module.empty() ? std::string() : " ([" + frame.module + "])";
}

std::string frame_text(const Frame& frame, bool perf, bool user) {
  const char* inlined = frame.is_inlined ? " [inlined]" : "";
  if (perf) return "\t" + hexadecimal(frame.address, "") + " " + symbol_text(frame) + inlined + module_text(frame, user) + "\n";
  return "        " + symbol_text(frame) + source_text(frame) + inlined + "\n";
}

/// The place of a call rather than that behind it.
void show_one_byte_back(std::vector<Frame>& frames) {
  for (Frame& frame : frames) {
    if (frame.is_inlined) continue;
    frame.address -= 1;
    if (frame.offset != 0) frame.offset -= 1;
  }
}

/// Where no file with a build-id is (generated code, the kernel) only the address can be said.
std::string location_text(std::uint64_t address, bool user, std::uint32_t pid, std::uint64_t time, const DecodeContext& context) {
  const auto location = user && context.symbolizer != nullptr ? context.symbolizer->user_location(pid, address, time) : std::nullopt;
  return location ? location->build_id + " " + hexadecimal(location->offset, "0x") : hexadecimal(address, "0x");
}

/// "Class.method (file.py:12)"; among native frames with a mark in front.
std::string interpreted_text(std::uint64_t word, std::uint32_t pid, bool marked, const DecodeContext& context) {
  if (word == TRC_PY_UNPLACED) return "[Python frames whose place among the others is not known:]";
  const auto frame = context.interpreted ? context.interpreted(pid, word) : std::nullopt;
  if (!frame) return "[a function whose name was lost]";
  std::string out = marked ? "[" + std::string(frame->tag) + "] " : "";
  out += frame->function + " (" + frame->file;
  if (frame->line) out += ":" + std::to_string(*frame->line);
  return out + ")";
}

}  // namespace

std::string hexadecimal(std::uint64_t number, const char* prefix) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%s%llx", prefix, static_cast<unsigned long long>(number));
  return digits;
}

bool is_kernel_root(std::string_view symbol) {
  static constexpr std::string_view kRoots[] = {"entry_SYSCALL_64_after_hwframe", "entry_SYSCALL_compat_after_hwframe", "entry_SYSENTER_compat_after_hwframe",
                                                "entry_INT80_compat", "ret_from_fork_asm", "common_startup_64", "secondary_startup_64_no_verify"};
  return std::find(std::begin(kRoots), std::end(kRoots), symbol) != std::end(kRoots);
}

std::string_view why_truncated(std::uint16_t end) {
  static constexpr std::string_view kTexts[] = {
#define TRC_STACK_END(name, text) text,
#include "stdlib/stack_ends.def"
#undef TRC_STACK_END
  };
  return end < std::size(kTexts) ? kTexts[end] : "unknown reason";
}

namespace {

/// The names of a frame's functions, innermost first, for a folded stack.
std::vector<std::string> folded_names(std::uint64_t address, bool user, std::uint32_t pid, UserFrames& user_frames, const DecodeContext& context) {
  if (interpreters::is_interpreted(address) && user) return {interpreted_text(address, pid, true, context)};
  std::vector<Frame> frames;
  if (user) frames = user_frames.next(address);
  else frames.push_back(context.symbolizer != nullptr ? context.symbolizer->kernel(address) : Frame{.address = address});
  std::vector<std::string> names;
  for (const Frame& frame : frames) names.push_back(frame.symbol.empty() ? hexadecimal(frame.address, "0x") : frame.symbol);
  return names;
}

/// One line, outermost first, functions only: what flame graphs are made of. ';' parts the frames, so in a name it becomes ':'.
std::string folded_text(const Stack& stack, bool user, std::uint32_t pid, const DecodeContext& context) {
  UserFrames user_frames(context.symbolizer, pid, stack.time_ns);
  std::vector<std::string> names;
  for (const std::uint64_t address : stack.frames) {
    for (std::string& name : folded_names(address, user, pid, user_frames, context)) names.push_back(std::move(name));
  }
  if (const std::string_view why = why_truncated(stack.end); !why.empty()) names.push_back("[truncated: " + std::string(why) + "]");
  std::string out;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    std::replace(name->begin(), name->end(), ';', ':');
    out += (out.empty() ? "" : ";") + *name;
  }
  return out;
}

}  // namespace

std::string stack_text(const lang::Type& type, const Stack& stack, std::uint32_t pid, const DecodeContext& context) {
  if (stack.frames.empty()) return {};
  const std::uint64_t time = stack.time_ns;
  const bool user = type.is(lang::TypeKind::UserStack);
  const std::string& mode = type.name.empty() ? context.settings.stack_mode : type.name;
  if (mode == "folded") return folded_text(stack, user, pid, context);
  UserFrames user_frames(context.symbolizer, pid, time);
  std::string out = "\n";
  for (const std::uint64_t word : stack.frames) {
    const std::uint64_t address = user ? address_of(word) : word;
    if (mode == "raw") {
      out += hexadecimal(address, "") + "\n";
      continue;
    }
    if (mode == "build_id") {
      out += location_text(address, user, pid, time, context) + "\n";
      continue;
    }
    if (interpreters::is_interpreted(word) && user) {
      out += "        " + interpreted_text(word, pid, mode == "mixed", context) + "\n";
      continue;
    }
    std::vector<Frame> shown;
    if (user) shown = user_frames.next(word);
    else shown.push_back(context.symbolizer != nullptr ? context.symbolizer->kernel(address) : Frame{.address = address});
    if (type.low == lang::kShownAsUnwound && &address != stack.frames.data()) show_one_byte_back(shown);
    for (const Frame& frame : shown) out += frame_text(frame, mode == "perf", user);
  }
  const bool is_whole = !user && stack.end == TRC_STACK_KernelLimit && context.symbolizer != nullptr &&
                        is_kernel_root(context.symbolizer->kernel(stack.frames.back()).symbol);
  if (const std::string_view why = why_truncated(stack.end); !why.empty() && !is_whole) {
    out += mode == "raw" || mode == "build_id" ? "" : mode == "perf" ? "\t" : "        ";
    out += type.low == lang::kShownAsUnwound ? "<unwind failure>\n" : "[truncated: " + std::string(why) + "]\n";
  }
  return out;
}

}  // namespace trc::runtime
