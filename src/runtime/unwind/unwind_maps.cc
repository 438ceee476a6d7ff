#include "runtime/unwind/unwind_maps.h"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace trc::runtime {
namespace {

constexpr std::uint32_t kPageBytes = 1U << TRC_UW_PAGE_SHIFT;
constexpr std::uint32_t kChunkRows = TRC_UW_BLOCK_ROWS * TRC_UW_CHUNK_BLOCKS;
constexpr std::uint32_t kChunksAtOnce = 4;         // one wait for the kernel, 1 MiB each
constexpr std::uint32_t kRoomAhead = kChunkRows;   // rows that should be free before they are needed
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
  chunks_.emplace_back(std::move(first_chunk));
  number_rules({TRC_UW_NONE, TRC_UW_RULE(TRC_UW_OTHER, 0, 0, 0, 0)});
}

std::vector<UnwindMaps::Named> UnwindMaps::maps() const {
  return {{"trc_uw_files", files_.get()}, {"trc_uw_pages", pages_.fd()}, {"trc_uw_rules", rules_.fd()}, {"trc_uw_rows", outer_.get()}};
}

UnwindMaps::Usage UnwindMaps::usage() const {
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
  if (count > TRC_UW_MAX_PAGES - next_page_) {
    return Error(fmt::format("the unwind tables of this run are full: {} MiB of code have one", (std::uint64_t{next_page_} << TRC_UW_PAGE_SHIFT) >> 20));
  }
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
    store(pages_, next_page_ + (page - first), entry);
  }
  file = {.first_page = static_cast<unsigned>(first), .pages = static_cast<unsigned>(count), .page_base = next_page_, .state = TRC_UW_FILE_READY};
  next_page_ += static_cast<std::uint32_t>(count);
  return {};
}

/// The number of each rule in the dictionary of all files.
std::vector<std::uint32_t> UnwindMaps::number_rules(const std::vector<std::uint64_t>& rules) {
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

/// Writes the rows of one page, all into one block.
Result<std::uint32_t> UnwindMaps::place_rows(const std::vector<std::uint32_t>& rows) {
  const auto count = static_cast<std::uint32_t>(rows.size());   // a page has 4096 bytes, so there are no more
  const std::uint32_t left = TRC_UW_BLOCK_ROWS - next_row_ % TRC_UW_BLOCK_ROWS;
  if (count > left) next_row_ += left;
  const std::uint32_t chunk = next_row_ / kChunkRows;
  if (!first_chunk_is_in_ || chunk >= chunks_.size()) TRC_CHECK(add_chunks(kChunksAtOnce));
  if (chunk > 0) chunks_[chunk - 1].reset();
  const std::uint32_t place = next_row_;
  std::memcpy(&chunks_[chunk]->bytes()[std::size_t{place % kChunkRows} * sizeof rows[0]], rows.data(), count * sizeof rows[0]);
  next_row_ += count;
  return place;
}

Result<> UnwindMaps::add_chunks(std::uint32_t count) {
  const auto have = static_cast<std::uint32_t>(chunks_.size());
  if (have >= TRC_UW_MAX_CHUNKS) return Error(fmt::format("the unwind tables of this run are full: {} MiB", TRC_UW_MAX_CHUNKS));
  count = std::min(count, TRC_UW_MAX_CHUNKS - have);
  const std::uint32_t first = first_chunk_is_in_ ? have : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    TRC_TRY(chunk, make_chunk());
    chunks_.emplace_back(std::move(chunk));
  }
  std::vector<int> maps;
  for (std::size_t i = first; i < chunks_.size(); ++i) maps.push_back(chunks_[i]->fd());
  TRC_CHECK(kernel::put_maps(outer_.get(), first, maps));
  first_chunk_is_in_ = true;
  return {};
}

Result<> UnwindMaps::make_room() {
  const std::uint64_t free_rows = std::uint64_t{chunks_.size()} * kChunkRows - next_row_;
  if (first_chunk_is_in_ && (free_rows >= kRoomAhead || chunks_.size() >= TRC_UW_MAX_CHUNKS)) return {};
  return add_chunks(first_chunk_is_in_ ? kChunksAtOnce : kChunksAtOnce - 1);
}

}  // namespace trc::runtime
