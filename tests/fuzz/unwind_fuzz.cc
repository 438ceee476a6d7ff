// Any bytes as an ELF file and as a section of call frames, or of Go's table: what comes out is a sound unwind table. And as code that is left after a call.
// Built with -DTRC_FUZZ=ON (clang); run as: unwind_fuzz CORPUS FOLDER_OF_SMALL_ELF_FILES
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "stdlib/code_ahead.h"
#include "symbols/call_frames.h"
#include "symbols/elf_reader.h"
#include "symbols/go_frames.h"
#include "symbols/unwind_table.h"

namespace {

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void use(const trc::symbols::UnwindTable& table) {
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    check(table.rows[i].rule < table.rules.size(), "a rule that is not there");
    check(i == 0 || table.rows[i - 1].offset < table.rows[i].offset, "rows are not sorted");
  }
  check(table.rows.empty() || table.rows.back().rule == 0, "the last row has no end");
}

void use_section(const std::string& bytes, trc::symbols::CallFrames::Kind kind) {
  trc::symbols::CallFrames frames(bytes, 0x1000, kind);
  std::vector<trc::symbols::FrameRow> rows;
  for (const auto& function : frames.functions()) {
    const std::size_t before = rows.size();
    frames.append_rows(function, rows);
    check(rows.size() > before && rows[before].address == function.start, "a function's rows do not begin where it does");
    for (std::size_t i = before + 1; i < rows.size(); ++i) check(rows[i - 1].address < rows[i].address, "rows are not sorted");
    check(rows.back().address < function.end, "a row beyond the function");
  }
  check(rows.size() <= bytes.size(), "more rows than bytes");
}

void use_go_table(const std::string& bytes) {
  const auto go = trc::symbols::GoFrames::parse(bytes, 0x1000);
  if (!go) return;
  std::vector<trc::symbols::FrameRow> rows;
  std::uint64_t end = 0;
  for (const auto& function : go->functions()) {
    check(function.start >= end && function.start < function.end, "functions overlap");
    end = function.end;
    rows.clear();
    go->append_rows(function, rows);
    check(!rows.empty() && rows[0].address == function.start, "a function's rows do not begin where it does");
    for (std::size_t i = 1; i < rows.size(); ++i) check(rows[i - 1].address < rows[i].address, "rows are not sorted");
    check(rows.back().address < function.end, "a row beyond the function");
  }
}

void use_code(const std::uint8_t* code) {
  trc_code state{};
  int last = 0;
  for (int i = 0; i < TRC_CODE_INSTRUCTIONS && last == 0; ++i) {
    const auto before = state.at;
    last = trc_code_step(&state, code);
    check(last != 0 || state.at > before, "an instruction without bytes");
    check(state.rule == TRC_UW_NONE || last != 0, "a rule before the last instruction");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (const auto elf = trc::symbols::ElfReader::from_bytes(bytes, "/nonexistent/fuzz")) {
    if (const auto table = trc::symbols::build_unwind_table(*elf)) use(*table);
  }
  using Kind = trc::symbols::CallFrames::Kind;
  for (const Kind kind : {Kind::EhFrame, Kind::EhFrameToZero, Kind::DebugFrame}) use_section(bytes, kind);
  use_go_table(bytes);
  if (size >= TRC_CODE_BYTES) use_code(data);
  return 0;
}
