// Seats, and what pods ask of them: cpu, memory, disk, pods and extended resources.
#include "tests/world/board.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/parts.h"

// Index of an extended resource, EXTENDED_MAX: it is none, or there are too many.
static size_t extended_index(struct board *board, const char *name)
{
    if (strchr(name, '/') == NULL && strncmp(name, "hugepages-", 10) != 0)
        return EXTENDED_MAX;
    for (size_t i = 0; i < board->extended_count; i++) {
        if (strcmp(board->extended[i], name) == 0)
            return i;
    }
    if (board->extended_count < EXTENDED_MAX)
        board->extended[board->extended_count++] = name;
    return board->extended_count - 1;
}

static struct amount amount_of(struct board *board, const cJSON *list)
{
    struct amount amount = {.cpu_millis = quantity_millis(json_key_text(list, "cpu")),
                            .memory_bytes = quantity_units(json_key_text(list, "memory")),
                            .ephemeral_bytes = quantity_units(json_key_text(list, "ephemeral-storage")),
                            .pods = quantity_units(json_key_text(list, "pods"))};
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        size_t index = extended_index(board, item->string);
        if (index < EXTENDED_MAX && cJSON_IsString(item))
            amount.extended[index] = quantity_units(item->valuestring);
    }
    return amount;
}

static void raise_to(int64_t *floor, int64_t other)
{
    if (other > *floor)
        *floor = other;
}

static void amount_raise(struct amount *floor, const struct amount *other)
{
    raise_to(&floor->cpu_millis, other->cpu_millis);
    raise_to(&floor->memory_bytes, other->memory_bytes);
    raise_to(&floor->ephemeral_bytes, other->ephemeral_bytes);
    for (size_t i = 0; i < EXTENDED_MAX; i++)
        raise_to(&floor->extended[i], other->extended[i]);
}

static void amount_add(struct amount *sum, const struct amount *more)
{
    sum->cpu_millis += more->cpu_millis;
    sum->memory_bytes += more->memory_bytes;
    sum->ephemeral_bytes += more->ephemeral_bytes;
    sum->pods += more->pods;
    for (size_t i = 0; i < EXTENDED_MAX; i++)
        sum->extended[i] += more->extended[i];
}

static bool is_sidecar(const cJSON *container)
{
    return strcmp(json_text(container, "restartPolicy"), "Always") == 0;
}

// What spec.resources names replaces the sum of the containers.
static void apply_pod_level(const cJSON *pod, struct amount *asked)
{
    const cJSON *requests = json_at(pod, "spec.resources.requests");
    if (json_key(requests, "cpu") != NULL)
        asked->cpu_millis = quantity_millis(json_key_text(requests, "cpu"));
    if (json_key(requests, "memory") != NULL)
        asked->memory_bytes = quantity_units(json_key_text(requests, "memory"));
}

// Containers and sidecars side by side; init containers one after the other, each beside the sidecars before
// it; the larger of both; overhead on top (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers).
struct amount board_amount_asked(struct board *board, const cJSON *pod)
{
    struct amount asked = {0}, sidecars = {0}, init = {0};
    const cJSON *container;
    cJSON_ArrayForEach(container, json_at(pod, "spec.containers"))
    {
        struct amount one = amount_of(board, json_at(container, "resources.requests"));
        amount_add(&asked, &one);
    }
    cJSON_ArrayForEach(container, json_at(pod, "spec.initContainers"))
    {
        struct amount one = amount_of(board, json_at(container, "resources.requests"));
        if (is_sidecar(container)) {
            amount_add(&asked, &one);
            amount_add(&sidecars, &one);
            one = sidecars;
        } else {
            amount_add(&one, &sidecars);
        }
        amount_raise(&init, &one);
    }
    amount_raise(&asked, &init);
    apply_pod_level(pod, &asked);
    struct amount overhead = amount_of(board, json_at(pod, "spec.overhead"));
    amount_add(&asked, &overhead);
    asked.pods = 1;
    return asked;
}

static bool lacks(int64_t asked, int64_t used, int64_t capacity)
{
    return asked > 0 && used + asked > capacity;
}

enum miss board_amount_check(const struct amount *asked, const struct seat *seat)
{
    const struct amount *used = &seat->used, *capacity = &seat->capacity;
    if (lacks(1, used->pods, capacity->pods))
        return MISS_PODS;
    if (lacks(asked->cpu_millis, used->cpu_millis, capacity->cpu_millis))
        return MISS_CPU;
    if (lacks(asked->memory_bytes, used->memory_bytes, capacity->memory_bytes))
        return MISS_MEMORY;
    if (lacks(asked->ephemeral_bytes, used->ephemeral_bytes, capacity->ephemeral_bytes))
        return MISS_DISK;
    for (size_t i = 0; i < EXTENDED_MAX; i++) {
        if (lacks(asked->extended[i], used->extended[i], capacity->extended[i]))
            return MISS_EXTENDED;
    }
    return FITS;
}

void board_seat(struct board *board, const struct api_object *pod, size_t seat)
{
    if (board->pod_count == board->pod_capacity) {
        board->pod_capacity = board->pod_capacity == 0 ? 64 : 2 * board->pod_capacity;
        board->pods = xrealloc_array(board->pods, board->pod_capacity, sizeof *board->pods);
    }
    struct amount asked = board_amount_asked(board, pod->document->json);
    amount_add(&board->seats[seat].used, &asked);
    board->pods[board->pod_count++] =
        (struct standing){.pod = pod->document->json, .space = pod->space, .seat = seat};
}

// Nodes are sorted by name.
static size_t seat_of(const struct board *board, const char *node_name)
{
    size_t low = 0, high = board->seat_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(board->seats[middle].node->name, node_name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return board->seat_count;
}

struct board board_create(struct api *api, const struct api_list *nodes, const struct api_list *pods)
{
    struct board board = {.api = api, .seat_count = nodes->count};
    board.seats = xcalloc(nodes->count + 1, sizeof *board.seats);
    for (size_t i = 0; i < nodes->count; i++) {
        board.seats[i].node = &nodes->items[i];
        board.seats[i].capacity =
            amount_of(&board, json_at(nodes->items[i].document->json, "status.allocatable"));
    }
    for (size_t i = 0; i < pods->count; i++) {
        const struct api_object *pod = &pods->items[i];
        if (pod->node_name[0] == 0 || pod_is_over(pod->document->json))
            continue;
        size_t seat = seat_of(&board, pod->node_name);
        if (seat < board.seat_count)
            board_seat(&board, pod, seat);
    }
    return board;
}

void board_destroy(struct board *board)
{
    free(board->seats);
    free(board->pods);
}
