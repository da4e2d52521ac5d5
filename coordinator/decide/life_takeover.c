#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// Leadership won: before any command that writes, the API server's and VPSie's lists are read, consistently;
// then every VPSieNode tells by what is stored on it where its machine stands. An order whose outcome was not
// stored is unknown: it is watched, never repeated.

#define FRESH_RETRY_MS (2 * LIFE_SECOND_MS)

// ---- deriving

static const char *annotation(const struct intention *intention, const char *key)
{
    const char *value = labels_get(&intention->facts.annotations, key);
    return value != NULL ? value : "";
}

static int64_t annotation_time(const struct intention *intention, const char *key)
{
    int64_t at_ms = 0;
    const char *text = annotation(intention, key);
    if (text[0] == '\0' || text_parse_time_ms(text, strlen(text), &at_ms, NULL) != 0)
        return 0;
    return at_ms;
}

// Is what ties the VPSieNode to its Node stored, on one of the two? What only a coordinator before knew, this
// very process even, was perhaps given to another since.
static bool tie_stored(const struct intention *intention)
{
    const char *labelled = labels_get(&intention->node->labels, KEY_VPSIENODE);
    return text_equal_fold(intention->facts.node_name, intention->node->name) ||
           (labelled != NULL && strcmp(labelled, intention->facts.name) == 0);
}

static void forget(struct life_private *p)
{
    struct core *core = p->core;
    struct intention *intention = p->intention;
    if (intention->node != NULL && !tie_stored(intention))
        cluster_bind(core->cluster, intention, NULL);
    struct life *life = p->life;
    bool open = p->open;
    drain_free(p);
    baseline_free(p->baseline);
    *p = (struct life_private){.core = core, .intention = intention, .life = life, .open = open};
    p->due_ms = INT64_MAX;
    *life = (struct life){.private_state = p, .waits_for = ""};
    p->name = (struct machine_name){"", 0, "", "", ""};
    p->labelled_uid = "";
    p->removal_why = "";
}

static void derive_name(struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    const char *hostname = annotation(p->intention, KEY_HOSTNAME);
    if (facts->identifier[0] == '\0' && hostname[0] == '\0' && (facts->vpsie_instance_id == 0 || !p->ours))
        return;
    p->name.identifier = life_intern(p->core, facts->identifier);
    p->name.id = facts->vpsie_instance_id;
    p->name.hostname = life_intern_fold(p->core, hostname);
    p->name.ip = life_intern(p->core, facts->ip_address);
}

// Decided so long ago that it is decided anew: nobody has looked since whether the node is still not needed.
static bool is_stale(const struct life_private *p)
{
    const struct core_config *config = &p->core->config;
    return p->core->now_ms >= p->terminating_ms + config->drain_ready_limit_ms + config->drain_progress_ms;
}

// The evidence died with the one who had it: a drain goes on from the cordon, with evidence of its own.
static void derive_removal(struct life_private *p, enum removal_kind kind)
{
    const struct intention_facts *facts = &p->intention->facts;
    p->terminating_ms = facts->terminating_ms;
    p->life->removal = kind;
    p->want_removal = kind;
    p->want_phase = facts->phase;
    p->want_phase_set = true;
    p->removal_why = life_intern(p->core, "begun by a coordinator before this one");
    if (facts->phase == INTENTION_DELETING) {
        p->deleting_ms = facts->deleted_ms;
        p->delete_called = true; // for all that is known
        p->delete_called_ms = p->core->now_ms;
        life_step_to(p, LIFE_LAST_LIST, "a last look");
    } else if (kind == REMOVAL_VOLUNTARY && is_stale(p)) {
        snprintf(p->life->held, sizeof(p->life->held), "begun by a coordinator before this one");
        life_step_to(p, LIFE_UNDO, "the cordon to be lifted");
    } else {
        life_step_to(p, LIFE_CORDON, "the cordon");
    }
}

static void derive_order(struct life_private *p)
{
    bool untouched = p->ours && p->mark == ORDER_NONE && p->baseline == NULL &&
                     annotation(p->intention, KEY_CREATION_REQUESTED)[0] == '\0' &&
                     p->intention->facts.phase == INTENTION_PENDING;
    if (untouched) {
        life_step_to(p, LIFE_NEW, "its turn");
        return;
    }
    p->life->outcome_unknown = p->mark != ORDER_ACCEPTED;
    life_step_to(p, LIFE_APPEAR, "VPSie's list");
}

static void derive_step(struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    enum removal_kind removal = removal_kind_parse(annotation(p->intention, KEY_REMOVAL));
    bool has_machine = machine_known(&p->name);
    if (p->mark == ORDER_REFUSED || p->mark == ORDER_NOT_PLACED ||
        (facts->phase == INTENTION_FAILED && removal != REMOVAL_FAILED)) {
        if (p->failed_ms == 0)
            p->failed_ms = p->core->now_ms / 1000 * 1000;
        p->want_error = facts->last_error[0] != '\0' ? life_intern(p->core, facts->last_error) : NULL;
        if (p->ours)
            life_phase(p, INTENTION_FAILED);
        life_step_to(p, LIFE_FAILED, "its time to be shown to pass");
    } else if (removal != REMOVAL_NONE && (has_machine || p->intention->node != NULL)) {
        derive_removal(p, removal);
    } else if (facts->phase == INTENTION_READY || facts->phase == INTENTION_TERMINATING ||
               facts->phase == INTENTION_DELETING) {
        life_step_to(p, LIFE_READY, ""); // a predecessor's removal is not taken for ours
    } else if (has_machine || p->intention->node != NULL) {
        life_step_to(p, LIFE_JOIN, "its Node to join");
    } else {
        derive_order(p);
    }
}

void life_derive(struct life_private *p)
{
    forget(p);
    const struct intention_facts *facts = &p->intention->facts;
    p->ours = strcmp(annotation(p->intention, KEY_CREATED_BY), CREATED_BY_US) == 0;
    p->mark = order_mark_parse(annotation(p->intention, KEY_ORDER));
    const char *baseline = annotation(p->intention, KEY_BASELINE);
    p->baseline =
        p->ours && baseline[0] != '\0' && facts->phase < INTENTION_READY ? baseline_parse(baseline) : NULL;
    derive_name(p);
    int64_t requested_ms = annotation_time(p->intention, KEY_CREATION_REQUESTED);
    p->life->called_ms = requested_ms != 0 ? requested_ms : facts->created_ms;
    p->provisioned_ms = facts->provisioned_ms;
    p->joined_ms = facts->joined_ms;
    p->ready_ms = facts->ready_ms;
    p->terminating_ms = 0;
    p->failed_ms = annotation_time(p->intention, KEY_FAILED_AT);
    p->listed_ms = p->core->now_ms;
    p->listed =
        machine_known(&p->name) && facts->phase >= INTENTION_PROVISIONED && facts->phase != INTENTION_FAILED;
    derive_step(p);
}

// ---- a new term

void takeover_begin(struct core *core)
{
    struct life_shared *shared = core->life;
    shared->term = core->term;
    shared->taken_ms = core->now_ms;
    shared->fresh_command = 0;
    shared->fresh_wanted = shared->fresh_started;
    shared->fresh_read = false;
    shared->fresh_retry_ms = 0;
    shared->directives = 0;
    shared->save_command = 0;
    shared->save_wanted = false;
    shared->release = (struct release){0};
    shared->sweep_count = 0;
    shared->predecessor[0] = '\0';
    order_forget(core);
    lists_forget(core);
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group_life_keep *keep = group_keep(core, core->cluster->groups[i]);
        keep->finalizer_command = 0;
        keep->finalizer_retry_ms = 0;
        struct group_life *life = group_life(core, core->cluster->groups[i]);
        for (uint32_t j = 0; j < life->pool_count; j++) {
            life->pools[j].keep.create_retry_ms = 0;
            life->pools[j].keep.nothing_over_ms = 0;
        }
    }
    for (uint32_t i = 0; i < core->cluster->intention_count; i++)
        life_derive(life_private_of(core->cluster->intentions[i]));
    shared->version++;
}

uint64_t takeover_ask_fresh(struct core *core)
{
    struct life_shared *shared = core->life;
    if (shared->fresh_wanted <= shared->fresh_started)
        shared->fresh_wanted = shared->fresh_started + 1;
    return shared->fresh_started + 1;
}

static void advance_fresh(struct core *core)
{
    struct life_shared *shared = core->life;
    bool wanted = !shared->fresh_read || shared->fresh_wanted > shared->fresh_started;
    if (!wanted || shared->fresh_command != 0)
        return;
    if (core->now_ms < shared->fresh_retry_ms) {
        core_wake_at(core, shared->fresh_retry_ms);
        return;
    }
    struct command *command = core_emit(core, COMMAND_KUBE_LIST_FRESH, 0);
    command->key = "fresh";
    shared->fresh_command = command->id;
    shared->fresh_started++;
}

// VPSie's list of every cluster in use was read in this term, or VPSie does not know the cluster.
static bool lists_read(const struct core *core)
{
    for (uint32_t i = 0; i < core->life->cloud_count; i++) {
        const struct cloud_watch *watch = &core->life->clouds[i];
        if (watch->used && !watch->read && !watch->hopeless)
            return false;
    }
    return !core->life->users_changed;
}

static void look_for_predecessor(struct core *core)
{
    struct life_shared *shared = core->life;
    uint32_t strangers = 0;
    const char *first = "";
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (p->ours)
            continue;
        if (strangers++ == 0)
            first = p->intention->facts.name;
    }
    if (shared->fresh.predecessor_webhooks)
        snprintf(
            shared->predecessor, sizeof(shared->predecessor),
            "the predecessor's webhooks (%.90s) refuse writes and nothing answers them: delete them, then "
            "`resume`",
            shared->webhooks);
    else if (strangers > 0)
        snprintf(shared->predecessor, sizeof(shared->predecessor),
                 "%u VPSieNode%s that we did not make, such as %s: `resume` takes them over", strangers,
                 strangers == 1 ? "" : "s", first);
}

void takeover_advance(struct core *core)
{
    struct life_shared *shared = core->life;
    if (!core->leading || !core->synced)
        return;
    advance_fresh(core);
    if (core->taken_over || !shared->fresh_read)
        return;
    lists_advance(core);
    if (!lists_read(core))
        return;
    look_for_predecessor(core);
    core->taken_over = true;
    shared->all_touched = true;
    for (uint32_t i = 0; i < shared->cloud_count; i++) {
        struct cloud_watch *watch = &shared->clouds[i];
        if (watch->trusted > 0 && !watch->suspect)
            adopt_resolve(core, watch);
    }
    core_note(core, NOTE_INFO, 0, "leadership", "taken over: term %llu, %u VPSieNodes, %u nodes",
              (unsigned long long)core->term, core->cluster->intention_count, core->cluster->node_count);
    life_view_brakes(core);
}

bool takeover_outcome(struct core *core, const struct event *event)
{
    struct life_shared *shared = core->life;
    if (shared->fresh_command != event->outcome.command_id)
        return false;
    shared->fresh_command = 0;
    if (event->outcome.outcome != OUTCOME_OK) {
        shared->fresh_started--; // it did not happen
        if (shared->fresh_wanted <= shared->fresh_started)
            shared->fresh_wanted = shared->fresh_started + 1;
        shared->fresh_retry_ms = core->now_ms + FRESH_RETRY_MS;
        return true;
    }
    shared->fresh_completed = shared->fresh_started;
    if (!shared->fresh_read) {
        shared->fresh = event->outcome.fresh;
        snprintf(shared->webhooks, sizeof(shared->webhooks), "%s",
                 event->outcome.fresh.predecessor_webhook_names != NULL
                     ? event->outcome.fresh.predecessor_webhook_names
                     : "");
        core_restore(core, &event->outcome.fresh.saved);
        // What came with the list decides where each VPSieNode stands.
        for (uint32_t i = 0; i < core->cluster->intention_count; i++)
            life_derive(life_private_of(core->cluster->intentions[i]));
    }
    shared->fresh_read = true;
    core->life->all_touched = true;
    return true;
}
