#include <stdio.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"

// Pods that nothing helps are told so once, with the nearest miss over all groups and sizes.

// Kubernetes events that one look may cause for such pods: people read some, not thousands.
#define POD_EVENTS_MAX 20u

// How near a group is to serving a pod: the higher, the nearer. Between the two: the check that failed, in
// the order of checks.
#define NEAR_NOT     0
#define NEAR_UNKNOWN 1
#define NEAR_CHECKS  2
#define NEAR_LIMIT   100

// "needs 9 cpu, 7.8 free" of a machine that does not exist yet: what its size leaves for pods.
static void say_lack(const struct candidate *candidate, const struct placement *placement, char *text,
                     size_t bytes)
{
    static const char FREE[] = " free";
    char miss[160];
    placement_describe(placement, miss, sizeof(miss));
    size_t length = strlen(miss);
    char *comma = strrchr(miss, ',');
    if (placement->verdict != PLACEMENT_RESOURCES || comma == NULL || length < sizeof(FREE) ||
        strcmp(miss + length - (sizeof(FREE) - 1), FREE) != 0) {
        snprintf(text, bytes, "%s: %s", candidate->group->facts.name, miss);
        return;
    }
    miss[length - (sizeof(FREE) - 1)] = '\0';
    *comma = '\0';
    snprintf(text, bytes, "%s: %s, its largest size leaves%s", candidate->group->facts.name, miss, comma + 1);
}

static void say_limit(struct look *look, struct candidate *candidate, const struct size *size, char *text,
                      size_t bytes)
{
    const char *name = candidate->group->facts.name;
    if (candidate->growth.rule == NULL && !candidate->asked_again) // used up in this look
        candidate->growth = policy_growth(look->core, candidate->group);
    candidate->asked_again = true;
    if (candidate->growth.rule != NULL)
        snprintf(text, bytes, "%s", candidate->growth.why);
    else if (size->set_aside[0] != '\0')
        snprintf(text, bytes, "%s, size %s %s", name, look_size_name(look, size), size->set_aside);
    else if (look_room(look, size) == 0)
        snprintf(text, bytes, "%s has no room left under its limits", name);
    else
        snprintf(text, bytes, "%s can help once the pods that it depends on have a place", name);
}

static double near_size(struct look *look, struct candidate *candidate, const struct size *size,
                        const struct pod *pod, char *text, size_t bytes)
{
    if (size->made.unknown[0] != '\0') {
        snprintf(text, bytes, "%s: %s", candidate->group->facts.name, size->made.unknown);
        return NEAR_UNKNOWN;
    }
    struct placement placement = packing_check_new(&look->space.packing, &size->made.place, pod);
    if (placement.verdict == PLACEMENT_FITS) {
        say_limit(look, candidate, size, text, bytes);
        return NEAR_LIMIT;
    }
    say_lack(candidate, &placement, text, bytes);
    const struct resources_lack *lack = &placement.lack;
    bool part = placement.verdict == PLACEMENT_RESOURCES && lack->free > 0 && lack->asked > lack->free;
    return NEAR_CHECKS + (double)placement.verdict + (part ? (double)lack->free / (double)lack->asked : 0.0);
}

// Of the group's sizes, the one that is nearest.
static double near_miss(struct look *look, struct candidate *candidate, const struct pod *pod, char *text,
                        size_t bytes)
{
    char one[300];
    double nearest = NEAR_NOT;
    for (uint32_t i = 0; i < candidate->size_count && candidate->group->facts.managed; i++) {
        double near =
            near_size(look, candidate, &look->sizes[candidate->first_size + i], pod, one, sizeof(one));
        if (near <= nearest)
            continue;
        nearest = near;
        snprintf(text, bytes, "%s", one);
    }
    return nearest;
}

static bool said_before(struct look *look, const struct pod *pod)
{
    uint64_t hash = policy_hash(0, pod->uid);
    struct policy_said *said = &look->core->policy->said[hash % POLICY_SAID_SLOTS];
    bool before = said->uid_hash == hash && said->verdict == pod->verdict;
    *said = (struct policy_said){.uid_hash = hash, .verdict = pod->verdict};
    return before;
}

struct miss { // what was found for one shape: the pods come sorted by shape
    const struct pod_shape *shape;
    const struct pod *pod;     // the first of them
    struct candidate *nearest; // only a limit keeps it from the pods; else NULL
    const char *verdict;
};

static void find_miss(struct look *look, const struct pod *pod, struct miss *miss)
{
    char best[300] = "there is no NodeGroup of ours", text[300], verdict[340];
    double nearest = NEAR_NOT;
    *miss = (struct miss){.shape = pod->shape, .pod = pod};
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        double near = near_miss(look, &look->candidates[i], pod, text, sizeof(text));
        if (near <= nearest)
            continue;
        nearest = near;
        miss->nearest = near >= NEAR_LIMIT ? &look->candidates[i] : NULL;
        snprintf(best, sizeof(best), "%s", text);
    }
    snprintf(verdict, sizeof(verdict), "%s: %s", miss->nearest != NULL ? "waits" : "no group can help", best);
    miss->verdict = strings_intern(look->core->cluster->strings, verdict);
}

void look_say_helpless(struct look *look)
{
    if (look->left_count == 0)
        return;
    look_make_sizes(look);
    struct miss miss = {0};
    uint32_t said = 0;
    for (uint32_t i = 0; i < look->left_count; i++) {
        const struct pod *pod = look->pods[look->left[i]];
        if (pod->shape != miss.shape)
            find_miss(look, pod, &miss);
        if (miss.nearest == NULL && miss.pod == pod)
            look_make_group(look, pod);
        look_say_of_pod(look, pod, miss.verdict, 0);
        if (miss.nearest != NULL) {
            look_count_for(miss.nearest, pod);
            miss.nearest->limited++;
        }
        look->helpless++;
        if (look->oldest_helpless_ms == 0 || pod->unschedulable_since_ms < look->oldest_helpless_ms)
            look->oldest_helpless_ms = pod->unschedulable_since_ms;
        if (said_before(look, pod))
            continue;
        said++;
        if (look->write && look->events++ < POD_EVENTS_MAX)
            core_event_pod(look->core, pod, 0, true, "NotTriggerScaleUp", "%s", miss.verdict);
    }
    if (said == 0)
        return;
    const struct pod *first = look->pods[look->left[0]];
    core_note(look->core, NOTE_WARN, 0, "pods", "%u pod%s wait%s unhelped, such as %s/%s: %s",
              look->left_count, policy_plural(look->left_count), look->left_count == 1 ? "s" : "",
              first->space, first->name, first->verdict);
}
