#include <signal.h>
#include <string.h>

#include "common/clock.h"
#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/json.h"

static int minimum = E2E_GROUP_MIN, replicas = 5, machines = 3;

static struct stage *running_stage(const char *name, uint64_t seed)
{
    struct stage *stage = e2e_stage(name, seed);
    stage_start_coordinator(stage, 0, NULL);
    e2e_wait(stage, e2e_machines, &minimum);
    return stage;
}

static void scale_up_and_check(struct stage *stage)
{
    e2e_wait(stage, e2e_all_run, &replicas);
    e2e_wait(stage, e2e_machines, &machines);
    e2e_assert_sound(stage);
    e2e_assert(stage, stage_count(stage).machines_made == (uint64_t)machines);
    e2e_end(stage, false);
}

static void a_reply_lost_after_the_machine_was_made_is_not_asked_for_again(void **state)
{
    (void)state;
    struct stage *stage = running_stage("lost-reply", 5);
    https_set_faults(stage->vpsie_server,
                     &(struct https_faults){.drop_after_percent = 100, .path = "/add/slave", .times = 1});
    e2e_scale(stage, replicas);
    scale_up_and_check(stage);
}

static void a_bad_gateway_after_the_machine_was_made_is_not_asked_for_again(void **state)
{
    (void)state;
    struct stage *stage = running_stage("bad-gateway", 6);
    https_set_faults(stage->vpsie_server,
                     &(struct https_faults){.error_after_percent = 100, .path = "/add/slave", .times = 2});
    e2e_scale(stage, replicas);
    scale_up_and_check(stage);
}

static void vpsie_answering_with_errors_half_the_time_costs_time_only(void **state)
{
    (void)state;
    struct stage *stage = running_stage("half-errors", 7);
    https_set_faults(stage->vpsie_server, &(struct https_faults){.error_percent = 20,
                                                                 .throttle_percent = 15,
                                                                 .half_body_percent = 5,
                                                                 .drop_percent = 10,
                                                                 .method = "GET"});
    e2e_scale(stage, replicas);
    scale_up_and_check(stage);
}

static void an_api_server_that_is_gone_for_a_while_is_waited_for(void **state)
{
    (void)state;
    struct stage *stage = running_stage("api-gone", 8);
    e2e_scale(stage, replicas);
    e2e_wait(stage, e2e_orders_open, NULL);
    https_set_faults(stage->kube_server, &(struct https_faults){.down = true});
    clock_sleep_ms(6000); // twice the Lease
    https_set_faults(stage->kube_server, NULL);
    scale_up_and_check(stage);
}

static void a_storm_of_410_changes_nothing_in_the_end(void **state)
{
    (void)state;
    struct stage *stage = running_stage("storm", 9);
    atomic_store(&stage->storm, true);
    e2e_scale(stage, replicas);
    clock_sleep_ms(6000);
    atomic_store(&stage->storm, false);
    scale_up_and_check(stage);
}

static void an_api_server_that_conflicts_drops_and_throttles_is_worked_with(void **state)
{
    (void)state;
    struct stage *stage = running_stage("rough-api", 10);
    https_set_faults(stage->kube_server, &(struct https_faults){.error_percent = 5,
                                                                .throttle_percent = 5,
                                                                .drop_percent = 5,
                                                                .drop_after_percent = 5,
                                                                .half_body_percent = 3,
                                                                .latency_ms = 10});
    e2e_scale(stage, replicas);
    e2e_wait(stage, e2e_all_run, &replicas);
    https_set_faults(stage->kube_server, NULL);
    scale_up_and_check(stage);
}

static void put_token(struct stage *stage, const char *base64)
{
    stage_lock(stage);
    struct api *api = stage->world->api;
    const struct api_object *secret = api_find(api, API_SECRET, "kube-system", "vpsie-secret");
    cJSON *copy = api_copy(secret);
    json_put(json_make(copy, "data"), "token", cJSON_CreateString(base64));
    api_put(api, secret, copy);
    stage_unlock(stage);
}

static bool status_says(struct stage *stage, void *words)
{
    static const char *const question[] = {"status", "-o", "json", NULL};
    AUTOTEXT struct text out = {0};
    return stage_ask(stage, 0, question, &out) == 0 && strstr(text_get(&out), words) != NULL;
}

static bool status_is_calm(struct stage *stage, void *words)
{
    return status_says(stage, "\"needsYou\":[]") && !status_says(stage, words);
}

static void a_new_token_that_does_not_work_is_told_and_the_old_one_stays_in_use(void **state)
{
    (void)state;
    struct stage *stage = running_stage("wrong-token", 11);
    char words[] = "new VPSie credentials do not work";
    put_token(stage, "d3Jvbmc=");
    e2e_wait(stage, status_says, words);
    put_token(stage, "dnBzaWUtdG9rZW4tb2YtdGhlLXRlc3Qtd29ybGQ=");
    e2e_wait(stage, status_is_calm, words);
    put_token(stage, "d3Jvbmc=");
    e2e_wait(stage, status_says, words);
    e2e_scale(stage, replicas);
    scale_up_and_check(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_lost_after_the_machine_was_made_is_not_asked_for_again),
        cmocka_unit_test(a_bad_gateway_after_the_machine_was_made_is_not_asked_for_again),
        cmocka_unit_test(vpsie_answering_with_errors_half_the_time_costs_time_only),
        cmocka_unit_test(an_api_server_that_is_gone_for_a_while_is_waited_for),
        cmocka_unit_test(a_storm_of_410_changes_nothing_in_the_end),
        cmocka_unit_test(an_api_server_that_conflicts_drops_and_throttles_is_worked_with),
        cmocka_unit_test(a_new_token_that_does_not_work_is_told_and_the_old_one_stays_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
