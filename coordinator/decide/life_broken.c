#include "coordinator/decide/life.h"

#include <stdio.h>
#include <string.h>

// A node is broken when Ready has not been True for its time. Whether its agent speaks says nothing about
// that.

#define REPLACE_GAP_MS                                                                                       \
    (15 * LIFE_MINUTE_MS) // the next one of a group waits so long for the replacement to come

static int64_t ready_timeout_ms(const struct core *core)
{
    const struct config_facts *config = core->cluster->config;
    return config != NULL && config->node_ready_timeout_seconds > 0
               ? config->node_ready_timeout_seconds * 1000
               : core->config.node_ready_timeout_ms;
}

// When the node is broken if nothing changes; INT64_MAX: it is Ready.
static int64_t broken_at(const struct core *core, const struct node *node, const struct intention *intention,
                         int64_t *limit_ms)
{
    if (node->ready == NODE_READY_TRUE)
        return INT64_MAX;
    bool was_ready = node->has_been_ready || (intention != NULL && intention->facts.ready_ms != 0);
    *limit_ms = was_ready ? ready_timeout_ms(core) : core->config.never_ready_timeout_ms;
    int64_t since_ms = was_ready && node->ready_changed_ms != 0 ? node->ready_changed_ms : node->created_ms;
    return since_ms + *limit_ms;
}

bool broken_now(const struct core *core, const struct node *node, const struct intention *intention,
                int64_t *due_ms)
{
    int64_t limit_ms;
    *due_ms = broken_at(core, node, intention, &limit_ms);
    return core->now_ms >= *due_ms;
}

bool broken_soon(const struct core *core, const struct node *node, const struct intention *intention,
                 int64_t *due_ms)
{
    int64_t limit_ms = 0;
    int64_t at_ms = broken_at(core, node, intention, &limit_ms);
    *due_ms = at_ms == INT64_MAX ? INT64_MAX : at_ms - limit_ms / 2;
    return core->now_ms >= *due_ms;
}

static bool another_in_group(struct life_private *p)
{
    const struct group *group = p->intention->group;
    for (uint32_t i = 0; group != NULL && i < group->intention_count; i++) {
        const struct life_private *other = life_private_of(group->intentions[i]);
        if (other != p && other->life->removal == REMOVAL_BROKEN && life_is_removal(other)) {
            life_wait(p, "%s, which is being replaced first", other->intention->facts.name);
            return true;
        }
    }
    return false;
}

static bool may_begin(struct life_private *p)
{
    struct core *core = p->core;
    struct group *group = p->intention->group;
    const char *why = "";
    if (group == NULL || !group->facts.managed)
        return false;
    if (!remove_allowed(p, &why)) {
        life_wait(p, "%s", why);
        return false;
    }
    if (another_in_group(p))
        return false;
    const struct node *node = p->intention->node;
    const char *protected = node != NULL ? labels_get(&node->annotations, KEY_PROTECTED) : NULL;
    if (protected != NULL && strcmp(protected, "true") == 0) {
        life_wait(p, "a person: it is broken, and protected");
        return false;
    }
    const struct group_life_keep *keep = group_keep(core, group);
    if (core->now_ms < keep->broken_next_ms && life_counts(core, group).coming > 0) {
        life_wait(p, "the replacement of the one before");
        life_due(p, keep->broken_next_ms);
        return false;
    }
    return true;
}

static void replace(struct life_private *p, const char *why)
{
    struct core *core = p->core;
    struct group *group = p->intention->group;
    char summary[300];
    const char *name = p->intention->node != NULL ? p->intention->node->name : p->intention->facts.name;
    snprintf(summary, sizeof(summary), "replace %s", name);
    const struct decision *decision =
        core_decide(core, DECISION_REPLACE, group->facts.name, name, summary, why);
    uint64_t id = decision->id;
    core_note(core, NOTE_WARN, id, life_subject(p), "D%llu %s   %s", (unsigned long long)id, summary, why);
    core_event_group(core, group, id, true, "NodeBroken", "%s: %s", name, why);
    if (remove_begin(p, REMOVAL_BROKEN, id, life_intern(core, why)))
        group_keep(core, group)->broken_next_ms = core->now_ms + REPLACE_GAP_MS;
}

void broken_consider(struct life_private *p)
{
    struct core *core = p->core;
    const struct node *node = p->intention->node;
    int64_t due_ms;
    char why[160], since[32];
    if (p->vanished && (node == NULL || node->ready != NODE_READY_TRUE)) {
        if (may_begin(p))
            replace(p, "its machine is no longer in VPSie's list");
        else
            life_due(p, core->now_ms + LIFE_MINUTE_MS);
        return;
    }
    if (node == NULL) { // somebody deleted the Node object; the kubelet may yet bring it back
        if (p->nodeless_ms == 0)
            p->nodeless_ms = core->now_ms;
        due_ms = p->nodeless_ms + ready_timeout_ms(core);
        if (core->now_ms < due_ms) {
            life_wait(p, "its Node, which is gone");
            life_due(p, due_ms);
            return;
        }
        snprintf(why, sizeof(why), "its Node has been gone for %s",
                 (text_format_duration(since, sizeof(since), core->now_ms - p->nodeless_ms), since));
    } else {
        p->nodeless_ms = 0;
        if (!broken_now(core, node, p->intention, &due_ms)) {
            if (due_ms != INT64_MAX) {
                life_wait(p, "its Node to be Ready again");
                life_due(p, due_ms);
            } else {
                life_wait(p, "%s", "");
            }
            return;
        }
        int64_t from_ms = node->ready_changed_ms != 0 ? node->ready_changed_ms : node->created_ms;
        snprintf(why, sizeof(why), "not Ready for %s",
                 (text_format_duration(since, sizeof(since), core->now_ms - from_ms), since));
    }
    if (core->now_ms < p->life->not_before_ms)
        life_due(p, p->life->not_before_ms);
    else if (may_begin(p))
        replace(p, why);
    else
        life_due(p, core->now_ms + LIFE_MINUTE_MS);
}
