#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/model/quantity.h"

#define RESOURCE_NAMES_MAX 64u

enum { CPU, MEMORY, EPHEMERAL, PODS, FIRST_EXTENDED };

// The resource names met in one object, and amounts by their index.
struct names {
    const char *items[RESOURCE_NAMES_MAX];
    uint32_t count;
    bool unreadable;
};
struct demand {
    int64_t amount[RESOURCE_NAMES_MAX];
    bool present[RESOURCE_NAMES_MAX];
};

static void names_init(struct names *names)
{
    *names = (struct names){.items = {"cpu", "memory", "ephemeral-storage", "pods"}, .count = FIRST_EXTENDED};
}

// The scheduler counts these and no other name (IsScalarResourceName).
static bool is_counted(const char *name)
{
    return strchr(name, '/') || text_starts_with(name, "hugepages-") ||
           text_starts_with(name, "attachable-volumes-");
}

static int find_name(struct names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0)
            return (int)i;
    }
    if (!is_counted(name))
        return -1;
    if (names->count == RESOURCE_NAMES_MAX) {
        names->unreadable = true;
        return -1;
    }
    names->items[names->count] = name;
    return (int)names->count++;
}

// A plain number as it stood in the text: the shortest that reads back the same.
static void print_number(double number, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%.15g", number);
    double back = strtod(buffer, NULL);
    if (back < number || back > number)
        snprintf(buffer, bytes, "%.17g", number);
}

// Negative amounts and those beyond int64 are refused.
static bool read_quantity(const cJSON *value, bool millis, int64_t *out)
{
    char digits[48];
    const char *text = digits;
    if (cJSON_IsString(value) && value->valuestring)
        text = value->valuestring;
    else if (cJSON_IsNumber(value))
        print_number(value->valuedouble, digits, sizeof(digits));
    else
        return false;
    int failed = millis ? quantity_parse_millis(text, strlen(text), out, NULL)
                        : quantity_parse_units(text, strlen(text), out, NULL);
    return failed == 0 && *out >= 0 && *out < INT64_MAX;
}

static void read_list(struct names *names, const cJSON *map, struct demand *out)
{
    memset(out, 0, sizeof(*out));
    if (!cJSON_IsObject(map))
        return;
    for (const cJSON *member = map->child; member; member = member->next) {
        int index = find_name(names, member->string);
        if (index < 0)
            continue;
        out->present[index] = true;
        if (!read_quantity(member, index == CPU, &out->amount[index])) {
            out->amount[index] = 0;
            names->unreadable = true;
        }
    }
}

// What follows loops over the names of the whole array, so that the amounts need no bookkeeping of their own.
static void add(struct demand *sum, const struct demand *more)
{
    for (uint32_t i = 0; i < RESOURCE_NAMES_MAX; i++) {
        if (__builtin_add_overflow(sum->amount[i], more->amount[i], &sum->amount[i]))
            sum->amount[i] = INT64_MAX;
        sum->present[i] = sum->present[i] || more->present[i];
    }
}

static void raise_to(struct demand *floor, const struct demand *other)
{
    for (uint32_t i = 0; i < RESOURCE_NAMES_MAX; i++) {
        if (other->amount[i] > floor->amount[i])
            floor->amount[i] = other->amount[i];
        floor->present[i] = floor->present[i] || other->present[i];
    }
}

static const cJSON *find_status(const cJSON *statuses, const char *name)
{
    const cJSON *status;
    cJSON_ArrayForEach(status, statuses)
    {
        if (strcmp(json_text(status, "name"), name) == 0)
            return status;
    }
    return NULL;
}

static bool resize_is_infeasible(const cJSON *status)
{
    if (strcmp(json_text(status, "resize"), "Infeasible") == 0)
        return true;
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_get(status, "conditions"))
    {
        if (strcmp(json_text(condition, "type"), "PodResizePending") == 0)
            return strcmp(json_text(condition, "reason"), "Infeasible") == 0;
    }
    return false;
}

// While a container is resized in place the larger of what is wanted and what the kubelet holds counts; a
// resize that the kubelet refused counts for nothing.
static void with_resize(struct names *names, const cJSON *status, const cJSON *container_status,
                        struct demand *demand)
{
    const cJSON *resources = json_get(container_status, "resources");
    if (!resources)
        return;
    struct demand held, allocated;
    read_list(names, json_get(resources, "requests"), &held);
    read_list(names, json_get(container_status, "allocatedResources"), &allocated);
    raise_to(&held, &allocated);
    if (resize_is_infeasible(status))
        *demand = held;
    else
        raise_to(demand, &held);
}

static void read_container(struct names *names, const cJSON *container, const cJSON *status,
                           const char *statuses, struct demand *out)
{
    const cJSON *resources = json_get(container, "resources");
    struct demand limits;
    read_list(names, json_get(resources, "requests"), out);
    // A limit without a request is the request: the API server has filled this in for pods, not in templates.
    read_list(names, json_get(resources, "limits"), &limits);
    for (uint32_t i = 0; i < RESOURCE_NAMES_MAX; i++) {
        if (limits.present[i] && !out->present[i]) {
            out->present[i] = true;
            out->amount[i] = limits.amount[i];
        }
    }
    with_resize(names, status, find_status(json_get(status, statuses), json_text(container, "name")), out);
}

static void sum_containers(struct names *names, const cJSON *spec, const cJSON *status, struct demand *out)
{
    struct demand demand;
    struct demand sidecars = {0}; // running total of the restartable init containers so far
    struct demand init = {0};     // the largest moment of the init phase
    const cJSON *container;
    cJSON_ArrayForEach(container, json_get(spec, "containers"))
    {
        read_container(names, container, status, "containerStatuses", &demand);
        add(out, &demand);
    }
    cJSON_ArrayForEach(container, json_get(spec, "initContainers"))
    {
        read_container(names, container, status, "initContainerStatuses", &demand);
        if (strcmp(json_text(container, "restartPolicy"), "Always") == 0) {
            add(out, &demand);
            add(&sidecars, &demand);
            raise_to(&init, &sidecars);
        } else {
            add(&demand, &sidecars);
            raise_to(&init, &demand);
        }
    }
    raise_to(out, &init);
}

static bool is_pod_level(const char *name)
{
    return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 || text_starts_with(name, "hugepages-");
}

// What the kubelet holds for the pod as a whole; it tells it with the overhead in it.
static void read_held(struct names *names, const cJSON *status, const struct demand *overhead,
                      struct demand *out)
{
    struct demand allocated;
    read_list(names, json_path(status, "resources", "requests", NULL), out);
    read_list(names, json_get(status, "allocatedResources"), &allocated);
    raise_to(out, &allocated);
    for (uint32_t i = 0; i < RESOURCE_NAMES_MAX; i++)
        out->amount[i] = out->amount[i] > overhead->amount[i] ? out->amount[i] - overhead->amount[i] : 0;
}

// spec.resources replaces the sum where it is set, the larger of it and what is held while the pod is resized
// (what is held alone when the kubelet refused); a pod-level limit alone counts only for what no container
// asks.
static void apply_pod_level(struct names *names, const cJSON *spec, const cJSON *status,
                            const struct demand *overhead, struct demand *sum)
{
    const cJSON *resources = json_get(spec, "resources");
    if (!resources)
        return;
    struct demand requests, limits, held;
    bool refused = resize_is_infeasible(status);
    read_list(names, json_get(resources, "requests"), &requests);
    read_list(names, json_get(resources, "limits"), &limits);
    read_held(names, status, overhead, &held);
    for (uint32_t i = 0; i < names->count; i++) {
        if (!is_pod_level(names->items[i]))
            continue;
        if (requests.present[i])
            sum->amount[i] = requests.amount[i];
        else if (limits.present[i] && !sum->present[i])
            sum->amount[i] = limits.amount[i];
        else
            continue;
        if (held.present[i] && (refused || held.amount[i] > sum->amount[i]))
            sum->amount[i] = held.amount[i];
    }
}

static int compare_extended(const void *a, const void *b)
{
    return strcmp(((const struct extended_resource *)a)->name, ((const struct extended_resource *)b)->name);
}

static void to_resources(const struct names *names, const struct demand *demand, struct arena *arena,
                         struct resources *out)
{
    *out = (struct resources){.cpu_millis = demand->amount[CPU],
                              .memory_bytes = demand->amount[MEMORY],
                              .ephemeral_bytes = demand->amount[EPHEMERAL],
                              .pods = demand->amount[PODS]};
    uint32_t count = 0;
    for (uint32_t i = FIRST_EXTENDED; i < names->count; i++)
        count += demand->amount[i] > 0;
    if (count == 0)
        return;
    struct extended_resource *items = ARENA_ARRAY(arena, struct extended_resource, count);
    uint32_t filled = 0;
    for (uint32_t i = FIRST_EXTENDED; i < names->count; i++) {
        if (demand->amount[i] > 0)
            items[filled++] = (struct extended_resource){.name = arena_strdup(arena, names->items[i]),
                                                         .amount = demand->amount[i]};
    }
    assert(filled == count);
    qsort(items, count, sizeof(*items), compare_extended);
    out->extended = items;
    out->extended_count = count;
}

bool decode_amounts(const cJSON *map, struct arena *arena, struct resources *out)
{
    struct names names;
    struct demand demand;
    names_init(&names);
    read_list(&names, map, &demand);
    to_resources(&names, &demand, arena, out);
    return !names.unreadable;
}

bool decode_requests(const cJSON *spec, const cJSON *status, struct arena *arena, struct resources *out)
{
    struct names names;
    struct demand sum = {0}, overhead;
    names_init(&names);
    sum_containers(&names, spec, status, &sum);
    read_list(&names, json_get(spec, "overhead"), &overhead);
    apply_pod_level(&names, spec, status, &overhead, &sum);
    add(&sum, &overhead);
    sum.amount[PODS] = 1;
    to_resources(&names, &sum, arena, out);
    return !names.unreadable;
}
