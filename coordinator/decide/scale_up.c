#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/policy.h"
#include "coordinator/model/quantity.h"

// The story: when a look is due, deal the waiting pods out to free space and machines on their way; order
// machines for the rest, group by group; say of every pod what becomes of it. The same state gives the same
// deal, and what was ordered counts as space: so a second look orders nothing twice.

// Kubernetes events one look may cause for pods: people read some, not thousands.
#define POD_EVENTS_MAX 20u

struct candidate { // a group in this look
    struct group *group;
    struct growth growth;
    struct template_node made;
    uint32_t ordered; // in this look
    uint32_t pods;    // waiting pods dealt to its machines, or that only a limit keeps from it
    uint32_t limited; // of those: that only a limit keeps from it
    int64_t pods_since_ms;
};

struct plan { // what one group would do for the pods that remain
    uint32_t served, machines;
    double price_hour; // of all its machines; < 0: not known
    double waste;      // share of what they bring that stays unused
    uint32_t *landed;  // by remaining pod
};

struct look {
    struct core *core;
    struct arena *arena;
    bool write;
    struct free_space space;
    const struct pod **pods;
    uint32_t count;
    uint32_t *left; // indices into pods: those that have no place yet
    uint32_t left_count;
    struct candidate *candidates;
    uint32_t candidate_count;
    uint32_t shared_room;
    struct resources free; // once all that fit were dealt out
    uint32_t events;
    uint32_t helpless;
    int64_t oldest_helpless_ms;
};

static bool look_due(struct core *core);
static void deal(struct look *look);
static void meet_minimums(struct look *look);
static void order_for_pods(struct look *look);
static void say_helpless(struct look *look);
static void remember(struct look *look);

static struct look *look_begin(struct core *core)
{
    struct policy_shared *policy = core->policy;
    arena_reset(policy->scratch);
    policy->look_wanted = false;
    policy->looked_ms = core->now_ms;
    policy->look_due_ms = 0;
    struct look *look = ARENA_NEW(policy->scratch, struct look);
    look->core = core;
    look->arena = policy->scratch;
    look->write = core_may_write(core);
    look->shared_room = UINT32_MAX;
    look->candidate_count = core->cluster->group_count;
    look->candidates = ARENA_ARRAY(look->arena, struct candidate, look->candidate_count + 1);
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct candidate *candidate = &look->candidates[i];
        candidate->group = core->cluster->groups[i];
        candidate->growth = policy_growth(core, candidate->group);
        candidate->made.unknown = "not asked";
        if (candidate->growth.rule == NULL && candidate->growth.shared_room < look->shared_room)
            look->shared_room = candidate->growth.shared_room;
        int64_t due_ms = candidate->growth.due_ms;
        if (due_ms > 0 && (policy->look_due_ms == 0 || due_ms < policy->look_due_ms))
            policy->look_due_ms = due_ms;
    }
    return look;
}

void scale_up_consider(struct core *core)
{
    if (!core->synced || !core->leading || !core->taken_over || !look_due(core))
        return;
    struct look *look = look_begin(core);
    meet_minimums(look);
    int64_t grace_due_ms = 0;
    look->count = policy_waiting(core, look->arena, true, &look->pods, &grace_due_ms);
    if (grace_due_ms > 0 && (core->policy->look_due_ms == 0 || grace_due_ms < core->policy->look_due_ms))
        core->policy->look_due_ms = grace_due_ms;
    if (look->count > 0) {
        deal(look);
        order_for_pods(look);
        say_helpless(look);
    }
    remember(look);
}

// ---- when to look

static uint64_t brakes_on(const struct core *core)
{
    uint64_t on = core_may_write(core);
    for (int i = 0; i < BRAKE_COUNT; i++)
        on = on << 1 | core->brakes[i].on;
    return on;
}

// Has anything changed that could let a pod be helped, or make it wait again? Not what we ordered ourselves.
static bool anything_new(const struct core *core)
{
    const struct policy_shared *policy = core->policy;
    return policy->look_wanted || policy->look_version != core->cluster->version ||
           policy->look_brakes != brakes_on(core) || policy->look_coming != policy_coming(core);
}

static bool look_due(struct core *core)
{
    struct policy_shared *policy = core->policy;
    if (core->burst_opened_ms != 0) {
        int64_t quiet_ms = core->burst_last_ms + core->config.burst_quiet_ms;
        int64_t latest_ms = core->burst_opened_ms + core->config.burst_max_ms;
        int64_t due_ms = quiet_ms < latest_ms ? quiet_ms : latest_ms;
        if (core->now_ms < due_ms) {
            core_wake_at(core, due_ms);
            return false;
        }
        core->burst_opened_ms = core->burst_last_ms = 0;
        return true;
    }
    if (policy->look_due_ms > 0 && policy->look_due_ms <= core->now_ms)
        return true;
    if (policy->look_due_ms > 0)
        core_wake_at(core, policy->look_due_ms);
    if (!anything_new(core))
        return false;
    int64_t next_ms = policy->looked_ms + POLICY_LOOK_AGAIN_MS;
    if (policy->looked_ms == 0 || core->now_ms >= next_ms)
        return true;
    core_wake_at(core, next_ms);
    return false;
}

// ---- a decision

static void order(struct look *look, struct candidate *candidate, uint32_t machines, const char *reason,
                  uint64_t *decision_id)
{
    struct core *core = look->core;
    struct group_life_private *policy = group_policy(core, candidate->group);
    const char *name = candidate->group->facts.name;
    char summary[300];
    snprintf(summary, sizeof(summary), "order %u machine%s in %s", machines, policy_plural(machines), name);
    candidate->ordered += machines;
    if (look->shared_room != UINT32_MAX)
        look->shared_room -= machines < look->shared_room ? machines : look->shared_room;
    uint64_t hash = policy_hash(0, summary);
    if (!look->write && policy->dry_order_hash == hash) {
        *decision_id = policy->dry_order_id;
        return; // said already, and nothing came of it
    }
    struct decision *decision = core_decide(core, DECISION_ORDER, name, "", summary, reason);
    core_decision_brings(decision, machines, policy_size_id(core, candidate->group));
    *decision_id = decision->id;
    policy->dry_order_hash = look->write ? 0 : hash;
    policy->dry_order_id = decision->id;
    core_note(core, NOTE_INFO, decision->id, arena_printf(look->arena, "group %s", name),
              "D%llu %s   %s%s%s%s", (unsigned long long)decision->id, summary, reason,
              look->write ? "" : " (not done: ", decision->withheld, look->write ? "" : ")");
    if (!look->write)
        return;
    core_event_group(core, candidate->group, decision->id, false, "ScaleUp", "D%llu %s: %s",
                     (unsigned long long)decision->id, summary, reason);
    struct group_life *life = group_life(core, candidate->group);
    life->last_scale_up_ms = core->now_ms;
    policy->last_order_id = decision->id;
    core->policy->last_order_ms = core->now_ms;
    life_order(core, candidate->group, machines, decision->id, "metrics");
}

static uint32_t room_of(const struct look *look, const struct candidate *candidate)
{
    if (candidate->growth.rule != NULL || candidate->growth.room <= candidate->ordered)
        return 0;
    uint32_t room = candidate->growth.room - candidate->ordered;
    return room < look->shared_room ? room : look->shared_room;
}

static void meet_minimums(struct look *look)
{
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct candidate *candidate = &look->candidates[i];
        struct life_counts counts = life_counts(look->core, candidate->group);
        uint32_t minimum =
            candidate->group->facts.min_nodes > 0 ? (uint32_t)candidate->group->facts.min_nodes : 0;
        uint32_t have = counts.ready + counts.coming;
        uint32_t room = room_of(look, candidate);
        if (have >= minimum || room == 0)
            continue;
        uint32_t lacking = minimum - have < room ? minimum - have : room;
        char reason[160];
        snprintf(reason, sizeof(reason), "minNodes asks for %u, there %s %u", minimum,
                 have == 1 ? "is" : "are", have);
        uint64_t decision_id = 0;
        order(look, candidate, lacking, reason, &decision_id);
    }
}

// ---- dealing out

static struct pod *own(const struct pod *pod)
{
    return (struct pod *)(uintptr_t)pod; // the cluster is ours to write: see state.h
}

static void say_of_pod(struct look *look, const struct pod *pod, const char *text, uint64_t decision_id)
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

static void count_for(struct candidate *candidate, const struct pod *pod)
{
    if (candidate == NULL)
        return;
    candidate->pods++;
    if (candidate->pods_since_ms == 0 || pod->unschedulable_since_ms < candidate->pods_since_ms)
        candidate->pods_since_ms = pod->unschedulable_since_ms;
}

static void landed(struct look *look, const struct pod *pod, uint32_t place)
{
    char text[120];
    if (place < look->space.node_places) {
        snprintf(text, sizeof(text), "fits on %s already; the scheduler has yet to place it",
                 look->space.packing.places[place].name);
        say_of_pod(look, pod, text, 0);
        return;
    }
    uint64_t decision_id = look->space.decision[place];
    struct group *group = look->space.group[place];
    count_for(candidate_of(look, group), pod);
    if (decision_id == 0 && pod->verdict_decision_id != 0)
        return; // an order that has no object yet: what was said still holds
    if (decision_id != 0)
        snprintf(text, sizeof(text), "served by D%llu", (unsigned long long)decision_id);
    else
        snprintf(text, sizeof(text), "served by a machine on its way in %.60s", group->facts.name);
    say_of_pod(look, pod, text, decision_id);
}

// Where the machines of the decision that serves this pod are, if any: it stays with them.
static uint32_t put_with_its_order(struct look *look, const struct pod *pod)
{
    if (pod->verdict_decision_id == 0)
        return UINT32_MAX;
    for (uint32_t i = look->space.node_places; i < look->space.packing.place_count; i++)
        if (look->space.decision[i] == pod->verdict_decision_id &&
            packing_put_at(&look->space.packing, i, pod, NULL))
            return i;
    return UINT32_MAX;
}

static void sum_free(struct look *look)
{
    for (uint32_t i = 0; i < look->space.packing.place_count; i++) {
        const struct place *place = &look->space.packing.places[i];
        if (place->unschedulable || !place->ready)
            continue;
        int64_t cpu = place->allocatable->cpu_millis - place->used.cpu_millis;
        int64_t memory = place->allocatable->memory_bytes - place->used.memory_bytes;
        int64_t pods = place->allocatable->pods - place->used.pods;
        look->free.cpu_millis += cpu > 0 ? cpu : 0;
        look->free.memory_bytes += memory > 0 ? memory : 0;
        look->free.pods += pods > 0 ? pods : 0;
    }
}

static void deal(struct look *look)
{
    struct core *core = look->core;
    look->space = policy_free_space(core, look->arena, true);
    struct resources reference = {.cpu_millis = 1000, .memory_bytes = (int64_t)4 << 30, .pods = 110};
    if (look->space.packing.place_count > 0)
        reference = *look->space.packing.places[0].allocatable;
    packing_order(look->pods, look->count, &reference);
    look->left = ARENA_ARRAY(look->arena, uint32_t, look->count);
    bool *done = ARENA_ARRAY(look->arena, bool, look->count);
    for (uint32_t i = 0; i < look->count; i++) {
        uint32_t place = put_with_its_order(look, look->pods[i]);
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

// ---- choosing

static const struct template_node *template_of(struct look *look, struct candidate *candidate)
{
    if (strcmp(candidate->made.unknown, "not asked") == 0)
        candidate->made = template_create(look->arena, look->core->cluster, candidate->group,
                                          policy_size_id(look->core, candidate->group));
    return &candidate->made;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

// What the group would do for the pods that are left. served 0: nothing.
static struct plan plan_for(struct look *look, struct candidate *candidate)
{
    struct plan plan = {0};
    uint32_t room = room_of(look, candidate);
    if (room == 0 || template_of(look, candidate)->unknown[0] != '\0')
        return plan;
    const struct template_node *made = &candidate->made;
    const struct pod **asked = ARENA_ARRAY(look->arena, const struct pod *, look->left_count + 1);
    uint32_t *index = ARENA_ARRAY(look->arena, uint32_t, look->left_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < look->left_count; i++) {
        const struct pod *pod = look->pods[look->left[i]];
        if (placement_check(pod->shape, &made->place).verdict != PLACEMENT_FITS)
            continue;
        index[count] = i;
        asked[count++] = pod;
    }
    if (count == 0)
        return plan;
    uint32_t *where = ARENA_ARRAY(look->arena, uint32_t, count);
    struct packing *packing = &look->space.packing;
    struct packing_mark mark = packing_mark(packing);
    plan.machines = packing_count_on(packing, &made->place, asked, count, room, where);
    packing_rollback(packing, mark);
    plan.landed = ARENA_ARRAY(look->arena, uint32_t, look->left_count + 1);
    for (uint32_t i = 0; i < look->left_count; i++)
        plan.landed[i] = UINT32_MAX;
    int64_t cpu = 0, memory = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (where[i] == UINT32_MAX)
            continue;
        plan.landed[index[i]] = where[i];
        plan.served++;
        cpu += asked[i]->shape->facts.requests.cpu_millis;
        memory += asked[i]->shape->facts.requests.memory_bytes;
    }
    plan.price_hour = made->price_hour > 0 ? made->price_hour * plan.machines : -1;
    const struct resources *brings = made->place.allocatable;
    plan.waste = plan.machines - share(cpu, 2 * brings->cpu_millis) - share(memory, 2 * brings->memory_bytes);
    return plan;
}

// Most pods, then least price, then least waste; names settle the rest (candidates come in their order).
static bool better(const struct plan *a, const struct plan *b)
{
    if (a->served != b->served)
        return a->served > b->served;
    if ((a->price_hour < 0) != (b->price_hour < 0))
        return b->price_hour < 0;
    if (a->price_hour < b->price_hour || a->price_hour > b->price_hour)
        return a->price_hour < b->price_hour;
    return a->waste < b->waste;
}

// "22 pods need 14.2 cpu, 1.1 free": in what they need most of, measured by the machine that serves them.
static void say_need(const struct look *look, const struct plan *plan, const struct template_node *made,
                     char *reason, size_t bytes)
{
    struct resources need = {0};
    for (uint32_t i = 0; i < look->left_count; i++) {
        if (plan->landed[i] == UINT32_MAX)
            continue;
        const struct resources *asks = &look->pods[look->left[i]]->shape->facts.requests;
        need.cpu_millis += asks->cpu_millis;
        need.memory_bytes += asks->memory_bytes;
        need.pods += 1;
    }
    const struct resources *brings = made->place.allocatable;
    double cpu = share(need.cpu_millis, brings->cpu_millis);
    double memory = share(need.memory_bytes, brings->memory_bytes);
    double pods = share(need.pods, brings->pods);
    char asked[32], left[32];
    if (pods > cpu && pods > memory) {
        snprintf(reason, bytes, "%u pod%s wait, room for %lld", plan->served, policy_plural(plan->served),
                 (long long)look->free.pods);
        return;
    }
    if (memory > cpu) {
        quantity_format_memory(asked, sizeof(asked), need.memory_bytes);
        quantity_format_memory(left, sizeof(left), look->free.memory_bytes);
        snprintf(reason, bytes, "%u pod%s need%s %s memory, %s free", plan->served,
                 policy_plural(plan->served), plan->served == 1 ? "s" : "", asked, left);
        return;
    }
    snprintf(reason, bytes, "%u pod%s need%s %.1f cpu, %.1f free", plan->served, policy_plural(plan->served),
             plan->served == 1 ? "s" : "", (double)need.cpu_millis / 1000.0,
             (double)look->free.cpu_millis / 1000.0);
}

static void serve(struct look *look, struct candidate *candidate, const struct plan *plan)
{
    char reason[200], verdict[80];
    say_need(look, plan, &candidate->made, reason, sizeof(reason));
    uint64_t decision_id = 0;
    order(look, candidate, plan->machines, reason, &decision_id);
    snprintf(verdict, sizeof(verdict),
             look->write ? "served by D%llu" : "D%llu would serve it, but nothing is done now",
             (unsigned long long)decision_id);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < look->left_count; i++) {
        uint32_t index = look->left[i];
        const struct pod *pod = look->pods[index];
        if (plan->landed[i] == UINT32_MAX) {
            look->left[kept++] = index;
            continue;
        }
        say_of_pod(look, pod, verdict, decision_id);
        count_for(candidate, pod);
        if (look->write && look->events++ < POD_EVENTS_MAX)
            core_event_pod(look->core, pod, decision_id, false, "TriggeredScaleUp",
                           "D%llu ordered %u machine%s in %s", (unsigned long long)decision_id,
                           plan->machines, policy_plural(plan->machines), candidate->group->facts.name);
    }
    look->left_count = kept;
}

static void order_for_pods(struct look *look)
{
    while (look->left_count > 0) {
        struct plan best = {0};
        struct candidate *chosen = NULL;
        for (uint32_t i = 0; i < look->candidate_count; i++) {
            struct plan plan = plan_for(look, &look->candidates[i]);
            if (plan.served > 0 && (chosen == NULL || better(&plan, &best))) {
                best = plan;
                chosen = &look->candidates[i];
            }
        }
        if (chosen == NULL)
            return;
        serve(look, chosen, &best);
    }
}

// ---- the rest

// How near a group is to serving a pod: the higher, the nearer. Between the two: the check that failed, in
// the order of checks.
#define NEAR_NOT     0
#define NEAR_UNKNOWN 1
#define NEAR_CHECKS  2
#define NEAR_LIMIT   100

static double near_miss(struct look *look, struct candidate *candidate, const struct pod *pod, char *text,
                        size_t bytes)
{
    const char *name = candidate->group->facts.name;
    const struct template_node *made = template_of(look, candidate);
    if (!candidate->group->facts.managed)
        return NEAR_NOT;
    if (made->unknown[0] != '\0') {
        snprintf(text, bytes, "%s: %s", name, made->unknown);
        return NEAR_UNKNOWN;
    }
    struct placement placement = placement_check(pod->shape, &made->place);
    if (placement.verdict == PLACEMENT_FITS) {
        if (candidate->growth.rule == NULL) // used up in this look
            candidate->growth = policy_growth(look->core, candidate->group);
        if (candidate->growth.rule != NULL)
            snprintf(text, bytes, "%s", candidate->growth.why);
        else
            snprintf(text, bytes, "%s has no room left under its limits", name);
        return NEAR_LIMIT;
    }
    char miss[160];
    placement_describe(&placement, miss, sizeof(miss));
    snprintf(text, bytes, "%s: %s", name, miss);
    const struct resources_lack *lack = &placement.lack;
    bool part = placement.verdict == PLACEMENT_RESOURCES && lack->free > 0 && lack->asked > lack->free;
    return NEAR_CHECKS + (double)placement.verdict + (part ? (double)lack->free / (double)lack->asked : 0.0);
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
    struct candidate *nearest; // only a limit keeps it from the pods; else NULL
    const char *verdict;
};

static void find_miss(struct look *look, const struct pod *pod, struct miss *miss)
{
    char best[300] = "there is no NodeGroup of ours", text[300], verdict[340];
    double nearest = NEAR_NOT;
    *miss = (struct miss){.shape = pod->shape};
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

static void say_helpless(struct look *look)
{
    struct miss miss = {0};
    uint32_t said = 0;
    for (uint32_t i = 0; i < look->left_count; i++) {
        const struct pod *pod = look->pods[look->left[i]];
        if (pod->shape != miss.shape)
            find_miss(look, pod, &miss);
        say_of_pod(look, pod, miss.verdict, 0);
        count_for(miss.nearest, pod);
        if (miss.nearest != NULL)
            miss.nearest->limited++;
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

// A limit that begins to keep a group from pods that wait is told once, on the group: above all those of an
// AutoscalerConfig, which nobody may have thought of for long.
static void tell_limit(struct look *look, const struct candidate *candidate)
{
    struct group_life_private *known = group_policy(look->core, candidate->group);
    const char *limit = candidate->limited > 0 ? candidate->growth.rule : NULL;
    if (limit != NULL && limit != known->told_limit && look->write)
        core_event_group(look->core, candidate->group, 0, true, "LimitReached", "%u pod%s wait%s: %s",
                         candidate->limited, policy_plural(candidate->limited),
                         candidate->limited == 1 ? "s" : "", candidate->growth.why);
    known->told_limit = limit;
    known->limited = candidate->limited;
}

static void remember(struct look *look)
{
    struct core *core = look->core;
    struct policy_shared *policy = core->policy;
    // after our own orders: they are no news to us
    policy->look_version = core->cluster->version;
    policy->look_brakes = brakes_on(core);
    policy->look_coming = policy_coming(core);
    policy->waiting = look->count;
    policy->helpless = look->helpless;
    policy->oldest_helpless_ms = look->oldest_helpless_ms;
    policy->waiting_cpu_millis = policy->waiting_memory_bytes = 0;
    for (uint32_t i = 0; i < look->count; i++) {
        policy->waiting_cpu_millis += look->pods[i]->shape->facts.requests.cpu_millis;
        policy->waiting_memory_bytes += look->pods[i]->shape->facts.requests.memory_bytes;
    }
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct candidate *candidate = &look->candidates[i];
        struct group_life_private *known = group_policy(core, candidate->group);
        known->pending = candidate->pods;
        known->pending_since_ms = candidate->pods_since_ms;
        tell_limit(look, candidate);
        if (candidate->ordered == 0)
            known->dry_order_hash = 0;
    }
    if (policy->look_due_ms > 0)
        core_wake_at(core, policy->look_due_ms);
}
