// Looks places up in the unwind tables as stdlib/unwind_abi.h describes them, by the book rather than fast.
#include "stdlib/unwind_abi.h"

typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
enum { kHash = 1, kArray = 2, kArrayOfMaps = 12, kRing = 27, kPlaces = 4096 };

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const loop)(u32 count, void *body, void *context, u64 flags) = (void *)181;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;

struct { int (*type)[kRing]; int (*max_entries)[65536]; } ring SEC(".maps");
struct { int (*type)[kHash]; struct trc_uw_file_key *key; struct trc_uw_file *value; int (*max_entries)[TRC_UW_MAX_FILES]; } trc_uw_files SEC(".maps");
struct { int (*type)[kArray]; u32 *key; struct trc_uw_page *value; int (*max_entries)[TRC_UW_MAX_PAGES]; } trc_uw_pages SEC(".maps");
struct { int (*type)[kArray]; u32 *key; u64 *value; int (*max_entries)[TRC_UW_MAX_RULES]; } trc_uw_rules SEC(".maps");
struct { int (*type)[kArrayOfMaps]; int (*key_size)[4]; int (*value_size)[4]; int (*max_entries)[TRC_UW_MAX_CHUNKS]; } trc_uw_rows SEC(".maps");
struct place { struct trc_uw_file_key file; u64 offset; };
struct { int (*type)[kArray]; u32 *key; struct place *value; int (*max_entries)[kPlaces]; } places SEC(".maps");

struct search { struct trc_uw_block *block; u32 first, count, low, rule; };
static long compare(u32 index, void *context) {
  struct search *s = context;
  const u32 at = (s->first + index) & (TRC_UW_BLOCK_ROWS - 1);
  if (index >= s->count || (s->block->rows[at] & 0xffff) > s->low) return 1;
  s->rule = s->block->rows[at] >> 16;
  return 0;
}

/// The rule; all ones: no such file, its state otherwise in the upper half: the table is not ready.
static u64 rule_at(struct place *place) {
  struct trc_uw_file *file = map_lookup(&trc_uw_files, &place->file);
  if (!file) return ~0ULL;
  if (file->state != TRC_UW_FILE_READY) return (u64)file->state << 32 | 0xffffffff;
  const u64 page = (place->offset >> TRC_UW_PAGE_SHIFT) - file->first_page;
  if (page >= file->pages) return TRC_UW_NONE;
  const u32 number = file->page_base + (u32)page;
  struct trc_uw_page *entry = map_lookup(&trc_uw_pages, &number);
  if (!entry || entry->count == 0) return TRC_UW_NONE;
  const u32 block = entry->first / TRC_UW_BLOCK_ROWS, chunk = block / TRC_UW_CHUNK_BLOCKS, inside = block % TRC_UW_CHUNK_BLOCKS;
  void *rows = map_lookup(&trc_uw_rows, &chunk);
  if (!rows) return ~1ULL;
  struct search search = {map_lookup(rows, &inside), entry->first % TRC_UW_BLOCK_ROWS, entry->count, place->offset % (1 << TRC_UW_PAGE_SHIFT), 0};
  if (!search.block) return ~1ULL;
  loop(TRC_UW_BLOCK_ROWS, compare, &search, 0);
  u64 *rule = map_lookup(&trc_uw_rules, &search.rule);
  return rule ? *rule : ~1ULL;
}

static long look_up(u32 index, void *context) {
  (void)context;
  struct place *place = map_lookup(&places, &index);
  u64 *record = ringbuf_reserve(&ring, 8, 0);
  if (!record) return 1;
  *record = place ? rule_at(place) : ~1ULL;
  ringbuf_submit(record, 0);
  return 0;
}

SEC("trc/look_up_all") int look_up_all(void *context) {
  (void)context;
  loop(kPlaces, look_up, 0, 0);
  return 0;
}

char license_text[] SEC("license") = "GPL";
