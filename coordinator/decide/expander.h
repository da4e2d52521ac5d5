// What this room is for: the names of what may count when several sets of machines would do. What it knows:
// the flag --expander. What it may not do: choose.
#ifndef VPSIE_COORDINATOR_DECIDE_EXPANDER_H
#define VPSIE_COORDINATOR_DECIDE_EXPANDER_H

#include <stdbool.h>

// Whatever it is, of two that count the same the cheaper is taken, then the one with fewer machines.
enum expander {
    EXPANDER_PRICE,       // the least price for all pods together
    EXPANDER_LEAST_WASTE, // size by size, the one of which the least stays unused
    EXPANDER_MOST_PODS,   // group by group, the one that serves most pods
    EXPANDER_PRIORITY,    // the highest priority that serves a pod, and the least price among equals
    EXPANDER_RANDOM       // group by group, drawn by the seed
};
// "price", "least-waste"...: false when it is none of them.
bool expander_parse(const char *text, enum expander *out);
const char *expander_name(enum expander expander);

#endif
