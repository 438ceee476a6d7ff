#include "builtins/catalogue.h"

#include "builtins/families.h"

namespace trc::builtins {

const lang::Catalogue& catalogue() {
  static const lang::Catalogue kCatalogue({output_builtins(), map_builtins(), aggregate_builtins(), string_builtins(), process_builtins(),
                                            time_builtins(), stack_builtins(), context_builtins(), compile_time_builtins(), name_builtins(),
                                            network_builtins(), change_builtins(), kernel_builtins(), not_yet_builtins()});
  return kCatalogue;
}

}  // namespace trc::builtins
