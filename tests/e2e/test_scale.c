#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/json.h"

static void pods_that_do_not_fit_get_machines_and_idle_machines_go_away(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("scale", 1);
    stage_start_coordinator(stage, 0, NULL);
    int minimum = E2E_GROUP_MIN, replicas = 7, machines = 4;
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_scale(stage, replicas);
    e2e_wait(stage, e2e_all_run, &replicas);
    e2e_wait(stage, e2e_machines, &machines);
    e2e_assert_sound(stage);
    int fewer = 1;
    e2e_scale(stage, fewer);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_wait(stage, e2e_all_run, &fewer);
    e2e_assert_sound(stage);
    e2e_end(stage, false);
}

static void inhibit_everywhere(struct stage *stage, const char *text)
{
    pthread_mutex_lock(&stage->agents_lock);
    for (int i = 0; i < STAGE_AGENTS_MAX; i++) {
        if (stage->agents[i].used) {
            host_tree_inhibit(&stage->agents[i].tree, "backup", text);
        }
    }
    pthread_mutex_unlock(&stage->agents_lock);
}

static void an_inhibitor_on_the_node_holds_its_removal_until_it_is_lifted(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("hold", 2);
    stage_start_coordinator(stage, 0, NULL);
    int replicas = 5, machines = 3, fewer = 1, minimum = E2E_GROUP_MIN;
    e2e_scale(stage, replicas);
    e2e_wait(stage, e2e_all_run, &replicas);
    e2e_wait(stage, e2e_machines, &machines);
    inhibit_everywhere(stage, "reason: backup is running\n");
    clock_sleep_ms(2500); // until the agents have told
    uint64_t deleted = stage_count(stage).delete_calls;
    e2e_scale(stage, fewer);
    e2e_wait(stage, e2e_all_run, &fewer);
    clock_sleep_ms(8000); // several of its windows of two seconds
    e2e_assert(stage, stage_count(stage).delete_calls == deleted);
    e2e_assert(stage, e2e_machines(stage, &machines));
    inhibit_everywhere(stage, NULL);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_assert_sound(stage);
    e2e_end(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_that_do_not_fit_get_machines_and_idle_machines_go_away),
        cmocka_unit_test(an_inhibitor_on_the_node_holds_its_removal_until_it_is_lifted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
