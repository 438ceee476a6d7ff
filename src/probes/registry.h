// One function a provider, each at the end of the provider's own file. registry.cc puts them into one list.
#pragma once

#include "probes/provider.h"

namespace trc::probes {

const Provider& begin_provider();
const Provider& end_provider();
const Provider& self_provider();
const Provider& test_provider();
const Provider& bench_provider();
const Provider& kprobe_provider();
const Provider& kretprobe_provider();
const Provider& fentry_provider();
const Provider& fexit_provider();
const Provider& uprobe_provider();
const Provider& uretprobe_provider();
const Provider& usdt_provider();
const Provider& tracepoint_provider();
const Provider& raw_tracepoint_provider();
const Provider& profile_provider();
const Provider& interval_provider();
const Provider& software_provider();
const Provider& hardware_provider();
const Provider& watchpoint_provider();
const Provider& iterator_provider();

/// The attach points that one with a wildcard for its probe type stands for: those types whose forms fit. Types of user space when a process
/// is traced or a path is named, else all others. An attach point without such a wildcard is returned as it is. Error: no type fits.
Result<std::vector<std::string>> expand_provider(std::string_view text, const Scope& scope);

}  // namespace trc::probes
