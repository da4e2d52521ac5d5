#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/vpsie/door.h"

// One command on its way.
struct job {
    struct vpsie *vpsie;
    void *client;
    const struct command *command;
    struct account *account; // a copy, wiped at the end
    uint64_t generation;
    bool renewed; // the one renewal after a 401 is used up
    int64_t deadline_ms;
};

struct event *outcome_event(const struct command *command, enum outcome outcome, const char *detail)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = outcome;
    event->outcome.detail = arena_strdup(event->arena, detail);
    event->outcome.uid = "";
    event->outcome.resource_version = "";
    return event;
}

// One exchange. After a 401 the credentials are renewed once, and the call is made once more unless it is an
// order: that leaves once, and the core decides it anew.
static void send(struct job *job, const struct api_request *request, struct answer *answer)
{
    for (;;) {
        struct exchange one = {.kind = EXCHANGE_COMMAND,
                               .client = job->client,
                               .account = job->account,
                               .request = request,
                               .term = job->command->term,
                               .deadline_ms = job->deadline_ms};
        exchange(job->vpsie, &one, answer);
        if (!answer->unauthorized || job->renewed) {
            return;
        }
        job->renewed = true;
        if (!door_recover(job->vpsie, job->client, job->generation)) {
            return;
        }
        if (request->once) {
            assert(answer->outcome == OUTCOME_REFUSED);
            snprintf(answer->detail, sizeof answer->detail, "%s",
                     "VPSie refused the credentials; they are renewed, the order is decided anew");
            return;
        }
        answer_free(answer);
        account_destroy(job->account);
        job->account = door_account(job->vpsie, &job->generation);
    }
}

// Facts of a good answer into the event. -1 when the answer does not hold together.
static int read_facts(const struct api_request *request, const struct answer *answer, const char *cluster,
                      struct event *event, struct error *error)
{
    switch (request->call) {
    case API_MACHINES:
        return answer_machines(answer, cluster, event->arena, &event->outcome.machines,
                               &event->outcome.machine_count, error);
    case API_GROUPS:
        return answer_groups(answer, event->arena, &event->outcome.groups, &event->outcome.group_count,
                             error);
    case API_OFFERS:
        return answer_offers(answer, event->arena, &event->outcome.offers, &event->outcome.offer_count,
                             error);
    case API_ADD_MACHINE:
        event->outcome.machines = answer_ordered(answer, event->arena);
        event->outcome.machine_count = event->outcome.machines != NULL ? 1 : 0;
        return 0;
    case API_CREATE_GROUP: {
        int64_t id = answer_created_group(answer);
        if (id != 0) {
            struct vpsie_group_facts *group = ARENA_NEW(event->arena, struct vpsie_group_facts);
            *group = (struct vpsie_group_facts){.id = id, .identifier = "", .name = "", .datacenter_id = ""};
            group->active = true;
            event->outcome.groups = group;
            event->outcome.group_count = 1;
        }
        return 0;
    }
    default: return 0;
    }
}

// A list that contradicts itself is as good as no answer.
static void check_facts(const struct api_request *request, const char *cluster, struct answer *answer,
                        struct event *event)
{
    struct error error;
    if (answer->outcome != OUTCOME_OK || read_facts(request, answer, cluster, event, &error) == 0) {
        return;
    }
    answer->outcome = OUTCOME_UNKNOWN;
    answer->retriable = true;
    snprintf(answer->detail, sizeof answer->detail, "%s", error.text);
    event->outcome.machines = NULL;
    event->outcome.groups = NULL;
    event->outcome.offers = NULL;
    event->outcome.machine_count = event->outcome.group_count = event->outcome.offer_count = 0;
}

// Waits before the next try; false when there is no time left for one.
static bool wait_for_next_try(struct job *job, int32_t tries, const struct answer *answer)
{
    struct vpsie *vpsie = job->vpsie;
    pthread_mutex_lock(&vpsie->lock);
    int64_t wait_ms =
        backoff_ms(tries - 1, vpsie->tuning.retry_ms, vpsie->tuning.retry_ms_max, &vpsie->random);
    if (answer->retry_after_ms > wait_ms) {
        wait_ms = answer->retry_after_ms;
    }
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    bool go_on = until_ms < job->deadline_ms && door_wait_until(vpsie, until_ms);
    pthread_mutex_unlock(&vpsie->lock);
    return go_on;
}

// The request, as often as its kind allows. Reads and deletes may be repeated, an order never: what became of
// it is for the lists to show.
static void send_patiently(struct job *job, const struct api_request *request, const char *cluster,
                           struct answer *answer, struct event *event)
{
    bool perhaps_done = false; // an earlier try may have taken effect
    for (int32_t tries = 1;; tries++) {
        send(job, request, answer);
        check_facts(request, cluster, answer, event);
        if (request->once || !answer->retriable || tries >= job->vpsie->tuning.tries) {
            break;
        }
        perhaps_done = perhaps_done || answer->outcome == OUTCOME_UNKNOWN;
        if (!wait_for_next_try(job, tries, answer)) {
            break;
        }
        answer_free(answer);
    }
    if (request->write && perhaps_done && answer->outcome != OUTCOME_OK) {
        answer->outcome = OUTCOME_UNKNOWN;
    }
}

static void fill(struct event *event, const struct api_request *request, const struct answer *answer)
{
    event->outcome.outcome = answer->outcome;
    event->outcome.status = answer->status;
    event->outcome.retry_after_ms = answer->retry_after_ms;
    event->outcome.detail =
        answer->outcome == OUTCOME_OK && answer->detail[0] == '\0'
            ? ""
            : arena_printf(event->arena, "%s: %s", api_call_name(request->call), answer->detail);
}

// The account's cluster when it has just one. NULL with `event` filled when that cannot be said.
static char *find_cluster(struct job *job, struct event *event)
{
    struct vpsie *vpsie = job->vpsie;
    pthread_mutex_lock(&vpsie->lock);
    char *known = vpsie->only_cluster_generation == job->generation ? xstrdup(vpsie->only_cluster) : NULL;
    pthread_mutex_unlock(&vpsie->lock);
    if (known != NULL) {
        return known;
    }
    struct api_request request;
    struct answer answer;
    struct error error;
    const char *const *clusters = NULL;
    uint32_t count = 0;
    api_clusters(&request);
    send_patiently(job, &request, "", &answer, event);
    if (answer.outcome == OUTCOME_OK &&
        answer_clusters(&answer, event->arena, &clusters, &count, &error) != 0) {
        answer.outcome = OUTCOME_UNKNOWN;
        snprintf(answer.detail, sizeof answer.detail, "%s", error.text);
    }
    if (answer.outcome != OUTCOME_OK) {
        fill(event, &request, &answer);
        if (command_writes(job->command->kind)) {
            event->outcome.outcome = OUTCOME_NOT_SENT; // the write itself never left
        }
    } else if (count != 1) {
        event->outcome.outcome = OUTCOME_REFUSED;
        event->outcome.detail = arena_printf(
            event->arena, "the account has %u clusters and none is named (resourceIdentifier)", count);
    } else {
        pthread_mutex_lock(&vpsie->lock);
        free(vpsie->only_cluster);
        vpsie->only_cluster = xstrdup(clusters[0]);
        vpsie->only_cluster_generation = job->generation;
        pthread_mutex_unlock(&vpsie->lock);
        known = xstrdup(clusters[0]);
    }
    answer_free(&answer);
    api_request_free(&request);
    return known;
}

static void execute(struct job *job, const char *cluster, struct event *event)
{
    struct api_request request;
    struct answer answer;
    struct error error;
    if (api_command(job->command, cluster, &request, &error) != 0) {
        event->outcome.outcome = OUTCOME_REFUSED;
        event->outcome.detail = arena_strdup(event->arena, error.text);
    } else {
        send_patiently(job, &request, cluster, &answer, event);
        fill(event, &request, &answer);
        answer_free(&answer);
    }
    api_request_free(&request);
}

struct event *perform(struct vpsie *vpsie, void *client, const struct command *command)
{
    if (vpsie->options.dry_run && command_writes(command->kind)) {
        return outcome_event(command, OUTCOME_NOT_SENT, "dry run");
    }
    struct job job = {.vpsie = vpsie,
                      .client = client,
                      .command = command,
                      .deadline_ms = clock_monotonic_ms() + vpsie->tuning.patience_ms};
    job.account = door_account(vpsie, &job.generation);
    if (job.account == NULL) {
        return outcome_event(command, OUTCOME_NOT_SENT, "there are no VPSie credentials that work yet");
    }
    struct event *event = outcome_event(command, OUTCOME_NOT_SENT, "");
    const char *given = api_command_cluster(command);
    char *cluster = given[0] != '\0' ? xstrdup(given) : find_cluster(&job, event);
    if (cluster != NULL) {
        execute(&job, cluster, event);
        free(cluster);
    }
    account_destroy(job.account);
    return event;
}
