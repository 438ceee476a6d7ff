// The kernel's side of the unwind tables: the four maps that stdlib/unwind_abi.h describes, made and filled here. For any number of threads.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/owned.h"
#include "base/result.h"
#include "kernel/bpf_map.h"
#include "stdlib/unwind_abi.h"
#include "symbols/unwind_table.h"

namespace trc::runtime {

class UnwindMaps {
 public:
  static Result<std::unique_ptr<UnwindMaps>> create();

  struct Named { const char* name; int fd; };
  /// As the programs call them; the descriptors are borrowed.
  std::vector<Named> maps() const;

  /// Makes the table that of a file; programs see all of it or nothing. A table without rows makes the file BARE. An error (there is no more
  /// room) makes it FAILED. What an older table of the file took is not used again: a program may be reading it.
  Result<> insert(const trc_uw_file_key& file, const symbols::UnwindTable& table);
  Result<> set_state(const trc_uw_file_key& file, trc_uw_file_state state);
  /// As if the file had never been met: the next program that meets it says so again.
  Result<> forget(const trc_uw_file_key& file);
  std::optional<trc_uw_file> find(const trc_uw_file_key& file) const;

  /// Makes room ahead of need if little is left. A new chunk takes the kernel 10 to 40 ms, which an insertion would have to wait for;
  /// others go on meanwhile.
  Result<> make_room();

  struct Usage { std::uint32_t pages = 0, rows = 0, rules = 0, chunks = 0; };
  Usage usage() const;

 private:
  UnwindMaps(Fd files, kernel::MappedArray pages, kernel::MappedArray rules, kernel::MappedArray first_chunk, Fd chunks);
  Result<> fill(const symbols::UnwindTable& table, trc_uw_file& file);
  Result<> add_chunks(std::uint32_t needed);
  std::vector<std::uint32_t> number_rules(const std::vector<std::uint64_t>& rules);
  Result<std::uint32_t> take_pages(std::uint64_t count);
  Result<std::uint32_t> place_rows(const std::vector<std::uint32_t>& rows);
  std::byte* take_rows(std::uint32_t count, std::uint32_t& place);

  Fd files_;
  kernel::MappedArray pages_, rules_;
  Fd outer_;

  std::mutex growing_;                           // held by whoever adds chunks, which takes long
  mutable std::mutex mutex_;                     // for what follows
  std::deque<kernel::MappedArray> chunks_;       // in the order of outer_
  std::uint32_t usable_chunks_ = 0;              // those that programs see
  std::unordered_map<std::uint64_t, std::uint32_t> rule_numbers_;
  std::uint32_t next_page_ = 0, next_row_ = 0;
};

}  // namespace trc::runtime
