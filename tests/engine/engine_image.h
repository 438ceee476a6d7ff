// The image of engine.bpf.c: what code generation would say of it.
#pragma once

#include "base/read_file.h"
#include "image/program_image.h"

namespace trc::runtime {

inline constexpr std::uint32_t kBegin = 0, kFlood = 1, kUser = 2, kTracepoint = 3, kRaw = 4, kSample = 5, kTell = 6;
inline constexpr std::uint32_t kScalar = 2, kHits = 3, kPlain = 4;

inline image::ProgramImage make_image() {
  image::ProgramImage image;
  image.object = read_file(TRC_ENGINE_OBJECT).value();
  using image::MapRole;
  image.maps = {
      {.name = "ring", .role = MapRole::Ring, .bpf_type = 27, .max_entries = 4096},
      {.name = "loss", .role = MapRole::Loss, .bpf_type = 6, .key_size = 4, .value_size = sizeof(image::LossCounters), .max_entries = 7, .per_cpu = true},
      {.name = "map_scalar", .script_name = "@s", .role = MapRole::User, .bpf_type = 2, .key_size = 4, .value_size = 16, .max_entries = 1, .presence_offset = 8},
      {.name = "map_hits", .script_name = "@hits", .role = MapRole::User, .bpf_type = 5, .key_size = 8, .value_size = 8, .max_entries = 4096, .per_cpu = true, .has_key = true},
      {.name = "map_plain", .script_name = "@plain", .role = MapRole::User, .bpf_type = 1, .key_size = 8, .value_size = 4, .max_entries = 4096, .has_key = true},
  };
  using lang::ProgramKind;
  image.programs = {
      {.name = "run_begin", .kind = ProgramKind::TestRun},
      {.name = "run_flood", .kind = ProgramKind::TestRun},
      {.name = "on_user", .kind = ProgramKind::UserProbe, .uses_cookie = true},
      {.name = "on_tracepoint", .kind = ProgramKind::Tracepoint, .uses_cookie = true},
      {.name = "on_raw", .kind = ProgramKind::RawTracepoint},
      {.name = "on_sample", .kind = ProgramKind::PerfEvent, .uses_cookie = true},
      {.name = "tell_user", .kind = ProgramKind::UserProbe, .uses_cookie = true},
  };
  image.constants = {{.which = 0, .symbol = "constant_first", .offset = 0}, {.which = 1, .symbol = "constant_second", .offset = 8}};
  image.events = {{.action = lang::ActionKind::PrintValue, .fields = {{.type = lang::make_uint64(), .offset = 8}}, .size = 16}};
  image.frozen_offset = 4;
  image.settings.ring_pages = 4;
  return image;
}

}  // namespace trc::runtime
