// One leader at a time: the Lease as client-go keeps it, on a clock that the test turns.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/lease.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

// The API server's one Lease, and what is wrong with the server.
struct server {
    cJSON *lease;
    int version;
    enum { FINE, SILENT, LOSES_ANSWERS, FAILING } mood;
};

struct candidate {
    struct lease *lease;
    struct script *script;
    int64_t now_ms;
    bool leading;
    uint64_t term;
    unsigned news;
    char holder[64];
    bool paused;
    enum mass_deletion mass_deletion;
    char reason[64];
};

static void stamp(struct server *server)
{
    cJSON *metadata = cJSON_GetObjectItem(server->lease, "metadata");
    char version[16];
    snprintf(version, sizeof(version), "%d", ++server->version);
    cJSON_DeleteItemFromObject(metadata, "resourceVersion");
    cJSON_AddStringToObject(metadata, "resourceVersion", version);
}

static void respond(struct server *server, struct http_response *response, int status)
{
    AUTOTEXT struct text body = {0};
    json_print(server->lease, &body);
    script_json(response, status, "%s", text_get(&body));
}

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct server *server = script->context;
    if (server->mood == SILENT) {
        script_fail(response, HTTP_TIMEOUT);
        return;
    }
    if (server->mood == FAILING) {
        script_json(response, 500, "{'kind':'Status','message':'etcd'}");
        return;
    }
    if (strcmp(request->method, "GET") == 0) {
        if (server->lease)
            respond(server, response, 200);
        else
            script_json(response, 404, "{'kind':'Status','reason':'NotFound'}");
        return;
    }
    AUTOJSON cJSON *body = json_parse(request->body, request->body_bytes, NULL);
    assert_non_null(body);
    bool create = strcmp(request->method, "POST") == 0;
    const char *sent = json_text(json_get(body, "metadata"), "resourceVersion");
    const char *have = json_text(json_get(server->lease, "metadata"), "resourceVersion");
    if (create ? server->lease != NULL : !server->lease || strcmp(sent, have) != 0) {
        script_json(response, !create && !server->lease ? 404 : 409, "{'kind':'Status','reason':'Conflict'}");
        return;
    }
    cJSON_Delete(server->lease);
    server->lease = cJSON_Duplicate(body, true);
    stamp(server);
    if (server->mood == LOSES_ANSWERS)
        script_fail(response, HTTP_TIMEOUT);
    else
        respond(server, response, create ? 201 : 200);
}

static void on_news(void *context, const struct lease_news *news)
{
    struct candidate *candidate = context;
    candidate->leading = news->leading;
    candidate->term = news->term;
    candidate->news++;
    candidate->paused = news->saved.paused;
    candidate->mass_deletion = news->saved.mass_deletion;
    snprintf(candidate->holder, sizeof(candidate->holder), "%s", news->holder);
    snprintf(candidate->reason, sizeof(candidate->reason), "%s", news->saved.paused_reason);
}

static int64_t candidate_now(void *context)
{
    return ((struct candidate *)context)->now_ms;
}

static void enter(struct candidate *candidate, struct script *script, const char *identity, bool elect)
{
    *candidate = (struct candidate){.now_ms = 5000000, .script = script};
    struct lease_options options = {.api = script->api,
                                    .space = "kube-system",
                                    .name = "leader",
                                    .identity = identity,
                                    .duration_ms = 15000,
                                    .renew_deadline_ms = 10000,
                                    .retry_period_ms = 2000,
                                    .elect = elect,
                                    .on_news = on_news,
                                    .context = candidate,
                                    .now_ms = candidate_now,
                                    .now_context = candidate};
    candidate->lease = lease_create(&options);
}

static const cJSON *spec_of(const struct server *server)
{
    return json_get(server->lease, "spec");
}

struct world {
    struct server server;
    struct script script;
    struct candidate a, b;
};

static void begin(struct world *world)
{
    *world = (struct world){0};
    script_start(&world->script, answer, &world->server);
    enter(&world->a, &world->script, "a", true);
    enter(&world->b, &world->script, "b", true);
}

static void end(struct world *world)
{
    lease_destroy(world->a.lease);
    lease_destroy(world->b.lease);
    script_stop(&world->script);
    cJSON_Delete(world->server.lease);
}

static void the_first_one_creates_the_lease_and_leads_with_term_one(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    assert_int_equal(world.a.term, 1);
    assert_string_equal(json_text(spec_of(&world.server), "holderIdentity"), "a");
    assert_int_equal(json_integer(spec_of(&world.server), "leaseDurationSeconds", 0), 15);
    assert_int_equal(json_integer(spec_of(&world.server), "leaseTransitions", -1), 0);
    assert_true(strlen(json_text(spec_of(&world.server), "acquireTime")) > 0);
    lease_tick(world.b.lease);
    assert_false(world.b.leading);
    assert_string_equal(world.b.holder, "a");
    assert_true(lease_may_act(world.a.lease, 1));
    assert_false(lease_may_act(world.a.lease, 2));
    assert_false(lease_may_act(world.b.lease, 1));
    end(&world);
}

static void renewing_keeps_the_term_and_the_acquire_time(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    AUTOFREE char *acquired = xstrdup(json_text(spec_of(&world.server), "acquireTime"));
    for (int i = 0; i < 50; i++) {
        world.a.now_ms += 2000;
        world.b.now_ms += 2000;
        lease_tick(world.a.lease);
        lease_tick(world.b.lease);
        assert_true(lease_may_act(world.a.lease, 1));
    }
    assert_false(world.b.leading);
    assert_int_equal(world.a.news, 1);
    assert_string_equal(json_text(spec_of(&world.server), "acquireTime"), acquired);
    // Renewals need no read: one PUT each.
    assert_int_equal(script_count(&world.script, "PUT " LEASES), 50);
    end(&world);
}

static void another_takes_over_only_after_it_has_watched_the_lease_stand_still_for_its_duration(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    lease_tick(world.b.lease);
    world.b.now_ms += 14999;
    lease_tick(world.b.lease);
    assert_false(world.b.leading);
    world.b.now_ms += 1;
    lease_tick(world.b.lease);
    assert_true(world.b.leading);
    assert_int_equal(world.b.term, 2);
    // The first one learns of it at its next renewal, and its fence had closed long before.
    world.a.now_ms += 10000;
    assert_false(lease_may_act(world.a.lease, 1));
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    assert_string_equal(world.a.holder, "b");
    end(&world);
}

static void the_clock_of_another_machine_does_not_matter(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.a.now_ms = 1; // b believes that it is hours later
    lease_tick(world.a.lease);
    world.b.now_ms += 36000000;
    lease_tick(world.b.lease);
    assert_false(world.b.leading);
    end(&world);
}

static void a_leader_that_was_stopped_may_not_act_when_it_wakes(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    world.a.now_ms += 9999;
    assert_true(lease_may_act(world.a.lease, 1));
    world.a.now_ms += 1; // the deadline, five seconds before anybody else can lead
    assert_false(lease_may_act(world.a.lease, 1));
    assert_false(lease_leading(world.a.lease));
    // Nobody took it meanwhile: it leads again, but as another term, so that the core begins anew.
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    assert_int_equal(world.a.term, 2);
    assert_int_equal(world.a.news, 3);
    assert_false(lease_may_act(world.a.lease, 1));
    assert_true(lease_may_act(world.a.lease, 2));
    end(&world);
}

static void the_fence_counts_from_the_begin_of_a_renewal_not_from_its_answer(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    world.a.now_ms += 4000;
    world.server.mood = SILENT;
    for (int i = 0; i < 3; i++) {
        lease_tick(world.a.lease);
        world.a.now_ms += 1999;
    }
    assert_true(lease_may_act(world.a.lease, 1));
    world.a.now_ms += 3;
    assert_false(lease_may_act(world.a.lease, 1));
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    end(&world);
}

static void a_server_that_fails_for_a_moment_costs_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    for (int i = 0; i < 4; i++) {
        world.server.mood = i % 2 ? SILENT : FAILING;
        world.a.now_ms += 2000;
        lease_tick(world.a.lease);
        assert_true(world.a.leading);
    }
    world.server.mood = FINE;
    lease_tick(world.a.lease);
    assert_true(lease_may_act(world.a.lease, 1));
    assert_int_equal(world.a.news, 1);
    end(&world);
}

static void a_renewal_whose_answer_was_lost_is_recognised_as_ours(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    world.server.mood = LOSES_ANSWERS;
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    world.server.mood = FINE;
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    assert_int_equal(world.a.news, 1);
    assert_int_equal(world.a.term, 1);
    world.a.now_ms += 9000;
    assert_true(lease_may_act(world.a.lease, 1));
    end(&world);
}

static void an_acquisition_whose_answer_was_lost_is_taken_up_at_the_next_try(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.server.mood = LOSES_ANSWERS;
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    world.server.mood = FINE;
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    end(&world);
}

static void somebody_who_annotates_the_lease_does_not_end_a_leadership(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    cJSON *metadata = cJSON_GetObjectItem(world.server.lease, "metadata");
    json_add_text(json_add_object(metadata, "labels"), "who", "me");
    stamp(&world.server);
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    assert_true(lease_may_act(world.a.lease, 1));
    world.a.now_ms += 9000;
    assert_true(lease_may_act(world.a.lease, 1)); // it was renewed at once, not at the next try
    assert_string_equal(json_text(json_path(world.server.lease, "metadata", "labels", NULL), "who"), "me");
    end(&world);
}

static void a_second_process_of_the_same_name_waits_like_anybody(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    struct candidate twin;
    enter(&twin, &world.script, "a", true);
    lease_tick(twin.lease);
    assert_false(twin.leading);
    twin.now_ms += 15000;
    lease_tick(twin.lease);
    assert_true(twin.leading);
    assert_int_equal(twin.term, 2);
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    lease_destroy(twin.lease);
    end(&world);
}

static void a_released_lease_is_taken_at_once(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    lease_tick(world.b.lease);
    api_stop(world.script.api); // it is released last, when all else has stopped
    lease_release(world.a.lease);
    assert_false(lease_may_act(world.a.lease, 1));
    assert_string_equal(json_text(spec_of(&world.server), "holderIdentity"), "");
    assert_int_equal(json_integer(spec_of(&world.server), "leaseDurationSeconds", 0), 1);
    struct script other;
    struct candidate c;
    script_start(&other, answer, &world.server);
    enter(&c, &other, "c", true);
    lease_tick(c.lease);
    assert_true(c.leading);
    assert_int_equal(c.term, 2);
    lease_destroy(c.lease);
    script_stop(&other);
    end(&world);
}

static void releasing_what_another_holds_changes_nothing(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    lease_tick(world.b.lease);
    lease_release(world.b.lease);
    assert_string_equal(json_text(spec_of(&world.server), "holderIdentity"), "a");
    end(&world);
}

static void a_deleted_lease_raises_the_term(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    cJSON_Delete(world.server.lease);
    world.server.lease = NULL;
    world.a.now_ms += 2000;
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    assert_int_equal(world.a.term, 2);
    end(&world);
}

static void the_state_goes_with_leadership_from_one_to_the_next(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    struct saved_state saved = {
        .paused = true, .paused_reason = "night", .accepted = true, .mass_deletion = MASS_DELETION_ACCEPTED};
    AUTOREPLY struct api_reply reply = {0};
    lease_save(world.a.lease, 1, &saved, &reply);
    assert_true(api_succeeded(&reply));
    lease_tick(world.b.lease);
    world.b.now_ms += 15000;
    lease_tick(world.b.lease);
    assert_true(world.b.leading);
    assert_true(world.b.paused);
    assert_string_equal(world.b.reason, "night");
    assert_int_equal(world.b.mass_deletion, MASS_DELETION_ACCEPTED);
    saved = (struct saved_state){.paused = false, .paused_reason = "ignored"};
    api_reply_free(&reply);
    lease_save(world.b.lease, 2, &saved, &reply);
    assert_true(api_succeeded(&reply));
    const cJSON *annotations = json_path(world.server.lease, "metadata", "annotations", NULL);
    assert_non_null(annotations);
    assert_null(annotations->child);
    end(&world);
}

static void the_state_is_not_written_by_one_that_does_not_lead(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    lease_tick(world.a.lease);
    lease_tick(world.b.lease);
    struct saved_state saved = {.paused = true, .paused_reason = ""};
    AUTOREPLY struct api_reply reply = {0};
    lease_save(world.b.lease, 1, &saved, &reply);
    assert_int_equal(api_outcome(&reply), OUTCOME_NOT_SENT);
    world.a.now_ms += 10000;
    lease_save(world.a.lease, 1, &saved, &reply);
    assert_int_equal(api_outcome(&reply), OUTCOME_NOT_SENT);
    assert_int_equal(script_count(&world.script, "PUT"), 0);
    end(&world);
}

static void without_election_it_leads_once_the_state_was_read_and_writes_no_holder(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    struct candidate alone;
    enter(&alone, &world.script, "alone", false);
    world.server.mood = SILENT;
    lease_tick(alone.lease);
    assert_false(alone.leading);
    world.server.mood = FINE;
    lease_tick(alone.lease);
    assert_true(alone.leading);
    assert_int_equal(alone.term, 1);
    alone.now_ms += 3600000;
    assert_true(lease_may_act(alone.lease, 1));
    assert_null(world.server.lease);
    struct saved_state saved = {.paused = true, .paused_reason = "x"};
    AUTOREPLY struct api_reply reply = {0};
    lease_save(alone.lease, 1, &saved, &reply);
    assert_true(api_succeeded(&reply));
    assert_string_equal(json_text(spec_of(&world.server), "holderIdentity"), "");
    lease_destroy(alone.lease);
    end(&world);
}

static void why_the_lease_cannot_be_had_is_told_until_it_can(void **state)
{
    (void)state;
    struct world world;
    char problem[128];
    begin(&world);
    world.server.mood = FAILING;
    lease_tick(world.a.lease);
    lease_problem(world.a.lease, problem, sizeof(problem));
    assert_string_equal(problem, "HTTP 500: etcd");
    world.server.mood = FINE;
    lease_tick(world.a.lease);
    lease_problem(world.a.lease, problem, sizeof(problem));
    assert_string_equal(problem, "");
    world.server.mood = SILENT;
    lease_tick(world.a.lease);
    lease_problem(world.a.lease, problem, sizeof(problem));
    assert_string_equal(problem, "scripted failure");
    end(&world);
}

static void a_lease_of_nonsense_is_waited_for_with_our_own_duration(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    world.server.lease = script_parse("{'metadata':{'name':'leader'},'spec':{'holderIdentity':'x','"
                                      "leaseDurationSeconds':-4,'leaseTransitions':'a'}}");
    stamp(&world.server);
    lease_tick(world.a.lease);
    assert_false(world.a.leading);
    world.a.now_ms += 15000;
    lease_tick(world.a.lease);
    assert_true(world.a.leading);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_creates_the_lease_and_leads_with_term_one),
        cmocka_unit_test(renewing_keeps_the_term_and_the_acquire_time),
        cmocka_unit_test(another_takes_over_only_after_it_has_watched_the_lease_stand_still_for_its_duration),
        cmocka_unit_test(the_clock_of_another_machine_does_not_matter),
        cmocka_unit_test(a_leader_that_was_stopped_may_not_act_when_it_wakes),
        cmocka_unit_test(the_fence_counts_from_the_begin_of_a_renewal_not_from_its_answer),
        cmocka_unit_test(a_server_that_fails_for_a_moment_costs_nothing),
        cmocka_unit_test(a_renewal_whose_answer_was_lost_is_recognised_as_ours),
        cmocka_unit_test(an_acquisition_whose_answer_was_lost_is_taken_up_at_the_next_try),
        cmocka_unit_test(somebody_who_annotates_the_lease_does_not_end_a_leadership),
        cmocka_unit_test(a_second_process_of_the_same_name_waits_like_anybody),
        cmocka_unit_test(a_released_lease_is_taken_at_once),
        cmocka_unit_test(releasing_what_another_holds_changes_nothing),
        cmocka_unit_test(a_deleted_lease_raises_the_term),
        cmocka_unit_test(the_state_goes_with_leadership_from_one_to_the_next),
        cmocka_unit_test(the_state_is_not_written_by_one_that_does_not_lead),
        cmocka_unit_test(without_election_it_leads_once_the_state_was_read_and_writes_no_holder),
        cmocka_unit_test(why_the_lease_cannot_be_had_is_told_until_it_can),
        cmocka_unit_test(a_lease_of_nonsense_is_waited_for_with_our_own_duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
