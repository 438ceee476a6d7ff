#include "symbols/unwind_table.h"

#include <elf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/read_file.h"
#include "stdlib/unwind_abi.h"
#include "symbols/byte_reader.h"
#include "symbols/call_frames.h"
#include "symbols/debug_file.h"
#include "symbols/elf_reader.h"
#include "symbols/go_frames.h"
#include "symbols/process_maps.h"

namespace trc::symbols {
namespace {

/// The largest programs that exist have a tenth of that; a hostile sparse file may claim more than memory.
constexpr std::uint64_t kMaxSection = 256 << 20;
/// Between functions lie a few bytes that are never executed. A row for so small a gap would be a waste.
constexpr std::uint64_t kSmallGap = 16;
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 48;
constexpr std::uint8_t kEncodedPcRelativeS4 = 0x1b, kEncodedPcRelativeU4 = 0x13;

/// Call frame information and where it lies in memory.
struct FrameSection {
  std::string bytes;
  std::uint64_t address = 0;
  CallFrames::Kind kind = CallFrames::Kind::EhFrame;
};

const ElfSegment* segment_at(const ElfReader& file, std::uint64_t address) {
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type == PT_LOAD && address >= segment.address && address - segment.address < segment.file_size) return &segment;
  }
  return nullptr;
}

/// PT_GNU_EH_FRAME is .eh_frame_hdr: version 1, three encodings, then where .eh_frame begins, always relative to the field itself.
std::optional<FrameSection> find_by_segment(const ElfReader& file) {
  for (const ElfSegment& header : file.segments()) {
    if (header.type != PT_GNU_EH_FRAME) continue;
    const std::string bytes = file.read(header.offset, 8);
    ByteReader in(bytes);
    const std::uint8_t version = in.byte(), encoding = in.byte();
    in.take(2);
    const auto distance = std::uint64_t{in.fixed<std::uint32_t>()};
    if (!in.ok() || version != 1 || (encoding != kEncodedPcRelativeS4 && encoding != kEncodedPcRelativeU4)) return std::nullopt;
    const std::uint64_t signed_distance = encoding == kEncodedPcRelativeS4 ? static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(distance)}) : distance;
    const std::uint64_t address = header.address + 4 + signed_distance;
    const ElfSegment* segment = segment_at(file, address);
    if (segment == nullptr) return std::nullopt;
    const std::uint64_t inside = address - segment->address;
    return FrameSection{file.read(segment->offset + inside, std::min(segment->file_size - inside, kMaxSection)), address, CallFrames::Kind::EhFrameToZero};
  }
  return std::nullopt;
}

std::optional<FrameSection> find_frames(const ElfReader& file) {
  const ElfSection* section = file.section(".eh_frame");
  if (section == nullptr) return find_by_segment(file);
  if (section->size > kMaxSection) return std::nullopt;
  return FrameSection{file.read(*section), section->address, CallFrames::Kind::EhFrame};
}

std::optional<FrameSection> find_debug_frames(const ElfReader& file) {
  const ElfSection* section = file.section(".debug_frame");
  if (section == nullptr || section->type == SHT_NOBITS || section->size > kMaxSection) return std::nullopt;
  return FrameSection{file.read_unpacked(*section, kMaxSection), section->address, CallFrames::Kind::DebugFrame};
}

/// Puts rows together in the order of the file.
class Builder {
 public:
  Builder() {
    table_.rules.push_back(TRC_UW_NONE);
    numbers_.emplace(TRC_UW_NONE, 0);
  }

  /// Rows of code in [start, end), which comes after everything before it or cuts that off.
  void begin_function(std::uint64_t start, std::uint64_t end) {
    std::vector<UnwindRow>& rows = table_.rows;
    while (!rows.empty() && rows.back().offset >= start) rows.pop_back();
    if (!rows.empty() && start > end_ && start - end_ >= kSmallGap) add(end_, TRC_UW_NONE);
    end_ = std::max(end_, end);
  }
  void add(std::uint64_t offset, std::uint64_t rule) {
    const std::uint16_t number = number_of(rule);
    std::vector<UnwindRow>& rows = table_.rows;
    if (!rows.empty() && rows.back().rule == number) return;
    rows.push_back({offset, number});
  }
  UnwindTable finish() {
    if (!table_.rows.empty()) add(end_, TRC_UW_NONE);
    return std::move(table_);
  }

 private:
  std::uint16_t number_of(std::uint64_t rule) {
    // A function's rules are few, and those of the next one are mostly the same.
    Known& known = known_[(rule * 0x9e3779b97f4a7c15ULL) >> (64 - kKnownBits)];
    if (known.rule == rule) return known.number;
    const auto [place, is_new] = numbers_.try_emplace(rule, static_cast<std::uint16_t>(table_.rules.size()));
    if (is_new && table_.rules.size() == TRC_UW_MAX_RULES) {   // of one file: no compiler did that
      numbers_.erase(place);
      return 0;
    }
    if (is_new) table_.rules.push_back(rule);
    known = {rule, place->second};
    return known.number;
  }

  static constexpr unsigned kKnownBits = 10;
  struct Known {
    std::uint64_t rule = TRC_UW_NONE;
    std::uint16_t number = 0;
  };
  std::array<Known, 1 << kKnownBits> known_;
  std::unordered_map<std::uint64_t, std::uint16_t> numbers_;
  UnwindTable table_;
  std::uint64_t end_ = 0;   // of the code that has rows
};

/// The segments with code, by virtual address. An ELF file has them in that order and apart from each other; those that are not are left out.
std::vector<ElfSegment> code_segments(const ElfReader& file) {
  std::vector<ElfSegment> code;
  std::uint64_t end = 0;
  for (const ElfSegment& segment : file.segments()) {
    if (segment.type != PT_LOAD || (segment.flags & PF_X) == 0) continue;
    const bool in_range = segment.offset < kMaxOffset && segment.file_size < kMaxOffset - segment.offset &&
                          segment.file_size <= ~std::uint64_t{0} - segment.address;
    if (!in_range || segment.address < end) continue;
    end = segment.address + segment.file_size;
    code.push_back(segment);
  }
  std::sort(code.begin(), code.end(), [](const ElfSegment& a, const ElfSegment& b) { return a.offset < b.offset; });
  return code;
}

/// Functions by address. Of two at the same the first one given comes first.
using Functions = std::vector<CallFrames::Function>;
void sort(Functions& functions) {
  const auto by_start = [](const CallFrames::Function& a, const CallFrames::Function& b) { return a.start < b.start; };
  if (!std::is_sorted(functions.begin(), functions.end(), by_start)) std::stable_sort(functions.begin(), functions.end(), by_start);
}

/// Adds those of `more` that lie between the others. All are sorted.
void add_missing(Functions& functions, const Functions& more, std::uint32_t section) {
  const std::size_t known = functions.size();
  std::size_t next = 0;   // the first of the known ones that ends behind the place
  std::uint64_t end = 0;
  for (CallFrames::Function function : more) {
    for (; next < known && functions[next].end <= function.start; ++next) {}
    if ((next < known && functions[next].start < function.end) || function.start < end) continue;
    end = function.end;
    function.section = section;
    functions.push_back(function);
  }
  sort(functions);
}

/// How much of the code they describe.
bool describe_half(const Functions& functions, const std::vector<ElfSegment>& code) {
  std::uint64_t described = 0, all = 0, end = 0;
  for (const ElfSegment& segment : code) all += segment.file_size;
  for (const CallFrames::Function& function : functions) {
    if (function.end > end) described += function.end - std::max(function.start, end);
    end = std::max(end, function.end);
  }
  return described >= all / 2;
}

/// Where functions come from: Function::section is their number, kGo that of `go`.
struct Sources {
  std::vector<CallFrames> sections;
  std::optional<GoFrames> go;
};
constexpr std::uint32_t kGo = 9;

Functions functions_of(const GoFrames& go) {
  Functions functions;
  for (const GoFrames::Function& function : go.functions()) {
    functions.push_back({.start = function.start, .end = function.end, .common = function.index, .section = kGo, .program = {}});
  }
  return functions;
}

Result<UnwindTable> build(Sources& sources, const Functions& functions, const std::vector<ElfSegment>& code, const std::atomic<bool>* given_up) {
  Builder builder;
  std::vector<FrameRow> rows;
  for (const ElfSegment& segment : code) {
    const std::uint64_t end = segment.address + segment.file_size;
    const auto in_file = [&](std::uint64_t address) { return address - segment.address + segment.offset; };
    auto function = std::lower_bound(functions.begin(), functions.end(), segment.address,
                                     [](const CallFrames::Function& f, std::uint64_t address) { return f.start < address; });
    for (; function != functions.end() && function->start < end; ++function) {
      if (given_up != nullptr && given_up->load(std::memory_order_relaxed)) return Error("given up");
      builder.begin_function(in_file(function->start), in_file(std::min(function->end, end)));
      rows.clear();
      if (function->section == kGo) sources.go->append_rows({function->start, function->end, function->common}, rows);
      else sources.sections[function->section].append_rows(*function, rows);
      for (const FrameRow& row : rows) {
        if (row.address < end) builder.add(in_file(row.address), row.rule);
      }
    }
  }
  return builder.finish();
}

}  // namespace

Result<UnwindTable> build_unwind_table(const ElfReader& file, const FilePlace* place, const std::atomic<bool>* given_up) {
  if (file.machine() != EM_X86_64 || !file.is_64bit()) return Error("unwind tables are made of x86-64 files only");
  const std::vector<ElfSegment> code = code_segments(file);
  const FrameSection section = find_frames(file).value_or(FrameSection{});
  Sources sources;
  std::vector<CallFrames>& sections = sources.sections;
  sections.emplace_back(section.bytes, section.address, section.kind);
  Functions functions = std::move(sections.back().functions());
  sort(functions);
  // Go's .debug_frame does not say where its functions keep rbp, nor which of them change stacks; its own table does.
  sources.go = GoFrames::read(file);
  if (sources.go) add_missing(functions, functions_of(*sources.go), kGo);
  std::optional<FrameSection> more = sources.go ? std::nullopt : find_debug_frames(file);
  if (!more && !sources.go && place != nullptr && !describe_half(functions, code)) {
    const std::string path = find_debug_file(file, *place);
    const auto debug = path.empty() ? Result<ElfReader>(Error("none")) : ElfReader::open(path);
    if (debug && debug->machine() == EM_X86_64 && debug->is_64bit()) more = find_debug_frames(*debug);
  }
  if (more) {
    sections.emplace_back(more->bytes, more->address, more->kind);
    sort(sections.back().functions());
    add_missing(functions, sections.back().functions(), 1);
  }
  return build(sources, functions, code, given_up);
}

Result<UnwindTable> build_vdso_unwind_table() {
  // Its size stands nowhere but in the list of mappings.
  TRC_TRY(maps, read_file("/proc/self/maps"));
  const std::uint64_t start = ::getauxval(AT_SYSINFO_EHDR);
  for (const MapsLine& line : parse_maps(maps)) {
    if (start == 0 || line.mapping.start != start) continue;
    std::string bytes(reinterpret_cast<const char*>(start), line.mapping.end - line.mapping.start);
    TRC_TRY(file, ElfReader::from_bytes(std::move(bytes), "[vdso]"));
    return build_unwind_table(file);
  }
  return Error("this kernel gives processes no code of its own (vDSO)");
}

}  // namespace trc::symbols
