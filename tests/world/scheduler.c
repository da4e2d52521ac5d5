// The scheduler: filters for what this world knows (node name, resources, nodeSelector, required node
// affinity, taints, unschedulable, pod counts), spreads by what is free, and says why a pod fits nowhere.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

struct amount {
    int64_t cpu_millis, memory_bytes, ephemeral_bytes, pods;
};
struct seat { // one node, and what is left of it
    const struct api_object *node;
    struct amount capacity, used;
};
enum miss {
    FITS,
    MISS_UNSCHEDULABLE,
    MISS_TAINT,
    MISS_AFFINITY,
    MISS_CPU,
    MISS_MEMORY,
    MISS_DISK,
    MISS_PODS
};

static struct amount amount_of(const cJSON *list)
{
    return (struct amount){quantity_millis(json_key_text(list, "cpu")),
                           quantity_units(json_key_text(list, "memory")),
                           quantity_units(json_key_text(list, "ephemeral-storage")),
                           quantity_units(json_key_text(list, "pods"))};
}

static struct amount amount_most(struct amount a, struct amount b)
{
    return (struct amount){a.cpu_millis > b.cpu_millis ? a.cpu_millis : b.cpu_millis,
                           a.memory_bytes > b.memory_bytes ? a.memory_bytes : b.memory_bytes,
                           a.ephemeral_bytes > b.ephemeral_bytes ? a.ephemeral_bytes : b.ephemeral_bytes,
                           a.pods};
}

static void amount_add(struct amount *sum, struct amount more)
{
    sum->cpu_millis += more.cpu_millis;
    sum->memory_bytes += more.memory_bytes;
    sum->ephemeral_bytes += more.ephemeral_bytes;
    sum->pods += more.pods;
}

// Containers side by side, init containers one after the other, the larger of both.
static struct amount amount_asked(const cJSON *pod)
{
    struct amount asked = {0}, first = {0};
    const cJSON *container;
    cJSON_ArrayForEach(container, json_at(pod, "spec.containers"))
    {
        amount_add(&asked, amount_of(json_at(container, "resources.requests")));
    }
    cJSON_ArrayForEach(container, json_at(pod, "spec.initContainers"))
    {
        first = amount_most(first, amount_of(json_at(container, "resources.requests")));
    }
    asked = amount_most(asked, first);
    asked.pods = 1;
    return asked;
}

static bool expression_holds(const cJSON *expression, const char *value, bool present)
{
    const char *verb = json_text(expression, "operator");
    const cJSON *item, *values = json_key(expression, "values");
    bool in = false;
    cJSON_ArrayForEach(item, values)
    {
        in = in || (present && strcmp(item->valuestring, value) == 0);
    }
    if (strcmp(verb, "In") == 0)
        return in;
    if (strcmp(verb, "NotIn") == 0)
        return !in;
    if (strcmp(verb, "Exists") == 0)
        return present;
    if (strcmp(verb, "DoesNotExist") == 0)
        return !present;
    int64_t have = 0, want = 0;
    const cJSON *bound = cJSON_GetArrayItem(values, 0);
    if (!present || !cJSON_IsString(bound) || text_parse_i64(value, strlen(value), &have, NULL) != 0 ||
        text_parse_i64(bound->valuestring, strlen(bound->valuestring), &want, NULL) != 0)
        return false;
    return strcmp(verb, "Gt") == 0 ? have > want : strcmp(verb, "Lt") == 0 && have < want;
}

static bool term_holds(const cJSON *term, const cJSON *node)
{
    const cJSON *expression, *labels = json_at(node, "metadata.labels");
    const cJSON *expressions = json_key(term, "matchExpressions"), *fields = json_key(term, "matchFields");
    if (cJSON_GetArraySize(expressions) + cJSON_GetArraySize(fields) == 0)
        return false;
    cJSON_ArrayForEach(expression, expressions)
    {
        const cJSON *label = json_key(labels, json_text(expression, "key"));
        if (!expression_holds(expression, label == NULL ? "" : label->valuestring, label != NULL))
            return false;
    }
    cJSON_ArrayForEach(expression, fields)
    {
        if (!expression_holds(expression, json_text(node, "metadata.name"), true))
            return false;
    }
    return true;
}

static bool affinity_holds(const cJSON *pod, const cJSON *node)
{
    const cJSON *item, *labels = json_at(node, "metadata.labels");
    cJSON_ArrayForEach(item, json_at(pod, "spec.nodeSelector"))
    {
        const cJSON *label = json_key(labels, item->string);
        if (label == NULL || strcmp(label->valuestring, item->valuestring) != 0)
            return false;
    }
    const cJSON *required =
        json_at(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (required == NULL)
        return true;
    cJSON_ArrayForEach(item, json_key(required, "nodeSelectorTerms"))
    {
        if (term_holds(item, node))
            return true;
    }
    return false;
}

static enum miss check(const cJSON *pod, struct amount asked, const struct seat *seat)
{
    static const char unschedulable[] =
        "[{\"key\":\"node.kubernetes.io/unschedulable\",\"effect\":\"NoSchedule\"}]";
    const cJSON *node = seat->node->document->json;
    if (json_true(node, "spec.unschedulable")) {
        AUTOJSON cJSON *taint = cJSON_Parse(unschedulable);
        if (!taints_tolerated(pod, taint, true, true, NULL))
            return MISS_UNSCHEDULABLE;
    }
    if (!affinity_holds(pod, node))
        return MISS_AFFINITY;
    if (!taints_tolerated(pod, json_at(node, "spec.taints"), true, true, NULL))
        return MISS_TAINT;
    if (seat->used.pods + 1 > seat->capacity.pods)
        return MISS_PODS;
    if (asked.cpu_millis > 0 && seat->used.cpu_millis + asked.cpu_millis > seat->capacity.cpu_millis)
        return MISS_CPU;
    if (asked.memory_bytes > 0 && seat->used.memory_bytes + asked.memory_bytes > seat->capacity.memory_bytes)
        return MISS_MEMORY;
    if (asked.ephemeral_bytes > 0 &&
        seat->used.ephemeral_bytes + asked.ephemeral_bytes > seat->capacity.ephemeral_bytes)
        return MISS_DISK;
    return FITS;
}

// Spread: the share of cpu and memory that stays free.
static double score(const struct seat *seat)
{
    double cpu =
        (double)(seat->capacity.cpu_millis - seat->used.cpu_millis) / (double)(seat->capacity.cpu_millis + 1);
    double memory = (double)(seat->capacity.memory_bytes - seat->used.memory_bytes) /
                    (double)(seat->capacity.memory_bytes + 1);
    return cpu + memory;
}

static void explain(const uint32_t misses[MISS_PODS + 1], size_t nodes, struct text *message)
{
    static const char *const words[MISS_PODS + 1] = {"",
                                                     "node(s) were unschedulable",
                                                     "node(s) had untolerated taint(s)",
                                                     "node(s) didn't match Pod's node affinity/selector",
                                                     "Insufficient cpu",
                                                     "Insufficient memory",
                                                     "Insufficient ephemeral-storage",
                                                     "Too many pods"};
    text_printf(message, "0/%zu nodes are available", nodes);
    for (unsigned miss = MISS_UNSCHEDULABLE; miss <= MISS_PODS; miss++) {
        if (misses[miss] > 0)
            text_printf(message, "%s %u %s", message->length > 0 && strchr(message->bytes, ':') ? "," : ":",
                        misses[miss], words[miss]);
    }
    text_append(message, ".");
}

static void place(struct world *world, const struct api_object *pod, struct seat *seats, size_t seat_count)
{
    const cJSON *json = pod->document->json;
    struct amount asked = amount_asked(json);
    struct seat *best = NULL;
    uint32_t misses[MISS_PODS + 1] = {0};
    for (size_t i = 0; i < seat_count; i++) {
        enum miss miss = check(json, asked, &seats[i]);
        misses[miss]++;
        if (miss == FITS && (best == NULL || score(&seats[i]) > score(best)))
            best = &seats[i];
    }
    cJSON *wanted = api_copy(pod);
    if (best != NULL) {
        amount_add(&best->used, asked);
        json_set_text(wanted, "spec.nodeName", best->node->name);
        condition_set(world, wanted, "PodScheduled", "True", "", "");
    } else {
        AUTOTEXT struct text message = {0};
        explain(misses, seat_count, &message);
        condition_set(world, wanted, "PodScheduled", "False", "Unschedulable", text_get(&message));
    }
    api_put(world->api, pod, wanted);
}

static int pod_order(const void *left, const void *right)
{
    const struct api_object *a = *(const struct api_object *const *)left;
    const struct api_object *b = *(const struct api_object *const *)right;
    int64_t a_priority = json_number(a->document->json, "spec.priority", 0);
    int64_t b_priority = json_number(b->document->json, "spec.priority", 0);
    if (a_priority != b_priority)
        return a_priority > b_priority ? -1 : 1;
    int order = strcmp(json_text(a->document->json, "metadata.creationTimestamp"),
                       json_text(b->document->json, "metadata.creationTimestamp"));
    if (order == 0)
        order = strcmp(a->space, b->space);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static bool waits(const struct api_object *object)
{
    const cJSON *pod = object->document->json;
    return object->node_name[0] == 0 && !pod_is_over(pod) && !pod_is_leaving(pod) &&
           cJSON_GetArraySize(json_at(pod, "spec.schedulingGates")) == 0;
}

static void take_seats(const struct api_list *nodes, const struct api_list *pods, struct seat *seats)
{
    for (size_t i = 0; i < nodes->count; i++) {
        seats[i].node = &nodes->items[i];
        seats[i].capacity = amount_of(json_at(nodes->items[i].document->json, "status.allocatable"));
    }
    for (size_t i = 0; i < pods->count; i++) {
        const cJSON *pod = pods->items[i].document->json;
        const char *node_name = pods->items[i].node_name;
        if (node_name[0] == 0 || pod_is_over(pod))
            continue;
        for (size_t n = 0; n < nodes->count; n++) {
            if (strcmp(nodes->items[n].name, node_name) == 0)
                amount_add(&seats[n].used, amount_asked(pod));
        }
    }
}

void scheduler_run(struct world *world)
{
    AUTOLIST struct api_list nodes = api_snapshot(world->api, API_NODE, NULL);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    const struct api_object **waiting = xcalloc(pods.count + 1, sizeof *waiting);
    size_t count = 0;
    for (size_t i = 0; i < pods.count; i++) {
        if (waits(&pods.items[i]))
            waiting[count++] = &pods.items[i];
    }
    if (count > 0) {
        struct seat *seats = xcalloc(nodes.count + 1, sizeof *seats);
        take_seats(&nodes, &pods, seats);
        qsort(waiting, count, sizeof *waiting, pod_order);
        for (size_t i = 0; i < count; i++)
            place(world, waiting[i], seats, nodes.count);
        free(seats);
    }
    free(waiting);
}
