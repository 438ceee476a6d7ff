// The shapes that code generation makes, by hand: what the engine must be able to load, run, attach and read.
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
enum { kArray = 2, kPerCpuArray = 6, kHash = 1, kPerCpuHash = 5, kRing = 27 };

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const get_attach_cookie)(void *context) = (void *)174;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;

struct { int (*type)[kRing]; int (*max_entries)[4096]; } ring SEC(".maps");
struct losses { u64 ring_full, map_full, scratch_busy, stacks_full, helper_failed, contended; };
struct { int (*type)[kPerCpuArray]; u32 *key; struct losses *value; int (*max_entries)[7]; } loss SEC(".maps");
struct scalar { u64 value, presence; };
struct { int (*type)[kArray]; u32 *key; struct scalar *value; int (*max_entries)[1]; } map_scalar SEC(".maps");
struct { int (*type)[kPerCpuHash]; u64 *key; u64 *value; int (*max_entries)[4096]; } map_hits SEC(".maps");
struct { int (*type)[kHash]; u64 *key; u32 *value; int (*max_entries)[4096]; } map_plain SEC(".maps");

const volatile u64 constant_first = 0;
const volatile u64 constant_second = 0;
struct { u32 other, frozen; } state;   // the switch does not lie at offset 0

struct event { u32 event, program; u64 number; };

static void send(u32 program, u64 number) {
  struct event *e = ringbuf_reserve(&ring, sizeof *e, 0);
  if (!e) {
    struct losses *l = map_lookup(&loss, &program);
    if (l) l->ring_full++;
    return;
  }
  e->event = 0;
  e->program = program;
  e->number = number;
  ringbuf_submit(e, 0);
}

static void hit(u64 key) {
  u64 *known = map_lookup(&map_hits, &key);
  if (known) {
    *known += 1;
    return;
  }
  u64 one = 1;
  map_update(&map_hits, &key, &one, 0);
}

SEC("trc/run_begin") int run_begin(void *context) {
  (void)context;
  u32 zero = 0;
  struct scalar *s = map_lookup(&map_scalar, &zero);
  if (s) {
    s->value = constant_second;
    s->presence = 1;
  }
  for (u64 key = 1; key <= 100; ++key) {
    u32 value = (u32)key * 3;
    map_update(&map_plain, &key, &value, 0);
  }
  send(0, constant_first);
  return 0;
}

SEC("trc/run_flood") int run_flood(void *context) {
  (void)context;
  for (int i = 0; i < 2000; ++i) send(1, i);
  return 0;
}

SEC("trc/on_user") int on_user(void *context) {
  if (state.frozen) return 0;
  hit(get_attach_cookie(context));
  return 0;
}

SEC("trc/tell_user") int tell_user(void *context) {
  if (!state.frozen) send(6, get_attach_cookie(context));
  return 0;
}

SEC("trc/on_tracepoint") int on_tracepoint(void *context) {
  if (state.frozen) return 1;
  hit(get_attach_cookie(context));
  return 1;
}

SEC("trc/on_raw") int on_raw(void *context) {
  (void)context;
  if (state.frozen) return 0;
  hit(5000);
  return 0;
}

SEC("trc/on_sample") int on_sample(void *context) {
  if (state.frozen) return 0;
  hit(get_attach_cookie(context));
  return 0;
}

char license_text[] SEC("license") = "GPL";
