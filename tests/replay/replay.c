#include "tests/replay/replay.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/model/resources.h"
#include "tests/replay/documents.h"
#include "tests/world/board.h"

struct replay {
    const struct replay_plan *plan;
    int64_t now_ms;
    struct random random;
    struct api *api;
};

static void machine_name(uint32_t machine, char *name, size_t bytes)
{
    snprintf(name, bytes, "planned-%05u", machine);
}

static void create(struct replay *replay, enum api_kind kind, const char *space, cJSON *json)
{
    cJSON *status = cJSON_Duplicate(json_at(json, "status"), true);
    int64_t deletion_ms = json_time_ms(json, "metadata.deletionTimestamp");
    struct api_answer answer = api_create(replay->api, kind, space, json);
    if (!API_OK(answer)) {
        fprintf(stderr, "replay: %s\n", answer.message);
        abort();
    }
    if (status == NULL && deletion_ms == 0)
        return;
    cJSON *whole = api_copy(answer.object); // these are not taken at the creation
    if (status != NULL)
        json_put(whole, "status", status);
    json_set_time(whole, "metadata.deletionTimestamp", deletion_ms);
    api_put(replay->api, answer.object, whole);
}

// ---- what was there

static bool leaves(const struct replay_plan *plan, const struct node *node)
{
    for (uint32_t i = 0; i < plan->leaving_count; i++) {
        if (plan->leaving[i] == node)
            return true;
    }
    return false;
}

static void seat_pod(struct replay *replay, const struct pod_shape *shape, const char *space,
                     const char *name, const struct pod *pod, const char *node_name)
{
    cJSON *json = document_of_pod(shape, name, pod);
    json_set_text(json, "spec.nodeName", node_name);
    if (pod != NULL && pod->deletion_ms != 0)
        json_set_time(json, "metadata.deletionTimestamp", pod->deletion_ms);
    create(replay, API_POD, space, json);
}

static void add_nodes(struct replay *replay)
{
    const struct cluster *cluster = replay->plan->cluster;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        if (leaves(replay->plan, node))
            continue;
        create(replay, API_NODE, "",
               document_of_node(node->name, &node->labels, &node->taints, &node->allocatable,
                                node->unschedulable, node->ready == NODE_READY_TRUE));
        for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
            if (!pod->terminal)
                seat_pod(replay, pod->shape, pod->space, pod->name, pod, node->name);
        }
    }
}

static void add_volumes(struct replay *replay)
{
    const struct cluster *cluster = replay->plan->cluster;
    for (uint32_t i = 0; i < cluster->space_count; i++)
        create(replay, API_NAMESPACE, "", document_of_namespace(&cluster->spaces[i]->facts));
    for (uint32_t i = 0; i < cluster->claim_count; i++)
        create(replay, API_CLAIM, cluster->claims[i]->facts.space,
               document_of_claim(&cluster->claims[i]->facts));
    for (uint32_t i = 0; i < cluster->volume_count; i++)
        create(replay, API_VOLUME, "", document_of_volume(&cluster->volumes[i]->facts));
    for (uint32_t i = 0; i < cluster->storage_class_count; i++)
        create(replay, API_STORAGE_CLASS, "", document_of_storage_class(&cluster->storage_classes[i]->facts));
    for (uint32_t i = 0; i < cluster->csi_node_count; i++) {
        const struct csi_node_facts *facts = &cluster->csi_nodes[i]->facts;
        create(replay, API_CSI_NODE, "",
               document_of_csi_node(facts->name, facts->drivers, facts->driver_count));
    }
    for (uint32_t i = 0; i < cluster->attachment_count; i++)
        create(replay, API_ATTACHMENT, "", document_of_attachment(cluster->attachments[i]));
}

// ---- what the plan brings

static struct labels own_host(struct arena *arena, const struct labels *labels, const char *name)
{
    static const char key[] = "kubernetes.io/hostname";
    struct label *items = ARENA_ARRAY(arena, struct label, (size_t)labels->count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->items[i].key, key) != 0)
            items[count++] = labels->items[i];
    }
    items[count++] = (struct label){.key = key, .value = name};
    return (struct labels){.items = items, .count = count};
}

// What is in use of a template without being a resident's is not there for anybody. The caller frees.
static struct resources left_of(const struct place *place)
{
    struct resources used = resources_copy(NULL, &place->used);
    for (uint32_t i = 0; i < place->resident_count; i++)
        resources_subtract(&used, &place->residents[i]->facts.requests);
    struct resources left = resources_copy(NULL, place->allocatable);
    resources_subtract(&left, &used);
    resources_free(&used);
    return left;
}

static void add_machines(struct replay *replay, uint32_t from, uint32_t to)
{
    struct arena *arena = arena_create(4096);
    for (uint32_t i = from; i < to; i++) {
        const struct place *place = replay->plan->machines[i];
        char name[32], pod_name[64];
        machine_name(i, name, sizeof name);
        struct labels labels = own_host(arena, place->labels, name);
        struct resources left = left_of(place);
        create(replay, API_NODE, "",
               document_of_node(name, &labels, place->taints, &left, place->unschedulable, place->ready));
        resources_free(&left);
        for (uint32_t r = 0; r < place->resident_count; r++) {
            const struct pod_shape *shape = place->residents[r];
            snprintf(pod_name, sizeof pod_name, "%s-resident-%u", name, r);
            seat_pod(replay, shape, shape->space == NULL ? "default" : shape->space, pod_name, NULL, name);
        }
        if (place->attach_limit_count > 0)
            create(replay, API_CSI_NODE, "",
                   document_of_csi_node(name, place->attach_limits, place->attach_limit_count));
    }
    arena_destroy(arena);
}

// ---- the pods that were promised a place

struct waiting {
    const struct replay_promise *promise;
    const struct api_object *object;
    char why[400];
};

static const char *planned_at(const struct replay_promise *promise, char *name, size_t bytes)
{
    if (promise->machine != REPLAY_ANYWHERE) {
        machine_name(promise->machine, name, bytes);
        return name;
    }
    return promise->node == NULL ? "" : promise->node->name;
}

// The seat where it was planned when it fits there, else the one that the scheduler likes best.
static size_t seat_for(struct board *board, struct waiting *waiting, bool anywhere)
{
    char name[32];
    uint32_t misses[MISS_COUNT];
    const char *planned = planned_at(waiting->promise, name, sizeof name);
    AUTOTEXT struct text why = {0};
    if (planned[0] == '\0' || anywhere) {
        size_t seat = board_choose(board, waiting->object, misses);
        board_explain(misses, board->seat_count, &why);
        snprintf(waiting->why, sizeof waiting->why, "%s", text_get(&why));
        return seat;
    }
    struct amount asked = board_amount_asked(board, waiting->object->document->json);
    struct outlook *outlook = outlook_create(board, waiting->object);
    size_t seat = 0;
    while (seat < board->seat_count && strcmp(board->seats[seat].node->name, planned) != 0)
        seat++;
    memset(misses, 0, sizeof misses);
    if (seat < board->seat_count) {
        enum miss miss = board_check(board, waiting->object, &asked, outlook, seat);
        misses[miss]++;
        seat = miss == FITS ? seat : board->seat_count;
    }
    outlook_destroy(outlook);
    board_explain(misses, 1, &why);
    snprintf(waiting->why, sizeof waiting->why, "%s", text_get(&why));
    return seat;
}

enum turn { TURN_EXISTING, TURN_PLANNED, TURN_ANYWHERE };

// One round over those that wait and have their turn; how many found a place. It is written down in the API,
// too, for the board that comes after.
static uint32_t try_all(struct board *board, struct waiting *waiting, uint32_t *count, enum turn turn)
{
    uint32_t left = 0, before = *count;
    for (uint32_t i = 0; i < before; i++) {
        bool now = turn != TURN_EXISTING || waiting[i].promise->machine == REPLAY_ANYWHERE;
        size_t seat = now ? seat_for(board, &waiting[i], turn == TURN_ANYWHERE) : board->seat_count;
        if (seat == board->seat_count) {
            waiting[left++] = waiting[i];
            continue;
        }
        const struct api_object *pod = waiting[i].object;
        board_volumes_bind(board, pod, board->seats[seat].node->name);
        cJSON *bound = api_copy(pod);
        json_set_text(bound, "spec.nodeName", board->seats[seat].node->name);
        api_put(board->api, pod, bound);
        board_seat(board, pod, seat); // borrows what is stored now
    }
    *count = left;
    return before - left;
}

// With the nodes that are there now.
static void play(struct replay *replay, struct waiting *waiting, uint32_t *left, enum turn from, enum turn to)
{
    struct api_list nodes = api_snapshot(replay->api, API_NODE, NULL);
    struct api_list pods = api_snapshot(replay->api, API_POD, NULL);
    struct board board = board_create(replay->api, &nodes, &pods);
    for (enum turn turn = from; turn <= to; turn++) {
        while (*left > 0 && try_all(&board, waiting, left, turn) > 0)
            continue;
    }
    board_destroy(&board);
    api_release(&pods);
    api_release(&nodes);
}

static struct waiting *add_promised(struct replay *replay)
{
    const struct replay_plan *plan = replay->plan;
    struct waiting *waiting = xcalloc((size_t)plan->promise_count + 1, sizeof *waiting);
    for (uint32_t i = 0; i < plan->promise_count; i++) {
        const struct pod *pod = plan->promises[i].pod;
        create(replay, API_POD, pod->space, document_of_pod(pod->shape, pod->name, pod));
    }
    for (uint32_t i = 0; i < plan->promise_count; i++) {
        const struct pod *pod = plan->promises[i].pod;
        waiting[i] = (struct waiting){.promise = &plan->promises[i],
                                      .object = api_find(replay->api, API_POD, pod->space, pod->name)};
        assert(waiting[i].object != NULL);
    }
    return waiting;
}

static void tell(const struct waiting *waiting, uint32_t count, struct text *told)
{
    char name[32];
    for (uint32_t i = 0; told != NULL && i < count; i++) {
        const struct pod *pod = waiting[i].promise->pod;
        const char *planned = planned_at(waiting[i].promise, name, sizeof name);
        text_printf(told, "%s/%s was promised %s: %s\n", pod->space, pod->name,
                    planned[0] == '\0' ? "a place" : planned, waiting[i].why);
    }
}

uint32_t replay_run(const struct replay_plan *plan, struct text *told)
{
    struct replay replay = {.plan = plan, .now_ms = WORLD_START_MS};
    random_seed(&replay.random, 1);
    replay.api = api_create_store(&replay.now_ms, &replay.random);
    add_volumes(&replay);
    add_nodes(&replay);
    struct waiting *waiting = add_promised(&replay);
    uint32_t left = plan->promise_count;
    if (plan->leaving_count == 0) // nobody waits for a machine who fits on what is there
        play(&replay, waiting, &left, TURN_EXISTING, TURN_EXISTING);
    uint32_t together = plan->one_by_one ? 1 : plan->machine_count;
    for (uint32_t joined = 0; joined < plan->machine_count; joined += together) {
        add_machines(&replay, joined, joined + together);
        play(&replay, waiting, &left, TURN_PLANNED, TURN_PLANNED);
    }
    play(&replay, waiting, &left, TURN_PLANNED, plan->elsewhere ? TURN_ANYWHERE : TURN_PLANNED);
    tell(waiting, left, told);
    free(waiting);
    api_destroy(replay.api);
    return left;
}
