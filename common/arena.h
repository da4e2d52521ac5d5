// What this room is for: memory that lives and dies together (a region, as in NSD): an event, a command list,
// one decision. What it knows: sizes. What it may not do: free one piece; that is the point.
#ifndef VPSIE_COMMON_ARENA_H
#define VPSIE_COMMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

// Never returns NULL: running out of memory aborts with a message (as all allocation in this project does).
// Not thread-safe; may be handed from one thread to another.
struct arena *arena_create(size_t first_block_bytes);
void arena_destroy(struct arena *arena); // NULL is fine
void arena_reset(struct arena *arena);   // frees all but the first block

// Zeroed, aligned for any type. bytes == 0 gives a valid unique pointer.
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_alloc_array(struct arena *arena, size_t count, size_t item_bytes); // aborts on overflow
char *arena_strdup(struct arena *arena, const char *text);                     // NULL stays NULL
char *arena_strndup(struct arena *arena, const char *text, size_t bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const struct arena *arena); // reserved from the system

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

// malloc family that aborts with a message instead of returning NULL. Free with free().
void *xcalloc(size_t count, size_t bytes);
void *xrealloc_array(void *old, size_t count, size_t item_bytes);
char *xstrdup(const char *text); // NULL stays NULL
char *xstrndup(const char *text, size_t bytes);
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// For __attribute__((cleanup(free_text))) char *text.
void free_text(char **text);
#define AUTOFREE __attribute__((cleanup(free_text)))

#endif
