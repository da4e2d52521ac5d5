// What this room is for: finding the first place with room quickly. What it knows: free cpu, memory and pods
// of every place, in a tree of maxima; where each kind of pod failed already. What it may not do: decide that
// a pod fits (placement does), be used outside packing.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PACKING_SEARCH_H
#define VPSIE_COORDINATOR_SCHEDULE_PACKING_SEARCH_H

#include "common/arena.h"
#include "coordinator/schedule/placement.h"

struct packing_search;

struct packing_cursor {
    uint32_t next;  // no place before this one takes the pod
    uint64_t era;   // what had been taken back then (packing_search_era)
    uint64_t stamp; // of what else the pod looks at; 0: nothing
};

struct packing_kind {
    uint32_t kind_id;
    struct packing_cursor cursor;
    uint64_t why_state; // which places there were when `why` was found; FITS: not looked for yet
    struct placement why;
};

struct packing_search *packing_search_create(struct arena *arena, uint32_t capacity);
void packing_search_build(struct packing_search *search, const struct place *places, uint32_t count);
void packing_search_add(struct packing_search *search, const struct place *places, uint32_t index);
void packing_search_drop(struct packing_search *search, uint32_t index); // the last one that was added
void packing_search_update(struct packing_search *search, const struct place *place, uint32_t index);

void packing_search_close(struct packing_search *search, uint32_t index);
void packing_search_open(struct packing_search *search, const struct place *place, uint32_t index);
bool packing_search_is_closed(const struct packing_search *search, uint32_t index);

// The first place from `from` on that has the cpu, memory and pods, UINT32_MAX when there is none.
uint32_t packing_search_next(const struct packing_search *search, uint32_t from,
                             const struct resources *request);

// What is remembered of a kind; NULL for kind 0, of which nothing is.
struct packing_kind *packing_search_kind(struct packing_search *search, uint32_t kind_id);
// Something was taken back, so that cursors of the era before say nothing any more.
void packing_search_forget(struct packing_search *search);
uint64_t packing_search_era(const struct packing_search *search);
// Everything is as it was in that era, and so are the cursors.
void packing_search_return(struct packing_search *search, uint64_t era);
// Another figure whenever places were added, dropped, closed or opened, or something was rolled back.
uint64_t packing_search_state(const struct packing_search *search);

// How many extended resources the place's own array has room for; 0 while it is the node's.
uint32_t packing_search_room(const struct packing_search *search, uint32_t index);
void packing_search_set_room(struct packing_search *search, uint32_t index, uint32_t room);

#endif
