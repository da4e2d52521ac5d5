// What this room is for: who is behind each connection, as far as it has been proven. What it knows: pipe ids
// and names. What it may not do: take a token's word by itself; a review says who it is. Not thread-safe: the
// fleet's lock guards it.
#ifndef VPSIE_COORDINATOR_FLEET_MEMBERS_H
#define VPSIE_COORDINATOR_FLEET_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define START_ID_BYTES_MAX 64u

struct member {    // one connection
    uint32_t pipe; // NNG's id, never 0
    bool identified;
    bool complete; // has sent a complete set of evidence over this connection
    char node_name[WIRE_NODE_NAME_BYTES_MAX + 1];
    char start_id[START_ID_BYTES_MAX];
    uint64_t sequence;
    uint32_t told_ms; // the interval it was last told; 0: none yet
    uint32_t in_work; // requests that have no answer yet
    uint32_t reviews_failed;
    int64_t review_after_ms; // monotonic: no review of its credential before
    int64_t reported_ms;     // monotonic, of the last report taken
    int64_t heard_ms;        // monotonic, of the last request, or of the connection
    int64_t until_ms;        // wall clock: the token's own end; after it the credential is asked for again
};
struct members {
    struct member **slots; // open addressing by pipe id
    uint32_t capacity, count, identified;
};

void members_free(struct members *members);
struct member *members_add(struct members *members, uint32_t pipe); // the one that is there, or a new one
struct member *members_find(const struct members *members, uint32_t pipe);
void members_remove(struct members *members, uint32_t pipe);
void members_identify(struct members *members, struct member *member, const char *node_name,
                      int64_t until_ms);
// Connections that are not identified and have not been heard of since `before_ms`: writes at most `max` pipe
// ids and returns how many.
uint32_t members_strangers(const struct members *members, int64_t before_ms, uint32_t *pipes, uint32_t max);
void members_want_complete(struct members *members); // nobody has sent a complete set any more
void members_forget_identity(struct members *members, struct member *member);

// The `exp` of a JSON Web Token in Unix ms, 0 when it cannot be told. A hint only: the review has decided.
int64_t members_token_end_ms(const char *token);

#endif
