// What this room is for: the cheapest set of machines for pods that have no place: which sizes of which
// groups, how many, and which pod goes where. What it knows: a picture of free space, what each size brings
// and costs, limits. What it may not do: know the core, order anything, read a clock, or depend on the order
// of its input.
#ifndef VPSIE_COORDINATOR_DECIDE_CHOOSE_H
#define VPSIE_COORDINATOR_DECIDE_CHOOSE_H

#include "coordinator/decide/expander.h"
#include "coordinator/schedule/packing.h"

struct choice_group {       // what the sizes of one group have in common
    uint32_t room;          // machines it may still get
    double price_room_hour; // and what they may cost an hour; < 0: any price
    bool one_size;          // all its machines have to be of one size
    int32_t priority;       // the higher, the sooner (EXPANDER_PRIORITY)
};
struct choice {                // machines of one size that can be had
    const struct place *place; // as they will be once joined, DaemonSets in `used`
    double price_hour;         // of one; <= 0: not known, taken for dearer than any known
    uint32_t group;            // index into groups
    uint32_t tier;             // the lower, the sooner: a higher one serves only what no lower one can
};
struct wish {
    struct arena *arena;     // for the answer and all that is needed on the way
    struct packing *packing; // what there is and what is on its way; pods that have a place were put there
    const struct pod *const *pods; // without a place, in packing order
    uint32_t pod_count;
    const struct choice *choices;
    uint32_t choice_count;
    const struct choice_group *groups;
    uint32_t group_count;
    uint32_t room; // machines of all groups together; UINT32_MAX: no limit
    enum expander expander;
    uint64_t seed; // EXPANDER_RANDOM
};

#define CHOSEN_NONE UINT32_MAX
#define CHOSEN_FREE (UINT32_MAX - 1) // beside what the plan places, on space that was free before
struct chosen_machine {
    uint32_t choice;
    uint32_t place; // in the packing
    uint32_t pods;  // at least one
};
// How each choice fared, for people.
struct chosen_option {
    uint32_t pods;             // of the wish: that can run there at all
    uint32_t machines_least;   // of this choice alone for those pods, at least
    double price_hour_least;   // what these would cost; 0 when no price is known
    uint32_t machines, served; // in the plan
    bool had_room;             // its group's limits leave it a machine
};
struct chosen {
    struct chosen_machine *machines; // as added to the packing, none of them without a pod
    uint32_t machine_count;
    uint32_t *machine_of; // by pod of the wish: index into machines, CHOSEN_FREE, or CHOSEN_NONE
    uint32_t served;
    double price_hour; // of all machines, as far as known
    double bound_hour; // no set of machines for these pods costs less; 0 when prices are not known
    struct chosen_option *options; // by choice
};
// The plan stays on the packing: its machines are the last places, its pods were put on them and pass every
// filter there. A caller that only wants to know rolls it back. Limits are never passed. Sizes without which
// pods fit nowhere are bought even when others are cheaper; a pod that fits no choice is left without
// machine.
struct chosen choose_machines(const struct wish *wish);

#endif
