#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/random.h"

#define KILLS 8

// A death before the call left makes the order unknown: it is waited for, then ordered anew.
static const char *const impatient[] = {"--appearance-bound=20s", "--failed-vpsienode-ttl=1s", NULL};

// A kill, and at once the next one: no clean stop ever.
static void kill_and_restart(struct stage *stage)
{
    process_stop(&stage->coordinator[0], SIGKILL, 1000);
    stage_start_coordinator(stage, 0, impatient);
}

static void kill_at_random(struct stage *stage, struct random *random, int64_t span_ms)
{
    for (int i = 0; i < KILLS; i++) {
        clock_sleep_ms(random_between(random, 0, span_ms));
        kill_and_restart(stage);
    }
}

static void killing_the_coordinator_at_any_moment_loses_and_doubles_nothing(void **state)
{
    (void)state;
    const char *given = getenv("E2E_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms() % 100000;
    printf("E2E_SEED=%llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    struct stage *stage = e2e_stage("kill", seed);
    stage_start_coordinator(stage, 0, impatient);
    int minimum = E2E_GROUP_MIN, replicas = 9, machines = 5, fewer = 2;
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_scale(stage, replicas);
    kill_at_random(stage, &random, 4500);
    e2e_wait(stage, e2e_all_run, &replicas);
    e2e_wait(stage, e2e_machines, &machines);
    e2e_assert_sound(stage);
    e2e_assert(stage, stage_count(stage).machines_made == (uint64_t)machines);
    e2e_scale(stage, fewer);
    kill_at_random(stage, &random, 4500);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_wait(stage, e2e_all_run, &fewer);
    e2e_assert_sound(stage);
    e2e_end(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killing_the_coordinator_at_any_moment_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
