#include <string.h>

#include "common/wire.h"
#include "coordinator/decide/own.h"
#include "coordinator/decide/rules.h"

static struct pod *next_that_counts(const struct core *core, struct pod *pod)
{
    while (pod != NULL && !life_pod_counts(core, pod))
        pod = pod->next;
    return pod;
}

static void say_pods(const struct node_case *seen, struct answer *answer, const char *limit)
{
    answer->verdict = RULE_PASS;
    if (answer->words == NULL)
        return;
    uint32_t count = policy_node_pods(seen->core, seen->node);
    ANSWER_SAY(answer, saw, "%u pod%s", count, policy_plural(count));
    ANSWER_SAY(answer, limit, "%s", limit);
}

// Nobody would make it again.
void rule_controllers(struct node_case *seen, struct answer *answer)
{
    say_pods(seen, answer, "all");
    for (struct pod *pod = next_that_counts(seen->core, seen->node->pods); pod != NULL;
         pod = next_that_counts(seen->core, pod->next)) {
        if (pod->controller_kind[0] != '\0' || pod->safe_to_evict == TRISTATE_TRUE)
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%s/%s has none", pod->space, pod->name);
        ANSWER_SAY(answer, change, "delete %s/%s, or annotate it %s: \"true\"", pod->space, pod->name,
                   "cluster-autoscaler.kubernetes.io/safe-to-evict");
        return;
    }
}

void rule_kube_system(struct node_case *seen, struct answer *answer)
{
    say_pods(seen, answer, "with a budget");
    ANSWER_SAY(answer, saw, "none without a budget");
    if (!seen->core->config.skip_kube_system_pods)
        return;
    for (struct pod *pod = next_that_counts(seen->core, seen->node->pods); pod != NULL;
         pod = next_that_counts(seen->core, pod->next)) {
        const struct budget *budget = NULL;
        if (strcmp(pod->space, "kube-system") != 0 || pod->safe_to_evict == TRISTATE_TRUE ||
            rules_budgets_of(seen->core->cluster, pod, &budget) > 0)
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%s without a budget", pod->name);
        ANSWER_SAY(answer, change, "give kube-system/%s a PodDisruptionBudget, or annotate it %s: \"true\"",
                   pod->name, "cluster-autoscaler.kubernetes.io/safe-to-evict");
        return;
    }
}

void rule_do_not_disrupt(struct node_case *seen, struct answer *answer)
{
    say_pods(seen, answer, "none");
    ANSWER_SAY(answer, saw, "none");
    for (struct pod *pod = next_that_counts(seen->core, seen->node->pods); pod != NULL;
         pod = next_that_counts(seen->core, pod->next)) {
        if (!pod->do_not_disrupt && pod->safe_to_evict != TRISTATE_FALSE)
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%s/%s says no", pod->space, pod->name);
        ANSWER_SAY(answer, change, "remove the pod's annotation %s",
                   pod->do_not_disrupt ? "do-not-disrupt" : "cluster-autoscaler.kubernetes.io/safe-to-evict");
        return;
    }
}

// Is `name` in "a,b , c"?
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at != '\0';) {
        size_t part = strcspn(at, ",");
        size_t begin = strspn(at, " ");
        size_t end = part;
        while (end > begin && at[end - 1] == ' ')
            end--;
        if (begin < end && end - begin == length && strncmp(at + begin, name, length) == 0)
            return true;
        at += part + (at[part] == ',');
    }
    return false;
}

static const char *unsafe_volume(const struct pod *pod)
{
    for (uint32_t i = 0; i < pod->local_volume_count; i++)
        if (!listed(pod->safe_local_volumes, pod->local_volumes[i]))
            return pod->local_volumes[i];
    return NULL;
}

// Without evidence the manifest counts: any emptyDir on disk or hostPath. With it, what is really held.
static bool holds_data(const struct node_case *seen, const struct pod *pod, struct answer *answer)
{
    if (pod->safe_to_evict == TRISTATE_TRUE)
        return false;
    const struct agent *agent = seen->node->agent;
    const struct pod_evidence *evidence = agent != NULL ? agent_pod(agent, pod->uid) : NULL;
    if (evidence == NULL || evidence->local_data_bytes < 0) {
        const char *volume = unsafe_volume(pod);
        if (volume == NULL)
            return false;
        ANSWER_SAY(answer, saw, "%s volume %s, held bytes not known", pod->name, volume);
        ANSWER_SAY(answer, change, "%s: %s on %s/%s",
                   "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes", volume, pod->space,
                   pod->name);
        return true;
    }
    if (evidence->local_data_bytes == 0 || (pod->local_volume_count > 0 && unsafe_volume(pod) == NULL))
        return false;
    bool largest_is_all = evidence->largest_volume_bytes >= evidence->local_data_bytes;
    if (largest_is_all && listed(pod->safe_local_volumes, evidence->largest_volume))
        return false;
    if (answer->words == NULL)
        return true;
    char bytes[32];
    text_format_bytes(bytes, sizeof(bytes), (uint64_t)evidence->local_data_bytes);
    ANSWER_SAY(answer, saw, "%s %s%s%s", pod->name, evidence->largest_volume,
               evidence->largest_volume[0] != '\0' ? " " : "", bytes);
    ANSWER_SAY(answer, change, "empty %s, or %s: %s on %s/%s",
               evidence->largest_volume[0] != '\0' ? evidence->largest_volume : "its volumes",
               "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
               evidence->largest_volume[0] != '\0' ? evidence->largest_volume : "VOLUME", pod->space,
               pod->name);
    return true;
}

void rule_local_data(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none held");
    ANSWER_SAY(answer, limit, "0");
    for (struct pod *pod = next_that_counts(seen->core, seen->node->pods); pod != NULL;
         pod = next_that_counts(seen->core, pod->next)) {
        if (!holds_data(seen, pod, answer))
            continue;
        answer->verdict = RULE_BLOCKS;
        return;
    }
}

// The first of a namespace, or where it would be: budgets are sorted by namespace.
static uint32_t lower_bound(const struct cluster *cluster, const char *space, bool after)
{
    uint32_t low = 0, high = cluster->budget_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(cluster->budgets[middle]->space, space);
        if (after ? order <= 0 : order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t rules_budgets_in(const struct cluster *cluster, const char *space, uint32_t *first)
{
    *first = lower_bound(cluster, space, false);
    bool any = *first < cluster->budget_count && strcmp(cluster->budgets[*first]->space, space) == 0;
    return any ? lower_bound(cluster, space, true) - *first : 0;
}

uint32_t rules_budgets_of(const struct cluster *cluster, const struct pod *pod, const struct budget **first)
{
    uint32_t count = 0, begin, of_space = rules_budgets_in(cluster, pod->space, &begin);
    for (uint32_t i = begin; i < begin + of_space; i++) {
        const struct budget *budget = cluster->budgets[i];
        if (!budget_selects(budget, pod))
            continue;
        if (count++ == 0)
            *first = budget;
    }
    return count;
}

// The eviction API itself decides in the end; a budget without a disruption left would only hold the drain.
void rule_budgets(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none in the way");
    ANSWER_SAY(answer, limit, "1");
    for (struct pod *pod = next_that_counts(seen->core, seen->node->pods); pod != NULL;
         pod = next_that_counts(seen->core, pod->next)) {
        const struct budget *budget = NULL;
        uint32_t count = rules_budgets_of(seen->core->cluster, pod, &budget);
        if (count == 0)
            continue;
        if (count > 1) {
            answer->verdict = RULE_BLOCKS;
            ANSWER_SAY(answer, saw, "%s/%s has %u", pod->space, pod->name, count);
            ANSWER_SAY(answer, change, "leave %s/%s one budget: Kubernetes evicts no pod that has two",
                       pod->space, pod->name);
            return;
        }
        ANSWER_SAY(answer, saw, "%s/%s allows %d", budget->space, budget->name, budget->disruptions_allowed);
        if (budget->current && budget->disruptions_allowed > 0)
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, change, "%s %s/%s",
                   budget->current ? "more ready pods than it asks for, or a wider budget"
                                   : "a current status of",
                   budget->space, budget->name);
        return;
    }
}

// What the agent could not read, or saw stuck in the kernel, would end the drain: it is not begun. Local data
// has a rule of its own; connections end with the cordon.
void rule_pods_evidence(struct node_case *seen, struct answer *answer)
{
    const struct agent *agent = seen->node->agent;
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "nothing against it");
    ANSWER_SAY(answer, limit, "nothing");
    for (uint32_t i = 0; agent != NULL && i < agent->verdict.reason_count; i++) {
        const struct evidence_reason *reason = &agent->verdict.reasons[i];
        if (reason->pod_uid[0] == '\0' || strcmp(reason->code, WIRE_REASON_LOCAL_DATA) == 0 ||
            strcmp(reason->code, WIRE_REASON_CONNECTIONS) == 0)
            continue;
        const struct pod *pod = cluster_pod_by_uid(seen->core->cluster, reason->pod_uid);
        if (pod == NULL || pod->node != seen->node || !life_pod_counts(seen->core, pod) ||
            pod->safe_to_evict == TRISTATE_TRUE)
            continue;
        answer->verdict = RULE_WAITS;
        ANSWER_SAY(answer, saw, "%s/%s: %s%s%s", pod->space, pod->name, reason->code,
                   reason->detail[0] != '\0' ? ": " : "", reason->detail);
        ANSWER_SAY(answer, change, "passes when the agent on %s reports otherwise", seen->node->name);
        return;
    }
}

// It takes over from itself on another node, or not at all.
void rule_own_pod(struct node_case *seen, struct answer *answer)
{
    const struct pod *own = own_pod(seen->core);
    bool here = own != NULL && own->node == seen->node;
    const struct pod *standby = here ? own_standby(seen->core, seen->node) : NULL;
    answer->verdict = !here || standby != NULL ? RULE_PASS : RULE_WAITS;
    ANSWER_SAY(answer, saw, "%s%s",
               !here             ? "runs elsewhere"
               : standby == NULL ? "runs here, no standby"
                                 : "standby ",
               standby != NULL ? standby->name : "");
    ANSWER_SAY(answer, limit, "a standby ready elsewhere");
    ANSWER_SAY(answer, change, "see that a second replica of the coordinator is ready on another node");
}
