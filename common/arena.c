#include "common/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAGIC             0x6172656eu
#define ARENA_BLOCK_BYTES_MIN   256u
#define ARENA_BLOCK_BYTES_MAX   ((size_t)4 * 1024 * 1024)
#define ARENA_ALIGN             alignof(max_align_t)
#define ARENA_ROUND_UP(bytes)   (((bytes) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN)
#define ARENA_BLOCK_HEADER_SIZE ARENA_ROUND_UP(sizeof(struct block))

struct block {
    struct block *previous;
    size_t capacity; // bytes after the header
    size_t used;
};

struct arena {
    uint32_t magic;
    struct block *first;
    struct block *current;
    size_t next_bytes; // blocks double, so that a big arena has few of them
    size_t reserved;
};

static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "out of memory: %zu bytes could not be had\n", bytes);
    abort();
}

static _Noreturn void too_many(size_t count, size_t item_bytes)
{
    fprintf(stderr, "out of memory: %zu items of %zu bytes do not fit an address space\n", count, item_bytes);
    abort();
}

static struct block *block_create(struct arena *arena, size_t capacity, struct block *previous)
{
    size_t total;
    if (__builtin_add_overflow(capacity, ARENA_BLOCK_HEADER_SIZE, &total))
        out_of_memory(capacity);
    struct block *block = malloc(total);
    if (block == NULL)
        out_of_memory(total);
    *block = (struct block){.previous = previous, .capacity = capacity};
    arena->reserved += total;
    return block;
}

struct arena *arena_create(size_t first_block_bytes)
{
    if (first_block_bytes < ARENA_BLOCK_BYTES_MIN)
        first_block_bytes = ARENA_BLOCK_BYTES_MIN;
    if (first_block_bytes > SIZE_MAX - ARENA_ALIGN)
        out_of_memory(first_block_bytes);
    struct arena *arena = xcalloc(1, sizeof(*arena));
    size_t capacity = ARENA_ROUND_UP(first_block_bytes);
    arena->magic = ARENA_MAGIC;
    arena->first = block_create(arena, capacity, NULL);
    arena->current = arena->first;
    arena->next_bytes = capacity;
    return arena;
}

static void free_later_blocks(struct arena *arena)
{
    while (arena->current != arena->first) {
        struct block *block = arena->current;
        arena->current = block->previous;
        arena->reserved -= block->capacity + ARENA_BLOCK_HEADER_SIZE;
        free(block);
    }
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    assert(arena->magic == ARENA_MAGIC);
    free_later_blocks(arena);
    free(arena->first);
    arena->magic = 0;
    free(arena);
}

void arena_reset(struct arena *arena)
{
    assert(arena != NULL && arena->magic == ARENA_MAGIC);
    free_later_blocks(arena);
    arena->first->used = 0;
    arena->next_bytes = arena->first->capacity;
}

static void *take(struct block *block, size_t bytes)
{
    unsigned char *place = (unsigned char *)block + ARENA_BLOCK_HEADER_SIZE + block->used;
    block->used += bytes;
    assert(block->used <= block->capacity);
    return place;
}

static void *alloc_raw(struct arena *arena, size_t bytes)
{
    assert(arena != NULL && arena->magic == ARENA_MAGIC);
    if (bytes == 0)
        bytes = 1;
    if (bytes > SIZE_MAX - ARENA_ALIGN)
        out_of_memory(bytes);
    size_t rounded = ARENA_ROUND_UP(bytes);
    if (rounded > arena->current->capacity - arena->current->used) {
        if (arena->next_bytes < ARENA_BLOCK_BYTES_MAX)
            arena->next_bytes *= 2;
        size_t capacity = rounded > arena->next_bytes ? rounded : arena->next_bytes;
        arena->current = block_create(arena, capacity, arena->current);
    }
    return take(arena->current, rounded);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    return memset(alloc_raw(arena, bytes), 0, bytes);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t item_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes))
        too_many(count, item_bytes);
    return arena_alloc(arena, bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes)
{
    if (text == NULL)
        return NULL;
    size_t length = strnlen(text, bytes);
    char *copy = alloc_raw(arena, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, PTRDIFF_MAX);
}

static size_t formatted_length(const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    int length = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    if (length < 0) {
        fprintf(stderr, "cannot format \"%s\"\n", format);
        abort();
    }
    return (size_t)length;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = formatted_length(format, arguments);
    char *text = alloc_raw(arena, length + 1);
    vsnprintf(text, length + 1, format, arguments);
    va_end(arguments);
    return text;
}

size_t arena_bytes(const struct arena *arena)
{
    assert(arena != NULL && arena->magic == ARENA_MAGIC);
    return arena->reserved;
}

void *xcalloc(size_t count, size_t bytes)
{
    if (count == 0 || bytes == 0)
        count = bytes = 1;
    void *memory = calloc(count, bytes);
    if (memory == NULL)
        too_many(count, bytes);
    return memory;
}

void *xrealloc_array(void *old, size_t count, size_t item_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes))
        too_many(count, item_bytes);
    void *memory = realloc(old, bytes == 0 ? 1 : bytes);
    if (memory == NULL)
        out_of_memory(bytes);
    return memory;
}

char *xstrndup(const char *text, size_t bytes)
{
    if (text == NULL)
        return NULL;
    char *copy = strndup(text, bytes);
    if (copy == NULL)
        out_of_memory(bytes);
    return copy;
}

char *xstrdup(const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        out_of_memory(strlen(text));
    return copy;
}

char *xprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = formatted_length(format, arguments);
    char *text = xcalloc(length + 1, 1);
    vsnprintf(text, length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void free_text(char **text)
{
    free(*text);
    *text = NULL;
}
