// Choosing machines: price, limits, preferences, expanders; and on random markets: every promise is kept, the
// order of input does not matter, twice the pods of halves that have nothing to do with each other give twice
// the plan.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/market.h"

static struct market *market;

static int setup(void **state)
{
    (void)state;
    market = market_create(1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    market_destroy(market);
    return 0;
}

static uint32_t bought(const struct chosen *chosen, uint32_t choice)
{
    return chosen->options[choice].machines;
}

static struct chosen choose(void)
{
    struct chosen chosen = market_choose(market);
    market_check(market, &chosen);
    return chosen;
}

// ---- price

static void the_cheaper_of_two_sizes_is_bought(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t small = market_size(market, group, 4000, 8192, 0.05);
    uint32_t large = market_size(market, group, 8000, 16384, 0.09);
    market_pods(market, "web", 8, 2000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, large), 2);
    assert_int_equal(bought(&chosen, small), 0);
    assert_true(fabs(chosen.price_hour - 0.18) < 1e-9);
}

static void the_last_machine_is_no_larger_than_the_rest_needs(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t small = market_size(market, group, 2000, 8192, 0.03);
    uint32_t large = market_size(market, group, 8000, 16384, 0.09);
    market_pods(market, "web", 5, 2000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, large), 1);
    assert_int_equal(bought(&chosen, small), 1);
}

// Whichever of the two is told first.
static void of_two_sizes_for_the_same_money_the_one_that_wastes_less_is_bought(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        uint32_t group = market_group(market);
        uint32_t first = order == 0 ? market_size(market, group, 4000, 8192, 0.05)
                                    : market_size(market, group, 8000, 32768, 0.05);
        uint32_t second = order == 0 ? market_size(market, group, 8000, 32768, 0.05)
                                     : market_size(market, group, 4000, 8192, 0.05);
        market_pods(market, "web", 1, 3000, 4096);
        struct chosen chosen = choose();
        assert_int_equal(bought(&chosen, order == 0 ? first : second), 1);
        assert_int_equal(chosen.machine_count, 1);
        market_destroy(market);
        market = market_create(1);
    }
}

static void one_machine_for_the_rest_beats_several_that_are_each_cheaper(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    market_size(market, group, 1000, 8192, 0.02);
    uint32_t middle = market_size(market, group, 3000, 8192, 0.05);
    market_pods(market, "web", 3, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.machine_count, 1);
    assert_int_equal(bought(&chosen, middle), 1);
}

static void memory_and_cpu_are_met_by_a_mixture(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t thin = market_size(market, group, 8000, 8192, 0.10);
    uint32_t fat = market_size(market, group, 2000, 32768, 0.10);
    market_pods(market, "cpu", 8, 1900, 512);
    market_pods(market, "memory", 4, 200, 15000);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, thin), 2);
    assert_int_equal(bought(&chosen, fat), 2);
}

static void a_size_without_a_price_is_taken_only_where_no_other_will_do(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t known = market_size(market, group, 4000, 8192, 0.50);
    uint32_t unknown = market_size(market, group, 8000, 16384, 0);
    market_pods(market, "web", 4, 2000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, known), 2);
    assert_true(chosen.bound_hour <= 0);
    market_pods(market, "wide", 1, 6000, 64);
    chosen = choose();
    assert_int_equal(bought(&chosen, unknown), 1);
}

static void what_fits_no_size_is_left_without_a_machine(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    market_size(market, group, 4000, 8192, 0.05);
    market_pods(market, "huge", 2, 5000, 64);
    market_pods(market, "web", 1, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 1);
    assert_int_equal(chosen.machine_count, 1);
    assert_int_equal(chosen.options[0].pods, 1);
}

static void an_extended_resource_is_an_amount_like_others(void **state)
{
    (void)state;
    static const struct extended_resource TWO = {"nvidia.com/gpu", 2}, ONE = {"nvidia.com/gpu", 1};
    uint32_t group = market_group(market);
    market_size(market, group, 8000, 16384, 0.05);
    uint32_t gpu = market_size(market, group, 8000, 16384, 1.00);
    market->resources[gpu].extended = &TWO;
    market->resources[gpu].extended_count = 1;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "gpu-%d", i);
        struct pod_facts facts = make_pod(name, "", 100, 64 * MIB);
        facts.shape.requests.extended = &ONE;
        facts.shape.requests.extended_count = 1;
        market_pod(market, &facts);
    }
    market_pods(market, "web", 3, 2000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 6);
    assert_int_equal(bought(&chosen, gpu), 2); // and what runs anywhere fills them
    assert_int_equal(chosen.machine_count, 2);
}

// ---- rules

static const struct taint RESERVED = {"reserved", "", TAINT_NO_SCHEDULE};
static const struct taints RESERVED_ONLY = {&RESERVED, 1};
static const struct label BLUE = {"color", "blue"};
static const struct labels BLUE_ONLY = {&BLUE, 1};

static void pods_that_few_choices_take_come_first_and_others_fill_up(void **state)
{
    (void)state;
    uint32_t plain = market_group(market), blue = market_group(market);
    market_size(market, plain, 4000, 8192, 0.05);
    uint32_t dear = market_size(market, blue, 4000, 8192, 0.06);
    market->places[dear].labels = &BLUE_ONLY;
    struct pod_facts facts = make_pod("picky", "", 500, 64 * MIB);
    facts.shape.node_selector = BLUE_ONLY;
    market_pod(market, &facts);
    market_pods(market, "any", 3, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.machine_count, 1);
    assert_int_equal(bought(&chosen, dear), 1);
}

static void a_taint_keeps_pods_off_that_do_not_tolerate_it(void **state)
{
    (void)state;
    uint32_t group = market_group(market), other = market_group(market);
    uint32_t tainted = market_size(market, group, 4000, 8192, 0.01);
    market->places[tainted].taints = &RESERVED_ONLY;
    uint32_t plain = market_size(market, other, 4000, 8192, 0.05);
    market_pods(market, "web", 3, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, tainted), 0);
    assert_int_equal(bought(&chosen, plain), 1);
    assert_int_equal(chosen.options[tainted].pods, 0);
}

static void a_machine_of_the_plan_is_never_left_empty_by_a_host_port(void **state)
{
    (void)state;
    static const struct host_port PORT = {"0.0.0.0", 8080, PORT_TCP};
    uint32_t group = market_group(market);
    market_size(market, group, 1000, 2048, 0.01);
    market_size(market, group, 8000, 16384, 0.07);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "port-%d", i);
        struct pod_facts facts = make_pod(name, "", 500, 64 * MIB);
        facts.shape.host_ports = &PORT;
        facts.shape.host_port_count = 1;
        market_pod(market, &facts);
    }
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 5);
    assert_int_equal(chosen.machine_count, 5);
    assert_int_equal(bought(&chosen, 0), 5);
}

// ---- rules about other pods

// Three owners, each with a label of its own that its rules speak of.
#define OWNERS 3
static const struct label APPS[OWNERS] = {{"app", "one"}, {"app", "three"}, {"app", "two"}};
static const char *const APP_VALUES[OWNERS][1] = {{"one"}, {"three"}, {"two"}};
static const struct requirement IS_APP[OWNERS] = {
    {.key = "app", .operator= SELECTOR_IN, .values = APP_VALUES[0], .value_count = 1},
    {.key = "app", .operator= SELECTOR_IN, .values = APP_VALUES[1], .value_count = 1},
    {.key = "app", .operator= SELECTOR_IN, .values = APP_VALUES[2], .value_count = 1}};
static const char *const DEFAULT_SPACE[] = {"default"};
static const struct label ZONES[] = {{"topology.kubernetes.io/zone", "a"},
                                     {"topology.kubernetes.io/zone", "b"},
                                     {"topology.kubernetes.io/zone", "c"}};
static const struct labels ZONE_LABELS[] = {{&ZONES[0], 1}, {&ZONES[1], 1}, {&ZONES[2], 1}};

enum relation { APART_BY_HOST, EVEN_BY_HOST, EVEN_BY_ZONE, TOGETHER_BY_ZONE, RELATIONS };

struct related { // what one pod's facts point to; the model copies it
    struct labels labels;
    struct pod_term term;
    struct spread_constraint spread;
};

static void relate(struct pod_facts *facts, struct related *related, enum relation relation, uint32_t owner)
{
    bool zone = relation == EVEN_BY_ZONE || relation == TOGETHER_BY_ZONE;
    const char *key = zone ? "topology.kubernetes.io/zone" : "kubernetes.io/hostname";
    struct selector selector = {&IS_APP[owner], 1, false};
    *related = (struct related){.labels = {&APPS[owner], 1},
                                .term = {.topology_key = key,
                                         .selector = selector,
                                         .spaces = DEFAULT_SPACE,
                                         .space_count = 1,
                                         .space_selector = {.nothing = true}},
                                .spread = {.topology_key = key,
                                           .selector = selector,
                                           .space = "default",
                                           .max_skew = 1,
                                           .min_domains = 1,
                                           .honor_affinity = true}};
    facts->shape.labels = related->labels;
    if (relation == APART_BY_HOST) {
        facts->shape.pod_anti_affinity = &related->term;
        facts->shape.pod_anti_affinity_count = 1;
    } else if (relation == TOGETHER_BY_ZONE) {
        facts->shape.pod_affinity = &related->term;
        facts->shape.pod_affinity_count = 1;
    } else {
        facts->shape.spread = &related->spread;
        facts->shape.spread_count = 1;
    }
}

static void related_pods(struct market *own, uint32_t owner, uint32_t count, int64_t cpu_millis,
                         enum relation relation)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        struct related related;
        snprintf(name, sizeof(name), "app-%u-%u", owner, i);
        struct pod_facts facts = make_pod(name, "", cpu_millis, 64 * MIB);
        relate(&facts, &related, relation, owner);
        market_pod(own, &facts);
    }
}

// A group for each zone, of two sizes.
static void three_zones(struct market *own)
{
    for (int zone = 0; zone < 3; zone++) {
        uint32_t group = market_group(own);
        for (int k = 0; k < 2; k++) {
            uint32_t size = market_size(own, group, 2000 << (2 * k), 4096 << (2 * k), k == 0 ? 0.03 : 0.10);
            own->places[size].labels = &ZONE_LABELS[zone];
        }
    }
}

static void pods_that_keep_apart_get_a_small_machine_each_and_others_fill_them(void **state)
{
    (void)state;
    three_zones(market);
    related_pods(market, 0, 6, 500, APART_BY_HOST);
    market_pods(market, "any", 6, 1400, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 12);
    assert_int_equal(chosen.machine_count, 6);
    assert_true(fabs(chosen.price_hour - 6 * 0.03) < 1e-9);
}

static void pods_that_spread_over_hosts_share_the_one_machine_that_there_is(void **state)
{
    (void)state;
    three_zones(market);
    related_pods(market, 0, 3, 500, EVEN_BY_HOST);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 3);
    assert_int_equal(chosen.machine_count, 1);
}

static void pods_that_spread_over_zones_get_machines_in_each(void **state)
{
    (void)state;
    three_zones(market);
    related_pods(market, 0, 30, 500, EVEN_BY_ZONE);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 30);
    uint32_t pods[3] = {0};
    for (uint32_t i = 0; i < chosen.machine_count; i++)
        pods[market->choices[chosen.machines[i].choice].group] += chosen.machines[i].pods;
    for (int zone = 0; zone < 3; zone++)
        assert_int_equal(pods[zone], 10);
}

static void pods_that_stay_together_get_machines_in_one_zone(void **state)
{
    (void)state;
    three_zones(market);
    related_pods(market, 0, 40, 500, TOGETHER_BY_ZONE);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 40);
    for (uint32_t i = 1; i < chosen.machine_count; i++)
        assert_int_equal(market->choices[chosen.machines[i].choice].group,
                         market->choices[chosen.machines[0].choice].group);
}

static void every_plan_for_related_pods_keeps_its_promises(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 80; seed++) {
        struct market *own = market_create(seed);
        three_zones(own);
        for (uint32_t owner = 0; owner < OWNERS; owner++)
            related_pods(own, owner, market_below(own, 12), 100 * (1 + market_below(own, 12)),
                         (enum relation)market_below(own, RELATIONS));
        market_pods(own, "any", market_below(own, 30), 100 * (1 + market_below(own, 20)), 256);
        struct chosen chosen = market_choose(own);
        market_check(own, &chosen);
        assert_int_equal(chosen.served, own->wish.pod_count);
        market_destroy(own);
    }
}

// ---- limits and preferences

static void limits_leave_pods_rather_than_be_passed(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    market_size(market, group, 4000, 8192, 0.05);
    market->groups[group].room = 2;
    market_pods(market, "web", 12, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.machine_count, 2);
    assert_int_equal(chosen.served, 8);
}

static void a_narrow_limit_is_spent_on_larger_machines_though_smaller_cost_less(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t small = market_size(market, group, 2000, 8192, 0.02);
    uint32_t large = market_size(market, group, 8000, 16384, 0.10);
    market->groups[group].room = 2;
    market_pods(market, "web", 10, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 10);
    assert_int_equal(bought(&chosen, large), 1);
    assert_int_equal(bought(&chosen, small), 1);
}

static void the_room_of_all_groups_together_is_kept(void **state)
{
    (void)state;
    uint32_t one = market_group(market), two = market_group(market);
    market_size(market, one, 4000, 8192, 0.05);
    market_size(market, two, 4000, 8192, 0.05);
    market->groups[one].room = market->groups[two].room = 2;
    market->wish.room = 3;
    market_pods(market, "web", 40, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.machine_count, 3);
}

static void a_group_s_money_is_not_overspent(void **state)
{
    (void)state;
    uint32_t one = market_group(market), two = market_group(market);
    uint32_t capped = market_size(market, one, 4000, 8192, 0.05);
    uint32_t dear = market_size(market, two, 4000, 8192, 0.08);
    market->groups[one].price_room_hour = 0.11;
    market_pods(market, "web", 16, 1000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, capped), 2);
    assert_int_equal(bought(&chosen, dear), 2);
}

static void a_group_of_one_size_gets_the_one_that_serves_all_for_least(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    market_size(market, group, 1000, 8192, 0.01);
    uint32_t middle = market_size(market, group, 4000, 8192, 0.05);
    uint32_t large = market_size(market, group, 8000, 16384, 0.20);
    market->groups[group].one_size = true;
    market_pods(market, "web", 6, 1000, 64);
    market_pods(market, "wide", 1, 3000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 7);
    assert_int_equal(bought(&chosen, middle), chosen.machine_count);
    assert_int_equal(bought(&chosen, large), 0);
}

static void a_preferred_size_serves_what_it_can_and_others_the_rest(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    uint32_t preferred = market_size(market, group, 4000, 8192, 0.50);
    uint32_t cheap = market_size(market, group, 8000, 16384, 0.05);
    market->choices[cheap].tier = 1;
    market_pods(market, "web", 4, 1000, 64);
    market_pods(market, "wide", 1, 6000, 64);
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, preferred), 1);
    assert_int_equal(bought(&chosen, cheap), 1);
}

// ---- expanders

static void names_of_expanders_are_read_as_written(void **state)
{
    (void)state;
    for (enum expander expander = EXPANDER_PRICE; expander <= EXPANDER_RANDOM; expander++) {
        enum expander read;
        assert_true(expander_parse(expander_name(expander), &read));
        assert_int_equal(read, expander);
    }
    enum expander read;
    assert_false(expander_parse("cheapest", &read));
}

static void the_least_waste_wins_though_it_costs_more(void **state)
{
    (void)state;
    uint32_t group = market_group(market);
    market_size(market, group, 8000, 16384, 0.05);
    uint32_t tight = market_size(market, group, 3000, 3072, 0.20);
    market_pods(market, "web", 3, 1000, 1024);
    market->wish.expander = EXPANDER_LEAST_WASTE;
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, tight), 1);
    assert_int_equal(chosen.machine_count, 1);
}

static void the_group_that_serves_most_pods_wins_though_it_costs_more(void **state)
{
    (void)state;
    uint32_t one = market_group(market), two = market_group(market);
    market_size(market, one, 2000, 8192, 0.01);
    uint32_t wide = market_size(market, two, 8000, 16384, 0.50);
    market_pods(market, "web", 3, 1000, 64);
    market_pods(market, "wide", 1, 4000, 64);
    market->wish.expander = EXPANDER_MOST_PODS;
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, wide), 1);
    assert_int_equal(chosen.machine_count, 1);
}

static void the_higher_priority_serves_what_it_can_before_the_lower(void **state)
{
    (void)state;
    uint32_t low = market_group(market), high = market_group(market);
    uint32_t cheap = market_size(market, low, 4000, 8192, 0.01);
    uint32_t dear = market_size(market, high, 4000, 8192, 0.50);
    market->groups[high].priority = 10;
    market->groups[high].room = 1;
    market_pods(market, "web", 8, 1000, 64);
    market->wish.expander = EXPANDER_PRIORITY;
    struct chosen chosen = choose();
    assert_int_equal(bought(&chosen, dear), 1);
    assert_int_equal(bought(&chosen, cheap), 1);
}

static void chance_is_drawn_from_the_seed_and_takes_every_group_in_the_end(void **state)
{
    (void)state;
    uint32_t wins[3] = {0};
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct market *own = market_create(seed);
        for (int i = 0; i < 3; i++)
            market_size(own, market_group(own), 4000, 8192, 0.05 * (i + 1));
        market_pods(own, "web", 4, 1000, 64);
        own->wish.expander = EXPANDER_RANDOM;
        struct chosen first = market_choose(own);
        struct chosen second = market_choose(own);
        market_check(own, &second);
        assert_int_equal(first.machine_count, 1);
        assert_int_equal(first.machines[0].choice, second.machines[0].choice);
        wins[first.machines[0].choice]++;
        market_destroy(own);
    }
    for (int i = 0; i < 3; i++)
        assert_true(wins[i] >= 8);
}

// ---- properties

static void random_groups(struct market *own)
{
    uint32_t groups = 1 + market_below(own, 4);
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t group = market_group(own);
        if (market_below(own, 3) == 0)
            own->groups[group].room = market_below(own, 6);
        if (market_below(own, 4) == 0)
            own->groups[group].price_room_hour = 0.1 * market_below(own, 10);
        own->groups[group].one_size = market_below(own, 4) == 0;
        own->groups[group].priority = (int32_t)market_below(own, 3);
        bool tainted = market_below(own, 3) == 0, blue = market_below(own, 3) == 0;
        uint32_t sizes = 1 + market_below(own, 4);
        for (uint32_t k = 0; k < sizes; k++) {
            int64_t cores = 1 + market_below(own, 16);
            uint32_t size = market_size(own, group, cores * 1000, cores * 1024 * (1 + market_below(own, 4)),
                                        market_below(own, 8) == 0 ? 0 : 0.01 * (1 + market_below(own, 40)));
            own->choices[size].tier = market_below(own, 4) == 0;
            if (tainted)
                own->places[size].taints = &RESERVED_ONLY;
            if (blue)
                own->places[size].labels = &BLUE_ONLY;
        }
    }
    if (market_below(own, 4) == 0)
        own->wish.room = market_below(own, 10);
    own->wish.expander = (enum expander)market_below(own, 5);
}

static void random_pod(struct market *own, const char *name)
{
    static const struct toleration ANYTHING = {
        .key = "", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    static const struct host_port PORTS[] = {{"0.0.0.0", 80, PORT_TCP}, {"0.0.0.0", 81, PORT_TCP}};
    struct pod_facts facts =
        make_pod(name, "", 100 * (1 + market_below(own, 30)), 128 * MIB * (1 + market_below(own, 40)));
    if (market_below(own, 4) == 0)
        facts.shape.node_selector = BLUE_ONLY;
    if (market_below(own, 2) == 0) {
        facts.shape.tolerations = &ANYTHING;
        facts.shape.toleration_count = 1;
    }
    if (market_below(own, 5) == 0) {
        facts.shape.host_ports = &PORTS[market_below(own, 2)];
        facts.shape.host_port_count = 1;
    }
    market_pod(own, &facts);
}

static void every_plan_on_a_random_market_keeps_its_promises(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        struct market *own = market_create(seed);
        random_groups(own);
        uint32_t pods = market_below(own, 60);
        for (uint32_t i = 0; i < pods; i++) {
            char name[16];
            snprintf(name, sizeof(name), "pod-%u", i);
            random_pod(own, name);
        }
        struct chosen chosen = market_choose(own);
        market_check(own, &chosen);
        market_destroy(own);
    }
}

static void the_order_in_which_pods_came_changes_nothing(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        uint32_t machines[2] = {0};
        double price[2] = {0};
        for (int reversed = 0; reversed < 2; reversed++) {
            struct market *own = market_create(seed);
            random_groups(own);
            uint32_t before = own->random;
            for (uint32_t i = 0; i < 50; i++) {
                uint32_t index = reversed ? 49 - i : i;
                char name[16];
                snprintf(name, sizeof(name), "pod-%02u", index);
                own->random = before + index * 7919; // the same pod whenever it comes
                random_pod(own, name);
            }
            struct chosen chosen = market_choose(own);
            machines[reversed] = chosen.machine_count;
            price[reversed] = chosen.price_hour;
            market_destroy(own);
        }
        if (machines[0] != machines[1] || fabs(price[0] - price[1]) > 1e-9)
            fail_msg("seed %u: %u machines for %.4f, reversed %u for %.4f", seed, machines[0], price[0],
                     machines[1], price[1]);
    }
}

static void halves_that_have_nothing_to_do_with_each_other_are_planned_as_if_alone(void **state)
{
    (void)state;
    static const struct label SIDES[] = {{"side", "a"}, {"side", "b"}};
    static const struct labels LABELS_OF[] = {{&SIDES[0], 1}, {&SIDES[1], 1}};
    for (uint32_t seed = 1; seed <= 40; seed++) {
        double price[3] = {0};
        uint32_t machines[3] = {0};
        for (int which = 0; which < 3; which++) { // one half, the other, both
            struct market *own = market_create(seed);
            for (int side = 0; side < 2; side++) {
                uint32_t group = market_group(own);
                own->random = seed * 31; // equal halves
                for (int k = 0; k < 4; k++) {
                    uint32_t size = market_size(own, group, 1000 << k, (2048 << k) + market_below(own, 4096),
                                                0.02 * (1 << k) + 0.001 * market_below(own, 20));
                    own->places[size].labels = &LABELS_OF[side];
                }
                for (uint32_t i = 0; i < 40 && (which == 2 || which == side); i++) {
                    char name[32];
                    snprintf(name, sizeof(name), "pod-%d-%u", side, i);
                    struct pod_facts facts = make_pod(name, "", 100 * (1 + market_below(own, 20)),
                                                      128 * MIB * (1 + market_below(own, 20)));
                    facts.shape.node_selector = LABELS_OF[side];
                    market_pod(own, &facts);
                }
            }
            struct chosen chosen = market_choose(own);
            market_check(own, &chosen);
            price[which] = chosen.price_hour;
            machines[which] = chosen.machine_count;
            market_destroy(own);
        }
        assert_int_equal(machines[0], machines[1]);
        assert_int_equal(machines[2], 2 * machines[0]);
        assert_true(fabs(price[2] - 2 * price[0]) < 1e-9);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cheaper_of_two_sizes_is_bought),
        TEST(the_last_machine_is_no_larger_than_the_rest_needs),
        TEST(of_two_sizes_for_the_same_money_the_one_that_wastes_less_is_bought),
        TEST(one_machine_for_the_rest_beats_several_that_are_each_cheaper),
        TEST(memory_and_cpu_are_met_by_a_mixture),
        TEST(a_size_without_a_price_is_taken_only_where_no_other_will_do),
        TEST(what_fits_no_size_is_left_without_a_machine),
        TEST(an_extended_resource_is_an_amount_like_others),
        TEST(pods_that_few_choices_take_come_first_and_others_fill_up),
        TEST(a_taint_keeps_pods_off_that_do_not_tolerate_it),
        TEST(a_machine_of_the_plan_is_never_left_empty_by_a_host_port),
        TEST(pods_that_keep_apart_get_a_small_machine_each_and_others_fill_them),
        TEST(pods_that_spread_over_hosts_share_the_one_machine_that_there_is),
        TEST(pods_that_spread_over_zones_get_machines_in_each),
        TEST(pods_that_stay_together_get_machines_in_one_zone),
        cmocka_unit_test(every_plan_for_related_pods_keeps_its_promises),
        TEST(limits_leave_pods_rather_than_be_passed),
        TEST(a_narrow_limit_is_spent_on_larger_machines_though_smaller_cost_less),
        TEST(the_room_of_all_groups_together_is_kept),
        TEST(a_group_s_money_is_not_overspent),
        TEST(a_group_of_one_size_gets_the_one_that_serves_all_for_least),
        TEST(a_preferred_size_serves_what_it_can_and_others_the_rest),
        TEST(names_of_expanders_are_read_as_written),
        TEST(the_least_waste_wins_though_it_costs_more),
        TEST(the_group_that_serves_most_pods_wins_though_it_costs_more),
        TEST(the_higher_priority_serves_what_it_can_before_the_lower),
        TEST(chance_is_drawn_from_the_seed_and_takes_every_group_in_the_end),
        cmocka_unit_test(every_plan_on_a_random_market_keeps_its_promises),
        cmocka_unit_test(the_order_in_which_pods_came_changes_nothing),
        cmocka_unit_test(halves_that_have_nothing_to_do_with_each_other_are_planned_as_if_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
