// Random clusters: what packing says must be what the world's scheduler does, in both directions: a pod that
// it places passes every filter there, and one that it turns away fits nowhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/describe.h"
#include "coordinator/schedule/packing.h"
#include "tests/replay/replay.h"
#include "tests/support/make_facts.h"
#include "tests/world/random.h"

#define SEEDS        400u
#define NODES_MAX    8u
#define BOUND_MAX    12u
#define WAITING_MAX  14u
#define MACHINES_MAX 6u
#define ANY_SEED_ENV "VPSIE_SEED" // one seed alone, told in full

static struct random source;

static int64_t draw(int64_t low, int64_t high)
{
    return random_between(&source, low, high);
}

static bool chance(uint32_t percent)
{
    return random_chance(&source, percent);
}

// ---- what pods ask

static const char *const apps[] = {"api", "db", "web"};
static const char *const spaces[] = {"other", "shop"};
static const char *const zones[] = {"a", "b", "c"};
static const char *const keys[] = {"kubernetes.io/hostname", "zone"};

// A pod's facts and all that they point to, alive as long as the arena.
static const char **one_text(struct arena *arena, const char *text)
{
    const char **texts = ARENA_NEW(arena, const char *);
    *texts = text;
    return texts;
}

static struct selector draw_selector(struct arena *arena)
{
    struct requirement *requirement = ARENA_NEW(arena, struct requirement);
    *requirement = (struct requirement){
        .key = "app", .operator= SELECTOR_IN, .values = one_text(arena, apps[draw(0, 2)]), .value_count = 1};
    if (chance(15))
        requirement->operator= SELECTOR_NOT_IN;
    if (chance(10)) {
        requirement->operator= SELECTOR_EXISTS;
        requirement->value_count = 0;
    }
    return (struct selector){
        .requirements = requirement, .requirement_count = chance(92) ? 1 : 0, .nothing = chance(3)};
}

static struct pod_term *draw_terms(struct arena *arena, const char *space, uint32_t *count)
{
    *count = chance(85) ? 1 : 2;
    struct pod_term *terms = ARENA_ARRAY(arena, struct pod_term, *count);
    for (uint32_t i = 0; i < *count; i++) {
        terms[i] = (struct pod_term){.topology_key = keys[draw(0, 1)],
                                     .selector = draw_selector(arena),
                                     .spaces = one_text(arena, space),
                                     .space_count = 1,
                                     .space_selector = {.nothing = true}};
        if (chance(15))
            terms[i].spaces = one_text(arena, spaces[draw(0, 1)]);
        if (chance(15)) {
            struct requirement *team = ARENA_NEW(arena, struct requirement);
            *team = (struct requirement){
                .key = "team", .operator= SELECTOR_IN, .values = one_text(arena, "x"), .value_count = 1};
            terms[i].space_selector = (struct selector){.requirements = team, .requirement_count = 1};
            terms[i].space_count = chance(50) ? 0 : 1;
        }
    }
    return terms;
}

static struct spread_constraint *draw_spread(struct arena *arena, const char *space, uint32_t *count)
{
    *count = chance(80) ? 1 : 2;
    struct spread_constraint *spread = ARENA_ARRAY(arena, struct spread_constraint, *count);
    for (uint32_t i = 0; i < *count; i++) {
        spread[i] = (struct spread_constraint){.topology_key = *count == 2 ? keys[i] : keys[draw(0, 1)],
                                               .selector = draw_selector(arena),
                                               .space = space,
                                               .max_skew = (int32_t)draw(1, 2),
                                               .min_domains = chance(80) ? 1 : (int32_t)draw(2, 4),
                                               .honor_affinity = chance(80),
                                               .honor_taints = chance(20)};
    }
    return spread;
}

static void draw_asks(struct arena *arena, const char *space, struct pod_shape_facts *shape)
{
    if (chance(20))
        shape->pod_affinity = draw_terms(arena, space, &shape->pod_affinity_count);
    if (chance(25))
        shape->pod_anti_affinity = draw_terms(arena, space, &shape->pod_anti_affinity_count);
    if (chance(30))
        shape->spread = draw_spread(arena, space, &shape->spread_count);
    if (chance(15)) {
        struct host_port *port = ARENA_NEW(arena, struct host_port);
        *port = (struct host_port){.ip = chance(70) ? "0.0.0.0" : "10.0.0.1",
                                   .port = (int32_t)draw(80, 81),
                                   .protocol = chance(80) ? PORT_TCP : PORT_UDP};
        shape->host_ports = port;
        shape->host_port_count = 1;
    }
    if (chance(15)) {
        struct label *label = ARENA_NEW(arena, struct label);
        *label = (struct label){"zone", zones[draw(0, 2)]};
        shape->node_selector = (struct labels){label, 1};
    }
    if (chance(20)) {
        struct toleration *toleration = ARENA_NEW(arena, struct toleration);
        *toleration =
            (struct toleration){.key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
        shape->tolerations = toleration;
        shape->toleration_count = 1;
    }
}

static const struct pod *put_pod(struct cluster *cluster, struct arena *arena, uint32_t number,
                                 const char *node_name)
{
    char *name = ARENA_ARRAY(arena, char, 16);
    snprintf(name, 16, "pod-%02u", number);
    struct pod_facts facts = make_pod(name, node_name, 100 * draw(1, 12), GIB / 4);
    facts.space = spaces[draw(0, 1)];
    struct label *app = ARENA_NEW(arena, struct label);
    *app = (struct label){"app", apps[draw(0, 2)]};
    facts.shape.labels = (struct labels){app, chance(90) ? 1 : 0};
    facts.shape.priority = chance(80) ? 0 : 5;
    draw_asks(arena, facts.space, &facts.shape);
    if (chance(20)) {
        char *claim = ARENA_ARRAY(arena, char, 16);
        snprintf(claim, 16, "claim-%u", (unsigned)draw(0, 7));
        facts.claims = one_text(arena, claim);
        facts.claim_count = 1;
    }
    if (*node_name != '\0' && chance(10))
        facts.deletion_ms = 5000;
    return cluster_put_pod(cluster, &facts);
}

// ---- what is there

static void put_node(struct cluster *cluster, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "node-%02u", number);
    struct label labels[] = {{"kubernetes.io/hostname", name}, {"zone", zones[draw(0, 2)]}};
    struct taint gpu = {"gpu", "1", TAINT_NO_SCHEDULE};
    struct taint not_ready = {"node.kubernetes.io/not-ready", "", TAINT_NO_SCHEDULE};
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){labels, chance(85) ? 2 : 1};
    facts.taints = (struct taints){&gpu, chance(15) ? 1 : 0};
    facts.unschedulable = chance(8);
    facts.allocatable.cpu_millis = 1000 * draw(1, 4);
    facts.allocatable.pods = chance(80) ? 110 : 4;
    if (chance(8)) {
        facts.ready = NODE_READY_FALSE;
        facts.taints = (struct taints){&not_ready, 1};
    }
    cluster_put_node(cluster, &facts);
    struct csi_driver_limit limit = {"csi.example.com", (int32_t)draw(1, 3)};
    struct csi_node_facts csi = {.name = name, .drivers = &limit, .driver_count = 1};
    if (chance(50))
        cluster_put_csi_node(cluster, &csi);
}

static void put_spaces(struct cluster *cluster)
{
    struct label team = {"team", "x"};
    struct namespace_facts other = {.name = "other"};
    struct namespace_facts shop = {.name = "shop", .labels = {&team, 1}};
    cluster_put_space(cluster, &other);
    cluster_put_space(cluster, &shop);
}

// Claims 0-2 are bound (2 to one zone), 3 is for one pod only, 4 and 5 wait for a pod (5 only in zone a), 6
// is to be bound at once and is not, 7 is not there.
static void put_claims(struct cluster *cluster)
{
    struct requirement in_zone = {.key = "zone", .operator= SELECTOR_IN, VALUES("b")};
    struct node_term term = {.expressions = &in_zone, .expression_count = 1};
    struct requirement in_a = {.key = "zone", .operator= SELECTOR_IN, VALUES("a")};
    struct node_term only_a = {.expressions = &in_a, .expression_count = 1};
    struct storage_class_facts classes[] = {
        {.name = "wait", .provisioner = "csi.example.com", .waits_for_consumer = true},
        {.name = "wait-a",
         .provisioner = "csi.example.com",
         .waits_for_consumer = true,
         .allowed_topologies = &only_a,
         .allowed_topology_count = 1},
        {.name = "now", .provisioner = "csi.example.com"},
    };
    for (size_t i = 0; i < 3; i++)
        cluster_put_storage_class(cluster, &classes[i]);
    static const char *const class_of[] = {"wait", "wait", "wait", "wait", "wait", "wait-a", "now"};
    for (uint32_t space = 0; space < 2; space++) {
        for (uint32_t i = 0; i < 7; i++) {
            char name[16], volume[24];
            snprintf(name, sizeof name, "claim-%u", i);
            snprintf(volume, sizeof volume, "pv-%s-%u", spaces[space], i);
            bool bound = i < 4;
            struct claim_facts claim = {.space = spaces[space],
                                        .name = name,
                                        .uid = volume,
                                        .volume_name = bound ? volume : "",
                                        .class_name = class_of[i],
                                        .bound = bound,
                                        .one_pod_only = i == 3,
                                        .selected_node = ""};
            cluster_put_claim(cluster, &claim);
            struct volume_facts facts = {
                .name = volume, .uid = volume, .driver = "csi.example.com", .handle = volume};
            facts.has_affinity = i == 2;
            facts.affinity_terms = &term;
            facts.affinity_term_count = i == 2 ? 1 : 0;
            if (bound)
                cluster_put_volume(cluster, &facts);
        }
    }
}

static struct cluster *draw_cluster(struct arena *arena, const struct pod **waiting, uint32_t *waiting_count)
{
    struct cluster *cluster = cluster_create();
    uint32_t nodes = (uint32_t)draw(1, NODES_MAX), bound = (uint32_t)draw(0, BOUND_MAX);
    put_spaces(cluster);
    put_claims(cluster);
    for (uint32_t i = 0; i < nodes; i++)
        put_node(cluster, i);
    for (uint32_t i = 0; i < bound; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%02u", (unsigned)draw(0, nodes - 1));
        put_pod(cluster, arena, i, name);
    }
    *waiting_count = (uint32_t)draw(1, WAITING_MAX);
    for (uint32_t i = 0; i < *waiting_count; i++)
        waiting[i] = put_pod(cluster, arena, bound + i, "");
    return cluster;
}

// ---- the comparison

struct found {
    struct replay_promise promises[WAITING_MAX];
    uint32_t count;
    const struct pod *left[WAITING_MAX];
    uint32_t left_count;
};

static void put_all(struct packing *packing, const struct pod **waiting, uint32_t count, struct found *found)
{
    const struct pod *again[WAITING_MAX];
    memcpy(again, waiting, count * sizeof(const struct pod *));
    for (uint32_t before = count + 1; count > 0 && count < before;) {
        before = count;
        found->left_count = 0;
        for (uint32_t i = 0; i < before; i++) {
            uint32_t place = packing_put(packing, again[i], NULL);
            if (place == UINT32_MAX)
                found->left[found->left_count++] = again[i];
            else
                found->promises[found->count++] = (struct replay_promise){
                    .pod = again[i], .machine = REPLAY_ANYWHERE, .node = packing->places[place].node};
        }
        count = found->left_count;
        memcpy(again, found->left, count * sizeof(const struct pod *));
    }
}

static uint32_t only_seed(void)
{
    const char *text = getenv(ANY_SEED_ENV);
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static void tell_pod(const char *what, const struct pod *pod)
{
    AUTOTEXT struct text out = {0};
    const struct pod_shape_facts *facts = &pod->shape->facts;
    describe_labels(&out, "labels", &facts->labels);
    describe_labels(&out, "selector", &facts->node_selector);
    describe_terms(&out, facts);
    describe_texts(&out, "claims", pod->claims, pod->claim_count);
    describe_flag(&out, "tolerates", facts->toleration_count > 0);
    describe_flag(&out, "leaving", pod->deletion_ms != 0);
    print_message("  %s %s/%s %dm%s\n", what, pod->space, pod->name, (int)facts->requests.cpu_millis,
                  text_get(&out));
}

// The whole picture, when one seed is looked at.
static void tell(const struct cluster *cluster, const struct replay_promise *promises, uint32_t count)
{
    for (uint32_t i = 0; only_seed() != 0 && i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        AUTOTEXT struct text out = {0};
        describe_labels(&out, "labels", &node->labels);
        describe_taints(&out, "taints", &node->taints);
        describe_flag(&out, "cordoned", node->unschedulable);
        describe_flag(&out, "ready", node->ready == NODE_READY_TRUE);
        print_message("%s %dm, %d pods%s\n", node->name, (int)node->allocatable.cpu_millis,
                      (int)node->allocatable.pods, text_get(&out));
        for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
            tell_pod("has", pod);
    }
    for (uint32_t i = 0; only_seed() != 0 && i < count; i++) {
        char where[32];
        snprintf(where, sizeof where, "machine %u gets", promises[i].machine);
        if (promises[i].node != NULL)
            snprintf(where, sizeof where, "%s gets", promises[i].node->name);
        tell_pod(where, promises[i].pod);
    }
}

static void fail_seed(uint32_t seed, const char *what, const char *told)
{
    fail_msg("seed %u (" ANY_SEED_ENV "=%u repeats it): %s\n%s", seed, seed, what, told);
}

// Each pod that packing turned away, alone against the picture in which all the others have their places.
static void check_turned_away(uint32_t seed, const struct cluster *cluster, struct found *found)
{
    for (uint32_t i = 0; i < found->left_count; i++) {
        found->promises[found->count] =
            (struct replay_promise){.pod = found->left[i], .machine = REPLAY_ANYWHERE};
        struct replay_plan plan = {
            .cluster = cluster, .promises = found->promises, .promise_count = found->count + 1};
        if (only_seed() != 0)
            tell_pod("turned away:", found->left[i]);
        if (replay_run(&plan, NULL) == 0)
            fail_seed(seed, "packing turns away a pod that the scheduler places", found->left[i]->name);
    }
}

static void compare_on_nodes(uint32_t seed)
{
    const struct pod *waiting[WAITING_MAX];
    uint32_t count;
    struct arena *arena = arena_create(1 << 16);
    random_seed(&source, seed);
    struct cluster *cluster = draw_cluster(arena, waiting, &count);
    struct packing packing = packing_create(arena, cluster);
    struct found found = {.count = 0};
    put_all(&packing, waiting, count, &found);
    struct replay_plan plan = {.cluster = cluster, .promises = found.promises, .promise_count = found.count};
    AUTOTEXT struct text told = {0};
    tell(cluster, plan.promises, plan.promise_count);
    if (replay_run(&plan, &told) > 0)
        fail_seed(seed, "packing places a pod where the scheduler does not", text_get(&told));
    check_turned_away(seed, cluster, &found);
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void packing_and_the_scheduler_agree_on_nodes_that_are_there(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_on_nodes(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_on_nodes(seed);
}

// ---- machines that are planned

static void compare_on_machines(uint32_t seed)
{
    static const struct resources four_cores = {
        .cpu_millis = 4000, .memory_bytes = 8 * GIB, .ephemeral_bytes = GIB, .pods = 110};
    static const struct taints none = {0};
    const struct pod *waiting[WAITING_MAX];
    uint32_t count, landed[WAITING_MAX];
    struct arena *arena = arena_create(1 << 16);
    random_seed(&source, seed);
    struct cluster *cluster = draw_cluster(arena, waiting, &count);
    struct label zone = {"zone", zones[draw(0, 2)]};
    struct labels labels = {&zone, chance(90) ? 1 : 0};
    struct place template = {
        .name = "", .labels = &labels, .taints = &none, .allocatable = &four_cores, .ready = true};
    struct packing packing = packing_create(arena, cluster);
    struct found found = {.count = 0};
    put_all(&packing, waiting, count, &found); // whoever fits on what is there waits for no machine
    uint32_t before = packing.place_count;
    uint32_t added =
        packing_count_on(&packing, &template, found.left, found.left_count, MACHINES_MAX, landed);
    const struct place *machines[MACHINES_MAX];
    for (uint32_t i = 0; i < added; i++)
        machines[i] = &template;
    for (uint32_t i = 0; i < found.left_count; i++) {
        bool planned = landed[i] >= before;
        if (landed[i] != UINT32_MAX)
            found.promises[found.count++] =
                (struct replay_promise){.pod = found.left[i],
                                        .machine = planned ? landed[i] - before : REPLAY_ANYWHERE,
                                        .node = planned ? NULL : packing.places[landed[i]].node};
    }
    struct replay_plan plan = {.cluster = cluster,
                               .machines = machines,
                               .machine_count = added,
                               .promises = found.promises,
                               .promise_count = found.count,
                               .elsewhere = true};
    AUTOTEXT struct text told = {0};
    tell(cluster, plan.promises, plan.promise_count);
    if (replay_run(&plan, &told) > 0)
        fail_seed(seed, "a planned machine does not serve what was promised", text_get(&told));
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void what_is_promised_on_new_machines_is_placed(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_on_machines(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_on_machines(seed);
}

// ---- nodes that leave

static void compare_leaving(uint32_t seed)
{
    const struct pod *waiting[WAITING_MAX], *moving[BOUND_MAX];
    const struct node *leaving[2];
    uint32_t count, leaving_count = 0, moving_count = 0;
    struct arena *arena = arena_create(1 << 16);
    random_seed(&source, seed);
    struct cluster *cluster = draw_cluster(arena, waiting, &count);
    struct packing packing = packing_create(arena, cluster);
    for (uint32_t i = 0; i < cluster->node_count && leaving_count < 2; i++) {
        if (cluster->nodes[i]->pods != NULL && chance(50))
            leaving[leaving_count++] = cluster->nodes[i];
    }
    for (uint32_t i = 0; i < leaving_count; i++) {
        packing_remove_node(&packing, leaving[i]);
        for (const struct pod *pod = leaving[i]->pods; pod != NULL; pod = pod->next) {
            if (pod->deletion_ms == 0) // who is ending anyway moves nowhere
                moving[moving_count++] = pod;
        }
    }
    struct found found = {.count = 0};
    if (moving_count <= WAITING_MAX)
        put_all(&packing, moving, moving_count, &found);
    struct replay_plan plan = {.cluster = cluster,
                               .leaving = leaving,
                               .leaving_count = leaving_count,
                               .promises = found.promises,
                               .promise_count = found.count};
    AUTOTEXT struct text told = {0};
    tell(cluster, plan.promises, plan.promise_count);
    if (replay_run(&plan, &told) > 0)
        fail_seed(seed, "a pod of a leaving node fits where the scheduler does not put it", text_get(&told));
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void pods_of_leaving_nodes_find_their_places_together(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_leaving(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_leaving(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_and_the_scheduler_agree_on_nodes_that_are_there),
        cmocka_unit_test(what_is_promised_on_new_machines_is_placed),
        cmocka_unit_test(pods_of_leaving_nodes_find_their_places_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
