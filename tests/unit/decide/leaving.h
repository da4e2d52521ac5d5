// What this room is for: the scene of the tests about leaving: a node that is not needed, and what happens to
// it. What it knows: the stage of a machine's life. What it may not do: hold tests.
#ifndef VPSIE_TESTS_LEAVING_H
#define VPSIE_TESTS_LEAVING_H

#include "tests/unit/decide/life_stage.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)

extern struct life_stage *life;
extern struct stage *stage;

// w-1 is full; w-2 holds two small pods, "one" and "two", of one budget, so that they leave one after the
// other. After ten minutes policy finds that w-2 is not needed.
int setup(void **state);
int teardown(void **state);

uint32_t count(enum command_kind kind); // commands given so far
const struct life *life_of_w2(void);
void until(enum command_kind kind); // time passes until the first command of this kind
bool evicts(const char *pod);       // has it been asked to leave?
void assert_given_up(const char *words);

// Pod "one" is being evicted and the answer is on its way; the test answers evictions from now on.
void one_is_leaving(void);
void one_has_left(void);

#endif
