// From a record of the ring buffer, or the elements of a map, to bytes on standard output.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/owned.h"
#include "base/read_file.h"
#include "lang/format_string.h"
#include "lang/type.h"
#include "output/printf.h"
#include "output/sink.h"
#include "runtime/decode.h"
#include "runtime/map_reader.h"
#include "symbols/kallsyms.h"

namespace trc {
namespace {

/// printf("%-16s %6d %s\n", comm, pid, str(arg0)) as a record.
struct PrintfRecord {
  lang::EventSchema schema;
  std::vector<std::byte> bytes;
  PrintfRecord() {
    schema.text = "%-16s %6d %s\n";
    schema.fields = {{lang::make_string(16)}, {lang::make_integer(32, true)}, {lang::make_string(64)}};
    lang::lay_out(schema);
    bytes.resize(schema.size);
    const std::int32_t pid = 4711;
    std::memcpy(bytes.data() + schema.fields[0].offset, "python3", 7);
    std::memcpy(bytes.data() + schema.fields[1].offset, &pid, sizeof pid);
    std::memcpy(bytes.data() + schema.fields[2].offset, "/usr/lib/python3.11/os.py", 25);
  }
};

void printf_event(benchmark::State& state) {
  const PrintfRecord record;
  const runtime::DecodeContext context;
  const lang::FormatString format = lang::parse_format(record.schema.text);
  const Fd null(::open("/dev/null", O_WRONLY));
  const auto sink = output::find_format(state.range(0) == 0 ? "text" : "json")->make({.fd = null.get()});
  std::string out;
  for (auto _ : state) {
    out.clear();
    output::append_printf(out, format, runtime::decode_fields(record.bytes, record.schema, context));
    sink->text(out);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetLabel(state.range(0) == 0 ? "text" : "json");
}
BENCHMARK(printf_event)->Arg(0)->Arg(1);

/// @[comm, pid] = count() with many entries.
void dump_map(benchmark::State& state) {
  image::MapEntry map;
  map.script_name = "@";
  map.has_key = map.per_cpu = true;
  map.key = lang::make_tuple({lang::make_string(16), lang::make_int64()});
  map.value = lang::make_aggregate(lang::TypeKind::Count, true);
  map.key_size = map.key.size;
  map.value_size = map.value.size;
  std::vector<runtime::MapElement> elements(static_cast<std::size_t>(state.range(0)));
  std::uint64_t number = 1;
  for (runtime::MapElement& element : elements) {
    number = number * 6364136223846793005 + 1442695040888963407;
    const std::uint64_t count = number >> 54, pid = number >> 40;
    element.key.resize(map.key.size);
    element.values.resize(4 * map.value.size);
    std::memcpy(element.key.data(), "worker", 6);
    std::memcpy(element.key.data() + 16, &pid, sizeof pid);
    for (std::size_t cpu = 0; cpu < 4; cpu++) std::memcpy(element.values.data() + cpu * 8, &count, sizeof count);
  }
  const Fd null(::open("/dev/null", O_WRONLY));
  const auto sink = output::find_format("text")->make({.fd = null.get()});
  for (auto _ : state) sink->map(runtime::read_map(map, elements, {}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(dump_map)->Arg(100)->Arg(10000)->Unit(benchmark::kMicrosecond);

void parse_kallsyms(benchmark::State& state) {
  const auto text = read_file("/proc/kallsyms");
  if (!text) {
    state.SkipWithError("cannot read /proc/kallsyms");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(symbols::KernelSymbols::parse(*text).size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text->size()));
}
BENCHMARK(parse_kallsyms)->Unit(benchmark::kMillisecond);

void name_of_a_kernel_address(benchmark::State& state) {
  const auto symbols = symbols::KernelSymbols::read();
  std::uint64_t address = 0xffffffff81000000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(symbols.find(address));
    address = 0xffffffff81000000 + (address * 6364136223846793005 + 1) % 0x1000000;
  }
}
BENCHMARK(name_of_a_kernel_address);

}  // namespace
}  // namespace trc
