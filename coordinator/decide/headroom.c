#include "coordinator/decide/headroom.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/quantity.h"

#define SPACE           "headroom" // no namespace: nobody can make a pod in it that is mistaken for these
#define CONTROLLER      "Headroom"
#define PIECE_CPU       1000
#define PIECE_MEMORY    ((int64_t)4 << 30)
#define PRIORITY_LOWEST INT32_MIN

static int take_amount(const char *text, size_t length, struct headroom *out, struct error *error)
{
    const char *equals = memchr(text, '=', length);
    if (equals == NULL)
        return error_set(error, 0, "\"%.*s\" has no amount; right would be cpu=4, memory=8Gi or pods=20",
                         (int)length, text);
    size_t name = (size_t)(equals - text), left = length - name - 1;
    int64_t amount = 0;
    int result = -1;
    if (name == 3 && strncmp(text, "cpu", name) == 0) {
        result = quantity_parse_millis(equals + 1, left, &amount, error);
        out->cpu_millis = amount;
    } else if (name == 6 && strncmp(text, "memory", name) == 0) {
        result = quantity_parse_units(equals + 1, left, &amount, error);
        out->memory_bytes = amount;
    } else if (name == 4 && strncmp(text, "pods", name) == 0) {
        result = text_parse_i64(equals + 1, left, &amount, error);
        out->pods = amount;
    } else {
        return error_set(error, 0, "\"%.*s\" is no cpu, memory or pods", (int)name, text);
    }
    if (result == 0 && (amount < 0 || amount > INT64_MAX / 4))
        return error_set(error, 0, "\"%.*s\" is out of bounds", (int)length, text);
    return result;
}

int headroom_parse(const char *text, struct headroom *out, struct error *error)
{
    *out = (struct headroom){0};
    const char *colon = strchr(text, ':');
    if (colon != NULL) {
        if (colon == text || (size_t)(colon - text) >= sizeof(out->group))
            return error_set(error, 0, "\"%s\" names no NodeGroup before the colon", text);
        memcpy(out->group, text, (size_t)(colon - text));
        text = colon + 1;
    }
    for (;;) {
        size_t length = strcspn(text, ",");
        if (take_amount(text, length, out, error) != 0)
            return -1;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    if (out->pods > HEADROOM_PODS_MAX)
        return error_set(error, 0, "at most %d pods", HEADROOM_PODS_MAX);
    if (out->cpu_millis == 0 && out->memory_bytes == 0 && out->pods == 0)
        return error_set(error, 0, "it asks for nothing");
    return 0;
}

static int64_t parts(int64_t whole, int64_t piece)
{
    return whole / piece + (whole % piece != 0);
}

static int64_t pieces(const struct headroom *wanted)
{
    if (wanted->pods > 0)
        return wanted->pods;
    int64_t by_cpu = parts(wanted->cpu_millis, PIECE_CPU);
    int64_t by_memory = parts(wanted->memory_bytes, PIECE_MEMORY);
    int64_t most = by_cpu > by_memory ? by_cpu : by_memory;
    return most < 1 ? 1 : most > HEADROOM_PODS_MAX ? HEADROOM_PODS_MAX : most;
}

// On any node of the group, whatever its taints; without a group on any node that is open to everybody.
static struct pod_shape *make_shape(struct arena *arena, const struct headroom *wanted, int64_t count)
{
    struct pod_shape *shape = ARENA_NEW(arena, struct pod_shape);
    struct pod_shape_facts *facts = &shape->facts;
    facts->requests = (struct resources){.cpu_millis = parts(wanted->cpu_millis, count),
                                         .memory_bytes = parts(wanted->memory_bytes, count),
                                         .pods = 1};
    facts->priority = PRIORITY_LOWEST;
    facts->scheduler_name = "";
    if (wanted->group[0] == '\0')
        return shape;
    struct label *label = ARENA_NEW(arena, struct label);
    *label = (struct label){KEY_NODEGROUP, arena_strdup(arena, wanted->group)};
    facts->node_selector = (struct labels){label, 1};
    struct toleration *any = ARENA_NEW(arena, struct toleration);
    *any = (struct toleration){.key = "", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    facts->tolerations = any;
    facts->toleration_count = 1;
    return shape;
}

static const struct pod *make_pod(struct arena *arena, struct pod_shape *shape, uint32_t which,
                                  uint32_t number)
{
    struct pod *pod = ARENA_NEW(arena, struct pod);
    const char *name = arena_printf(arena, "%u-%04u", which, number);
    *pod = (struct pod){.space = SPACE,
                        .name = name,
                        .uid = arena_printf(arena, "headroom-%s", name),
                        .shape = shape,
                        .node_name = "",
                        .nominated_node = "",
                        .controller_kind = CONTROLLER,
                        .controller_name = "",
                        .controller_uid = "",
                        .unschedulable_message = "",
                        .safe_local_volumes = "",
                        .verdict = "",
                        .phase = POD_PENDING,
                        .unschedulable = true};
    return pod;
}

uint32_t headroom_pods(struct arena *arena, const struct cluster *cluster, const struct headroom *wanted,
                       uint32_t count, const struct pod ***pods)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        most += pieces(&wanted[i]);
    const struct pod **made = ARENA_ARRAY(arena, const struct pod *, (size_t)most + 1);
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (wanted[i].group[0] != '\0' && cluster_group(cluster, NULL, wanted[i].group) == NULL)
            continue; // its NodeGroup is not there (yet)
        int64_t number = pieces(&wanted[i]);
        struct pod_shape *shape = make_shape(arena, &wanted[i], number);
        for (int64_t n = 0; n < number; n++)
            made[used++] = make_pod(arena, shape, i, (uint32_t)n);
    }
    *pods = made;
    return used;
}

bool pod_is_headroom(const struct pod *pod)
{
    return strcmp(pod->controller_kind, CONTROLLER) == 0 && strcmp(pod->space, SPACE) == 0;
}
