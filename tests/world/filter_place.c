// Filters that look at the pod and the node alone, and at the ports of the host.
#include <string.h>

#include "common/text.h"
#include "tests/world/board.h"

static bool compares(const cJSON *expression, const char *value)
{
    int64_t have = 0, want = 0;
    const char *verb = json_text(expression, "operator");
    const cJSON *bound = cJSON_GetArrayItem(json_key(expression, "values"), 0);
    if (!cJSON_IsString(bound) || text_parse_i64(value, strlen(value), &have, NULL) != 0 ||
        text_parse_i64(bound->valuestring, strlen(bound->valuestring), &want, NULL) != 0)
        return false;
    return strcmp(verb, "Gt") == 0 ? have > want : strcmp(verb, "Lt") == 0 && have < want;
}

static bool expression_holds(const cJSON *expression, const char *value, bool present)
{
    const char *verb = json_text(expression, "operator");
    const cJSON *item;
    bool in = false;
    cJSON_ArrayForEach(item, json_key(expression, "values"))
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
    return present && compares(expression, value);
}

bool board_expression_holds(const cJSON *expression, const cJSON *labels)
{
    const cJSON *label = json_key(labels, json_text(expression, "key"));
    return expression_holds(expression, label == NULL ? "" : label->valuestring, label != NULL);
}

bool board_term_holds(const cJSON *term, const cJSON *node)
{
    const cJSON *expression, *labels = json_at(node, "metadata.labels");
    const cJSON *expressions = json_key(term, "matchExpressions"), *fields = json_key(term, "matchFields");
    if (cJSON_GetArraySize(expressions) + cJSON_GetArraySize(fields) == 0)
        return false;
    cJSON_ArrayForEach(expression, expressions)
    {
        if (!board_expression_holds(expression, labels))
            return false;
    }
    cJSON_ArrayForEach(expression, fields)
    {
        if (!expression_holds(expression, json_text(node, "metadata.name"), true))
            return false;
    }
    return true;
}

bool board_affinity_holds(const cJSON *pod, const cJSON *node)
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
        if (board_term_holds(item, node))
            return true;
    }
    return false;
}

// ---------------------------------------------------------------------------------------------- ports

#define PORTS_MAX 64u

struct port {
    int64_t number;
    const char *protocol, *address;
};
struct ports {
    struct port items[PORTS_MAX];
    size_t count;
};

static const char *or_else(const char *text, const char *otherwise)
{
    return text[0] == 0 ? otherwise : text;
}

static void add_ports(const cJSON *container, bool host_network, struct ports *ports)
{
    const cJSON *port;
    cJSON_ArrayForEach(port, json_key(container, "ports"))
    {
        int64_t number = json_number(port, "hostPort", 0);
        if (number == 0 && host_network)
            number = json_number(port, "containerPort", 0);
        if (number != 0 && ports->count < PORTS_MAX)
            ports->items[ports->count++] = (struct port){number, or_else(json_text(port, "protocol"), "TCP"),
                                                         or_else(json_text(port, "hostIP"), "0.0.0.0")};
    }
}

// Of what listens while the pod runs: containers and sidecars.
static struct ports ports_of(const cJSON *pod)
{
    struct ports ports = {.count = 0};
    bool host_network = json_true(pod, "spec.hostNetwork");
    const cJSON *container;
    cJSON_ArrayForEach(container, json_at(pod, "spec.containers")) add_ports(container, host_network, &ports);
    cJSON_ArrayForEach(container, json_at(pod, "spec.initContainers"))
    {
        if (strcmp(json_text(container, "restartPolicy"), "Always") == 0)
            add_ports(container, host_network, &ports);
    }
    return ports;
}

static bool any_address(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static bool collide(const struct port *a, const struct port *b)
{
    return a->number == b->number && strcmp(a->protocol, b->protocol) == 0 &&
           (any_address(a->address) || any_address(b->address) || strcmp(a->address, b->address) == 0);
}

bool board_ports_free(const struct board *board, const cJSON *pod, size_t seat)
{
    struct ports wanted = ports_of(pod);
    for (size_t i = 0; wanted.count > 0 && i < board->pod_count; i++) {
        if (board->pods[i].seat != seat)
            continue;
        struct ports taken = ports_of(board->pods[i].pod);
        for (size_t a = 0; a < wanted.count; a++) {
            for (size_t b = 0; b < taken.count; b++) {
                if (collide(&wanted.items[a], &taken.items[b]))
                    return false;
            }
        }
    }
    return true;
}
