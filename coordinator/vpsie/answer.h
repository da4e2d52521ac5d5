// What this room is for: what VPSie said: bytes of an answer → what became of the call, and facts. What it
// knows: the API's shapes and quirks, all of them optional. What it may not do: I/O, or guess: a list that
// does not hold together is refused whole.
#ifndef VPSIE_COORDINATOR_VPSIE_ANSWER_H
#define VPSIE_COORDINATOR_VPSIE_ANSWER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "coordinator/decide/event.h"
#include "coordinator/http.h"

#define ANSWER_BYTES_MAX  ((size_t)8 * 1024 * 1024)
#define ANSWER_ITEMS_MAX  FACTS_NODES_MAX
#define ANSWER_TEXT_BYTES 256u // identifiers, names, addresses
#define ANSWER_DETAIL_MAX 200u // of a message or a body that is not JSON

enum answer_use {
    ANSWER_READ,   // a list
    ANSWER_ORDER,  // adds something: only a definite refusal is a refusal
    ANSWER_DELETE, // 404: done
    ANSWER_LOGIN
};

struct answer {
    enum outcome outcome;
    int32_t status;         // HTTP status; for an error inside a 200 its `code` when that is one
    bool retriable;         // the same call may do better in a moment
    bool failure;           // the server's or the network's: counts for the breaker
    bool unauthorized;      // 401: the credential is not (any more) accepted
    bool error_inside;      // HTTP 2xx with an error in it
    int64_t retry_after_ms; // 0: not said
    char detail[768];       // for a person; may hold what the server echoed: scrub before it is shown
    cJSON *root;            // NULL unless the body is JSON
    const cJSON *data;      // its `data`, or the root itself when it has none; NULL when absent
};

// What became of one call. Total. Free with answer_free().
void answer_read(const struct http_response *response, enum answer_use use, struct answer *answer);
void answer_free(struct answer *answer);

// Facts of a good answer, in `arena`. 0, or -1 with an error that starts with "VPSie's answer" when the shape
// is not understood, an entry is not one, or the list says that there is more than was sent.
int answer_machines(const struct answer *answer, const char *cluster, struct arena *arena,
                    const struct machine_facts **machines, uint32_t *count, struct error *error);
int answer_groups(const struct answer *answer, struct arena *arena, const struct vpsie_group_facts **groups,
                  uint32_t *count, struct error *error);
int answer_offers(const struct answer *answer, struct arena *arena, const struct offer_facts **offers,
                  uint32_t *count, struct error *error);
// Identifiers of the account's clusters.
int answer_clusters(const struct answer *answer, struct arena *arena, const char *const **clusters,
                    uint32_t *count, struct error *error);
// The machine an order's answer tells of, or NULL when it told of none (`true`, nothing).
const struct machine_facts *answer_ordered(const struct answer *answer, struct arena *arena);
// The group's numeric id, or 0.
int64_t answer_created_group(const struct answer *answer);
// The access token of a login and when it ends (Unix ms, 0: not said or not understood). The token lives in
// the answer. NULL when there is none.
const char *answer_token(const struct answer *answer, int64_t *expires_ms);

// Is it a text of a limit, a quota or a plan that was reached?
bool answer_tells_limit(const char *message);

#endif
