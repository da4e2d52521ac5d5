#include "coordinator/decide/life.h"

#include <stdio.h>
#include <string.h>

// What is stored on a VPSieNode is compared with what is wanted there; the difference is written, again and
// again until it is confirmed. A confirmed write is believed for a while before the watch shows it.
//
// Any write may be the last one of this coordinator: what the others follow from goes first. Whose a machine
// is and what the order has come to is one patch (metadata and spec); the status is written once that is
// confirmed, and the Node is told after that (life_join.c).

#define BELIEVE_MS     (10 * LIFE_SECOND_MS)
#define RETRY_LEAST_MS LIFE_SECOND_MS
#define RETRY_MOST_MS  (30 * LIFE_SECOND_MS)

static const char *const order_marks[ORDER_MARK_COUNT] = {"",        "requested", "accepted",  "placed",
                                                          "adopted", "refused",   "not-placed"};
static const char *const removal_kinds[] = {"", "voluntary", "broken", "requested", "failed"};

enum order_mark order_mark_parse(const char *text)
{
    for (int i = 1; text != NULL && i < ORDER_MARK_COUNT; i++)
        if (strcmp(order_marks[i], text) == 0)
            return (enum order_mark)i;
    return ORDER_NONE;
}

const char *order_mark_name(enum order_mark mark)
{
    return order_marks[mark];
}

const char *removal_kind_name(enum removal_kind kind)
{
    return removal_kinds[kind];
}

enum removal_kind removal_kind_parse(const char *text)
{
    for (size_t i = 1; text != NULL && i < sizeof(removal_kinds) / sizeof(removal_kinds[0]); i++)
        if (strcmp(removal_kinds[i], text) == 0)
            return (enum removal_kind)i;
    return REMOVAL_NONE;
}

void life_phase(struct life_private *p, enum intention_phase phase)
{
    p->want_phase = phase;
    p->want_phase_set = true;
}

// ---- metadata

#define ANNOTATIONS_MAX 8

struct difference {
    struct label annotations[ANNOTATIONS_MAX];
    uint32_t annotation_count;
    const char *identifier, *node_name, *ip_address;
    int64_t instance_id;
    enum tristate finalizer;
    bool any;
};

static const char *stored(const struct life_private *p, const char *key)
{
    const char *value = labels_get(&p->intention->facts.annotations, key);
    return value != NULL ? value : "";
}

static void want_annotation(struct difference *difference, const struct life_private *p, const char *key,
                            const char *value) // "" removes
{
    if (strcmp(stored(p, key), value) == 0)
        return;
    difference->annotations[difference->annotation_count++] =
        (struct label){key, value[0] != '\0' ? value : NULL};
    difference->any = true;
}

static void want_text(struct difference *difference, const char **field, const char *is, const char *wanted)
{
    if (strcmp(is, wanted) == 0)
        return;
    *field = wanted;
    difference->any = true;
}

static int compare_keys(const struct label *a, const struct label *b)
{
    return strcmp(a->key, b->key);
}

static void sort_annotations(struct difference *difference)
{
    for (uint32_t i = 1; i < difference->annotation_count; i++)
        for (uint32_t j = i;
             j > 0 && compare_keys(&difference->annotations[j - 1], &difference->annotations[j]) > 0; j--) {
            struct label moved = difference->annotations[j];
            difference->annotations[j] = difference->annotations[j - 1];
            difference->annotations[j - 1] = moved;
        }
}

static struct difference find_difference(const struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    struct difference difference = {0};
    if (p->drop_finalizer) { // the last thing that is ever written
        difference.any = facts->has_finalizer;
        difference.finalizer = facts->has_finalizer ? TRISTATE_FALSE : TRISTATE_UNSET;
        return difference;
    }
    if (p->ours && p->mark != ORDER_NONE)
        want_annotation(&difference, p, KEY_ORDER, order_marks[p->mark]);
    if (p->ours && p->life->step >= LIFE_READY)
        want_annotation(&difference, p, KEY_BASELINE, ""); // it has served
    if (p->name.hostname[0] != '\0')
        want_annotation(&difference, p, KEY_HOSTNAME, p->name.hostname);
    want_annotation(&difference, p, KEY_REMOVAL, removal_kinds[p->want_removal]);
    if (p->failed_ms != 0 && p->ours) {
        char *at = arena_alloc(p->core->out->arena, 32);
        text_format_time(at, 32, p->failed_ms);
        want_annotation(&difference, p, KEY_FAILED_AT, at);
    }
    sort_annotations(&difference);
    want_text(&difference, &difference.identifier, facts->identifier, p->name.identifier);
    if (p->intention->node != NULL)
        want_text(&difference, &difference.node_name, facts->node_name, p->intention->node->name);
    if (p->name.ip[0] != '\0')
        want_text(&difference, &difference.ip_address, facts->ip_address, p->name.ip);
    if (p->name.id != 0 && p->name.id != facts->vpsie_instance_id) {
        difference.instance_id = p->name.id;
        difference.any = true;
    }
    if (p->want_finalizer && !facts->has_finalizer && facts->deletion_ms == 0) {
        difference.finalizer = TRISTATE_TRUE;
        difference.any = true;
    }
    return difference;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    if (hash == 0)
        hash = 14695981039346656037ull;
    for (const unsigned char *at = (const unsigned char *)(text != NULL ? text : "\1"); *at != '\0'; at++)
        hash = (hash ^ *at) * 1099511628211ull;
    return (hash ^ 0xffu) * 1099511628211ull;
}

// Of all that is wanted, not of the difference: a watch that shows half of a write changes only that.
static uint64_t hash_metadata(const struct life_private *p)
{
    char numbers[96];
    bool drop = p->drop_finalizer;
    snprintf(numbers, sizeof(numbers), "%d %d %d %d %lld %lld %d", (int)p->mark, (int)p->want_removal, drop,
             p->want_finalizer, (long long)p->failed_ms, (long long)p->name.id, p->life->step >= LIFE_READY);
    uint64_t hash = hash_text(hash_text(hash_text(0, numbers), p->name.identifier), p->name.hostname);
    hash = hash_text(hash, p->name.ip);
    return hash_text(hash, p->intention->node != NULL ? p->intention->node->name : NULL);
}

static bool believed(struct life_private *p, uint64_t hash, uint64_t confirmed_hash, int64_t confirmed_ms)
{
    if (hash != confirmed_hash || confirmed_ms == 0 || p->core->now_ms >= confirmed_ms + BELIEVE_MS)
        return false;
    life_due(p, confirmed_ms + BELIEVE_MS);
    return true;
}

static bool may_write_again(struct life_private *p, uint64_t command, int64_t retry_ms)
{
    if (command != 0)
        return false;
    if (p->core->now_ms >= retry_ms)
        return true;
    life_due(p, retry_ms);
    return false;
}

static void write_metadata(struct life_private *p, const struct difference *difference)
{
    struct arena *arena = p->core->out->arena;
    const struct intention_facts *facts = &p->intention->facts;
    struct command *command = core_emit(p->core, COMMAND_KUBE_UPDATE_INTENTION, p->life->decision_id);
    command->key = life_key(p);
    command->update_intention.space = arena_strdup(arena, facts->space);
    command->update_intention.name = arena_strdup(arena, facts->name);
    command->update_intention.resource_version = "";
    struct label *annotations = ARENA_ARRAY(arena, struct label, difference->annotation_count);
    for (uint32_t i = 0; i < difference->annotation_count; i++)
        annotations[i] = difference->annotations[i];
    command->update_intention.annotations = (struct labels){annotations, difference->annotation_count};
    command->update_intention.identifier = difference->identifier;
    command->update_intention.node_name = arena_strdup(arena, difference->node_name);
    command->update_intention.ip_address = difference->ip_address;
    command->update_intention.vpsie_instance_id = difference->instance_id;
    command->update_intention.finalizer = difference->finalizer;
    p->metadata_command = command->id;
    p->metadata_hash = hash_metadata(p);
    p->metadata_confirmed_ms = 0;
}

bool life_metadata_stored(struct life_private *p)
{
    struct difference difference = find_difference(p);
    if (!difference.any)
        return p->metadata_command == 0;
    if (believed(p, hash_metadata(p), p->metadata_hash, p->metadata_confirmed_ms))
        return true;
    if (may_write_again(p, p->metadata_command, p->metadata_retry_ms))
        write_metadata(p, &difference);
    return false;
}

// ---- status

static bool time_differs(int64_t wanted_ms, int64_t is_ms)
{
    return wanted_ms != 0 && wanted_ms / 1000 != is_ms / 1000;
}

static bool status_differs(const struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    return facts->phase != p->want_phase ||
           (p->want_error != NULL && strcmp(facts->last_error, p->want_error) != 0) ||
           (p->name.hostname[0] != '\0' && !text_equal_fold(facts->hostname, p->name.hostname)) ||
           time_differs(p->provisioned_ms, facts->provisioned_ms) ||
           time_differs(p->joined_ms, facts->joined_ms) || time_differs(p->ready_ms, facts->ready_ms) ||
           time_differs(p->terminating_ms, facts->terminating_ms) ||
           time_differs(p->deleting_ms, facts->deleted_ms);
}

static uint64_t hash_status(const struct life_private *p)
{
    char numbers[160];
    snprintf(numbers, sizeof(numbers), "%d %lld %lld %lld %lld %lld", (int)p->want_phase,
             (long long)p->provisioned_ms, (long long)p->joined_ms, (long long)p->ready_ms,
             (long long)p->terminating_ms, (long long)p->deleting_ms);
    return hash_text(hash_text(hash_text(0, numbers), p->want_error), p->name.hostname);
}

static enum tristate tristate(bool value)
{
    return value ? TRISTATE_TRUE : TRISTATE_FALSE;
}

static void fill_conditions(const struct life_private *p, struct intention_status_facts *status)
{
    struct condition_facts *conditions = ARENA_ARRAY(p->core->out->arena, struct condition_facts, 4);
    bool has_machine = p->provisioned_ms != 0 && p->want_phase != INTENTION_DELETING;
    bool ready = p->want_phase == INTENTION_READY;
    bool failed = p->want_phase == INTENTION_FAILED;
    conditions[0] =
        (struct condition_facts){"VPSReady", tristate(has_machine),
                                 has_machine ? "Provisioned" : "NotProvisioned", "", p->provisioned_ms};
    conditions[1] = (struct condition_facts){"NodeJoined", tristate(p->joined_ms != 0),
                                             p->joined_ms != 0 ? "Joined" : "NotJoined", "", p->joined_ms};
    conditions[2] =
        (struct condition_facts){"NodeReady", tristate(ready), ready ? "Ready" : "NotReady", "", p->ready_ms};
    conditions[3] =
        (struct condition_facts){"Error", tristate(failed), failed ? "Failed" : "NoError",
                                 failed && p->want_error != NULL ? p->want_error : "", p->failed_ms};
    for (int i = 0; i < 4; i++)
        if (conditions[i].transition_ms == 0)
            conditions[i].transition_ms = p->life->step_since_ms / 1000 * 1000;
    status->conditions = conditions;
    status->condition_count = 4;
}

static void write_status(struct life_private *p)
{
    struct arena *arena = p->core->out->arena;
    const struct intention_facts *facts = &p->intention->facts;
    struct command *command = core_emit(p->core, COMMAND_KUBE_INTENTION_STATUS, p->life->decision_id);
    command->key = life_key(p);
    command->intention_status.space = arena_strdup(arena, facts->space);
    command->intention_status.name = arena_strdup(arena, facts->name);
    struct intention_status_facts *status = &command->intention_status.status;
    status->phase = p->want_phase;
    if (p->intention->node != NULL)
        status->node_name = arena_strdup(arena, p->intention->node->name);
    if (p->name.hostname[0] != '\0')
        status->hostname = p->name.hostname;
    if (p->machine != NULL) {
        if (p->machine->status[0] != '\0')
            status->vpsie_status = arena_strdup(arena, p->machine->status);
        status->cpu = p->machine->cpu;
        status->memory_mb = p->machine->memory_mb;
        status->created_ms = p->machine->created_ms;
    }
    status->provisioned_ms = p->provisioned_ms;
    status->joined_ms = p->joined_ms;
    status->ready_ms = p->ready_ms;
    status->terminating_ms = p->terminating_ms;
    status->deleted_ms = p->deleting_ms;
    status->last_error = p->want_error;
    fill_conditions(p, status);
    p->status_command = command->id;
    p->status_hash = hash_status(p);
    p->status_confirmed_ms = 0;
}

bool life_phase_stored(struct life_private *p)
{
    if (!p->want_phase_set)
        return true;
    if (!status_differs(p))
        return p->status_command == 0;
    if (believed(p, hash_status(p), p->status_hash, p->status_confirmed_ms))
        return true;
    if (may_write_again(p, p->status_command, p->status_retry_ms))
        write_status(p);
    return false;
}

bool life_persist(struct life_private *p)
{
    return life_metadata_stored(p) && life_phase_stored(p);
}

// ---- answers

static int64_t retry_at(const struct life_private *p, const struct event *event, uint32_t *attempts)
{
    int64_t wait_ms = RETRY_LEAST_MS;
    for (uint32_t i = 0; i < *attempts && wait_ms < RETRY_MOST_MS; i++)
        wait_ms *= 2;
    (*attempts)++;
    if (wait_ms > RETRY_MOST_MS)
        wait_ms = RETRY_MOST_MS;
    if (event->outcome.retry_after_ms > wait_ms)
        wait_ms = event->outcome.retry_after_ms;
    return p->core->now_ms + wait_ms;
}

bool life_persist_outcome(struct life_private *p, const struct event *event)
{
    bool well = event->outcome.outcome == OUTCOME_OK;
    if (p->metadata_command == event->outcome.command_id) {
        p->metadata_command = 0;
        p->metadata_confirmed_ms = well ? p->core->now_ms : 0;
        if (well)
            p->metadata_attempts = 0;
        p->metadata_retry_ms = well ? 0 : retry_at(p, event, &p->metadata_attempts);
        return true;
    }
    if (p->status_command != event->outcome.command_id)
        return false;
    p->status_command = 0;
    p->status_confirmed_ms = well ? p->core->now_ms : 0;
    if (well)
        p->status_attempts = 0;
    p->status_retry_ms = well ? 0 : retry_at(p, event, &p->status_attempts);
    return true;
}
