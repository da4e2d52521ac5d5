#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"

// Pods are dealt out to what is there and to what is on its way, those that were promised something first.

static struct pod *own(const struct pod *pod)
{
    return (struct pod *)(uintptr_t)pod; // the cluster is ours to write: see state.h
}

void look_say_of_pod(struct look *look, const struct pod *pod, const char *text, uint64_t decision_id)
{
    own(pod)->verdict = strings_intern(look->core->cluster->strings, text);
    own(pod)->verdict_decision_id = decision_id;
}

static struct candidate *candidate_of(struct look *look, const struct group *group)
{
    for (uint32_t i = 0; i < look->candidate_count; i++)
        if (look->candidates[i].group == group)
            return &look->candidates[i];
    return NULL;
}

void look_count_for(struct candidate *candidate, const struct pod *pod)
{
    if (candidate == NULL)
        return;
    candidate->pods++;
    if (candidate->pods_since_ms == 0 || pod->unschedulable_since_ms < candidate->pods_since_ms)
        candidate->pods_since_ms = pod->unschedulable_since_ms;
}

// Machines on their way stand in the order of their decisions: the first of this one, or of a later one.
static uint32_t first_of_decision(const struct look *look, uint64_t decision_id)
{
    uint32_t low = look->space.node_places, high = look->space.packing.place_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (look->space.decision[middle] < decision_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void landed(struct look *look, const struct pod *pod, uint32_t place)
{
    char text[120];
    if (place < look->space.node_places) {
        snprintf(text, sizeof(text), "fits on %s already; the scheduler has yet to place it",
                 look->space.packing.places[place].name);
        look_say_of_pod(look, pod, text, 0);
        return;
    }
    uint64_t decision_id = look->space.decision[place];
    struct group *group = look->space.group[place];
    look_count_for(candidate_of(look, group), pod);
    if (decision_id != 0)
        look_promise(look, pod, decision_id, place - first_of_decision(look, decision_id));
    if (decision_id == 0 && pod->verdict_decision_id != 0)
        return; // an order that has no object yet: what was said still holds
    if (decision_id != 0)
        snprintf(text, sizeof(text), "served by D%llu", (unsigned long long)decision_id);
    else
        snprintf(text, sizeof(text), "served by a machine on its way in %.60s", group->facts.name);
    look_say_of_pod(look, pod, text, decision_id);
}

void look_promise(struct look *look, const struct pod *pod, uint64_t decision_id, uint32_t machine)
{
    assert(look->promise_count < look->count);
    look->promises[look->promise_count++] = (struct policy_promise){
        .uid_hash = policy_hash(0, pod->uid), .decision_id = decision_id, .machine = machine};
}

void look_keep_promises(struct look *look)
{
    struct policy_shared *policy = look->core->policy;
    uint32_t capacity = 16;
    while (capacity < look->promise_count * 2)
        capacity *= 2;
    free(policy->promises);
    policy->promises = xcalloc(capacity, sizeof(*policy->promises));
    policy->promise_capacity = capacity;
    for (uint32_t i = 0; i < look->promise_count; i++) {
        uint32_t at = (uint32_t)look->promises[i].uid_hash & (capacity - 1);
        while (policy->promises[at].uid_hash != 0)
            at = (at + 1) & (capacity - 1);
        policy->promises[at] = look->promises[i];
    }
}

static const struct policy_promise *promise_of(const struct look *look, const struct pod *pod)
{
    const struct policy_shared *policy = look->core->policy;
    if (policy->promise_capacity == 0)
        return NULL;
    uint64_t hash = policy_hash(0, pod->uid);
    uint32_t mask = policy->promise_capacity - 1, at = (uint32_t)hash & mask;
    while (policy->promises[at].uid_hash != 0 && policy->promises[at].uid_hash != hash)
        at = (at + 1) & mask;
    return policy->promises[at].uid_hash == hash ? &policy->promises[at] : NULL;
}

// On the machine that was meant for it, if that is still on its way.
static uint32_t put_as_promised(struct look *look, const struct pod *pod)
{
    const struct policy_promise *promise = promise_of(look, pod);
    if (promise == NULL || promise->decision_id == 0)
        return UINT32_MAX;
    uint32_t place = first_of_decision(look, promise->decision_id) + promise->machine;
    bool there =
        place < look->space.packing.place_count && look->space.decision[place] == promise->decision_id;
    return there && packing_put_at(&look->space.packing, place, pod, NULL) ? place : UINT32_MAX;
}

static void sum_free(struct look *look)
{
    for (uint32_t i = 0; i < look->space.packing.place_count; i++) {
        const struct place *place = &look->space.packing.places[i];
        bool works = !place->unschedulable && place->ready;
        if (!works || (place->node != NULL && policy_is_control_plane(place->node)))
            continue; // nothing there is free for those who wait
        int64_t cpu = place->allocatable->cpu_millis - place->used.cpu_millis;
        int64_t memory = place->allocatable->memory_bytes - place->used.memory_bytes;
        int64_t pods = place->allocatable->pods - place->used.pods;
        look->free.cpu_millis += cpu > 0 ? cpu : 0;
        look->free.memory_bytes += memory > 0 ? memory : 0;
        look->free.pods += pods > 0 ? pods : 0;
    }
}

void look_deal(struct look *look)
{
    struct core *core = look->core;
    look->space = policy_free_space(core, look->arena, true);
    struct resources reference = {.cpu_millis = 1000, .memory_bytes = (int64_t)4 << 30, .pods = 110};
    if (look->space.packing.place_count > 0)
        reference = *look->space.packing.places[0].allocatable;
    packing_order(look->pods, look->count, &reference);
    look->left = ARENA_ARRAY(look->arena, uint32_t, look->count);
    bool *done = ARENA_ARRAY(look->arena, bool, look->count);
    look->promises = ARENA_ARRAY(look->arena, struct policy_promise, look->count);
    for (uint32_t i = 0; i < look->count; i++) {
        uint32_t place = put_as_promised(look, look->pods[i]);
        done[i] = place != UINT32_MAX;
        if (done[i])
            landed(look, look->pods[i], place);
    }
    for (uint32_t i = 0; i < look->count; i++) {
        if (done[i])
            continue;
        uint32_t place = packing_put(&look->space.packing, look->pods[i], NULL);
        if (place == UINT32_MAX)
            look->left[look->left_count++] = i;
        else
            landed(look, look->pods[i], place);
    }
    sum_free(look);
}
