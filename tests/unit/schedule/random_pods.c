#include "tests/unit/schedule/random_pods.h"

static uint32_t random_state;

void random_begin(uint32_t seed)
{
    random_state = seed * 7919 + 1;
}

uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

bool one_in(uint32_t count)
{
    return below(count) == 0;
}

static const char *const zones[] = {"a", "b", "c"};
static const char *const apps[] = {"web", "api", "db"};
static const char *const keys[] = {"kubernetes.io/hostname", "topology.kubernetes.io/zone", "rack"};

const char *random_zone(void)
{
    return zones[below(RANDOM_ZONES)];
}

struct scratch { // what one pod's facts point to
    struct label labels[2];
    struct requirement requirements[8];
    const char *values[8][2];
    const char *names[2];
    struct pod_term affinity[2], anti[2];
    struct spread_constraint spread[2];
    struct host_port port;
    struct label selector;
    struct toleration toleration;
};

static struct selector random_selector(struct scratch *scratch, uint32_t at)
{
    if (one_in(12))
        return (struct selector){.nothing = true};
    if (one_in(12))
        return (struct selector){0};
    scratch->values[at][0] = apps[below(3)];
    scratch->values[at][1] = apps[below(3)];
    static const enum selector_operator operators[] = {SELECTOR_IN, SELECTOR_IN, SELECTOR_IN, SELECTOR_NOT_IN,
                                                       SELECTOR_EXISTS};
    scratch->requirements[at] = (struct requirement){.key = one_in(6) ? "tier" : "app",
                                                     .operator= operators[below(5)],
                                                     .values = scratch->values[at],
                                                     .value_count = 1 + below(2)};
    if (scratch->requirements[at].operator== SELECTOR_EXISTS)
        scratch->requirements[at].value_count = 0;
    return (struct selector){.requirements = &scratch->requirements[at], .requirement_count = 1};
}

static struct pod_term random_term(struct scratch *scratch, uint32_t at, const char *const *own, bool alone)
{
    struct pod_term term = {.topology_key = keys[below(3)],
                            .selector = random_selector(scratch, at),
                            .spaces = own,
                            .space_count = 1,
                            .space_selector = {.nothing = true}};
    if (one_in(4) && !alone) { // namespaces by label
        static const char *const teams[] = {"one"};
        static const struct requirement team = {
            .key = "team", .operator= SELECTOR_IN, .values = teams, .value_count = 1};
        term.space_selector = (struct selector){.requirements = &team, .requirement_count = below(2)};
        term.space_count = below(2);
    }
    return term;
}

static struct spread_constraint random_spread(struct scratch *scratch, uint32_t at, const char *space,
                                              bool alone)
{
    return (struct spread_constraint){.topology_key = keys[below(3)],
                                      .selector = random_selector(scratch, at),
                                      .space = space,
                                      .max_skew = 1 + (int32_t)below(2),
                                      .min_domains = 1 + (int32_t)(one_in(3) ? below(5) : 0),
                                      .honor_affinity = one_in(2) || alone,
                                      .honor_taints = one_in(2)};
}

const struct pod *random_pod(struct cluster *cluster, const char *space, const char *name, const char *node,
                             const struct label *selector, bool alone)
{
    struct scratch scratch = {0};
    struct pod_facts facts = make_pod(name, node, 100 * below(8), MIB * 100);
    facts.space = space;
    facts.deletion_ms = one_in(15) ? 5 : 0;
    scratch.names[0] = facts.space;
    scratch.labels[0] = (struct label){"app", apps[below(3)]};
    scratch.labels[1] = (struct label){"tier", apps[below(3)]};
    facts.shape.labels = (struct labels){scratch.labels, below(3)};
    facts.shape.pod_affinity = scratch.affinity;
    facts.shape.pod_affinity_count = one_in(4) ? 1 + below(2) : 0;
    facts.shape.pod_anti_affinity = scratch.anti;
    facts.shape.pod_anti_affinity_count = one_in(4) ? 1 + below(2) : 0;
    facts.shape.spread = scratch.spread;
    facts.shape.spread_count = one_in(4) ? 1 + below(2) : 0;
    for (uint32_t i = 0; i < 2; i++) {
        scratch.affinity[i] = random_term(&scratch, i, scratch.names, alone);
        scratch.anti[i] = random_term(&scratch, 2 + i, scratch.names, alone);
        scratch.spread[i] = random_spread(&scratch, 4 + i, facts.space, alone);
    }
    scratch.port = (struct host_port){one_in(2) ? "0.0.0.0" : "10.0.0.1", 80 + (int32_t)below(2),
                                      one_in(4) ? PORT_UDP : PORT_TCP};
    facts.shape.host_ports = &scratch.port;
    facts.shape.host_port_count = one_in(6);
    scratch.selector = (struct label){"topology.kubernetes.io/zone", zones[below(3)]};
    facts.shape.node_selector = (struct labels){&scratch.selector, one_in(6)};
    if (selector != NULL)
        facts.shape.node_selector = (struct labels){selector, 1};
    scratch.toleration =
        (struct toleration){.key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    facts.shape.tolerations = &scratch.toleration;
    facts.shape.toleration_count = one_in(2);
    return cluster_put_pod(cluster, &facts);
}
