// The processes of the -c command, as programs see them: what stdlib/process.bpf.c, runtime/follow.bpf.c and runtime/process_tree have to
// agree on. Plain C. Process numbers here are those of the first pid namespace.
#pragma once

// An array `trc_tree` of one struct trc_tree, and a HASH `trc_tree_members`, u32 process -> u32 of any value. A process belongs to the tree
// from the command's first exec, or from its own fork on, until it ends.
#define TRC_TREE_PROCESSES 65536

struct trc_tree {
  unsigned command;   // its process; TRC_TREE_NOBODY until it has executed anything
  unsigned state;     // enum trc_tree_state
};
#define TRC_TREE_NOBODY 0xffffffffu

enum trc_tree_state {
  TRC_TREE_COMMAND_ALONE,   // it has not forked: no look-up is needed
  TRC_TREE_FORKED,
  TRC_TREE_EVERYBODY        // nobody keeps the list: every process counts as one of the tree
};
