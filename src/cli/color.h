// Whether messages on stderr are coloured: TRC_COLOR (or BPFTRACE_COLOR) = always | never | auto, NO_COLOR, else by the terminal.
#pragma once
namespace trc::cli {
bool use_color();
}
