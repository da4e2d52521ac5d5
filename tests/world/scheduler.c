// The scheduler: every filter of Kubernetes' own that can keep a pod from a node (board.h), spreads by what
// is free, and says why a pod fits nowhere. Without preemption and without what only weighs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "tests/world/board.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

enum miss board_check(const struct board *board, const struct api_object *pod, const struct amount *asked,
                      const struct outlook *outlook, size_t index)
{
    static const char unschedulable[] =
        "[{\"key\":\"node.kubernetes.io/unschedulable\",\"effect\":\"NoSchedule\"}]";
    const struct seat *seat = &board->seats[index];
    const cJSON *node = seat->node->document->json, *json = pod->document->json;
    if (json_true(node, "spec.unschedulable")) {
        AUTOJSON cJSON *taint = cJSON_Parse(unschedulable);
        if (!taints_tolerated(json, taint, true, true, NULL))
            return MISS_UNSCHEDULABLE;
    }
    if (!board_affinity_holds(json, node))
        return MISS_AFFINITY;
    if (!taints_tolerated(json, json_at(node, "spec.taints"), true, true, NULL))
        return MISS_TAINT;
    enum miss miss = board_amount_check(asked, seat);
    if (miss == FITS && !board_ports_free(board, json, index))
        miss = MISS_PORT;
    if (miss == FITS)
        miss = attachable_check(board, pod, index);
    return miss == FITS ? outlook_check(outlook, index) : miss;
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

void board_explain(const uint32_t misses[MISS_COUNT], size_t nodes, struct text *message)
{
    static const char *const words[MISS_COUNT] = {
        [MISS_UNSCHEDULABLE] = "node(s) were unschedulable",
        [MISS_TAINT] = "node(s) had untolerated taint(s)",
        [MISS_AFFINITY] = "node(s) didn't match Pod's node affinity/selector",
        [MISS_CPU] = "Insufficient cpu",
        [MISS_MEMORY] = "Insufficient memory",
        [MISS_DISK] = "Insufficient ephemeral-storage",
        [MISS_PODS] = "Too many pods",
        [MISS_EXTENDED] = "Insufficient extended resources",
        [MISS_PORT] = "node(s) didn't have free ports for the requested pod ports",
        [MISS_CLAIM] = "pod has unbound immediate PersistentVolumeClaims or claims that are not there",
        [MISS_VOLUME_PLACE] = "node(s) had volume node affinity conflict",
        [MISS_ATTACH_LIMIT] = "node(s) exceed max volume count",
        [MISS_ONE_POD_ONLY] = "node has pod using PersistentVolumeClaim with the same name and "
                              "ReadWriteOncePod access mode",
        [MISS_SPREAD] = "node(s) didn't match pod topology spread constraints",
        [MISS_POD_AFFINITY] = "node(s) didn't match pod affinity rules",
        [MISS_POD_ANTI_AFFINITY] = "node(s) didn't match pod anti-affinity rules",
        [MISS_OTHERS_ANTI_AFFINITY] = "node(s) didn't satisfy existing pods anti-affinity rules",
    };
    text_printf(message, "0/%zu nodes are available", nodes);
    for (unsigned miss = FITS + 1; miss < MISS_COUNT; miss++) {
        if (misses[miss] > 0)
            text_printf(message, "%s %u %s", message->length > 0 && strchr(message->bytes, ':') ? "," : ":",
                        misses[miss], words[miss]);
    }
    text_append(message, ".");
}

size_t board_choose(struct board *board, const struct api_object *pod, uint32_t misses[MISS_COUNT])
{
    struct amount asked = board_amount_asked(board, pod->document->json);
    struct outlook *outlook = outlook_create(board, pod);
    size_t best = board->seat_count;
    memset(misses, 0, MISS_COUNT * sizeof *misses);
    for (size_t i = 0; i < board->seat_count; i++) {
        enum miss miss = board_check(board, pod, &asked, outlook, i);
        misses[miss]++;
        if (miss == FITS &&
            (best == board->seat_count || score(&board->seats[i]) > score(&board->seats[best])))
            best = i;
    }
    outlook_destroy(outlook);
    return best;
}

static void place(struct world *world, struct board *board, const struct api_object *pod)
{
    uint32_t misses[MISS_COUNT];
    size_t best = board_choose(board, pod, misses);
    cJSON *wanted = api_copy(pod);
    if (best < board->seat_count) {
        board_volumes_bind(board, pod, board->seats[best].node->name);
        board_seat(board, pod, best);
        json_set_text(wanted, "spec.nodeName", board->seats[best].node->name);
        condition_set(world, wanted, "PodScheduled", "True", "", "");
    } else {
        AUTOTEXT struct text message = {0};
        board_explain(misses, board->seat_count, &message);
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
        struct board board = board_create(world->api, &nodes, &pods);
        qsort(waiting, count, sizeof *waiting, pod_order);
        for (size_t i = 0; i < count; i++)
            place(world, &board, waiting[i]);
        board_destroy(&board);
    }
    free(waiting);
}
