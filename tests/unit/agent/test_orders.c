#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/credential.h"
#include "agent/orders.h"
#include "agent/settings.h"
#include "tests/unit/agent/tree.h"

typedef Vpsie__Autoscaler__V1__Directive WireDirective;

// An ack as it comes off the wire: its own memory.
static WireAck *ack_with(WireDirective *directive, uint32_t next_interval_ms)
{
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    struct error error = {0};
    size_t length;
    ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
    ack.sequence = 1;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.next_interval_ms = next_interval_ms;
    ack.directive = directive;
    uint8_t *bytes = wire_ack_encode(&ack, &length, &error);
    WireAck *out = bytes ? wire_ack_decode(bytes, length, &error) : NULL;
    if (!out)
        fail_msg("%s", error.text);
    free(bytes);
    return out;
}

static WireAck *drain(const char *id, int64_t deadline_ms, const char *uid)
{
    Vpsie__Autoscaler__V1__PrepareDrain prepare = VPSIE__AUTOSCALER__V1__PREPARE_DRAIN__INIT;
    WireDirective directive = VPSIE__AUTOSCALER__V1__DIRECTIVE__INIT;
    char *uids[] = {(char *)(uintptr_t)uid};
    prepare.id = (char *)(uintptr_t)id;
    prepare.deadline_ms = deadline_ms;
    prepare.n_pod_uids = 1;
    prepare.pod_uids = uids;
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN;
    directive.prepare_drain = &prepare;
    return ack_with(&directive, 0);
}

static WireAck *cancel(const char *id)
{
    Vpsie__Autoscaler__V1__CancelDrain cancelled = VPSIE__AUTOSCALER__V1__CANCEL_DRAIN__INIT;
    WireDirective directive = VPSIE__AUTOSCALER__V1__DIRECTIVE__INIT;
    cancelled.id = (char *)(uintptr_t)id;
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN;
    directive.cancel_drain = &cancelled;
    return ack_with(&directive, 0);
}

static void a_drain_quickens_the_pace_until_it_is_cancelled(void **state)
{
    (void)state;
    struct orders orders;
    struct readiness_question question;
    orders_init(&orders, 10000);
    assert_false(orders_question(&orders, &question));
    assert_null(orders_drain_id(&orders));
    assert_int_equal(orders_take(&orders, drain("d1", 5000, UID_A)), ORDERS_DRAIN_BEGUN);
    assert_string_equal(orders_drain_id(&orders), "d1");
    assert_int_equal(orders_interval_ms(&orders), ORDERS_DRAIN_INTERVAL_MS);
    assert_true(orders_question(&orders, &question));
    assert_int_equal(question.uid_count, 1);
    assert_string_equal(question.uids[0], UID_A);
    assert_int_equal(orders_take(&orders, cancel("d0")), ORDERS_SAME);
    assert_string_equal(orders_drain_id(&orders), "d1");
    assert_int_equal(orders_take(&orders, cancel("d1")), ORDERS_DRAIN_CANCELLED);
    assert_null(orders_drain_id(&orders));
    assert_int_equal(orders_interval_ms(&orders), 10000);
    orders_free(&orders);
}

static void the_same_drain_again_is_no_news_and_renews_its_pods(void **state)
{
    (void)state;
    struct orders orders;
    struct readiness_question question;
    orders_init(&orders, 10000);
    orders_take(&orders, drain("d1", 5000, UID_A));
    orders.answered = true;
    assert_int_equal(orders_take(&orders, drain("d1", 9000, UID_B)), ORDERS_SAME);
    assert_true(orders_question(&orders, &question));
    assert_string_equal(question.uids[0], UID_B);
    assert_false(orders_expire(&orders, 6000));
    assert_int_equal(orders_take(&orders, drain("d2", 9000, UID_B)), ORDERS_DRAIN_BEGUN);
    assert_false(orders.answered);
    orders_free(&orders);
}

static void a_drain_ends_at_its_deadline_but_is_answered_once_in_any_case(void **state)
{
    (void)state;
    struct orders orders;
    orders_init(&orders, 10000);
    orders_take(&orders, drain("d1", 5000, UID_A));
    assert_false(orders_expire(&orders, 99999)); // our clock may be the wrong one
    orders.answered = true;
    assert_false(orders_expire(&orders, 5000));
    assert_true(orders_expire(&orders, 5001));
    assert_null(orders_drain_id(&orders));
    assert_false(orders_expire(&orders, 5001));
    orders_free(&orders);
}

static void the_pace_is_kept_within_bounds(void **state)
{
    (void)state;
    struct orders orders;
    Vpsie__Autoscaler__V1__SetInterval set = VPSIE__AUTOSCALER__V1__SET_INTERVAL__INIT;
    WireDirective directive = VPSIE__AUTOSCALER__V1__DIRECTIVE__INIT;
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_SET_INTERVAL;
    directive.set_interval = &set;
    orders_init(&orders, 10000);
    assert_int_equal(orders_take(&orders, ack_with(NULL, 20000)), ORDERS_INTERVAL);
    assert_int_equal(orders_interval_ms(&orders), 20000);
    assert_int_equal(orders_take(&orders, ack_with(NULL, 0)), ORDERS_SAME);
    assert_int_equal(orders_interval_ms(&orders), 20000);
    set.interval_ms = WIRE_INTERVAL_MS_MIN;
    assert_int_equal(orders_take(&orders, ack_with(&directive, 0)), ORDERS_INTERVAL);
    assert_int_equal(orders_interval_ms(&orders), WIRE_INTERVAL_MS_MIN);
    assert_int_equal(orders_take(&orders, drain("d1", 5000, UID_A)), ORDERS_DRAIN_BEGUN);
    assert_int_equal(orders_interval_ms(&orders), WIRE_INTERVAL_MS_MIN); // a drain never slows down
    orders_free(&orders);
}

static void a_token_is_read_without_its_newline_and_wiped(void **state)
{
    (void)state;
    struct tree tree;
    struct credential credential;
    struct error error;
    char path[128];
    tree_create(&tree);
    snprintf(path, sizeof path, "%s/token", tree.root);
    tree_write(&tree, "eyJhbGciOi.abc-_\n", "token");
    assert_int_equal(credential_read(path, &credential, &error), 0);
    assert_string_equal(credential.text, "eyJhbGciOi.abc-_");
    credential_wipe(&credential);
    for (size_t i = 0; i < sizeof credential.text; i++)
        assert_int_equal(credential.text[i], 0);
    static const char *const bad[] = {"", "\n", "two words\n", "bin\x01ary\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tree_write(&tree, bad[i], "token");
        assert_int_equal(credential_read(path, &credential, &error), -1);
        assert_null(strstr(error.text, "words")); // a token is never shown
        assert_int_equal(credential.text[0], 0);
    }
    tree_remove(&tree, "token");
    assert_int_equal(credential_read(path, &credential, &error), -1);
    tree_destroy(&tree);
}

static int parse(int argc, const char **argv, struct agent_settings *out, struct error *error)
{
    const char *words[1];
    char *arguments[16];
    for (int i = 0; i < argc; i++)
        arguments[i] = (char *)(uintptr_t)argv[i];
    return settings_parse(argc, arguments, out, words, 1, error);
}

static void settings_come_with_their_defaults(void **state)
{
    (void)state;
    struct agent_settings settings;
    struct error error;
    const char *argv[] = {"--coordinator=c:1", "--node-name", "n"};
    assert_int_equal(parse(3, argv, &settings, &error), 0);
    assert_int_equal(settings.interval_ms, 10000);
    assert_string_equal(settings.host.procfs, "/proc");
    assert_string_equal(settings.host.rootfs, "/");
    assert_string_equal(settings.listen, ":9101");
    assert_int_equal(settings.limits.connections, 0);
    assert_int_equal(settings.limits.local_data_slack_bytes, 0);
    assert_float_equal(settings.limits.filesystem_percent, 95, 0);
    assert_false(settings.insecure_transport);
    assert_int_equal(settings.host.walk_entries_max, 20000);
}

static void settings_that_cannot_work_are_refused_with_the_flags_name(void **state)
{
    (void)state;
    static const struct {
        const char *argument, *named;
    } cases[] = {{"--pressure-io-limit=101", "pressure-io-limit"},
                 {"--filesystem-limit=-1", "filesystem-limit"},
                 {"--interval=5", "interval"},
                 {"--interval=1ms", "interval"},
                 {"--log-level=loud", "log-level"},
                 {"--log-format=xml", "log-format"},
                 {"--output=yaml", "output"},
                 {"--walk-entries-max=0", "walk-entries-max"},
                 {"--coordinator=", "coordinator"},
                 {"--no-such-flag", "no-such-flag"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_settings settings;
        struct error error = {0};
        const char *argv[] = {"--coordinator=c:1", "--node-name=n", cases[i].argument};
        assert_int_equal(parse(3, argv, &settings, &error), -1);
        assert_non_null(strstr(error.text, cases[i].named));
    }
    struct agent_settings settings;
    struct error error;
    const char *once[] = {"--once", "--output=json"};
    assert_int_equal(parse(2, once, &settings, &error), 0);
    assert_true(settings.once && settings.json);
    assert_int_equal(parse(0, NULL, &settings, &error), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_quickens_the_pace_until_it_is_cancelled),
        cmocka_unit_test(the_same_drain_again_is_no_news_and_renews_its_pods),
        cmocka_unit_test(a_drain_ends_at_its_deadline_but_is_answered_once_in_any_case),
        cmocka_unit_test(the_pace_is_kept_within_bounds),
        cmocka_unit_test(a_token_is_read_without_its_newline_and_wiped),
        cmocka_unit_test(settings_come_with_their_defaults),
        cmocka_unit_test(settings_that_cannot_work_are_refused_with_the_flags_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
