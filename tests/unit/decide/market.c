#include "tests/unit/decide/market.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"

static const struct labels no_labels;
static const struct taints no_taints;

struct market *market_create(uint32_t seed)
{
    struct market *market = xcalloc(1, sizeof(*market));
    market->cluster = cluster_create();
    market->arena = arena_create(1 << 20);
    market->random = seed * 2654435761u + 1;
    market->wish = (struct wish){.arena = market->arena, .room = UINT32_MAX, .seed = seed};
    market->wish.choices = market->choices;
    market->wish.groups = market->groups;
    return market;
}

void market_destroy(struct market *market)
{
    arena_destroy(market->arena);
    cluster_destroy(market->cluster);
    free(market);
}

uint32_t market_below(struct market *market, uint32_t limit)
{
    market->random = market->random * 1664525u + 1013904223u;
    return (market->random >> 8) % limit;
}

uint32_t market_group(struct market *market)
{
    market->groups[market->wish.group_count] =
        (struct choice_group){.room = UINT32_MAX, .price_room_hour = -1};
    return market->wish.group_count++;
}

uint32_t market_size(struct market *market, uint32_t group, int64_t cpu_millis, int64_t mib,
                     double price_hour)
{
    uint32_t index = market->wish.choice_count++;
    assert_true(index < MARKET_CHOICES_MAX);
    market->resources[index] = (struct resources){
        .cpu_millis = cpu_millis, .memory_bytes = mib * MIB, .ephemeral_bytes = 100 * GIB, .pods = 110};
    market->places[index] = (struct place){.name = "",
                                           .labels = &no_labels,
                                           .taints = &no_taints,
                                           .allocatable = &market->resources[index],
                                           .ready = true};
    market->choices[index] =
        (struct choice){.place = &market->places[index], .price_hour = price_hour, .group = group};
    return index;
}

void market_pod(struct market *market, const struct pod_facts *facts)
{
    assert_non_null(cluster_put_pod(market->cluster, facts));
}

void market_pods(struct market *market, const char *prefix, uint32_t count, int64_t cpu_millis, int64_t mib)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s-%u", prefix, i);
        struct pod_facts facts = make_pod(name, "", cpu_millis, mib * MIB);
        market_pod(market, &facts);
    }
}

struct chosen market_choose(struct market *market)
{
    struct cluster *cluster = market->cluster;
    const struct pod **pods = ARENA_ARRAY(market->arena, const struct pod *, cluster->unbound_count + 1);
    uint32_t count = 0;
    for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
        pods[count++] = pod;
    struct resources reference = {.cpu_millis = 4000, .memory_bytes = 8 * GIB, .pods = 110};
    packing_order(pods, count, &reference);
    market->packing = packing_create(market->arena, cluster);
    market->wish.packing = &market->packing;
    market->wish.pods = pods;
    market->wish.pod_count = count;
    return choose_machines(&market->wish);
}

static void check_limits(const struct market *market, const struct chosen *chosen)
{
    assert_true(chosen->machine_count <= market->wish.room);
    for (uint32_t group = 0; group < market->wish.group_count; group++) {
        uint32_t machines = 0;
        uint32_t size = UINT32_MAX;
        double price = 0;
        for (uint32_t i = 0; i < chosen->machine_count; i++) {
            uint32_t choice = chosen->machines[i].choice;
            if (market->choices[choice].group != group)
                continue;
            machines++;
            price += market->choices[choice].price_hour;
            if (market->groups[group].one_size && size != UINT32_MAX)
                assert_int_equal(choice, size);
            size = choice;
        }
        assert_true(machines <= market->groups[group].room);
        if (market->groups[group].price_room_hour >= 0)
            assert_true(price <= market->groups[group].price_room_hour + 1e-6);
    }
}

static void check_sums(const struct market *market, const struct chosen *chosen)
{
    double price = 0;
    uint32_t served = 0;
    uint32_t *pods = xcalloc(chosen->machine_count + 1, sizeof(*pods));
    for (uint32_t i = 0; i < market->wish.pod_count; i++) {
        uint32_t machine = chosen->machine_of[i];
        served += machine != CHOSEN_NONE;
        if (machine < chosen->machine_count)
            pods[machine]++;
    }
    assert_int_equal(served, chosen->served);
    for (uint32_t i = 0; i < chosen->machine_count; i++) {
        assert_true(chosen->machines[i].pods > 0);
        assert_int_equal(chosen->machines[i].pods, pods[i]);
        price += fmax(market->choices[chosen->machines[i].choice].price_hour, 0);
    }
    assert_true(fabs(price - chosen->price_hour) < 1e-6 * (1 + price));
    free(pods);
}

// Every pod passes all filters on its machine once the others are there: all put anew, in turns.
static void check_filters(struct market *market, const struct chosen *chosen)
{
    struct packing packing = packing_create(market->arena, market->cluster);
    uint32_t *place = xcalloc(chosen->machine_count + 1, sizeof(*place));
    bool *done = xcalloc(market->wish.pod_count + 1, sizeof(*done));
    for (uint32_t i = 0; i < chosen->machine_count; i++)
        place[i] = packing_add(&packing, market->choices[chosen->machines[i].choice].place);
    uint32_t left = chosen->served, before = 0;
    while (left > 0 && left != before) {
        before = left;
        for (uint32_t i = 0; i < market->wish.pod_count; i++) {
            uint32_t machine = chosen->machine_of[i];
            if (done[i] || machine == CHOSEN_NONE)
                continue;
            done[i] = machine == CHOSEN_FREE
                          ? packing_put(&packing, market->wish.pods[i], NULL) != UINT32_MAX
                          : packing_put_at(&packing, place[machine], market->wish.pods[i], NULL);
            left -= done[i];
        }
    }
    assert_int_equal(left, 0);
    free(place);
    free(done);
}

void market_check(struct market *market, const struct chosen *chosen)
{
    check_limits(market, chosen);
    check_sums(market, chosen);
    check_filters(market, chosen);
}
