// What this room is for: sets of machines on paper: amounts, counts and prices in plain arrays, so that
// thousands can be tried for the price of one look at the rules. What it knows: which kinds may run on which
// choices, how many of a kind one machine may hold. What it may not do: promise a place (choose.c puts the
// pods to prove it), be used outside choose_*.c and their tests.
#ifndef VPSIE_COORDINATOR_DECIDE_CHOOSE_DRAFT_H
#define VPSIE_COORDINATOR_DECIDE_CHOOSE_DRAFT_H

#include "coordinator/decide/choose.h"

#define DRAFT_AXES     8u // cpu, memory, ephemeral storage, pods, and the first four extended resources
#define DRAFT_CAPS_MAX 6u // of one kind
#define DRAFT_NONE     UINT32_MAX

// Pods that are equal for a draft: of one shape, or merged.
struct draft_kind {
    uint32_t first, count; // members[first .. first + count) of the drafting
    int64_t ask[DRAFT_AXES];
    uint32_t rule;
    uint32_t part; // DRAFT_NONE: nothing takes it
    // One machine holds at most cap_most[cap] of the kinds that have the cap; the first cap_count it keeps to
    // itself, by the others up to cap_total it only counts for those that do.
    uint32_t caps[DRAFT_CAPS_MAX];
    uint32_t cap_count, cap_total;
    uint32_t axis; // the one of which it asks the largest share
    double worth;  // a fair price for one of them
};
// Kinds that ask most of the same axis and have the same caps, the largest first: a machine that has used a
// cap up is done with the whole list.
struct draft_list {
    uint32_t axis;
    uint32_t *kinds;
    int64_t *asks;   // of the axis, and
    uint32_t *rules; // by place in the list: what is looked at most is close together
    // By block of DRAFT_BLOCK places: the least of each amount that any kind of it asks for. Where that does
    // not fit, none of the block does.
    int64_t (*least)[DRAFT_AXES];
    uint32_t count;
    bool alike; // in their caps, which are
    uint32_t caps[DRAFT_CAPS_MAX], cap_count, cap_total;
};
#define DRAFT_BLOCK     16u
#define DRAFT_LISTS_MAX 256u // what has other caps than these goes into lists that are not alike

struct draft_rule {    // what kinds have in common that may run on the same choices
    uint64_t *allowed; // bit by choice
    uint32_t choices;  // how many
    uint64_t hash;
};

struct drafting {
    const struct wish *wish;
    struct arena *arena;
    uint32_t round; // from 1 on pods are tried against what a former round put on the packing
    uint32_t axis_count;
    const char *extended[DRAFT_AXES]; // the resource of the fifth axis and on
    uint32_t *members;                // pods of the wish that have no place, kind by kind
    struct draft_kind *kinds;
    uint32_t kind_count;
    struct draft_rule *rules; // no two allow the same
    uint32_t rule_count, rule_capacity;
    uint32_t *by_group;    // choices, group by group, those that bring most cpu first
    uint32_t *group_start; // by group, and one more: where it begins there
    uint32_t *cap_most;
    uint32_t *cap_skew;           // of an even spread over machines; 0: another cap
    uint32_t *cap_pods;           // that it is about
    const struct pod **cap_owner; // one whose rule it is
    uint32_t cap_count, cap_capacity;
    uint32_t *turn; // by pod of the wish: when its topology domain took it, 0: it is not bound to one
    uint32_t turns;
    int64_t (*brings)[DRAFT_AXES]; // by choice, less what DaemonSets take
    double *price;                 // by choice; never 0
    bool *closed;                  // by choice: not to be used
    // the part that is being planned: kinds and choices that have to do with each other
    uint32_t *part_kinds, part_kind_count;
    uint32_t *part_choices, part_choice_count; // by what they bring for their price, the most first
    uint32_t *by_price;                        // the same, cheapest first
    double *generosity;       // by choice: the worth of what it brings for its price, 1 at most
    double worth[DRAFT_AXES]; // a fair price of each amount: no choice of the part brings more than its price
    struct draft_list *lists;
    uint32_t list_count;
    uint32_t *list_of, *position; // by kind: its list, and where it stands there
};

static inline bool draft_allowed(const struct drafting *drafting, uint32_t rule, uint32_t choice)
{
    return (drafting->rules[rule].allowed[choice / 64] >> (choice % 64) & 1) != 0;
}

struct draft_load {
    uint32_t kind, count;
};
struct draft_machine {
    uint32_t choice;
    uint32_t load_count;
    const struct draft_load *loads;
    double value; // what its pods are worth
};
struct draft { // a set of machines
    struct draft_machine *machines;
    uint32_t count, capacity;
    double price;
    uint64_t pods; // served
};
// What limits leave, while a draft grows.
struct draft_room {
    uint32_t all;
    uint32_t *groups;
    double *prices;
};

// ---- choose_kinds.c
struct drafting *drafting_create(const struct wish *wish);
// Does one machine have the amounts that one of the kind asks for?
bool draft_holds(const struct drafting *drafting, uint32_t choice, const struct draft_kind *kind);
int64_t draft_amount(const struct resources *amount, const struct drafting *drafting, uint32_t axis);
// Kinds of the pods that have no machine, against the packing as it is now.
void drafting_take_kinds(struct drafting *drafting, const uint32_t *machine_of);
// Tell every kind its part: parts share neither kinds nor open choices. Returns their number.
uint32_t drafting_parts(struct drafting *drafting);

// Caps of even spreads, when all kinds together take about so many machines: none can hold many more than the
// others.
void drafting_even_out(struct drafting *drafting, uint32_t machines);

// ---- choose_domains.c
// Pods whose rules are about zones (or whatever else several machines have in common) are dealt out to them
// as these rules ask, one by one on the packing, on trial machines without limit: their kinds are split by
// domain.
void drafting_split_domains(struct drafting *drafting);
bool draft_is_about_domains(const struct pod_shape_facts *facts);
// What choose_domains.c needs of choose_kinds.c.
uint32_t drafting_narrow_rule(struct drafting *drafting, uint32_t rule, const bool *choices); // a new one
bool draft_is_host_key(const char *topology_key);

// ---- choose_merge.c
// Kinds that ask for the same under the same rule and the same caps become one: what else tells their pods
// apart means nothing to a machine.
void drafting_merge_kinds(struct drafting *drafting);

// ---- choose_part.c
// Make one part the present one.
void drafting_use_part(struct drafting *drafting, uint32_t part);
// What its kinds are worth together: no set of machines for them costs less.
double drafting_part_worth(const struct drafting *drafting);

// ---- choose_worth.c
// Finds drafting->worth: the prices of amounts under which the part's kinds are worth most together and no
// choice brings more than it costs.
void drafting_find_worth(struct drafting *drafting);

// ---- choose_limits.c
struct draft_room draft_room_create(const struct drafting *drafting);
struct draft_room draft_room_copy(const struct drafting *drafting, const struct draft_room *room);
bool draft_room_has(const struct drafting *drafting, const struct draft_room *room, uint32_t choice);
void draft_room_take(const struct drafting *drafting, struct draft_room *room, uint32_t choice);
void draft_room_give(const struct drafting *drafting, struct draft_room *room, uint32_t choice);
void draft_add(struct drafting *drafting, struct draft *draft, const struct draft_machine *machine);
// The cheapest open choice with room that holds these loads; DRAFT_NONE.
uint32_t draft_cheapest(const struct drafting *drafting, const struct draft_load *loads, uint32_t count,
                        const struct draft_room *room);
// Is a the better one: more pods, less money, fewer machines?
bool draft_better(const struct draft *a, const struct draft *b);

// ---- choose_fill.c
enum draft_way {
    DRAFT_BY_PRICE,   // the machine whose pods are worth most for its price comes next
    DRAFT_BY_MIX,     // the same, but it should bring amounts in the proportion in which they are asked for
    DRAFT_PICKY,      // the same, but pods that fewest choices take come first
    DRAFT_CAPPED,     // pods of which a machine holds few come first, on the cheapest machine that holds them
    DRAFT_CAPPED_MIX, // the same, with an eye to the mix
    DRAFT_MOST_ROOM,  // the machine whose pods are worth most: for when limits bind
    DRAFT_WAYS
};
// Machines for `left` (by kind; counted down) within `room` (counted down). The first is of this choice,
// whatever the way says; DRAFT_NONE: of any.
struct draft draft_make(struct drafting *drafting, uint32_t *left, struct draft_room *room,
                        enum draft_way way, uint32_t first);

// ---- choose_improve.c
// The best draft that is found for the present part; `left` and `room` are counted down.
struct draft draft_best(struct drafting *drafting, uint32_t *left, struct draft_room *room);

#endif
