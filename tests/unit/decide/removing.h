// What this room is for: the scene of the tests about removing: a group of three machines in service, of
// which w1 is removed. What it knows: the puppet. What it may not do: hold tests.
#ifndef VPSIE_TESTS_DECIDE_REMOVING_H
#define VPSIE_TESTS_DECIDE_REMOVING_H

#include "tests/unit/decide/puppet.h"

#define MINUTE LIFE_MINUTE_MS
#define SECOND LIFE_SECOND_MS
#define NODE   "host-w1"

extern struct puppet *puppet;

int removing_begin(void **state);
int removing_end(void **state);

struct life *w1(void);
const struct command *directive(void);  // the last one
void answer(enum evidence_state state); // to it
uint32_t evictions(void);               // asked for so far
uint32_t deletes(void);                 // calls that delete a machine, so far
void begin_removal(void);               // up to the directive
void to_the_last_ready(void);           // up to the second directive: pods gone, settled
void kept_after_all(const char *words); // given up for this reason, and everything undone
void kept(const char *words);           // and no machine was ever asked to be deleted

#endif
