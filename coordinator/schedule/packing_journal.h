// What this room is for: going back to a mark. What it knows: what was done to a packing since its first
// mark, in order. What it may not do: be used outside packing, undo anything itself.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PACKING_JOURNAL_H
#define VPSIE_COORDINATOR_SCHEDULE_PACKING_JOURNAL_H

#include "common/arena.h"
#include "coordinator/schedule/packing_search.h"

enum packing_act { PACKING_PUT, PACKING_TAKE, PACKING_ADD, PACKING_REMOVE, PACKING_RESTORE, PACKING_CURSOR };

struct packing_amounts { // of a place, before a put or a take
    int64_t cpu_millis, memory_bytes, ephemeral_bytes, pods;
};

struct packing_entry {
    enum packing_act act;
    uint32_t place;
    union {
        struct {
            const struct pod *pod;
            struct packing_amounts before;
        } pod;                   // PUT, TAKE
        const struct node *node; // REMOVE, RESTORE
        struct {
            struct packing_cursor *cursor;
            struct packing_cursor before;
        } cursor;
    };
};

struct packing_journal {
    struct arena *arena;
    bool kept; // a mark was made: from then on everything is written down
    struct packing_entry *entries;
    uint32_t count, capacity;
};

struct packing_journal *packing_journal_create(struct arena *arena);
// A new entry to fill in, or NULL when nothing is kept.
struct packing_entry *packing_journal_write(struct packing_journal *journal, enum packing_act act,
                                            uint32_t place);
// The youngest entry, taken off; it is valid until the next write.
const struct packing_entry *packing_journal_pop(struct packing_journal *journal);

#endif
