#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "coordinator/check.h"
#include "coordinator/vpsie/answer.h"
#include "coordinator/vpsie/vpsie.h"

#define STATE_WAIT_MS   20000
#define OUTCOME_WAIT_MS 45000

// The VPSie door, asked one thing at a time.
struct cloud {
    struct vpsie *door;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event *state, *outcome; // the newest
    uint64_t asked;                // id of the command that is out
    bool usable;
};

static void take(void *context, struct event *event)
{
    struct cloud *cloud = context;
    pthread_mutex_lock(&cloud->lock);
    struct event **place = event->kind == EVENT_VPSIE_STATE ? &cloud->state
                           : event->kind == EVENT_OUTCOME   ? &cloud->outcome
                                                            : NULL;
    if (place != NULL) {
        struct event *older = *place;
        *place = event;
        event = older;
    }
    pthread_cond_broadcast(&cloud->changed);
    pthread_mutex_unlock(&cloud->lock);
    if (event != NULL) {
        event_destroy(event);
    }
}

// The door speaks up before it has tried what it was given: that is no verdict yet.
static bool has_verdict(const struct cloud *cloud)
{
    if (cloud->state == NULL) {
        return false;
    }
    const char *detail = cloud->state->vpsie_state.detail;
    return cloud->state->vpsie_state.usable || (*detail != '\0' && strcmp(detail, VPSIE_NO_CREDENTIALS) != 0);
}

static bool has_outcome(const struct cloud *cloud)
{
    return cloud->outcome != NULL && cloud->outcome->outcome.command_id == cloud->asked;
}

// With the lock held.
static bool await(struct cloud *cloud, bool (*condition)(const struct cloud *cloud), int64_t limit_ms)
{
    int64_t until_ms = clock_monotonic_ms() + limit_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
    while (!condition(cloud)) {
        if (pthread_cond_timedwait(&cloud->changed, &cloud->lock, &until) == ETIMEDOUT) {
            return condition(cloud);
        }
    }
    return true;
}

// The outcome (valid until the next question), or NULL when none came.
static const struct event *ask(struct cloud *cloud, enum command_kind kind, const char *cluster,
                               const char *datacenter)
{
    struct commands *commands = commands_create();
    struct command *command = commands_add(commands, kind);
    command->id = ++cloud->asked;
    command->key = "check";
    command->vpsie_list.cluster = cluster;
    command->vpsie_list.datacenter_id = datacenter;
    vpsie_submit(cloud->door, command_copy(command));
    commands_destroy(commands);
    pthread_mutex_lock(&cloud->lock);
    bool answered = await(cloud, has_outcome, OUTCOME_WAIT_MS);
    pthread_mutex_unlock(&cloud->lock);
    return answered ? cloud->outcome : NULL;
}

static const char *why(const struct event *outcome)
{
    return outcome == NULL ? "no answer in time" : outcome->outcome.detail;
}

static bool good(const struct event *outcome)
{
    return outcome != NULL && outcome->outcome.outcome == OUTCOME_OK;
}

// ------------------------------------------------------------------------------------------ questions

static void check_credentials(struct check *check, struct cloud *cloud)
{
    pthread_mutex_lock(&cloud->lock);
    bool known = await(cloud, has_verdict, STATE_WAIT_MS);
    cloud->usable = known && cloud->state->vpsie_state.usable;
    check_say(check, cloud->usable ? CHECK_GOOD : CHECK_WRONG, "credentials",
              "a new token from VPSie's panel into the Secret; it is taken up without a restart",
              cloud->usable ? "VPSie accepts them%s" : "VPSie does not accept them: %s",
              cloud->usable ? ""
              : known       ? cloud->state->vpsie_state.detail
                            : "no answer in time");
    pthread_mutex_unlock(&cloud->lock);
}

static uint32_t count_known(const struct check *check, const struct event *outcome)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < check->node_count; i++) {
        for (uint32_t k = 0; k < outcome->outcome.machine_count; k++) {
            const char *hostname = outcome->outcome.machines[k].hostname;
            if (hostname != NULL && strcasecmp(hostname, check->nodes[i]) == 0) {
                count++;
                break;
            }
        }
    }
    return count;
}

static void check_cluster(struct check *check, struct cloud *cloud, const struct check_group *group)
{
    const char *fix = "spec.resourceIdentifier of the NodeGroups: the cluster's identifier in VPSie's panel";
    const struct event *outcome = ask(cloud, COMMAND_VPSIE_LIST_MACHINES, group->cluster, "");
    if (!good(outcome)) {
        check_say(check, CHECK_WRONG, "cluster", fix, "%s (group %s) cannot be listed: %s", group->cluster,
                  group->name, why(outcome));
        return;
    }
    uint32_t known = count_known(check, outcome), machines = outcome->outcome.machine_count;
    check_say(check, known > 0 ? CHECK_GOOD : CHECK_WRONG, "cluster", fix,
              "%s has %u machine%s, of which %u %s among the %u node%s here", group->cluster, machines,
              machines == 1 ? "" : "s", known, known == 1 ? "is" : "are", check->node_count,
              check->node_count == 1 ? "" : "s");
    outcome = ask(cloud, COMMAND_VPSIE_LIST_GROUPS, group->cluster, "");
    if (good(outcome)) {
        check_say(check, CHECK_GOOD, "VPSie groups", NULL, "%u in %s", outcome->outcome.group_count,
                  group->cluster);
    } else {
        check_say(check, CHECK_WRONG, "VPSie groups", "ask VPSie's support; nothing can be ordered", "%s: %s",
                  group->cluster, why(outcome));
    }
}

static bool is_offered(const struct event *outcome, int64_t size_id)
{
    for (uint32_t i = 0; i < outcome->outcome.offer_count; i++) {
        if (outcome->outcome.offers[i].id == size_id) {
            return true;
        }
    }
    return false;
}

static void check_offers(struct check *check, struct cloud *cloud, const char *datacenter)
{
    const struct event *outcome = ask(cloud, COMMAND_VPSIE_LIST_OFFERS, "", datacenter);
    if (!good(outcome)) {
        check_say(check, CHECK_WRONG, "offers", "spec.datacenterID of the NodeGroups", "data centre %s: %s",
                  datacenter, why(outcome));
        return;
    }
    unsigned missing = 0;
    for (uint32_t i = 0; i < check->group_count; i++) {
        const struct check_group *group = &check->groups[i];
        if (strcmp(group->datacenter, datacenter) == 0 && group->size_id != 0 &&
            !is_offered(outcome, group->size_id)) {
            missing++;
            check_say(check, CHECK_WRONG, "offers",
                      "spec.kubeSizeID: one of the sizes that VPSie offers there",
                      "group %s wants size %lld, which data centre %s does not offer", group->name,
                      (long long)group->size_id, datacenter);
        }
    }
    if (missing == 0) {
        check_say(check, CHECK_GOOD, "offers", NULL, "data centre %s offers %u sizes", datacenter,
                  outcome->outcome.offer_count);
    }
}

// VPSie has no call that tells an account's limits; it tells them when an order meets one.
static void check_quota(struct check *check)
{
    unsigned refused = 0;
    int64_t more = 0;
    for (uint32_t i = 0; i < check->group_count; i++) {
        const struct check_group *group = &check->groups[i];
        more += group->machines < group->machines_max ? group->machines_max - group->machines : 0;
        if (*group->refusal != '\0') {
            bool limit = answer_tells_limit(group->refusal);
            refused++;
            check_say(check, limit ? CHECK_WRONG : CHECK_DOUBTFUL, "quota",
                      limit ? "a larger limit or plan from VPSie, or a smaller spec.maxNodes"
                            : "vpsie-coordinator explain group tells when it is tried again",
                      "group %s: VPSie refused its last order: %s", group->name, group->refusal);
        }
    }
    if (refused == 0 && check->group_count > 0) {
        check_say(
            check, CHECK_GOOD, "quota", NULL,
            "no order is refused; the account must allow %lld more (VPSie tells its limit when it is met)",
            (long long)more);
    }
}

static bool is_first_with(const struct check *check, uint32_t index, bool cluster)
{
    for (uint32_t i = 0; i < index; i++) {
        const struct check_group *a = &check->groups[i], *b = &check->groups[index];
        if (strcmp(cluster ? a->cluster : a->datacenter, cluster ? b->cluster : b->datacenter) == 0) {
            return false;
        }
    }
    return true;
}

static void check_lists(struct check *check, struct cloud *cloud)
{
    for (uint32_t i = 0; i < check->group_count; i++) {
        if (is_first_with(check, i, true)) {
            check_cluster(check, cloud, &check->groups[i]);
        }
        if (is_first_with(check, i, false)) {
            check_offers(check, cloud, check->groups[i].datacenter);
        }
    }
}

static void prepare(struct cloud *cloud)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&cloud->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cloud->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void check_cloud(struct check *check)
{
    const struct run_options *options = check->options;
    if (!check->reachable || (*check->token == '\0' && *check->client_id == '\0')) {
        check_say(check, CHECK_SKIPPED, "credentials", NULL, "there are none to try");
        return;
    }
    struct cloud cloud = {0};
    struct error error = {0};
    struct vpsie_options vpsie = {
        .url = options->vpsie_url,
        .ca_file = options->vpsie_ca_file[0] != '\0' ? options->vpsie_ca_file : NULL,
        .scheme = strcmp(options->vpsie_auth, "bearer") == 0 ? VPSIE_AUTH_BEARER : VPSIE_AUTH_HEADER,
        .rate_per_minute = (int32_t)options->vpsie_rate_per_minute,
        .timeout_ms = options->vpsie_timeout_ms,
        .workers = 1,
        .dry_run = true,
        .sink = take,
        .context = &cloud};
    struct vpsie_credentials credentials = {.token = check->token,
                                            .client_id = check->client_id,
                                            .client_secret = check->client_secret,
                                            .url = check->url};
    prepare(&cloud);
    cloud.door = vpsie_start(&vpsie, &error);
    if (cloud.door == NULL) {
        check_say(check, CHECK_WRONG, "credentials", "--vpsie-url, --vpsie-ca-file", "%s", error.text);
    } else {
        vpsie_set_credentials(cloud.door, &credentials);
        check_credentials(check, &cloud);
        if (cloud.usable) {
            check_lists(check, &cloud);
            check_quota(check);
        }
        vpsie_stop(cloud.door);
    }
    if (cloud.state != NULL) {
        event_destroy(cloud.state);
    }
    if (cloud.outcome != NULL) {
        event_destroy(cloud.outcome);
    }
    pthread_cond_destroy(&cloud.changed);
    pthread_mutex_destroy(&cloud.lock);
}
