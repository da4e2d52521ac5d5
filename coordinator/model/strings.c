#include "coordinator/model/strings.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/model/table.h"

#define REFERENCES_FOR_EVER UINT32_MAX

struct string {
    uint32_t references;
    char text[];
};

struct strings {
    struct table table; // of struct string
    size_t bytes;
};

static struct string *string_of(const char *text)
{
    return (struct string *)(void *)(text - offsetof(struct string, text));
}

struct strings *strings_create(void)
{
    return xcalloc(1, sizeof(struct strings));
}

void strings_destroy(struct strings *strings)
{
    if (strings == NULL)
        return;
    for (uint32_t slot = 0; slot < strings->table.capacity; slot++)
        free(strings->table.items[slot]);
    table_free(&strings->table);
    free(strings);
}

static struct string *find(const struct strings *strings, uint64_t hash, const char *text)
{
    struct string *string;
    for (uint32_t cursor = 0; (string = table_next(&strings->table, hash, &cursor)) != NULL;) {
        if (strcmp(string->text, text) == 0)
            return string;
    }
    return NULL;
}

static struct string *find_or_add(struct strings *strings, const char *text)
{
    assert(strings != NULL);
    if (text == NULL)
        text = "";
    uint64_t hash = hash_text(HASH_SEED, text);
    struct string *string = find(strings, hash, text);
    if (string != NULL)
        return string;
    size_t bytes = strlen(text) + 1;
    string = xcalloc(1, sizeof(*string) + bytes);
    memcpy(string->text, text, bytes);
    table_insert(&strings->table, hash, string);
    strings->bytes += sizeof(*string) + bytes;
    return string;
}

const char *strings_intern(struct strings *strings, const char *text)
{
    struct string *string = find_or_add(strings, text);
    string->references = REFERENCES_FOR_EVER;
    return string->text;
}

const char *strings_hold(struct strings *strings, const char *text)
{
    struct string *string = find_or_add(strings, text);
    if (string->references != REFERENCES_FOR_EVER)
        string->references++;
    return string->text;
}

void strings_release(struct strings *strings, const char *held)
{
    assert(strings != NULL && held != NULL);
    struct string *string = string_of(held);
    if (string->references == REFERENCES_FOR_EVER)
        return;
    assert(string->references > 0);
    if (--string->references > 0)
        return;
    bool there = table_remove(&strings->table, hash_text(HASH_SEED, held), string);
    assert(there);
    (void)there;
    strings->bytes -= sizeof(*string) + strlen(held) + 1;
    free(string);
}

const char *strings_find(const struct strings *strings, const char *text)
{
    if (text == NULL)
        text = "";
    struct string *string = find(strings, hash_text(HASH_SEED, text), text);
    return string == NULL ? NULL : string->text;
}

size_t strings_bytes(const struct strings *strings)
{
    return sizeof(*strings) + strings->bytes +
           strings->table.capacity * (sizeof(*strings->table.items) + sizeof(*strings->table.hashes));
}

size_t strings_count(const struct strings *strings)
{
    return strings->table.count;
}
