#include <string.h>

#include "coordinator/decide/moves.h"
#include "coordinator/decide/policy.h"
#include "coordinator/decide/rules.h"

// Every answer runs the same rules as the decisions do, on the state as it is now.

static void add_row(struct explanation *out, struct arena *arena, const char *name, enum rule_verdict verdict,
                    char *saw, char *limit, char *change)
{
    struct answer answer = {.verdict = verdict, .words = arena, .saw = saw, .limit = limit, .change = change};
    explanation_add(out, arena, name, &answer);
}

// ---- a node

static void add_plan_rows(struct core *core, struct node *node, struct arena *arena, struct explanation *out,
                          struct node_answer *first)
{
    struct node_fit fit = policy_node_fit(core, node, arena);
    bool fits = fit.placed == fit.pods;
    add_row(out, arena, "pods fit elsewhere", fits ? RULE_PASS : RULE_BLOCKS,
            fits ? arena_printf(arena, "%u of %u", fit.placed, fit.pods)
                 : arena_printf(arena, "%u of %u; %s", fit.placed, fit.pods, fit.miss),
            arena_strdup(arena, "all"), arena_strdup(arena, "free space on other nodes for these pods"));
    if (!fits && first->rule == NULL)
        *first = (struct node_answer){.verdict = RULE_BLOCKS, .rule = "pods fit elsewhere"};
    bool needed = fit.needed[0] != '\0';
    add_row(out, arena, "nothing waits for it", needed ? RULE_WAITS : RULE_PASS,
            arena_strdup(arena, needed ? fit.needed : "none"), arena_strdup(arena, "none"),
            arena_strdup(arena, "passes when the waiting pods run"));
    if (needed && first->rule == NULL)
        *first = (struct node_answer){.verdict = RULE_WAITS, .rule = "nothing waits for it"};

    const struct config_facts *config = core->cluster->config;
    bool empty = fit.pods == 0;
    bool common = config != NULL && config->max_concurrent_scale_downs > 0;
    uint32_t leaving = policy_leaving(core, false);
    uint32_t counted = common || empty ? leaving : leaving - policy_leaving(core, true);
    int32_t limit = common ? config->max_concurrent_scale_downs : empty ? core->config.max_empty_removals : 1;
    bool room = (int64_t)counted < (int64_t)limit;
    add_row(out, arena, "removals at once", room ? RULE_PASS : RULE_WAITS, arena_printf(arena, "%u", counted),
            arena_printf(arena, "%d", limit), arena_strdup(arena, "passes when those have left"));
    if (!room && first->rule == NULL)
        *first = (struct node_answer){.verdict = RULE_WAITS, .rule = "removals at once"};
}

static const char *node_verdict(struct arena *arena, const struct life *life, const struct node_answer *first)
{
    if (life != NULL && life->step >= LIFE_CORDON && life->step < LIFE_UNDO)
        return arena_printf(arena, "LEAVING: %s%s%s", life_step_name(life->step),
                            life->held[0] != '\0' ? ", held by " : "", life->held);
    if (life != NULL && life->step == LIFE_FAILED)
        return "FAILED";
    if (first->rule == NULL)
        return "LEAVES next";
    if (strcmp(first->rule, "managed") == 0)
        return "NOT OURS: never removed";
    if (first->verdict == RULE_WAITS)
        return arena_printf(arena, "WAITS for %s", first->rule);
    if (strncmp(first->rule, "underused", strlen("underused")) == 0)
        return "KEPT, in use";
    return arena_printf(arena, "KEPT by %s", first->rule);
}

bool explain_node(struct core *core, struct arena *arena, const char *name, struct explanation *out)
{
    struct node *node = cluster_node(core->cluster, name);
    if (node == NULL)
        return false;
    memset(out, 0, sizeof(*out));
    const struct life *life = node->intention != NULL ? node->intention->decide : NULL;
    out->subject = arena_printf(arena, "node %s", node->name);
    out->at_ms = core->now_ms;
    struct node_answer first = policy_node_explain(core, node, arena, out);
    bool judged = node->intention != NULL && life != NULL && life->step == LIFE_READY;
    if (judged) {
        add_plan_rows(core, node, arena, out, &first);
        consolidate_explain(core, node, arena, out);
        replace_explain(core, node, arena, out);
    }
    out->verdict = node_verdict(arena, life, &first);
    out->decision_id = life != NULL ? life->decision_id : 0;
    double price = policy_node_price(core, node);
    out->then = !judged ? "" : price > 0 ? arena_printf(arena, "drains, saves $%.2f/h", price) : "drains";
    return true;
}

// ---- a pod

static void explain_bound(struct core *core, struct arena *arena, const struct pod *pod,
                          struct explanation *out)
{
    out->verdict = arena_printf(arena, "%s on %s", pod->terminal ? "ENDED" : "RUNS", pod->node->name);
    bool counts = life_pod_counts(core, pod);
    add_row(out, arena, "placed", RULE_PASS, arena_strdup(arena, pod->node->name),
            arena_strdup(arena, "a node"), NULL);
    add_row(out, arena, "counts for its node", RULE_INFO, arena_strdup(arena, counts ? "yes" : "no"),
            arena_strdup(arena, ""), NULL);
    if (!counts)
        return;
    const struct budget *budget = NULL;
    uint32_t budgets = rules_budgets_of(core->cluster, pod, &budget);
    bool budget_allows = budgets == 0 || (budgets == 1 && budget->current && budget->disruptions_allowed > 0);
    add_row(out, arena, "budgets", budget_allows ? RULE_PASS : RULE_BLOCKS,
            budgets == 0 ? arena_strdup(arena, "none")
                         : arena_printf(arena, "%s allows %d", budget->name, budget->disruptions_allowed),
            arena_strdup(arena, "1"),
            arena_strdup(arena, budgets > 1 ? "one budget only: Kubernetes evicts no pod that has two"
                                            : "more ready pods than it asks for, or a wider budget"));
    bool stays = pod->do_not_disrupt || pod->safe_to_evict == TRISTATE_FALSE;
    add_row(out, arena, "may be moved", stays ? RULE_BLOCKS : RULE_PASS,
            arena_strdup(arena, stays ? "its annotation says no" : "yes"), arena_strdup(arena, "yes"),
            arena_strdup(arena, "remove do-not-disrupt, or safe-to-evict: \"false\""));
    out->then = "see `explain node` for the whole node";
}

static bool add_state_rows(struct core *core, struct arena *arena, const struct pod *pod,
                           struct explanation *out)
{
    const struct {
        const char *name, *saw, *change;
        bool stops;
    } states[] = {
        {"alive", "being deleted or ended", "nothing", pod->deletion_ms != 0 || pod->terminal},
        {"scheduling gates", "gated", "remove its spec.schedulingGates", pod->gated},
        {"its node", "bound to a node that is not known (yet)", "nothing", pod->node_name[0] != '\0'},
        {"scheduler's word", "not yet called unschedulable", "the scheduler must have tried it",
         !pod->unschedulable},
        {"preemption", "served by preemption", "nothing", pod->nominated_node[0] != '\0'},
        {"priority", "below the cut-off: no reason for a machine", "a higher priority",
         pod->shape->facts.priority < core->config.expendable_priority_cutoff},
    };
    bool waits = true;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        add_row(out, arena, states[i].name, states[i].stops ? RULE_BLOCKS : RULE_PASS,
                arena_strdup(arena, states[i].stops ? states[i].saw : "yes"), arena_strdup(arena, ""),
                arena_strdup(arena, states[i].change));
        if (states[i].stops && waits)
            out->verdict = arena_printf(arena, "NOT WAITING for a machine: %s", states[i].saw);
        waits = waits && !states[i].stops;
    }
    return waits;
}

// What was weighed when machines were ordered, the taken ones first.
static void add_option_rows(struct core *core, struct arena *arena, uint64_t decision_id,
                            struct explanation *out)
{
    const struct decision *decision = core_decision(core, decision_id);
    for (uint32_t i = 0; decision != NULL && i < decision->option_count; i++) {
        const struct decision_option *option = &decision->options[i];
        char *saw = arena_printf(arena, "$%.3f/h each, %u pod%s", option->price_hour, option->pods,
                                 policy_plural(option->pods));
        if (option->machines > 0)
            saw = arena_printf(arena, "%u of $%.3f/h for %u pod%s", option->machines, option->price_hour,
                               option->pods, policy_plural(option->pods));
        add_row(out, arena, arena_printf(arena, "option %s %s", option->group, option->size),
                option->machines > 0 ? RULE_PASS : RULE_INFO, saw, arena_strdup(arena, option->why), NULL);
    }
}

static const char *group_row_name(struct arena *arena, const struct group *group, int64_t size_id,
                                  bool several)
{
    return several ? arena_printf(arena, "group %s, size %lld", group->facts.name, (long long)size_id)
                   : arena_printf(arena, "group %s", group->facts.name);
}

static void add_size_of_group_row(struct core *core, struct arena *arena, const struct pod *pod,
                                  struct group *group, int64_t size_id, bool several, struct explanation *out)
{
    struct template_node made = template_create(arena, core->cluster, group, size_id);
    const char *name = group_row_name(arena, group, size_id, several);
    if (made.unknown[0] != '\0') {
        add_row(out, arena, name, RULE_BLOCKS, arena_strdup(arena, made.unknown),
                arena_strdup(arena, "a size"),
                arena_strdup(arena, "a size that VPSie offers in its data centre"));
        return;
    }
    struct placement placement = placement_check(pod->shape, &made.place);
    if (placement.verdict != PLACEMENT_FITS) {
        char text[200];
        placement_describe(&placement, text, sizeof(text));
        bool resources = placement.verdict == PLACEMENT_RESOURCES;
        add_row(out, arena, name, RULE_BLOCKS, arena_strdup(arena, text),
                arena_strdup(arena, "fits a new node"),
                arena_strdup(arena, resources ? "smaller requests, or a group with a larger size"
                                              : "the pod's or the group's labels, taints and tolerations"));
        return;
    }
    struct growth growth = policy_growth(core, group);
    if (growth.rule != NULL) {
        add_row(out, arena, name, RULE_BLOCKS, arena_strdup(arena, growth.why),
                arena_strdup(arena, "may grow"),
                arena_printf(arena, "see `explain group %s`", group->facts.name));
        return;
    }
    const struct pool *pool = life_pool(core, group, size_id);
    if (pool != NULL && pool->backoff_until_ms > core->now_ms) {
        char left[32];
        policy_duration(left, sizeof(left), pool->backoff_until_ms - core->now_ms);
        add_row(out, arena, name, RULE_WAITS,
                arena_printf(arena, "backs off for %s more: %s", left, pool->backoff_reason),
                arena_strdup(arena, "takes orders"), arena_printf(arena, "passes by itself in %s", left));
        return;
    }
    add_row(out, arena, name, RULE_PASS,
            arena_printf(arena, "fits a new node, $%.2f/h, room for %u", made.price_hour, growth.room),
            arena_strdup(arena, "may grow"), NULL);
}

static void add_group_rows(struct core *core, struct arena *arena, const struct pod *pod, struct group *group,
                           struct explanation *out)
{
    const struct group_life *life = group_life(core, group);
    uint32_t orderable = 0;
    for (uint32_t i = 0; i < life->pool_count; i++)
        orderable += life->pools[i].orderable;
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (life->pools[i].orderable)
            add_size_of_group_row(core, arena, pod, group, life->pools[i].size_id, orderable > 1, out);
    if (orderable == 0)
        add_size_of_group_row(core, arena, pod, group, policy_size_id(core, group), false, out);
}

bool explain_pod(struct core *core, struct arena *arena, const char *space, const char *name,
                 struct explanation *out)
{
    const struct pod *pod = cluster_pod(core->cluster, space, name);
    if (pod == NULL)
        return false;
    memset(out, 0, sizeof(*out));
    out->subject = arena_printf(arena, "pod %s/%s", pod->space, pod->name);
    out->at_ms = core->now_ms;
    out->then = "";
    out->decision_id = pod->verdict_decision_id;
    if (pod->node != NULL) {
        explain_bound(core, arena, pod, out);
        return true;
    }
    bool waits = add_state_rows(core, arena, pod, out);
    struct free_space space_now = policy_free_space(core, arena, false);
    struct placement why = {0};
    uint32_t place = packing_put(&space_now.packing, pod, &why);
    bool served = text_starts_with(pod->verdict, "served by ");
    char text[200] = "fits";
    if (place == UINT32_MAX)
        placement_describe(&why, text, sizeof(text));
    add_row(
        out, arena, "nodes there are", place == UINT32_MAX ? RULE_BLOCKS : RULE_PASS,
        place == UINT32_MAX ? arena_printf(arena, "none; nearest: %s", text)
                            : arena_printf(arena, "fits %s", space_now.packing.places[place].name),
        arena_strdup(arena, "one that fits"),
        arena_strdup(arena, served ? "nothing: its node is on its way" : "a new node, see the groups above"));
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed)
            add_group_rows(core, arena, pod, core->cluster->groups[i], out);
    add_option_rows(core, arena, pod->verdict_decision_id, out);
    if (!waits)
        return true;
    out->verdict =
        pod->verdict[0] != '\0' ? arena_printf(arena, "WAITS: %s", pod->verdict) : "WAITS: not looked at yet";
    return true;
}

// ---- a group

static bool add_size_row(struct core *core, struct arena *arena, struct group *group, int64_t size_id,
                         struct explanation *out)
{
    struct template_node made = template_create(arena, core->cluster, group, size_id);
    const struct pool *pool = life_pool(core, group, size_id);
    bool known = made.unknown[0] == '\0';
    char *saw = arena_strdup(arena, made.unknown);
    if (known)
        saw = arena_printf(arena, "%s: %.1f cpu, %.1f GiB for pods, $%.3f/h", made.size_name,
                           (double)made.place.allocatable->cpu_millis / 1000.0,
                           (double)made.place.allocatable->memory_bytes / (1024.0 * 1024.0 * 1024.0),
                           made.price_hour);
    add_row(out, arena, "size", known ? RULE_PASS : RULE_BLOCKS, saw, arena_strdup(arena, "known"),
            arena_strdup(arena, "a size that VPSie offers in its data centre"));
    if (known && pool != NULL && pool->backoff_until_ms > core->now_ms) {
        char left[32];
        policy_duration(left, sizeof(left), pool->backoff_until_ms - core->now_ms);
        add_row(out, arena, "backs off", RULE_WAITS,
                arena_printf(arena, "%s: %s", made.size_name, pool->backoff_reason),
                arena_strdup(arena, "no"), arena_printf(arena, "passes by itself in %s", left));
    }
    return known;
}

static void add_size_rows(struct core *core, struct arena *arena, struct group *group,
                          struct explanation *out, struct growth *growth)
{
    const struct group_life *life = group_life(core, group);
    bool known = false, any = false;
    for (uint32_t i = 0; i < life->pool_count; i++) {
        if (!life->pools[i].orderable)
            continue;
        known = add_size_row(core, arena, group, life->pools[i].size_id, out) || known;
        any = true;
    }
    if (!any)
        known = add_size_row(core, arena, group, policy_size_id(core, group), out);
    if (known || growth->rule != NULL)
        return;
    growth->rule = "size";
    growth->room = 0;
}

static void add_use_row(struct core *core, struct arena *arena, struct group *group, struct explanation *out)
{
    struct group_use use = policy_group_use(core, group, NULL);
    int64_t since_ms = group_policy(core, group)->busy_since_ms;
    char since[32] = "", window[32];
    if (since_ms != 0)
        policy_duration(since, sizeof(since), core->now_ms - since_ms);
    policy_duration(window, sizeof(window), group->facts.scale_up.stabilization_seconds * 1000);
    char *saw = arena_printf(arena, "cpu %.0f%% memory %.0f%%%s%s", use.cpu, use.memory,
                             since_ms != 0 ? ", above for " : "", since);
    if (use.cpu < 0 && use.memory < 0)
        saw =
            arena_printf(arena, "not known: %u of %u agents are silent", use.silent, use.nodes + use.silent);
    add_row(out, arena, "measured use", RULE_INFO, saw,
            arena_printf(arena, "a machine more at cpu %d%% or memory %d%% for %s",
                         group->facts.scale_up.cpu_threshold_percent,
                         group->facts.scale_up.memory_threshold_percent, window),
            NULL);
}

bool explain_group(struct core *core, struct arena *arena, const char *name, struct explanation *out)
{
    struct group *group = cluster_group(core->cluster, NULL, name);
    if (group == NULL)
        return false;
    memset(out, 0, sizeof(*out));
    const struct group_life *life = group_life(core, group);
    out->subject = arena_printf(arena, "group %s", group->facts.name);
    out->at_ms = core->now_ms;
    struct growth growth = policy_growth_explain(core, group, arena, out);
    add_size_rows(core, arena, group, out, &growth);
    struct life_counts counts = life_counts(core, group);
    add_row(out, arena, "nodes", RULE_INFO,
            arena_printf(arena, "%u ready, %u coming, %u leaving, %u failed", counts.ready, counts.coming,
                         counts.leaving, counts.failed),
            arena_printf(arena, "%d-%d", group->facts.min_nodes, group->facts.max_nodes), NULL);
    add_row(out, arena, "pods waiting", RULE_INFO,
            arena_printf(arena, "%u", group_policy(core, group)->pending), arena_strdup(arena, ""), NULL);
    if (group->facts.multi_region.enabled) {
        const char *missing = policy_missing_regions(core, arena, group);
        add_row(out, arena, "multiRegion", RULE_INFO,
                missing[0] == '\0' ? arena_strdup(arena, "a NodeGroup for each data center")
                                   : arena_printf(arena, "no NodeGroup like this one in %s", missing),
                arena_strdup(arena, policy_is_backup(core, group) ? "backup" : "shares machines out"), NULL);
    }
    add_use_row(core, arena, group, out);
    consolidate_explain_group(core, group, arena, out);
    if (core->config.headroom_count > 0)
        add_row(out, arena, "headroom", RULE_INFO,
                arena_printf(arena, "%u of %u pieces, of all groups, have room",
                             core->policy->headroom_wanted - core->policy->headroom_lacking,
                             core->policy->headroom_wanted),
                arena_strdup(arena, "all"), NULL);
    add_option_rows(core, arena, group_policy(core, group)->last_order_id, out);
    if (life->surplus > 0)
        add_row(out, arena, "surplus", RULE_INFO,
                arena_printf(arena, "%d machines nobody asked for", life->surplus), arena_strdup(arena, "0"),
                NULL);
    if (life->problem[0] != '\0')
        add_row(out, arena, "problem", RULE_INFO, arena_strdup(arena, life->problem), arena_strdup(arena, ""),
                NULL);
    const char *why = "";
    bool removals = life_removals_allowed(core, &why);
    bool enabled = group->facts.scale_down.enabled && core->config.scale_down_enabled;
    add_row(out, arena, "removals", RULE_INFO,
            arena_strdup(arena, !removals ? why
                                : enabled ? "allowed"
                                          : "scale down is disabled"),
            arena_strdup(arena, ""), NULL);
    uint32_t room = growth.room < growth.shared_room ? growth.room : growth.shared_room;
    out->verdict =
        growth.rule == NULL
            ? arena_printf(arena, "MAY GROW by %u", room)
            : arena_printf(arena, "%s %s", growth.due_ms > 0 ? "WAITS for" : "CANNOT GROW:", growth.rule);
    out->then = life->doing[0] != '\0' ? arena_strdup(arena, life->doing) : "";
    return true;
}
