#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

namespace trc {
namespace {

// The notes are in memory that the loader has mapped from our own file.
void find_build_id(const char* notes, std::size_t size, std::string& id) {
  const auto padded = [](std::size_t bytes) { return (bytes + 3) / 4 * 4; };
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const std::size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (whole > size) return;
    const char* name = notes + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) id.assign(name + padded(4), note.n_descsz);
    notes += whole;
    size -= whole;
  }
}

int look_at(dl_phdr_info* object, std::size_t, void* id) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& header = object->dlpi_phdr[i];
    if (header.p_type == PT_NOTE) {
      find_build_id(reinterpret_cast<const char*>(object->dlpi_addr + header.p_vaddr), header.p_memsz, *static_cast<std::string*>(id));
    }
  }
  return 1;   // the program comes first, and is all we want
}

}  // namespace

std::string own_build_id() {
  std::string id;
  ::dl_iterate_phdr(look_at, &id);
  return id;
}

}  // namespace trc
