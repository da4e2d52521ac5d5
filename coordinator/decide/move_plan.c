#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/moves.h"

// A plan: the nodes leave the picture, their pods go where they fit, and machines are chosen for the rest.

static void add_choice(struct planner *planner, int64_t size_id)
{
    struct template_node made =
        template_create(planner->arena, planner->core->cluster, planner->group, size_id);
    if (made.unknown[0] != '\0')
        return;
    uint32_t index = planner->choice_count++;
    planner->made[index] = made;
    planner->choices[index] =
        (struct choice){.place = &planner->made[index].place, .price_hour = made.price_hour};
}

struct planner planner_create(struct core *core, struct arena *arena, struct elsewhere *elsewhere,
                              struct group *group)
{
    struct planner planner = {.core = core, .arena = arena, .elsewhere = elsewhere, .group = group};
    const struct group_life *life = group_life(core, group);
    struct growth growth = policy_growth(core, group);
    planner.room = growth.room < growth.shared_room ? growth.room : growth.shared_room;
    planner.price_room_hour = growth.price_room_hour;
    snprintf(planner.room_why, sizeof(planner.room_why), "%s", growth.why);
    planner.sound = life_counts(core, group).sound;
    planner.made = ARENA_ARRAY(arena, struct template_node, life->pool_count + 1);
    planner.choices = ARENA_ARRAY(arena, struct choice, life->pool_count + 1);
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (life->pools[i].orderable && life->pools[i].backoff_until_ms <= core->now_ms)
            add_choice(&planner, life->pools[i].size_id);
    return planner;
}

static void choose_rest(struct planner *planner, const struct leave *leave, struct move_plan *plan)
{
    const struct pod **left = ARENA_ARRAY(planner->arena, const struct pod *, leave->pod_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < leave->pod_count; i++)
        if (leave->places[i] == UINT32_MAX)
            left[count++] = leave->pods[i];
    struct choice_group group = {
        .room = planner->room, .price_room_hour = planner->price_room_hour, .one_size = true};
    struct wish wish = {.arena = planner->arena,
                        .packing = &planner->elsewhere->space.packing,
                        .pods = left,
                        .pod_count = count,
                        .choices = planner->choices,
                        .choice_count = planner->choice_count,
                        .groups = &group,
                        .group_count = 1,
                        .room = planner->room};
    struct chosen chosen = choose_machines(&wish);
    plan->unserved = count - chosen.served;
    for (uint32_t i = 0; i < chosen.machine_count; i++) {
        plan->machines++;
        plan->size_id = planner->made[chosen.machines[i].choice].size_id;
    }
    if (plan->unserved > 0)
        snprintf(plan->why, sizeof(plan->why), "%u of %u pods would have no place%s%s", plan->unserved,
                 leave->pod_count, planner->room == 0 ? ": " : "",
                 planner->room == 0 ? planner->room_why : "");
}

// The cheapest size, when machines come that no pod asks for.
static void fill_up(struct planner *planner, struct move_plan *plan, uint32_t least)
{
    if (plan->machines >= least)
        return;
    if (least > planner->room || planner->choice_count == 0) {
        snprintf(plan->why, sizeof(plan->why), "no room for a new machine first%s%s",
                 planner->room_why[0] != '\0' ? ": " : "", planner->room_why);
        plan->unserved = plan->unserved == 0 ? 1 : plan->unserved;
        return;
    }
    if (plan->machines == 0) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < planner->choice_count; i++)
            if (planner->choices[i].price_hour > 0 &&
                (planner->choices[best].price_hour <= 0 ||
                 planner->choices[i].price_hour < planner->choices[best].price_hour))
                best = i;
        plan->size_id = planner->made[best].size_id;
    }
    plan->machines = least;
}

static void price(struct planner *planner, struct move_plan *plan)
{
    plan->priced = true;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        double one = policy_node_price(planner->core, plan->nodes[i]);
        plan->priced = plan->priced && one > 0;
        plan->price_before += one;
    }
    if (plan->machines == 0)
        return;
    double one = policy_size_price(planner->core, planner->group, plan->size_id);
    plan->priced = plan->priced && one > 0;
    plan->price_after = one * plan->machines;
    // the new ones come first: for a while both are paid
    if (planner->price_room_hour < 0 || plan->price_after <= planner->price_room_hour + 1e-9)
        return;
    snprintf(plan->why, sizeof(plan->why), "no room for a new machine first: %s allows $%.3f/h more",
             KEY_MAX_HOURLY_PRICE, planner->price_room_hour);
    plan->unserved = plan->unserved == 0 ? 1 : plan->unserved;
}

struct move_plan planner_try(struct planner *planner, struct node *const *nodes, uint32_t count,
                             enum disruption_reason reason, uint32_t least)
{
    assert(count > 0 && count <= MOVE_NODES_MAX);
    struct move_plan plan = {.group = planner->group, .reason = reason, .node_count = count};
    memcpy(plan.nodes, nodes, count * sizeof(plan.nodes[0]));
    struct leave leave = elsewhere_leave(planner->elsewhere, nodes, count, false, false);
    plan.pods = leave.pod_count;
    for (uint32_t i = 0; i < leave.pod_count; i++)
        plan.disturbance += policy_pod_weight(leave.pods[i]);
    if (leave.placed < leave.pod_count)
        choose_rest(planner, &leave, &plan);
    elsewhere_undo(planner->elsewhere, &leave);
    int64_t missing = (int64_t)policy_minimum(planner->group) - (planner->sound - (int64_t)count);
    if (missing > (int64_t)least)
        least = (uint32_t)missing;
    if (plan.unserved == 0)
        fill_up(planner, &plan, least);
    price(planner, &plan);
    return plan;
}
