// What this room is for: the scheduler's picture of the cluster while it places pods: seats (nodes) with what
// is left of them, the pods that stand there, and its filters, one by one, as Kubernetes documents them. What
// it knows: JSON documents. What it may not do: use the coordinator's own rules: it judges them.
#ifndef VPSIE_TESTS_WORLD_BOARD_H
#define VPSIE_TESTS_WORLD_BOARD_H

#include "common/text.h"
#include "tests/world/world.h"

#define EXTENDED_MAX 8u

struct amount {
    int64_t cpu_millis, memory_bytes, ephemeral_bytes, pods;
    int64_t extended[EXTENDED_MAX]; // by the board's names
};
struct seat { // one node, and what is left of it
    const struct api_object *node;
    struct amount capacity, used;
};
struct standing { // a pod on a seat
    const cJSON *pod;
    const char *space;
    size_t seat;
};
struct board {
    struct api *api; // for namespaces and volumes
    struct seat *seats;
    size_t seat_count;
    struct standing *pods;
    size_t pod_count, pod_capacity;
    const char *extended[EXTENDED_MAX]; // names such as nvidia.com/gpu; they point into documents
    size_t extended_count;
};

enum miss {
    FITS,
    MISS_UNSCHEDULABLE,
    MISS_TAINT,
    MISS_AFFINITY,
    MISS_CPU,
    MISS_MEMORY,
    MISS_DISK,
    MISS_PODS,
    MISS_EXTENDED,
    MISS_PORT,
    MISS_CLAIM,        // a claim is not there, not bound, or going
    MISS_VOLUME_PLACE, // a volume cannot be used, or made, there
    MISS_ATTACH_LIMIT,
    MISS_ONE_POD_ONLY,
    MISS_SPREAD,
    MISS_POD_AFFINITY,
    MISS_POD_ANTI_AFFINITY,
    MISS_OTHERS_ANTI_AFFINITY,
    MISS_COUNT
};

// Seats and standing pods borrow the documents of both lists.
struct board board_create(struct api *api, const struct api_list *nodes, const struct api_list *pods);
void board_destroy(struct board *board);
void board_seat(struct board *board, const struct api_object *pod, size_t seat); // it stands there now

// All filters in one: what keeps the pod from this seat first. And the seat that the scheduler would choose
// (the count of seats: none), with how many seats each miss kept it from, and these in the scheduler's words.
struct outlook;
enum miss board_check(const struct board *board, const struct api_object *pod, const struct amount *asked,
                      const struct outlook *outlook, size_t seat);
size_t board_choose(struct board *board, const struct api_object *pod, uint32_t misses[MISS_COUNT]);
void board_explain(const uint32_t misses[MISS_COUNT], size_t nodes, struct text *message);

// What a pod asks for: the scheduler's PodRequests.
struct amount board_amount_asked(struct board *board, const cJSON *pod);
enum miss board_amount_check(const struct amount *asked, const struct seat *seat);

// ---- filters of the pod alone
bool board_expression_holds(const cJSON *expression, const cJSON *labels);
bool board_term_holds(const cJSON *term, const cJSON *node);    // a nodeSelectorTerm
bool board_affinity_holds(const cJSON *pod, const cJSON *node); // nodeSelector and required node affinity

// ---- ports of the host
bool board_ports_free(const struct board *board, const cJSON *pod, size_t seat);

// ---- other pods: made once for a pod, asked for every seat
struct outlook *outlook_create(const struct board *board, const struct api_object *pod);
void outlook_destroy(struct outlook *outlook);
enum miss outlook_check(const struct outlook *outlook, size_t seat);

// ---- volumes
// The claim that an entry of spec.volumes stands for; false when it stands for none.
bool board_claim_name(const cJSON *volume, const char *pod_name, char *name, size_t bytes);
enum miss attachable_check(const struct board *board, const struct api_object *pod, size_t seat);
// The pod goes there: claims that waited for it get a volume.
void board_volumes_bind(const struct board *board, const struct api_object *pod, const char *node_name);

#endif
