#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/model/cluster.h"

#define ANY_ADDRESS "0.0.0.0"
#define PORT_MAX    65535

// kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node and .../topology-spread-constraints

// ---- selectors

// No selector at all selects nothing.
static bool decode_pod_selector(const cJSON *json, struct arena *arena, struct selector *out)
{
    *out = (struct selector){.nothing = json == NULL};
    return json == NULL || decode_selector(json, arena, &out->requirements, &out->requirement_count);
}

static bool says(const struct requirement *requirement, const struct requirement *other)
{
    return requirement->operator== other->operator&& requirement->value_count == 1 &&
               strcmp(requirement->key, other->key) == 0 &&
           strcmp(requirement->values[0], other->values[0]) == 0;
}

// matchLabelKeys and mismatchLabelKeys: the pod's own value is asked for, or must not be there. A key that
// the pod has no label for is left out. What the API server has merged into the selector already is not said
// twice.
static bool add_own_labels(const cJSON *keys, enum selector_operator operator, const struct labels * labels,
                           struct arena *arena, struct selector *selector)
{
    if (keys == NULL)
        return true;
    uint32_t key_count;
    const char *const *names = json_strings(arena, keys, &key_count);
    bool readable = cJSON_IsArray(keys) && key_count == json_count(keys);
    uint32_t count = selector->requirement_count;
    struct requirement *items = ARENA_ARRAY(arena, struct requirement, (size_t)count + key_count);
    if (count > 0)
        memcpy(items, selector->requirements, count * sizeof(*items));
    for (uint32_t i = 0; i < key_count; i++) {
        const char **value = ARENA_NEW(arena, const char *);
        *value = labels_get(labels, names[i]);
        if (*value == NULL)
            continue;
        struct requirement own = {.key = names[i], .operator= operator, .values = value, .value_count = 1};
        bool said = false;
        for (uint32_t j = 0; j < count; j++)
            said = said || says(&items[j], &own);
        if (!said)
            items[count++] = own;
    }
    selector->requirements = items;
    selector->requirement_count = count;
    return readable;
}

// ---- affinity

static bool decode_spaces(const cJSON *json, const char *space, struct arena *arena, struct pod_term *out)
{
    const cJSON *listed = json_get(json, "namespaces");
    const cJSON *selector = json_get(json, "namespaceSelector");
    bool readable = listed == NULL || cJSON_IsArray(listed);
    out->spaces = json_strings(arena, listed, &out->space_count);
    readable = readable && out->space_count == json_count(listed);
    if (out->space_count == 0 && selector == NULL) {
        const char **own = ARENA_NEW(arena, const char *);
        *own = space;
        out->spaces = own;
        out->space_count = 1;
    }
    return decode_pod_selector(selector, arena, &out->space_selector) && readable;
}

static bool decode_pod_term(const cJSON *json, const char *space, const struct labels *labels,
                            struct arena *arena, struct pod_term *out)
{
    out->topology_key = json_copy(arena, json, "topologyKey");
    bool readable = *out->topology_key != '\0';
    readable = decode_pod_selector(json_get(json, "labelSelector"), arena, &out->selector) && readable;
    readable = add_own_labels(json_get(json, "matchLabelKeys"), SELECTOR_IN, labels, arena, &out->selector) &&
               readable;
    readable =
        add_own_labels(json_get(json, "mismatchLabelKeys"), SELECTOR_NOT_IN, labels, arena, &out->selector) &&
        readable;
    return decode_spaces(json, space, arena, out) && readable;
}

static bool decode_pod_terms(const cJSON *affinity, const char *space, const struct labels *labels,
                             struct arena *arena, const struct pod_term **out, uint32_t *count)
{
    const cJSON *required = json_get(affinity, "requiredDuringSchedulingIgnoredDuringExecution");
    bool readable = required == NULL || cJSON_IsArray(required);
    struct pod_term *items = ARENA_ARRAY(arena, struct pod_term, json_count(required));
    *count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, required)
    {
        if (decode_pod_term(entry, space, labels, arena, &items[*count]))
            (*count)++;
        else
            readable = false;
    }
    *out = items;
    return readable;
}

// ---- spread

static bool decode_policy(const cJSON *json, const char *key, bool fallback, bool *out)
{
    const char *policy = json_text(json, key);
    *out = *policy == '\0' ? fallback : strcmp(policy, "Honor") == 0;
    return *policy == '\0' || *out || strcmp(policy, "Ignore") == 0;
}

static bool decode_constraint(const cJSON *json, const char *space, const struct labels *labels,
                              struct arena *arena, struct spread_constraint *out)
{
    int64_t skew = json_integer(json, "maxSkew", 0);
    int64_t domains = json_get(json, "minDomains") ? json_integer(json, "minDomains", 0) : 1;
    out->topology_key = json_copy(arena, json, "topologyKey");
    out->space = space;
    out->max_skew = (int32_t)skew;
    out->min_domains = (int32_t)domains;
    bool readable =
        *out->topology_key != '\0' && skew >= 1 && skew <= INT32_MAX && domains >= 1 && domains <= INT32_MAX;
    readable = decode_policy(json, "nodeAffinityPolicy", true, &out->honor_affinity) && readable;
    readable = decode_policy(json, "nodeTaintsPolicy", false, &out->honor_taints) && readable;
    readable = decode_pod_selector(json_get(json, "labelSelector"), arena, &out->selector) && readable;
    return add_own_labels(json_get(json, "matchLabelKeys"), SELECTOR_IN, labels, arena, &out->selector) &&
           readable;
}

static bool decode_spread(const cJSON *array, const char *space, struct arena *arena,
                          struct pod_shape_facts *out)
{
    bool readable = array == NULL || cJSON_IsArray(array);
    struct spread_constraint *items = ARENA_ARRAY(arena, struct spread_constraint, json_count(array));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        const char *otherwise = json_text(entry, "whenUnsatisfiable");
        if (strcmp(otherwise, "ScheduleAnyway") == 0)
            continue; // it weighs, it does not forbid
        if (strcmp(otherwise, "DoNotSchedule") == 0 &&
            decode_constraint(entry, space, &out->labels, arena, &items[out->spread_count]))
            out->spread_count++;
        else
            readable = false;
    }
    out->spread = items;
    return readable;
}

// ---- host ports

static bool decode_protocol(const char *text, enum port_protocol *out)
{
    static const char *const names[] = {[PORT_TCP] = "TCP", [PORT_UDP] = "UDP", [PORT_SCTP] = "SCTP"};
    if (*text == '\0')
        text = names[PORT_TCP];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum port_protocol)i;
            return true;
        }
    }
    return false;
}

// 0: no port of the host. -1: not to be read.
static int64_t host_port_of(const cJSON *port, bool host_network)
{
    int64_t number = json_get(port, "hostPort") ? json_integer(port, "hostPort", -1) : 0;
    // On the host's network a container port is a host port, also where no default was filled in.
    if (number == 0 && host_network)
        number = json_integer(port, "containerPort", -1);
    return number >= 0 && number <= PORT_MAX ? number : -1;
}

static bool add_ports(const cJSON *container, bool host_network, struct arena *arena, struct host_port *items,
                      uint32_t *count)
{
    bool readable = true;
    const cJSON *port;
    cJSON_ArrayForEach(port, json_get(container, "ports"))
    {
        struct host_port *item = &items[*count];
        int64_t number = host_port_of(port, host_network);
        if (number == 0)
            continue;
        const char *ip = json_text(port, "hostIP");
        bool any = *ip == '\0' || strcmp(ip, "::") == 0;
        *item =
            (struct host_port){.ip = any ? ANY_ADDRESS : arena_strdup(arena, ip), .port = (int32_t)number};
        if (number > 0 && decode_protocol(json_text(port, "protocol"), &item->protocol))
            (*count)++;
        else
            readable = false;
    }
    return readable;
}

static bool runs_on(const cJSON *container, bool init)
{
    return !init || strcmp(json_text(container, "restartPolicy"), "Always") == 0;
}

// Of the containers and the sidecars; an init container is gone before the others listen.
static bool decode_ports(const cJSON *spec, struct arena *arena, struct pod_shape_facts *out)
{
    static const char *const lists[] = {"containers", "initContainers"};
    bool host_network = json_true(spec, "hostNetwork");
    size_t capacity = 0;
    const cJSON *container;
    for (size_t i = 0; i < 2; i++)
        cJSON_ArrayForEach(container, json_get(spec, lists[i])) capacity +=
            json_count(json_get(container, "ports"));
    struct host_port *items = ARENA_ARRAY(arena, struct host_port, capacity);
    bool readable = true;
    for (size_t i = 0; i < 2; i++) {
        cJSON_ArrayForEach(container, json_get(spec, lists[i]))
        {
            if (runs_on(container, i == 1))
                readable =
                    add_ports(container, host_network, arena, items, &out->host_port_count) && readable;
        }
    }
    out->host_ports = items;
    return readable;
}

bool decode_terms(const char *space, const cJSON *spec, struct arena *arena, struct pod_shape_facts *out)
{
    const cJSON *affinity = json_get(spec, "affinity");
    bool readable = decode_pod_terms(json_get(affinity, "podAffinity"), space, &out->labels, arena,
                                     &out->pod_affinity, &out->pod_affinity_count);
    readable = decode_pod_terms(json_get(affinity, "podAntiAffinity"), space, &out->labels, arena,
                                &out->pod_anti_affinity, &out->pod_anti_affinity_count) &&
               readable;
    readable = decode_spread(json_get(spec, "topologySpreadConstraints"), space, arena, out) && readable;
    return decode_ports(spec, arena, out) && readable;
}
