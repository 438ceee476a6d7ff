#include <cstdio>

#include "cli/commands.h"
#include "kernel/facts.h"
#include "probes/provider.h"
#include "probes/registry.h"

namespace trc::cli {

Result<int> list_probes(const Options& options) {
  probes::Scope scope;
  if (options.pid) scope.pid = *options.pid;
  TRC_TRY(names, probes::list_probes(options.list_pattern, kernel::system_facts(), scope));
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace trc::cli
