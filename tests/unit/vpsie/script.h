// What this room is for: a VPSie door whose requests a test answers itself, without sockets, and the events
// it gives. What it knows: the door's transport. What it may not do: keep a policy of its own.
#ifndef VPSIE_TESTS_UNIT_VPSIE_SCRIPT_H
#define VPSIE_TESTS_UNIT_VPSIE_SCRIPT_H

#include <stdatomic.h>

#include "common/queue.h"
#include "coordinator/vpsie/door.h"

#define SCRIPT_URL "https://api.test/apps/v2"

// What the test's answering function sees of one request, and says to it.
struct script_call {
    const char *method;
    const char *url;
    const char *auth; // the header with the credential, "" without
    const char *body; // "" without
    bool once;
    int number; // 0 for the first of all
};
struct script_answer {
    enum http_result result; // HTTP_ANSWERED unless said otherwise
    int status;              // 200
    const char *body;        // "{\"error\":false,\"data\":[]}"
    int64_t retry_after_ms;
    bool sent; // true; for NOT_SENT and STOPPED as it is to be
};
typedef void (*script_function)(void *state, const struct script_call *call, struct script_answer *answer);

struct script {
    script_function answer;
    void *state;
    pthread_mutex_t lock;
    struct text log; // "METHOD url\n" for every request, in order
    int calls;
    struct queue *outcomes, *states;
    atomic_bool may_act;
    struct vpsie_options options;
    struct tuning tuning;
    struct vpsie *vpsie;
};

// Short waits and no jitter to speak of; change options and tuning before script_start().
void script_init(struct script *script, script_function answer, void *state);
void script_start(struct script *script);
void script_stop(struct script *script); // also frees events that were not taken
void script_token(struct script *script, const char *token);
void script_client(struct script *script, const char *id, const char *secret);
// Waits for the next EVENT_OUTCOME or EVENT_VPSIE_STATE. The caller destroys it.
struct event *script_event(struct script *script, enum event_kind kind);
void script_until_usable(struct script *script, bool usable);
// Submits a command and waits for its outcome.
struct event *script_perform(struct script *script, const struct command *command);
struct event *script_kind(struct script *script,
                          enum command_kind kind); // of cluster "c1", with plain values
struct command *script_command(enum command_kind kind);
int script_count(struct script *script, const char *line); // requests whose "METHOD url" holds this
int script_calls(struct script *script);

#endif
