#include <fmt/format.h>

#include "image/program_image.h"

namespace trc::image {
namespace {

const char* role_name(MapRole role) {
  switch (role) {
    case MapRole::User: return "user";
    case MapRole::Ring: return "ring";
    case MapRole::Loss: return "loss";
    case MapRole::StackEnds: return "stack ends";
    case MapRole::Slots: return "slots";
    case MapRole::StackLimits: return "stack limits";
    case MapRole::Given: return "given";
    case MapRole::Internal: return "internal";
  }
  return "?";
}

const char* action_name(lang::ActionKind action) {
  static constexpr const char* kNames[] = {
#define TRC_ACTION(kind) #kind,
#include "lang/actions.def"
#undef TRC_ACTION
  };
  const auto index = static_cast<std::size_t>(action);
  return index < std::size(kNames) ? kNames[index] : "?";
}

}  // namespace

std::string dump(const ProgramImage& image) {
  std::string out = fmt::format("image format {}\nobject: {} bytes\n", kFormatVersion, image.object.size());
  for (const MapEntry& map : image.maps) {
    out += fmt::format("map {} ({}): type {}, key {}, value {}, entries {}", map.script_name.empty() ? map.name : map.script_name, role_name(map.role),
                       map.bpf_type, map.key_size, map.value_size, map.max_entries);
    if (map.role == MapRole::User) {
      out += map.has_key ? fmt::format(": {} -> {}", lang::type_name(map.key), lang::type_name(map.value)) : ": " + lang::type_name(map.value);
    }
    out += map.per_cpu ? ", per CPU\n" : "\n";
  }
  for (const ProgramEntry& program : image.programs) out += fmt::format("program {}{}\n", program.name, program.uses_cookie ? ", asks for its cookie" : "");
  for (const ProbeEntry& probe : image.probes) out += fmt::format("probe {}: program {}\n", probe.text, probe.program);
  for (std::size_t i = 0; i < image.events.size(); ++i) {
    const lang::EventSchema& event = image.events[i];
    out += fmt::format("event {}: {} (", i, action_name(event.action));
    for (std::size_t f = 0; f < event.fields.size(); ++f) out += fmt::format("{}{} at {}", f == 0 ? "" : ", ", lang::type_name(event.fields[f].type), event.fields[f].offset);
    out += ")\n";
  }
  for (const RuntimeConstantEntry& constant : image.constants) out += fmt::format("constant {} at {}\n", constant.symbol, constant.offset);
  for (const KernelFieldEntry& field : image.kernel_fields) out += fmt::format("kernel field {} at {}\n", field.member, field.offset);
  return out;
}

}  // namespace trc::image
