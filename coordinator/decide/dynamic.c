#include <stdio.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"

// Dynamic groups (enableDynamicNodeGroupCreation): a pod that no NodeGroup could ever help, but a size of
// nodeGroupDefaults could, gets a NodeGroup with the labels and taints that it asks for. Its name follows
// from these, so that it is made once; it has no minimum, and goes when it has been empty for long. VPSie's
// group of it stays, as all of them do, and is found again when the NodeGroup is made again.

#define KEY_DYNAMIC   KEY_PREFIX "dynamic" // "true" on a NodeGroup that was made so
#define EMPTY_LONG_MS ((int64_t)30 * 60 * 1000)
#define ASK_AGAIN_MS  ((int64_t)60 * 1000) // what was asked for is in the watch by then, or was refused
#define LABELS_MAX    16u
#define TAINTS_MAX    8u
#define NAME_BYTES    64

struct wanted { // one NodeGroup to be made
    struct nodegroup_facts facts;
    struct label labels[LABELS_MAX], marks[1], notes[2];
    struct taint taints[TAINTS_MAX];
};

// Labels that machines have or have not, whatever a NodeGroup says.
static bool is_given(const char *key)
{
    static const char *const KEYS[] = {"kubernetes.io/hostname",
                                       "kubernetes.io/os",
                                       "kubernetes.io/arch",
                                       "topology.kubernetes.io/",
                                       "node.kubernetes.io/",
                                       "beta.kubernetes.io/",
                                       "node-role.kubernetes.io/",
                                       "failure-domain.beta.kubernetes.io/",
                                       KEY_PREFIX};
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        if (text_starts_with(key, KEYS[i]))
            return true;
    return false;
}

static bool add_label(struct wanted *wanted, const char *key, const char *value)
{
    struct labels *labels = &wanted->facts.node_labels;
    if (is_given(key) || labels_get(labels, key) != NULL)
        return true; // the template tells whether it has it
    if (labels->count == LABELS_MAX)
        return false;
    uint32_t at = labels->count++;
    for (; at > 0 && strcmp(wanted->labels[at - 1].key, key) > 0; at--)
        wanted->labels[at] = wanted->labels[at - 1];
    wanted->labels[at] = (struct label){key, value};
    return true;
}

// What its node selector, or the first term of its required node affinity, asks for by name and value.
static bool take_labels(struct wanted *wanted, const struct pod_shape_facts *asked)
{
    bool room = true;
    for (uint32_t i = 0; i < asked->node_selector.count; i++)
        room =
            add_label(wanted, asked->node_selector.items[i].key, asked->node_selector.items[i].value) && room;
    if (asked->affinity_term_count == 0)
        return room;
    const struct node_term *term = &asked->affinity_terms[0];
    for (uint32_t i = 0; i < term->expression_count; i++)
        if (term->expressions[i].operator== SELECTOR_IN && term->expressions[i].value_count> 0)
            room = add_label(wanted, term->expressions[i].key, term->expressions[i].values[0]) && room;
    return room;
}

static bool has_taint(const struct taints *taints, const char *key)
{
    for (uint32_t i = 0; i < taints->count; i++)
        if (taints->items[i].effect == TAINT_NO_SCHEDULE && strcmp(taints->items[i].key, key) == 0)
            return true;
    return false;
}

// A pod that asks for nodes of its own kind and tolerates a taint by name wants them kept for its kind. A key
// stands once for each effect: no Node may carry more.
static void take_taints(struct wanted *wanted, const struct pod_shape_facts *asked)
{
    struct taints *taints = &wanted->facts.node_taints;
    for (uint32_t i = 0; i < asked->toleration_count && wanted->facts.node_labels.count > 0; i++) {
        const struct toleration *toleration = &asked->tolerations[i];
        bool by_name = toleration->key[0] != '\0' && !is_given(toleration->key) &&
                       (toleration->operator== TOLERATION_EQUAL || toleration->operator== TOLERATION_EXISTS);
        bool no_schedule = toleration->any_effect || toleration->effect == TAINT_NO_SCHEDULE;
        if (by_name && no_schedule && taints->count < TAINTS_MAX && !has_taint(taints, toleration->key))
            wanted->taints[taints->count++] =
                (struct taint){toleration->key, toleration->value, TAINT_NO_SCHEDULE};
    }
}

static const char *name_of(struct arena *arena, const struct nodegroup_facts *facts)
{
    uint64_t hash = policy_hash(0, "dynamic");
    for (uint32_t i = 0; i < facts->node_labels.count; i++)
        hash = policy_hash(policy_hash(hash, facts->node_labels.items[i].key),
                           facts->node_labels.items[i].value);
    for (uint32_t i = 0; i < facts->node_taints.count; i++)
        hash = policy_hash(policy_hash(hash, facts->node_taints.items[i].key),
                           facts->node_taints.items[i].value);
    return arena_printf(arena, "dynamic-%08x", (uint32_t)(hash ^ hash >> 32));
}

// What the defaults leave open is as it is in the first NodeGroup of ours.
static bool take_defaults(struct core *core, struct wanted *wanted, const struct nodegroup_facts *defaults)
{
    struct nodegroup_facts *facts = &wanted->facts;
    *facts = *defaults;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        const struct nodegroup_facts *other = &core->cluster->groups[i]->facts;
        if (!other->managed)
            continue;
        const char **fields[] = {&facts->datacenter_id, &facts->resource_identifier, &facts->project,
                                 &facts->kubernetes_version};
        const char *const values[] = {other->datacenter_id, other->resource_identifier, other->project,
                                      other->kubernetes_version};
        for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
            if ((*fields[k])[0] == '\0')
                *fields[k] = values[k];
        break;
    }
    facts->min_nodes = 0;
    facts->managed = true;
    facts->node_labels = (struct labels){wanted->labels, 0};
    facts->node_taints = (struct taints){wanted->taints, 0};
    for (uint32_t i = 0; i < defaults->node_labels.count && i < LABELS_MAX; i++)
        (void)add_label(wanted, defaults->node_labels.items[i].key, defaults->node_labels.items[i].value);
    for (uint32_t i = 0; i < defaults->node_taints.count && i < TAINTS_MAX; i++)
        wanted->taints[facts->node_taints.count++] = defaults->node_taints.items[i];
    return facts->datacenter_id[0] != '\0' && facts->resource_identifier[0] != '\0' &&
           facts->kubernetes_version[0] != '\0' && facts->offering_count > 0 && facts->invalid[0] == '\0';
}

static bool size_is_free(struct core *core, const struct nodegroup_facts *facts, int64_t size_id)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, facts->resource_identifier);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++)
        if (!cloud->groups[i].deleted && cloud->groups[i].size_id == size_id &&
            strcmp(cloud->groups[i].name, facts->name) != 0)
            return false;
    return true;
}

// Would a machine of one of its sizes take the pod?
static bool would_help(struct look *look, const struct nodegroup_facts *facts, const struct pod *pod)
{
    const struct group group = {.facts = *facts};
    int64_t size_id = facts->kube_size_id;
    for (uint32_t i = 0; i < facts->offering_count; i++) {
        if (facts->kube_size_id == 0 &&
            text_parse_i64(facts->offering_ids[i], strlen(facts->offering_ids[i]), &size_id, NULL) != 0)
            continue;
        if (!size_is_free(look->core, facts, size_id))
            continue;
        struct template_node made = template_create(look->arena, look->core->cluster, &group, size_id);
        if (made.unknown[0] == '\0' &&
            packing_check_new(&look->space.packing, &made.place, pod).verdict == PLACEMENT_FITS)
            return true;
    }
    return false;
}

// The command outlives what the texts were taken from.
static void own_texts(struct arena *arena, struct wanted *wanted)
{
    struct nodegroup_facts *facts = &wanted->facts;
    const char **fields[] = {&facts->space,   &facts->datacenter_id,      &facts->resource_identifier,
                             &facts->project, &facts->kubernetes_version, &facts->os_image_id};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        *fields[i] = arena_strdup(arena, *fields[i]);
    for (uint32_t i = 0; i < facts->node_labels.count; i++)
        wanted->labels[i] = (struct label){arena_strdup(arena, wanted->labels[i].key),
                                           arena_strdup(arena, wanted->labels[i].value)};
    for (uint32_t i = 0; i < facts->node_taints.count; i++)
        wanted->taints[i] =
            (struct taint){arena_strdup(arena, wanted->taints[i].key),
                           arena_strdup(arena, wanted->taints[i].value), wanted->taints[i].effect};
    const char **offerings = ARENA_ARRAY(arena, const char *, facts->offering_count + 1);
    for (uint32_t i = 0; i < facts->offering_count; i++)
        offerings[i] = arena_strdup(arena, facts->offering_ids[i]);
    facts->offering_ids = offerings;
    facts->multi_region = (struct multi_region_facts){.primary = ""};
    facts->ssh_key_count = 0; // managed clusters have no use for them
    facts->conditions = NULL;
    facts->condition_count = 0;
}

static void make(struct look *look, struct wanted *wanted, const struct pod *pod)
{
    const struct nodegroup_facts *facts = &wanted->facts;
    struct core *core = look->core;
    struct arena *arena = core->out->arena;
    AUTOFREE char *summary = xprintf("make the NodeGroup %s", facts->name);
    AUTOFREE char *reason = xprintf("pods such as %s/%s fit no other", pod->space, pod->name);
    const struct decision *decision = core_decide(core, DECISION_ORDER, facts->name, "", summary, reason);
    core_note(core, NOTE_INFO, decision->id, arena_printf(arena, "group %s", facts->name), "D%llu %s   %s",
              (unsigned long long)decision->id, summary, reason);
    struct command *command = core_emit(core, COMMAND_KUBE_CREATE_NODEGROUP, decision->id);
    command->key = arena_printf(arena, "nodegroup/%s/%s", facts->space, facts->name);
    own_texts(arena, wanted);
    command->create_nodegroup.facts = facts;
    core->policy->dynamic_next_ms = core->now_ms + ASK_AGAIN_MS;
}

void look_make_group(struct look *look, const struct pod *pod)
{
    struct core *core = look->core;
    const struct config_facts *config = core->cluster->config;
    if (config == NULL || !config->dynamic_groups || config->group_defaults == NULL || !look->write ||
        core->now_ms < core->policy->dynamic_next_ms || pod->shape->facts.needs != 0)
        return;
    struct wanted *wanted = ARENA_NEW(core->out->arena, struct wanted);
    struct nodegroup_facts *facts = &wanted->facts;
    if (!take_defaults(core, wanted, config->group_defaults) || !take_labels(wanted, &pod->shape->facts))
        return;
    take_taints(wanted, &pod->shape->facts);
    facts->name = name_of(core->out->arena, facts);
    wanted->marks[0] = (struct label){KEY_MANAGED, "true"};
    wanted->notes[0] = (struct label){KEY_CREATED_BY, CREATED_BY_US};
    wanted->notes[1] = (struct label){KEY_DYNAMIC, "true"};
    facts->labels = (struct labels){wanted->marks, 1};
    facts->annotations = (struct labels){wanted->notes, 2};
    if (cluster_group(core->cluster, NULL, facts->name) == NULL && would_help(look, facts, pod))
        make(look, wanted, pod);
}

// ---- going

static bool is_dynamic(const struct group *group)
{
    const char *dynamic = labels_get(&group->facts.annotations, KEY_DYNAMIC);
    const char *by = labels_get(&group->facts.annotations, KEY_CREATED_BY);
    return dynamic != NULL && strcmp(dynamic, "true") == 0 && by != NULL && strcmp(by, CREATED_BY_US) == 0;
}

static void remove_group(struct core *core, struct group *group)
{
    struct arena *arena = core->out->arena;
    AUTOFREE char *summary = xprintf("remove the NodeGroup %s", group->facts.name);
    const struct decision *decision =
        core_decide(core, DECISION_REMOVE, group->facts.name, "", summary,
                    "it was made for pods that are gone, and has been empty for half an hour");
    core_note(core, NOTE_INFO, decision->id, arena_printf(arena, "group %s", group->facts.name),
              "D%llu %s   %s", (unsigned long long)decision->id, decision->summary, decision->reason);
    struct command *command = core_emit(core, COMMAND_KUBE_DELETE_NODEGROUP, decision->id);
    command->key = arena_printf(arena, "nodegroup/%s/%s", group->facts.space, group->facts.name);
    command->delete_nodegroup.space = arena_strdup(arena, group->facts.space);
    command->delete_nodegroup.name = arena_strdup(arena, group->facts.name);
    command->delete_nodegroup.uid = arena_strdup(arena, group->facts.uid);
}

void policy_dynamic_groups(struct core *core)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        if (!is_dynamic(group) || group->facts.deletion_ms != 0)
            continue;
        struct group_life_private *policy = group_policy(core, group);
        bool empty =
            group->intention_count == 0 && life_counts(core, group).total == 0 && policy->pending == 0;
        if (!empty)
            policy->empty_since_ms = 0;
        else if (policy->empty_since_ms == 0)
            policy->empty_since_ms = core->now_ms;
        if (!empty || !core_may_write(core) || core_paused(core, group) || core->cluster->group_count < 2)
            continue;
        int64_t due_ms = policy->empty_since_ms + EMPTY_LONG_MS;
        if (core->now_ms < due_ms) {
            core_wake_at(core, due_ms);
            continue;
        }
        policy->empty_since_ms = core->now_ms - EMPTY_LONG_MS + ASK_AGAIN_MS; // again if nothing comes of it
        remove_group(core, group);
    }
}
