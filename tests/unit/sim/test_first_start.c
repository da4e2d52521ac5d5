// A first installation that was told to wait: it looks, says what it would do, writes nothing, and is told
// once.
#include "tests/unit/sim/tale.h"

static struct sim *waiting(uint64_t seed, bool wait)
{
    struct sim_settings settings = sim_settings_default(seed);
    settings.core.wait_for_resume = wait;
    return tale_prepare(&settings, 0, 8);
}

static void a_first_start_writes_nothing_until_resume_and_says_so(void **state)
{
    (void)state;
    struct sim *sim = waiting(31, true);
    sim_start(sim);
    tale_deploy(sim, "web", 6);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    tale_assert(sim, tale_intentions(sim) == 0);
    tale_assert(sim, sim_said(sim, "a first start"));
    sim_operator(sim, OPERATOR_RESUME, "");
    tale_until_ready(sim, "web", 6, MINUTES(30));
    tale_end(sim);
}

static void what_was_said_once_holds_for_every_later_leader(void **state)
{
    (void)state;
    struct sim *sim = waiting(32, true);
    unsigned first = sim_start(sim);
    tale_run(sim, MINUTES(2));
    sim_operator(sim, OPERATOR_RESUME, "");
    tale_run(sim, MINUTES(2));
    sim_kill(sim, first);
    sim_start(sim);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(30));
    tale_end(sim);
}

static void without_the_flag_it_begins_at_once(void **state)
{
    (void)state;
    struct sim *sim = waiting(33, false);
    sim_start(sim);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(30));
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_writes_nothing_until_resume_and_says_so),
        cmocka_unit_test(what_was_said_once_holds_for_every_later_leader),
        cmocka_unit_test(without_the_flag_it_begins_at_once),
    };
    return cmocka_run_group_tests_name("first start", tests, NULL, NULL);
}
