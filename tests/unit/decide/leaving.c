#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/leaving.h"

struct life_stage *life;
struct stage *stage;

// w-1 is full; w-2 holds two small pods of one budget, so that they leave one after the other.
int setup(void **state)
{
    (void)state;
    life = life_stage_create();
    stage = life->stage;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_group(stage, "general", 1, 10);
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "one", "w-2", 100, 64);
    stage_running(stage, "two", "w-2", 100, 64);
    stage_step(stage, stage_budget_event(stage, "web", "web", 2));
    return 0;
}

int teardown(void **state)
{
    (void)state;
    life_stage_destroy(life);
    return 0;
}

uint32_t count(enum command_kind kind)
{
    return stage_count(stage, kind);
}

const struct life *life_of_w2(void)
{
    const struct node *node = cluster_node(stage->core->cluster, "w-2");
    assert_non_null(node);
    return life_of(node->intention);
}

// Policy finds that w-2 is not needed; until the first command of this kind.
void until(enum command_kind kind)
{
    assert_true(life_stage_wait_for(life, kind, 20 * MINUTE_MS));
}

bool evicts(const char *pod)
{
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_EVICT &&
            strcmp(stage->out->items[i]->pod.name, pod) == 0)
            return true;
    return false;
}

void assert_given_up(const char *words)
{
    assert_int_equal(life_of_w2()->step, LIFE_READY);
    assert_non_null(strstr(life_of_w2()->held, words));
    assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1);
    assert_string_equal(stage_find(stage, COMMAND_KUBE_UNCORDON)->cordon.node_name, "w-2");
    const struct command *last = stage_find(stage, COMMAND_AGENT_DIRECTIVE);
    assert_int_equal(last->directive.kind, DIRECTIVE_CANCEL_DRAIN);
    assert_false(cluster_node(stage->core->cluster, "w-2")->unschedulable);
}

// The first of two pods is being evicted; its answer is on its way.
void one_is_leaving(void)
{
    life->by_hand[COMMAND_KUBE_EVICT] = true;
    until(COMMAND_KUBE_EVICT);
    assert_true(evicts("one"));
    assert_int_equal(count(COMMAND_KUBE_EVICT), 1);
}

void one_has_left(void)
{
    const struct command *command = stage_find(stage, COMMAND_KUBE_EVICT);
    life_stage_answer(life, command, OUTCOME_OK, "");
    life_stage_pod_gone(life, "shop", "one", "uid-pod-one");
}
