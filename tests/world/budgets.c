// PodDisruptionBudgets: the controller that counts, and the eviction that asks.
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

// Pods that there should be, as the disruption controller finds them: by the scale of each pod's controller.
static int64_t expected_pods(const struct world *world, const struct api_object *budget,
                             const struct api_list *pods)
{
    const cJSON *selector = json_at(budget->document->json, "spec.selector");
    const char **seen = xcalloc(pods->count + 1, sizeof *seen);
    size_t seen_count = 0;
    int64_t expected = 0;
    for (size_t i = 0; i < pods->count; i++) {
        const cJSON *pod = pods->items[i].document->json;
        if (pod_is_over(pod) || !api_selects(selector, json_at(pod, "metadata.labels")))
            continue;
        const char *owner = pods->items[i].owner_uid;
        const cJSON *reference = cJSON_GetArrayItem(json_at(pod, "metadata.ownerReferences"), 0);
        const struct api_object *set =
            api_find(world->api, API_REPLICASET, budget->space, json_text(reference, "name"));
        bool known = false;
        for (size_t s = 0; s < seen_count && owner[0] != 0; s++)
            known = known || strcmp(seen[s], owner) == 0;
        if (known)
            continue;
        seen[seen_count++] = owner;
        expected += set == NULL ? 1 : json_number(set->document->json, "spec.replicas", 1);
    }
    free((void *)seen);
    return expected;
}

static void count_budget(struct world *world, const struct api_object *budget)
{
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, budget->space);
    const cJSON *selector = json_at(budget->document->json, "spec.selector");
    int64_t healthy = 0, matching = 0;
    for (size_t i = 0; i < pods.count; i++) {
        const cJSON *pod = pods.items[i].document->json;
        if (pod_is_over(pod) || !api_selects(selector, json_at(pod, "metadata.labels")))
            continue;
        matching++;
        healthy += pod_is_ready(pod) && !pod_is_leaving(pod);
    }
    int64_t expected = expected_pods(world, budget, &pods);
    int64_t least = json_number(budget->document->json, "spec.minAvailable", -1);
    int64_t most = json_number(budget->document->json, "spec.maxUnavailable", -1);
    int64_t desired = least >= 0 ? least : expected - (most < 0 ? 1 : most);
    if (least >= 0)
        expected = matching;
    desired = desired < 0 ? 0 : desired;
    cJSON *state = api_copy(budget);
    json_set_number(state, "status.currentHealthy", healthy);
    json_set_number(state, "status.desiredHealthy", desired);
    json_set_number(state, "status.expectedPods", expected);
    json_set_number(state, "status.disruptionsAllowed",
                    expected > 0 && healthy > desired ? healthy - desired : 0);
    json_set_number(state, "status.observedGeneration", json_number(state, "metadata.generation", 0));
    api_put(world->api, budget, state);
}

void budgets_run(struct world *world)
{
    AUTOLIST struct api_list budgets = api_snapshot(world->api, API_BUDGET, NULL);
    for (size_t i = 0; i < budgets.count; i++)
        count_budget(world, &budgets.items[i]);
}

// ------------------------------------------------------------------------------------------- eviction

static struct api_answer refuse(int code, const char *reason, const char *message, int64_t retry_seconds)
{
    struct api_answer answer = {.code = code, .reason = reason, .retry_after_seconds = retry_seconds};
    strncpy(answer.message, message, sizeof answer.message - 1);
    return answer;
}

// Asks the one budget that selects the pod, and takes one disruption from it. Code 0: go ahead.
static struct api_answer ask_budget(struct world *world, const struct api_object *pod)
{
    const struct api_object *asked = NULL;
    for (size_t i = 0; i < api_count(world->api, API_BUDGET); i++) {
        const struct api_object *budget = api_at(world->api, API_BUDGET, i);
        if (strcmp(budget->space, pod->space) != 0 ||
            !api_selects(json_at(budget->document->json, "spec.selector"),
                         json_at(pod->document->json, "metadata.labels")))
            continue;
        if (asked != NULL)
            return refuse(500, "InternalError",
                          "This pod has more than one PodDisruptionBudget, which the eviction subresource "
                          "does not support.",
                          0);
        asked = budget;
    }
    if (asked == NULL)
        return (struct api_answer){0};
    const cJSON *json = asked->document->json;
    int64_t healthy = json_number(json, "status.currentHealthy", 0);
    int64_t desired = json_number(json, "status.desiredHealthy", 0);
    if (!pod_is_ready(pod->document->json) && healthy >= desired && desired > 0)
        return (struct api_answer){0};
    if (json_number(json, "status.observedGeneration", 0) < json_number(json, "metadata.generation", 0))
        return refuse(429, "TooManyRequests",
                      "Cannot evict pod as it would violate the pod's disruption budget.", 10);
    int64_t allowed = json_number(json, "status.disruptionsAllowed", 0);
    if (allowed <= 0)
        return refuse(429, "TooManyRequests",
                      "Cannot evict pod as it would violate the pod's disruption budget.", 0);
    cJSON *state = api_copy(asked);
    json_set_number(state, "status.disruptionsAllowed", allowed - 1);
    api_put(world->api, asked, state);
    return (struct api_answer){0};
}

struct api_answer evict(struct world *world, const char *space, const char *name, const char *uid,
                        int64_t grace_seconds)
{
    const struct api_object *pod = api_find(world->api, API_POD, space, name);
    struct api_preconditions preconditions = {.uid = uid};
    if (pod == NULL)
        return api_get(world->api, API_POD, space, name);
    if (uid != NULL && uid[0] != 0 && strcmp(pod->uid, uid) != 0)
        return refuse(409, "Conflict", "the UID in the precondition does not match the UID in record", 0);
    const cJSON *json = pod->document->json;
    bool free_to_go =
        pod_is_over(json) || pod_is_leaving(json) || strcmp(json_text(json, "status.phase"), "Pending") == 0;
    if (!free_to_go) {
        struct api_answer answer = ask_budget(world, pod);
        if (answer.code != 0)
            return answer;
    }
    struct api_answer answer = api_delete(world->api, API_POD, space, name, preconditions, grace_seconds);
    if (API_OK(answer))
        answer.code = 201;
    return answer;
}
