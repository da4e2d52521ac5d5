// Room that is kept free as if pods asked for it.
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/policy_stage.h"

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static void keep_free(const char *text)
{
    struct error error = {0};
    struct core_config *config = &stage->core->config;
    if (headroom_parse(text, &config->headroom[config->headroom_count++], &error) != 0)
        fail_msg("%s", error.text);
}

static void the_flag_s_form_is_read_as_written(void **state)
{
    (void)state;
    struct headroom headroom;
    assert_int_equal(headroom_parse("general:cpu=2500m,memory=8Gi,pods=20", &headroom, NULL), 0);
    assert_string_equal(headroom.group, "general");
    assert_int_equal(headroom.cpu_millis, 2500);
    assert_int_equal(headroom.memory_bytes, (int64_t)8 << 30);
    assert_int_equal(headroom.pods, 20);
    static const char *const WRONG[] = {"",      "cpu",   "cpu=",      "cpu=-1", ":cpu=1",  "disk=1",
                                        "cpu=x", "cpu=0", "pods=1001", "cpu=1,", "pods=-5", "cpu=1e300"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        if (headroom_parse(WRONG[i], &headroom, NULL) == 0)
            fail_msg("\"%s\" was taken", WRONG[i]);
}

static void room_that_lacks_is_ordered_once(void **state)
{
    (void)state;
    keep_free("cpu=5");
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "general"), 2); // three pieces of one cpu fit a small machine
    assert_non_null(strstr(stage_last(stage)->reason, "headroom: 5 of 5 pieces have no room"));
    for (int i = 0; i < 5; i++) {
        stage_step(stage, event_create(EVENT_KUBE_SYNCED));
        stage_wait(stage, 5000);
    }
    assert_int_equal(stage_coming(stage, "general"), 2);
}

static void free_room_that_is_there_is_enough(void **state)
{
    (void)state;
    keep_free("cpu=3");
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_wait(stage, 5000);
    assert_int_equal(stage_decisions(stage), 0);
    stage_running(stage, "web", "w-1", 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "general"), 1);
}

static void pods_may_take_it_and_it_is_made_good(void **state)
{
    (void)state;
    keep_free("cpu=3");
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_waiting(stage, "web", 2, 1000, 64); // fit at once
    stage_wait(stage, 5000);
    assert_non_null(strstr(stage_pod(stage, "web-0")->verdict, "fits on w-1 already"));
    assert_int_equal(stage_coming(stage, "general"), 1);
}

static void a_group_s_headroom_is_kept_in_that_group(void **state)
{
    (void)state;
    keep_free("special:pods=2,cpu=1");
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    struct event *event = stage_group_event(stage, "special", 0, 10);
    stage_taint(event, &event->object.group->node_taints, "gpu", TAINT_NO_SCHEDULE);
    stage_step(stage, event);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "special"), 1);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void headroom_of_a_group_that_is_not_there_asks_for_nothing(void **state)
{
    (void)state;
    keep_free("other:cpu=1");
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 5000);
    assert_int_equal(stage_decisions(stage), 0);
}

static void it_never_passes_a_limit(void **state)
{
    (void)state;
    keep_free("cpu=100");
    stage_group(stage, "general", 0, 2);
    stage_wait(stage, 60000);
    assert_int_equal(stage_coming(stage, "general"), 2);
    assert_int_equal(stage_decisions(stage), 1);
}

static void settle(void)
{
    for (int i = 0; i < 80; i++) { // the windows pass
        stage_wait(stage, 10000);
        stage_reports(stage);
    }
}

static void an_empty_node_stays_for_it_and_no_more_than_that(void **state)
{
    (void)state;
    keep_free("cpu=3");
    stage_group(stage, "general", 0, 10);
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w-%d", i);
        stage_machine(stage, name, "general");
    }
    settle();
    uint32_t leaving = 0;
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w-%d", i);
        leaving += stage_leaves(stage, name);
    }
    assert_int_equal(leaving, 2); // one keeps three cpu free
    assert_int_equal(stage_coming(stage, "general"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_flag_s_form_is_read_as_written),
        TEST(room_that_lacks_is_ordered_once),
        TEST(free_room_that_is_there_is_enough),
        TEST(pods_may_take_it_and_it_is_made_good),
        TEST(a_group_s_headroom_is_kept_in_that_group),
        TEST(headroom_of_a_group_that_is_not_there_asks_for_nothing),
        TEST(it_never_passes_a_limit),
        TEST(an_empty_node_stays_for_it_and_no_more_than_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
