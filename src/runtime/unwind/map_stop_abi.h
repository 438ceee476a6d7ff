// What map_stop.bpf.c and its user have to agree on. Plain C.
#pragma once

#include "stdlib/unwind_abi.h"

#define TRC_MAP_STOP_RING 1048576     // bytes

/// Where members of kernel structures lie, in the order of the program's read-only data.
enum trc_map_stop_member {
#define TRC_MAP_STOP_MEMBER(symbol, member) TRC_AT_##symbol,
#define TRC_MAP_STOP_MEMBERS                                          \
  TRC_MAP_STOP_MEMBER(vma_start, "vm_area_struct.vm_start")           \
  TRC_MAP_STOP_MEMBER(vma_end, "vm_area_struct.vm_end")               \
  TRC_MAP_STOP_MEMBER(vma_file, "vm_area_struct.vm_file")             \
  TRC_MAP_STOP_MEMBER(file_inode, "file.f_inode")                     \
  TRC_MAP_STOP_MEMBER(inode_number, "inode.i_ino")                    \
  TRC_MAP_STOP_MEMBER(inode_super_block, "inode.i_sb")                \
  TRC_MAP_STOP_MEMBER(super_block_device, "super_block.s_dev")        \
  TRC_MAP_STOP_MEMBER(binprm_file, "linux_binprm.file")
  TRC_MAP_STOP_MEMBERS
#undef TRC_MAP_STOP_MEMBER
  TRC_MAP_STOP_MEMBER_COUNT
};

enum trc_map_stop_scope { TRC_MAP_STOP_TREE, TRC_MAP_STOP_PROCESS, TRC_MAP_STOP_ALL };

/// The program's read-only data, filled in before it is loaded.
struct trc_map_stop_settings {
  unsigned long long at[TRC_MAP_STOP_MEMBER_COUNT];
  unsigned long long namespace_device, namespace_inode;   // of the tracer's pid namespace; inode 0: it is the first one
  unsigned scope;                                         // enum trc_map_stop_scope
  int process;                                            // as the tracer counts it
};

/// A process was stopped. `end` 0: what it has mapped has to be looked up.
struct trc_map_stop_record {
  int pid;
  unsigned reserved;
  struct trc_uw_file_key key;
  unsigned long long start, end;
};
