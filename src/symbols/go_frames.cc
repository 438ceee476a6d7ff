#include "symbols/go_frames.h"

#include <elf.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "stdlib/unwind_abi.h"
#include "symbols/byte_reader.h"
#include "symbols/elf_reader.h"

namespace trc::symbols {
namespace {

constexpr std::uint64_t kMaxTable = 256 << 20;
constexpr std::uint32_t kSince18 = 0xfffffff0, kSince20 = 0xfffffff1;
constexpr std::uint8_t kTopFrame = 1, kWritesStackPointer = 2;   // abi.FuncFlag

/// The head of the table: numbers of 8 bytes behind the first 8, the last five of them offsets of parts.
struct Head {
  std::uint32_t magic = 0;
  std::uint64_t functions = 0, files = 0, text = 0, names = 0, units = 0, file_names = 0, sizes = 0, index = 0;
};

std::optional<Head> read_head(std::string_view bytes) {
  ByteReader in(bytes);
  Head head;
  head.magic = in.fixed<std::uint32_t>();
  in.take(2);
  const std::uint8_t quantum = in.byte(), pointer = in.byte();
  for (std::uint64_t* number : {&head.functions, &head.files, &head.text, &head.names, &head.units, &head.file_names, &head.sizes, &head.index}) {
    *number = in.fixed<std::uint64_t>();
  }
  const bool known = head.magic == kSince18 || head.magic == kSince20;
  if (!in.ok() || !known || quantum != 1 || pointer != 8) return std::nullopt;
  if (head.names > bytes.size() || head.sizes > bytes.size() || head.index > bytes.size() || head.functions > bytes.size() / 8) return std::nullopt;
  return head;
}

const ElfSection* find_table(const ElfReader& file) {
  const ElfSection* section = file.section(".gopclntab");
  return section != nullptr ? section : file.section(".data.rel.ro.gopclntab");
}

/// What holds for all of a function, or TRC_UW_NONE.
std::uint64_t rule_of(std::string_view name, std::uint8_t flags) {
  // What a signal handler returns to: two instructions, which the table takes for a frame.
  if (name.starts_with("runtime.sigreturn")) return TRC_UW_RULE(TRC_UW_SIGNAL, 0, 0, 0, 0);
  // The runtime's own traces end at handlers of signals; ours go on to what was interrupted.
  const bool is_top = (flags & kTopFrame) != 0 && !name.starts_with("runtime.sig") && !name.starts_with("runtime.cgoSig");
  // mcall() leaves a goroutine's stack for good; the others run on a stack that nothing else is on.
  if (is_top || name == "runtime.mcall" || name.starts_with("runtime.clone") || name.starts_with("_rt0_")) return TRC_UW_RULE(TRC_UW_END, 0, 0, 0, 0);
  if ((flags & kWritesStackPointer) != 0) return TRC_UW_RULE(TRC_UW_OTHER_STACK, TRC_UW_FP_SAVED, 0, -16, 16);
  return TRC_UW_NONE;
}

}  // namespace

std::optional<GoFrames> GoFrames::read(const ElfReader& file) {
  const ElfSection* section = find_table(file);
  if (section == nullptr || section->size > kMaxTable) return std::nullopt;
  const ElfSection* text = file.section(".text");
  return parse(file.read(*section), text != nullptr ? text->address : 0);
}

std::optional<GoFrames> GoFrames::parse(std::string table, std::uint64_t text) {
  GoFrames frames;
  frames.bytes_ = std::make_unique<const std::string>(std::move(table));
  const std::string_view bytes = *frames.bytes_;
  auto head = read_head(bytes);
  if (!head) return std::nullopt;
  if (head->text == 0) head->text = text;   // a file that is loaded anywhere: the loader puts it there
  const std::string_view index = bytes.substr(head->index), names = bytes.substr(head->names);
  frames.sizes_ = bytes.substr(head->sizes);
  ByteReader in(index);
  std::uint64_t start = in.fixed<std::uint32_t>();
  for (std::uint64_t i = 0; i < head->functions; ++i) {
    const std::uint64_t at = in.fixed<std::uint32_t>(), next = in.fixed<std::uint32_t>();
    if (!in.ok() || next < start) break;
    const std::uint64_t begin = std::exchange(start, next);
    if (at > index.size() || begin == next) continue;
    // struct _func: entry, name, arguments, deferreturn, pcsp, pcfile, pcln, npcdata, unit, since 1.20 line; then funcID and flags.
    ByteReader details(index.substr(at));
    details.take(4);
    const std::uint64_t name = details.fixed<std::uint32_t>();
    details.take(8);
    const auto sizes = details.fixed<std::uint32_t>();
    details.take(head->magic == kSince20 ? 20 : 16);
    details.take(1);
    const std::uint8_t flags = details.byte();
    if (!details.ok() || name > names.size()) continue;
    ByteReader text_of_name(names.substr(name));
    const std::uint64_t rule = rule_of(text_of_name.text(), flags);
    Function function{head->text + begin, head->text + next, static_cast<std::uint32_t>(frames.details_.size())};
    // No call returns to the first byte of a function, but handlers do; and return addresses are looked up one byte before.
    if (TRC_UW_RULE_KIND(rule) == TRC_UW_SIGNAL && function.start != 0) --function.start;
    if (!frames.functions_.empty()) {
      Function& before = frames.functions_.back();
      before.end = std::min(before.end, function.start);
      if (before.start >= before.end) frames.functions_.pop_back();
    }
    frames.functions_.push_back(function);
    frames.details_.push_back({sizes, rule});
  }
  return frames;
}

void GoFrames::append_rows(const Function& function, std::vector<FrameRow>& rows) const {
  const Details& details = details_[function.index];
  if (details.rule != TRC_UW_NONE || details.frame_sizes == 0 || details.frame_sizes > sizes_.size()) {
    rows.push_back({function.start, details.rule});
    return;
  }
  // Pairs of differences: of the size, whose sign is in the lowest bit, and of the place up to which it holds. A size that does not change ends them.
  ByteReader in(sizes_.substr(details.frame_sizes));
  std::uint64_t from = function.start, size = ~std::uint64_t{0};   // -1
  while (from < function.end) {
    const std::uint64_t change = in.unsigned_leb();
    if (!in.ok() || (change == 0 && from != function.start)) break;
    size += (change & 1) != 0 ? ~(change >> 1) : change >> 1;
    const std::uint64_t length = in.unsigned_leb();
    if (!in.ok() || length == 0 || length > function.end - from) break;
    // Whatever has a frame keeps its caller's rbp at the top of it.
    const bool fits = size < (std::uint64_t{1} << 30);
    const unsigned fp = size >= 8 ? TRC_UW_FP_SAVED : TRC_UW_FP_SAME;
    const auto offset = static_cast<std::int32_t>(size + 8);
    rows.push_back({from, fits ? TRC_UW_RULE(TRC_UW_SP, fp, 0, fp == TRC_UW_FP_SAVED ? -16 : 0, offset) : TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0)});
    from += length;
  }
  if (from < function.end) rows.push_back({from, TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0)});
}

}  // namespace trc::symbols
