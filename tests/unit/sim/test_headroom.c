// Room kept free: there before pods come, and neither bought twice nor given back.
#include "tests/unit/sim/tale.h"

static void room_is_there_before_pods_come_and_stays_as_it_is(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(62);
    struct core_config *core = &settings.core;
    assert_int_equal(headroom_parse("general:cpu=3,pods=3", &core->headroom[core->headroom_count++], NULL),
                     0);
    struct sim *sim = tale_begin_with(&settings, 0, 6);
    tale_until_machines(sim, 1, MINUTES(10));
    tale_run(sim, MINUTES(10));
    tale_deploy(sim, "web", 3); // takes it, at once
    tale_until_ready(sim, "web", 3, MINUTES(2));
    tale_until_machines(sim, 2, MINUTES(10)); // and it is made good
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 1); // one is headroom, the other is not needed
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 2);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_there_before_pods_come_and_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
