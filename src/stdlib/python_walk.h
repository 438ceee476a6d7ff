// What Python frames are walked in, besides struct trc_walk of the same run. Plain C, shared with code generation.
#pragma once

#include "python_abi.h"
#include "stack_walk.h"

#define TRC_PY_WINDOW 1024        // bytes of frames that are read at once
#define TRC_PY_FRAME_BYTES 80     // of a frame that are looked at
#define TRC_PY_CODE_BYTES 216     // of a code object that are looked at
#define TRC_PY_TEXT (2 * TRC_PY_MAX_NAME + TRC_PY_MAX_LINES)

/// A code object that this walk has met.
struct trc_py_met {
  unsigned long long code, word;                // its frames' word without a place; 0 if it was not asked for
  unsigned walk;                                // which walk: an older one's are not believed, the object may be another by now
  int first_traceable;
};
#define TRC_PY_MET 64

/// Element of trc_py_walks, an ARRAY like trc_walks; an element belongs to the run that has claimed the struct trc_walk of its number. Room
/// for trc_py_capacity words follows.
struct trc_py_walk {
  unsigned long long fs;                        // the thread pointer
  unsigned long long bias;                      // of the module in use
  unsigned runtime;                             // its number in trc_py_runtimes
  unsigned tgid;
  // the frame that the walk is at
  unsigned long long frame, cframe;
  unsigned long long last_frame, window_start;
  unsigned long long code;                      // the code object that `head` is of
  unsigned depth;                               // frames that were complete
  unsigned program, limit, flags, end;          // as in struct trc_walk
  unsigned number;                              // of this walk, among those here
  unsigned restarted;                           // from the _PyCFrame before the innermost
  // frames that go with native ones, in runs: a marker, which is an address inside the native frame that they belong to, then the frames
  unsigned words, run;                          // words so far; which of them is the current run's marker
  unsigned next;                                // while they are put among native frames: the word that comes next
  // looking for the thread
  unsigned long long interpreter, thread;
  unsigned thread_seen;                         // there is a state of this thread
  unsigned unread;                              // the list of states was not read to its end
  // looking for the interpreter
  unsigned asked, reserved;                     // some file was not looked at yet
  unsigned long long maple_root, address;
  struct trc_py_process process;
  struct trc_py_met met[TRC_PY_MET];            // by a hash of the address
  unsigned long long node[32];
  // bytes of the process, with room behind so that offsets need no exact check
  unsigned long long head[TRC_PY_CODE_BYTES / 8 + 6];
  unsigned long long window[TRC_PY_WINDOW / 8 + 32];   // behind the window: a frame that lies elsewhere
  struct trc_py_code_record record;
  char text[TRC_PY_TEXT];
  // unsigned long long words[] follow
};
