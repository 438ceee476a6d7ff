#include "runtime/packets.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>

#include "base/owned.h"
#include "kernel/bpf_map.h"
#include "kernel/perf_buffer.h"
#include "runtime/decode.h"
#include "runtime/perf_records.h"
#include "stdlib/packet_abi.h"

namespace trc::runtime {
namespace {

constexpr std::size_t kPages = 256;   // of each CPU's buffer: 1 MiB
constexpr std::uint32_t kLongest = 262144;   // bytes of a packet, as tcpdump has it

// The file format (draft-ietf-opsawg-pcap): magic of nanosecond files, version 2.4, in this machine's byte order.
struct FileHeader {
  std::uint32_t magic = 0xa1b23c4d;
  std::uint16_t major = 2, minor = 4;
  std::uint32_t zone = 0, accuracy = 0, longest = kLongest, link_type = 1;   // LINKTYPE_ETHERNET
};
struct PacketHeader { std::uint32_t seconds, nanoseconds, captured, original; };

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::unique_ptr<kernel::PerfBuffer> open_buffer(std::uint32_t cpu) {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_BPF_OUTPUT;
  attr.sample_type = PERF_SAMPLE_RAW;
  attr.sample_period = 1;
  attr.wakeup_events = 1;
  return kernel::PerfBuffer::open(attr, -1, static_cast<int>(cpu), kPages);
}

class PerfPackets final : public Packets {
 public:
  PerfPackets(const image::ProgramImage& image, Fd map, std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers)
      : image_(image), map_(std::move(map)), buffers_(std::move(buffers)) {}

  int map() const override { return map_.get(); }
  std::uint64_t lost() const override { return lost_; }
  std::vector<int> event_fds() const override {
    std::vector<int> fds;
    for (const auto& buffer : buffers_) fds.push_back(buffer->fd());
    return fds;
  }

  std::vector<Error> drain() override {
    std::vector<Packet> packets;
    bytes_.clear();
    for (const auto& buffer : buffers_) buffer->take(bytes_, [&](std::size_t offset, std::size_t size) { note(offset, size, packets); });
    std::stable_sort(packets.begin(), packets.end(), [](const Packet& a, const Packet& b) { return a.head.ns < b.head.ns; });
    std::vector<Error> errors;
    for (const Packet& packet : packets) write(packet, errors);
    for (auto& [name, file] : files_)
      if (file && std::fflush(file.get()) != 0) give_up(name, file, errors);
    return errors;
  }

 private:
  struct Packet { trc_packet head; std::size_t at = 0, size = 0; };   ///< its bytes in bytes_

  /// PERF_RECORD_SAMPLE with PERF_SAMPLE_RAW: a header, u32 size, so many bytes; at the end some that only round up.
  void note(std::size_t offset, std::size_t size, std::vector<Packet>& packets) {
    const std::span<const std::byte> record(bytes_.data() + offset, size);
    LostRecord lost;
    if (read_record(record, lost) && lost.header.type == PERF_RECORD_LOST) lost_ += lost.count;
    perf_event_header header;
    std::uint32_t raw = 0;
    constexpr std::size_t kFixed = sizeof header + sizeof raw;
    if (!read_record(record, header) || header.type != PERF_RECORD_SAMPLE || !read_record(record.subspan(sizeof header), raw)) return;
    Packet packet;
    if (raw > size - kFixed || !read_record(record.subspan(kFixed, raw), packet.head)) return;
    packet.size = std::min<std::size_t>(packet.head.length, raw - sizeof packet.head);
    packet.at = offset + kFixed + sizeof packet.head;
    const std::size_t left_out = std::min<std::size_t>(packet.head.offset, packet.size);
    packet.at += left_out;
    packet.size -= left_out;
    packets.push_back(packet);
  }

  void write(const Packet& packet, std::vector<Error>& errors) {
    const auto event = static_cast<std::uint32_t>(packet.head.event);
    if (event >= image_.events.size()) return;
    const std::string& name = image_.events[event].text;
    auto [place, is_new] = files_.try_emplace(name);
    File& file = place->second;
    if (is_new) {
      file.reset(std::fopen(name.c_str(), "we"));
      const FileHeader header;
      if (!file) errors.push_back(Error::from_errno("write packets to " + name));
      else if (std::fwrite(&header, sizeof header, 1, file.get()) != 1) give_up(name, file, errors);
    }
    if (!file) return;
    const std::uint64_t ns = packet.head.ns + static_cast<std::uint64_t>(clocks_.to_realtime[0]);
    const PacketHeader header{static_cast<std::uint32_t>(ns / 1'000'000'000), static_cast<std::uint32_t>(ns % 1'000'000'000),
                              static_cast<std::uint32_t>(packet.size), static_cast<std::uint32_t>(packet.size)};
    const bool done = std::fwrite(&header, sizeof header, 1, file.get()) == 1 && std::fwrite(bytes_.data() + packet.at, 1, packet.size, file.get()) == packet.size;
    if (!done) give_up(name, file, errors);
  }

  static void give_up(const std::string& name, File& file, std::vector<Error>& errors) {
    errors.push_back(Error::from_errno("write packets to " + name));
    file.reset();
  }

  const image::ProgramImage& image_;
  Fd map_;
  std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers_;
  std::map<std::string, File> files_;   // null: given up
  std::vector<std::byte> bytes_;
  ClockOffsets clocks_ = ClockOffsets::measure();
  std::uint64_t lost_ = 0;
};

}  // namespace

Result<std::unique_ptr<Packets>> Packets::start(const image::ProgramImage& image, std::span<const std::uint32_t> online_cpus) {
  const bool wanted = std::any_of(image.maps.begin(), image.maps.end(), [](const image::MapEntry& map) { return map.name == TRC_PACKET_MAP; });
  if (!wanted) return std::unique_ptr<Packets>();
  const std::uint32_t cpus = kernel::possible_cpus();
  TRC_TRY(made, kernel::create_map({.name = TRC_PACKET_MAP, .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4, .max_entries = cpus}));
  const kernel::BpfMap map{.fd = made.get(), .key_size = 4, .value_size = 4, .max_entries = cpus};
  std::vector<std::unique_ptr<kernel::PerfBuffer>> buffers;
  for (const std::uint32_t cpu : online_cpus) {
    auto buffer = open_buffer(cpu);
    if (!buffer) return Error::from_errno("make a buffer for packets");
    const auto event = static_cast<std::uint64_t>(buffer->fd());   // the kernel reads the 4 bytes of an int, kernel::update takes multiples of 8
    if (::ioctl(buffer->fd(), PERF_EVENT_IOC_ENABLE, 0) != 0) return Error::from_errno("make a buffer for packets");
    TRC_CHECK(kernel::update(map, std::as_bytes(std::span(&cpu, 1)), std::as_bytes(std::span(&event, 1)), false));
    buffers.push_back(std::move(buffer));
  }
  return std::unique_ptr<Packets>(std::make_unique<PerfPackets>(image, std::move(made), std::move(buffers)));
}

}  // namespace trc::runtime
