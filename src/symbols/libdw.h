// libdw, loaded when debug information is asked for, and the debug information of a file in memory. For the files of this folder that read DWARF.
#pragma once

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <libelf.h>

#include <memory>
#include <string>

#include "base/owned.h"
#include "base/result.h"
#include "symbols/elf_reader.h"

namespace trc::symbols::libdw {

/// The functions in use.
#define TRC_DW_FUNCTIONS(F)                                                                                                     \
  F(dwarf_begin_elf) F(dwarf_end) F(dwarf_nextcu) F(dwarf_offdie) F(dwarf_ranges) F(dwarf_getsrc_die) F(dwarf_linesrc) F(dwarf_lineno) \
  F(dwarf_getscopes) F(dwarf_getscopes_die) F(dwarf_tag) F(dwarf_attr) F(dwarf_attr_integrate) F(dwarf_formstring)               \
  F(dwarf_formudata) F(dwarf_formsdata) F(dwarf_formflag) F(dwarf_formref_die) F(dwarf_getsrcfiles) F(dwarf_filesrc) F(dwarf_setalt) \
  F(dwelf_dwarf_gnu_debugaltlink) F(dwarf_getsrclines) F(dwarf_onesrcline) F(dwarf_linecol) F(dwarf_linebeginstatement)           \
  F(dwarf_lineendsequence) F(dwarf_lineaddr) F(dwarf_child) F(dwarf_siblingof) F(dwarf_srclang) F(dwarf_entrypc) F(dwarf_diecu) F(dwarf_getlocation_addr)

struct Functions {
#define TRC_DW_MEMBER(name) decltype(&::name) name = nullptr;
  TRC_DW_FUNCTIONS(TRC_DW_MEMBER)
#undef TRC_DW_MEMBER
};

/// Loaded once and kept; null if libdw is not there.
const Functions* functions();

using ElfHandle = Owned<Elf*, ::elf_end, static_cast<Elf*>(nullptr)>;
void end_dwarf(Dwarf* dwarf);
using DwarfHandle = Owned<Dwarf*, end_dwarf, static_cast<Dwarf*>(nullptr)>;

/// Memory of the file's size in which only what was read takes room.
class Bytes {
 public:
  explicit Bytes(std::size_t size);
  ~Bytes();
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  /// Null if there is no such memory.
  char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Debug information in memory: of a file, and of the one that several debug files share parts in (.gnu_debugaltlink, made by dwz). Members are
/// destroyed last to first, as they refer to each other.
struct Loaded {
  explicit Loaded(std::size_t size) : bytes(size) {}
  std::unique_ptr<Loaded> shared;
  Bytes bytes;
  ElfHandle elf;
  DwarfHandle dwarf;
};

/// Which parts of it: those that say what types there are need no tables of lines and places.
enum class Part : std::uint8_t { All, Types };

/// Null if `file` has no debug information, or damaged information, or refers to a further file that is not there, or libdw is not there.
std::unique_ptr<Loaded> load(const ElfReader& file, Part part);

/// The rest of such a unit is in a file (.dwo) that libdw would open by itself, by a name that may be anything.
bool is_split(Dwarf_Die& unit);

/// Calls use(die) for each unit of the file until it says true.
template <class Use>
void find_unit(Dwarf* dwarf, Use use) {
  constexpr std::size_t kMaxUnits = 1 << 20;   // a hostile file may claim any number
  Dwarf_Off at = 0, next = 0;
  std::size_t header_size = 0;
  for (std::size_t count = 0; count < kMaxUnits && functions()->dwarf_nextcu(dwarf, at, &next, &header_size, nullptr, nullptr, nullptr) == 0; ++count) {
    const Dwarf_Off offset = at + header_size;
    if (next <= at) return;
    at = next;
    Dwarf_Die unit;
    if (functions()->dwarf_offdie(dwarf, offset, &unit) == nullptr || is_split(unit)) continue;
    if (use(unit, offset)) return;
  }
}

}  // namespace trc::symbols::libdw
