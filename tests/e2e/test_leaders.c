#include <signal.h>

#include "common/clock.h"
#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"

static void a_leader_stopped_past_its_lease_and_woken_acts_no_more(void **state)
{
    (void)state;
    // A call that the stopped leader never sent is unknown to the second: it is waited for, then ordered
    // anew.
    static const char *const extra[] = {"--appearance-bound=20s", "--failed-vpsienode-ttl=1s", NULL};
    struct stage *stage = e2e_stage("leaders", 3);
    stage_start_coordinator(stage, 0, extra);
    int first = 0, second = 1, minimum = E2E_GROUP_MIN, replicas = 5, machines = 3;
    e2e_wait(stage, e2e_leads, &first);
    stage_start_coordinator(stage, 1, extra);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_assert(stage, !e2e_leads(stage, &second));
    e2e_scale(stage, replicas);
    e2e_wait(stage, e2e_orders_open, NULL);
    process_signal(&stage->coordinator[0], SIGSTOP);
    e2e_wait(stage, e2e_leads, &second);
    process_signal(&stage->coordinator[0],
                   SIGCONT); // wakes with commands in hand and a Lease that is another's
    e2e_wait(stage, e2e_all_run, &replicas);
    e2e_wait(stage, e2e_machines, &machines);
    e2e_assert(stage, !e2e_leads(stage, &first));
    e2e_assert_sound(stage);
    e2e_assert(stage, stage_count(stage).machines_made == (uint64_t)machines);
    e2e_end(stage, false);
}

static void a_clean_stop_hands_the_lease_over_at_once(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("handover", 4);
    stage_start_coordinator(stage, 0, NULL);
    int first = 0, second = 1;
    e2e_wait(stage, e2e_leads, &first);
    stage_start_coordinator(stage, 1, NULL);
    clock_sleep_ms(1000);
    e2e_assert(stage, process_stop(&stage->coordinator[0], SIGTERM, 30000) == 0);
    e2e_wait(stage, e2e_leads, &second);
    e2e_end(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_stopped_past_its_lease_and_woken_acts_no_more),
        cmocka_unit_test(a_clean_stop_hands_the_lease_over_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
