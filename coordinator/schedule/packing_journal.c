#include "coordinator/schedule/packing_journal.h"

#include <assert.h>
#include <string.h>

#define ENTRIES_MIN 256u

struct packing_journal *packing_journal_create(struct arena *arena)
{
    struct packing_journal *journal = ARENA_NEW(arena, struct packing_journal);
    journal->arena = arena;
    return journal;
}

static void grow(struct packing_journal *journal)
{
    uint32_t capacity = journal->capacity == 0 ? ENTRIES_MIN : journal->capacity * 2;
    assert(capacity > journal->capacity);
    struct packing_entry *entries = ARENA_ARRAY(journal->arena, struct packing_entry, capacity);
    if (journal->count > 0)
        memcpy(entries, journal->entries, journal->count * sizeof(*entries));
    journal->entries = entries;
    journal->capacity = capacity;
}

struct packing_entry *packing_journal_write(struct packing_journal *journal, enum packing_act act,
                                            uint32_t place)
{
    if (!journal->kept)
        return NULL;
    if (journal->count == journal->capacity)
        grow(journal);
    struct packing_entry *entry = &journal->entries[journal->count++];
    entry->act = act;
    entry->place = place;
    return entry;
}

const struct packing_entry *packing_journal_pop(struct packing_journal *journal)
{
    assert(journal->count > 0);
    return &journal->entries[--journal->count];
}
