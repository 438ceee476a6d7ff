// Reads maps that it does not bring itself.
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
enum { kHash = 1, kArrayOfMaps = 12, kRing = 27 };

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;

struct { int (*type)[kRing]; int (*max_entries)[4096]; } ring SEC(".maps");
struct { int (*type)[kHash]; u64 *key; u64 *value; int (*max_entries)[16]; } given_hash SEC(".maps");
// What its elements are like is not declared here.
struct { int (*type)[kArrayOfMaps]; int (*key_size)[4]; int (*value_size)[4]; int (*max_entries)[4]; } given_arrays SEC(".maps");

SEC("trc/read_given") int read_given(void *context) {
  (void)context;
  u64 *record = ringbuf_reserve(&ring, 16, 0);
  if (!record) return 0;
  u64 key = 7;
  u64 *value = map_lookup(&given_hash, &key);
  u32 which = 2, element = 3;
  void *array = map_lookup(&given_arrays, &which);
  u64 *inner = array ? map_lookup(array, &element) : 0;
  record[0] = value ? *value : 0;
  record[1] = inner ? *inner : 0;
  ringbuf_submit(record, 0);
  return 0;
}

char license_text[] SEC("license") = "GPL";
