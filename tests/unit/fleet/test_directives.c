#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "coordinator/fleet/directives.h"

static void put(struct directives *directives, enum directive_kind kind, const char *node, const char *id,
                int64_t deadline_ms)
{
    struct command command = {.kind = COMMAND_AGENT_DIRECTIVE, .key = ""};
    command.directive.kind = kind;
    command.directive.node_name = node;
    command.directive.directive_id = id;
    command.directive.deadline_ms = deadline_ms;
    command.directive.interval_ms = 1000;
    directives_put(directives, command_copy(&command));
}

static const char *next_id(struct directives *directives, const char *node, const char *answered,
                           int64_t now_ms)
{
    bool open = false;
    const struct command *command = directives_next(directives, node, answered, now_ms, &open);
    return command != NULL ? command->directive.directive_id : open ? "(open)" : "(none)";
}

static void each_node_gets_its_own_newest_directive(void **state)
{
    (void)state;
    struct directives directives = {0};
    char node[32], id[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            snprintf(node, sizeof node, "w-%d", (i * 7919) % 300);
            snprintf(id, sizeof id, "d-%d-%d", round, (i * 7919) % 300);
            put(&directives, DIRECTIVE_PREPARE_DRAIN, node, id, 0);
        }
    }
    assert_int_equal(directives.count, 300);
    for (int i = 0; i < 300; i++) {
        snprintf(node, sizeof node, "w-%d", i);
        snprintf(id, sizeof id, "d-1-%d", i);
        assert_string_equal(next_id(&directives, node, "", 1), id);
    }
    assert_string_equal(next_id(&directives, "w-300", "", 1), "(none)");
    assert_string_equal(next_id(&directives, "", "", 1), "(none)");
    directives_free(&directives);
}

static void a_drain_goes_out_until_it_is_named_and_again_if_it_was_forgotten(void **state)
{
    (void)state;
    struct directives directives = {0};
    put(&directives, DIRECTIVE_PREPARE_DRAIN, "w", "d", 100);
    assert_string_equal(next_id(&directives, "w", "", 1), "d");
    assert_string_equal(next_id(&directives, "w", "other", 1), "d");
    assert_string_equal(next_id(&directives, "w", "d", 1), "(open)");
    assert_string_equal(next_id(&directives, "w", "", 1), "d"); // the agent was restarted
    assert_string_equal(next_id(&directives, "w", "", 100), "d");
    assert_string_equal(next_id(&directives, "w", "", 101), "(none)"); // past its deadline
    assert_int_equal(directives.count, 0);
    directives_free(&directives);
}

static void a_cancellation_goes_out_once_at_least_and_while_it_is_needed(void **state)
{
    (void)state;
    struct directives directives = {0};
    put(&directives, DIRECTIVE_PREPARE_DRAIN, "w", "d", 0);
    put(&directives, DIRECTIVE_CANCEL_DRAIN, "w", "d", 0);
    assert_string_equal(next_id(&directives, "w", "", 1), "d");
    assert_string_equal(next_id(&directives, "w", "d", 1), "d");
    assert_string_equal(next_id(&directives, "w", "d", 1), "d");
    assert_string_equal(next_id(&directives, "w", "", 1), "(none)");
    assert_int_equal(directives.count, 0);
    directives_free(&directives);
}

static void an_interval_goes_out_once(void **state)
{
    (void)state;
    struct directives directives = {0};
    put(&directives, DIRECTIVE_SET_INTERVAL, "w", NULL, 0);
    bool open = true;
    const struct command *command = directives_next(&directives, "w", "", 1, &open);
    assert_non_null(command);
    assert_int_equal(command->directive.interval_ms, 1000);
    assert_false(open);
    assert_null(directives_next(&directives, "w", "", 1, &open));
    assert_int_equal(directives.count, 0);
    directives_free(&directives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_node_gets_its_own_newest_directive),
        cmocka_unit_test(a_drain_goes_out_until_it_is_named_and_again_if_it_was_forgotten),
        cmocka_unit_test(a_cancellation_goes_out_once_at_least_and_while_it_is_needed),
        cmocka_unit_test(an_interval_goes_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
