// What programs count of what went wrong; as image::LossCounters.
#pragma once

struct loss_counters {
  unsigned long long ring_full, map_full, scratch_busy, stacks_full, helper_failed, contended;
};
