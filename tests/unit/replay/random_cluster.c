#include "tests/unit/replay/random_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/describe.h"
#include "tests/support/make_facts.h"
#include "tests/world/random.h"

static struct random source;

void draw_begin(uint32_t seed)
{
    random_seed(&source, seed);
}

int64_t draw(int64_t low, int64_t high)
{
    return random_between(&source, low, high);
}

bool chance(uint32_t percent)
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

// What the pods of an app have in common when rules are the app's: drawn once, and a spread is about the
// app's own pods, as those of a Deployment are.
struct app_rules {
    bool drawn;
    struct pod_shape_facts shape;
};
struct rules {
    bool of_apps;
    struct app_rules items[2][3]; // by namespace and app
};

static void take_rules(struct rules *rules, struct arena *arena, size_t space, size_t app,
                       struct pod_shape_facts *shape)
{
    struct app_rules *own = &rules->items[space][app];
    if (!own->drawn) {
        *own = (struct app_rules){.drawn = true};
        draw_asks(arena, spaces[space], &own->shape);
        struct requirement *mine = ARENA_NEW(arena, struct requirement);
        *mine = (struct requirement){
            .key = "app", .operator= SELECTOR_IN, .values = one_text(arena, apps[app]), .value_count = 1};
        for (uint32_t i = 0; i < own->shape.spread_count; i++)
            ((struct spread_constraint *)(uintptr_t)own->shape.spread)[i].selector =
                (struct selector){.requirements = mine, .requirement_count = 1};
    }
    struct resources requests = shape->requests;
    struct labels labels = shape->labels;
    const char *scheduler_name = shape->scheduler_name;
    *shape = own->shape;
    shape->requests = requests;
    shape->labels = labels;
    shape->scheduler_name = scheduler_name;
}

static const struct pod *put_pod(struct cluster *cluster, struct arena *arena, struct rules *rules,
                                 uint32_t number, const char *node_name)
{
    char *name = ARENA_ARRAY(arena, char, 16);
    snprintf(name, 16, "pod-%02u", number);
    struct pod_facts facts = make_pod(name, node_name, 100 * draw(1, 12), GIB / 4);
    size_t space = (size_t)draw(0, 1), app = (size_t)draw(0, 2);
    facts.space = spaces[space];
    struct label *label = ARENA_NEW(arena, struct label);
    *label = (struct label){"app", apps[app]};
    facts.shape.labels = (struct labels){label, rules->of_apps || chance(90) ? 1 : 0};
    facts.shape.priority = rules->of_apps || chance(80) ? 0 : 5;
    if (rules->of_apps)
        take_rules(rules, arena, space, app, &facts.shape);
    else
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
                                        .lost = i == 6 && chance(10),
                                        .deletion_ms = i == 1 && chance(20) ? 5000 : 0,
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

const char *draw_zone(void)
{
    return zones[draw(0, 2)];
}

struct cluster *draw_cluster(struct arena *arena, enum draw_rules whose, const struct pod **waiting,
                             uint32_t *waiting_count)
{
    struct cluster *cluster = cluster_create();
    struct rules rules = {.of_apps = whose == RULES_OF_EACH_APP};
    uint32_t nodes = (uint32_t)draw(1, NODES_MAX), bound = (uint32_t)draw(0, BOUND_MAX);
    put_spaces(cluster);
    put_claims(cluster);
    for (uint32_t i = 0; i < nodes; i++)
        put_node(cluster, i);
    for (uint32_t i = 0; i < bound; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%02u", (unsigned)draw(0, nodes - 1));
        put_pod(cluster, arena, &rules, i, name);
    }
    *waiting_count = (uint32_t)draw(1, WAITING_MAX);
    for (uint32_t i = 0; i < *waiting_count; i++)
        waiting[i] = put_pod(cluster, arena, &rules, bound + i, "");
    return cluster;
}

uint32_t only_seed(void)
{
    const char *text = getenv(ANY_SEED_ENV);
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

void tell_pod(const char *what, const struct pod *pod)
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
void tell_plan(const struct cluster *cluster, const struct replay_promise *promises, uint32_t count)
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

void fail_seed(uint32_t seed, const char *what, const char *told)
{
    fail_msg("seed %u (" ANY_SEED_ENV "=%u repeats it): %s\n%s", seed, seed, what, told);
}

void check_plan(uint32_t seed, struct replay_plan *plan)
{
    AUTOTEXT struct text told = {0};
    tell_plan(plan->cluster, plan->promises, plan->promise_count);
    plan->elsewhere = true;
    if (replay_run(plan, &told) == 0)
        return;
    plan->one_by_one = true;
    if (replay_run(plan, &told) > 0)
        fail_seed(seed, "what was promised a place on new machines finds none", text_get(&told));
}
