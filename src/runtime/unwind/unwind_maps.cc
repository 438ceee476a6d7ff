#include "runtime/unwind/unwind_maps.h"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace trc::runtime {
namespace {

constexpr std::uint32_t kPageBytes = 1U << TRC_UW_PAGE_SHIFT;
constexpr std::uint32_t kChunkRows = TRC_UW_BLOCK_ROWS * TRC_UW_CHUNK_BLOCKS;
constexpr std::uint32_t kChunksAtOnce = 4;             // one wait for the kernel, 1 MiB each
constexpr std::uint64_t kRoomAhead = 2 * kChunkRows;   // rows that should be free before they are needed
/// Stands for every rule that finds no number any more.
constexpr std::uint32_t kOtherNumber = 1;

static_assert(sizeof(trc_uw_page) == 8 && sizeof(trc_uw_block) % 8 == 0);   // elements of arrays lie 8 bytes apart

template <class T>
std::span<const std::byte> as_bytes(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <class T>
void store(const kernel::MappedArray& array, std::size_t index, const T& value) {
  std::memcpy(&array.bytes()[index * sizeof value], &value, sizeof value);
}

Result<kernel::MappedArray> make_chunk() { return kernel::MappedArray::create("trc_uw_chunk", sizeof(trc_uw_block), TRC_UW_CHUNK_BLOCKS); }

kernel::BpfMap files_map(int fd) {
  return {.fd = fd, .key_size = sizeof(trc_uw_file_key), .value_size = sizeof(trc_uw_file), .max_entries = TRC_UW_MAX_FILES};
}

}  // namespace

Result<std::unique_ptr<UnwindMaps>> UnwindMaps::create() {
  TRC_TRY(files, kernel::create_map({.name = "trc_uw_files", .type = BPF_MAP_TYPE_HASH, .key_size = sizeof(trc_uw_file_key), .value_size = sizeof(trc_uw_file),
                                     .max_entries = TRC_UW_MAX_FILES}));
  TRC_TRY(pages, kernel::MappedArray::create("trc_uw_pages", sizeof(trc_uw_page), TRC_UW_MAX_PAGES));
  TRC_TRY(rules, kernel::MappedArray::create("trc_uw_rules", sizeof(std::uint64_t), TRC_UW_MAX_RULES));
  TRC_TRY(chunk, make_chunk());
  TRC_TRY(chunks, kernel::create_map({.name = "trc_uw_rows", .type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .value_size = sizeof(std::uint32_t),
                                      .max_entries = TRC_UW_MAX_CHUNKS, .inner = chunk.fd()}));
  return std::unique_ptr<UnwindMaps>(new UnwindMaps(std::move(files), std::move(pages), std::move(rules), std::move(chunk), std::move(chunks)));
}

UnwindMaps::UnwindMaps(Fd files, kernel::MappedArray pages, kernel::MappedArray rules, kernel::MappedArray first_chunk, Fd chunks)
    : files_(std::move(files)), pages_(std::move(pages)), rules_(std::move(rules)), outer_(std::move(chunks)) {
  chunks_.push_back(std::move(first_chunk));
  number_rules({TRC_UW_NONE, TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0)});
}

std::vector<UnwindMaps::Named> UnwindMaps::maps() const {
  return {{"trc_uw_files", files_.get()}, {"trc_uw_pages", pages_.fd()}, {"trc_uw_rules", rules_.fd()}, {"trc_uw_rows", outer_.get()}};
}

UnwindMaps::Usage UnwindMaps::usage() const {
  const std::lock_guard lock(mutex_);
  return {next_page_, next_row_, static_cast<std::uint32_t>(rule_numbers_.size()), static_cast<std::uint32_t>(chunks_.size())};
}

Result<> UnwindMaps::set_state(const trc_uw_file_key& file, trc_uw_file_state state) {
  const trc_uw_file value{.first_page = 0, .pages = 0, .page_base = 0, .state = static_cast<unsigned>(state)};
  return kernel::update(files_map(files_.get()), as_bytes(file), as_bytes(value), false);
}

Result<> UnwindMaps::forget(const trc_uw_file_key& file) { return kernel::remove(files_map(files_.get()), as_bytes(file)); }

std::optional<trc_uw_file> UnwindMaps::find(const trc_uw_file_key& file) const {
  const auto bytes = kernel::lookup(files_map(files_.get()), as_bytes(file));
  trc_uw_file value;
  if (!bytes || bytes->size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

Result<> UnwindMaps::insert(const trc_uw_file_key& file, const symbols::UnwindTable& table) {
  if (table.rows.empty()) return set_state(file, TRC_UW_FILE_BARE);
  trc_uw_file value{};
  if (auto filled = fill(table, value); !filled) {
    TRC_CHECK(set_state(file, TRC_UW_FILE_FAILED));
    return filled;
  }
  return kernel::update(files_map(files_.get()), as_bytes(file), as_bytes(value), false);   // a system call: what was stored before is seen before
}

Result<> UnwindMaps::fill(const symbols::UnwindTable& table, trc_uw_file& file) {
  const auto page_of = [](const symbols::UnwindRow& row) { return static_cast<std::uint64_t>(row.offset) >> TRC_UW_PAGE_SHIFT; };
  const std::uint64_t first = page_of(table.rows.front()), count = page_of(table.rows.back()) - first + 1;
  TRC_TRY(page_base, take_pages(count));
  const std::vector<std::uint32_t> numbers = number_rules(table.rules);
  std::uint32_t in_force = 0;    // TRC_UW_NONE
  std::vector<std::uint32_t> rows;
  auto row = table.rows.begin();
  for (std::uint64_t page = first; page < first + count; ++page) {
    rows.clear();
    const bool begins_with_row = row != table.rows.end() && page_of(*row) == page && row->offset % kPageBytes == 0;
    if (!begins_with_row) rows.push_back(in_force << 16);
    for (; row != table.rows.end() && page_of(*row) == page; ++row) {
      in_force = numbers[row->rule];
      rows.push_back(static_cast<std::uint32_t>(row->offset % kPageBytes) | in_force << 16);
    }
    trc_uw_page entry{};
    if (rows.size() > 1 || rows.front() != 0) {
      TRC_TRY(place, place_rows(rows));
      entry = {.first = place, .count = static_cast<unsigned>(rows.size())};
    }
    store(pages_, page_base + (page - first), entry);
  }
  file = {.first_page = static_cast<unsigned>(first), .pages = static_cast<unsigned>(count), .page_base = page_base, .state = TRC_UW_FILE_READY};
  return {};
}

/// The number of each rule in the dictionary of all files.
std::vector<std::uint32_t> UnwindMaps::number_rules(const std::vector<std::uint64_t>& rules) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint32_t> numbers;
  for (const std::uint64_t rule : rules) {
    const auto known = rule_numbers_.find(rule);
    if (known != rule_numbers_.end()) {
      numbers.push_back(known->second);
    } else if (rule_numbers_.size() < TRC_UW_MAX_RULES) {
      const auto number = static_cast<std::uint32_t>(rule_numbers_.size());
      rule_numbers_.emplace(rule, number);
      store(rules_, number, rule);
      numbers.push_back(number);
    } else {
      numbers.push_back(kOtherNumber);
    }
  }
  return numbers;
}

Result<std::uint32_t> UnwindMaps::take_pages(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  if (count > TRC_UW_MAX_PAGES - next_page_) {
    return Error(fmt::format("the unwind tables of this run are full: {} MiB of code have one", (std::uint64_t{next_page_} << TRC_UW_PAGE_SHIFT) >> 20));
  }
  next_page_ += static_cast<std::uint32_t>(count);
  return next_page_ - static_cast<std::uint32_t>(count);
}

/// Room for the rows of one page, all in one block; null if there is none.
std::byte* UnwindMaps::take_rows(std::uint32_t count, std::uint32_t& place) {
  const std::lock_guard lock(mutex_);
  place = next_row_;
  const std::uint32_t left = TRC_UW_BLOCK_ROWS - place % TRC_UW_BLOCK_ROWS;
  if (count > left) place += left;   // a page has 4096 bytes, so it has no more rows than a block
  if (place / kChunkRows >= usable_chunks_) return nullptr;
  next_row_ = place + count;
  return &chunks_[place / kChunkRows].bytes()[std::size_t{place % kChunkRows} * sizeof(std::uint32_t)];
}

Result<std::uint32_t> UnwindMaps::place_rows(const std::vector<std::uint32_t>& rows) {
  std::uint32_t place = 0;
  std::byte* memory = nullptr;
  while ((memory = take_rows(static_cast<std::uint32_t>(rows.size()), place)) == nullptr) TRC_CHECK(add_chunks(place / kChunkRows + 1));
  std::memcpy(memory, rows.data(), rows.size() * sizeof rows[0]);
  return place;
}

/// Until at least `needed` chunks can be used.
Result<> UnwindMaps::add_chunks(std::uint32_t needed) {
  const std::lock_guard growing(growing_);
  std::uint32_t have = 0;
  std::vector<int> maps;
  {
    const std::lock_guard lock(mutex_);
    have = usable_chunks_;
    for (std::size_t i = have; i < chunks_.size(); ++i) maps.push_back(chunks_[i].fd());   // the first one
  }
  if (have >= needed) return {};   // another thread was faster
  if (needed > TRC_UW_MAX_CHUNKS) return Error(fmt::format("the unwind tables of this run are full: {} MiB", TRC_UW_MAX_CHUNKS));
  const std::uint32_t wanted = std::min<std::uint32_t>(have + kChunksAtOnce, TRC_UW_MAX_CHUNKS);
  std::vector<kernel::MappedArray> made;
  while (have + maps.size() < wanted) {
    TRC_TRY(chunk, make_chunk());
    maps.push_back(chunk.fd());
    made.push_back(std::move(chunk));
  }
  TRC_CHECK(kernel::put_maps(outer_.get(), have, maps));
  const std::lock_guard lock(mutex_);
  for (kernel::MappedArray& chunk : made) chunks_.push_back(std::move(chunk));
  for (std::size_t i = have; i < chunks_.size(); ++i) chunks_[i].close_descriptor();
  usable_chunks_ = static_cast<std::uint32_t>(chunks_.size());
  return {};
}

Result<> UnwindMaps::make_room() {
  std::uint32_t have = 0;
  {
    const std::lock_guard lock(mutex_);
    have = usable_chunks_;
    if (std::uint64_t{have} * kChunkRows >= next_row_ + kRoomAhead || have == TRC_UW_MAX_CHUNKS) return {};
  }
  return add_chunks(have + 1);
}

}  // namespace trc::runtime
