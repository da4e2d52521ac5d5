#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/removing.h"

struct puppet *puppet;

int removing_begin(void **state)
{
    (void)state;
    puppet = puppet_create(NULL);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    puppet_in_service(puppet, "w1", "general");
    puppet_in_service(puppet, "w2", "general");
    puppet_in_service(puppet, "w3", "general");
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
    return 0;
}

int removing_end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

struct life *w1(void)
{
    return puppet_life(puppet, "w1");
}

const struct command *directive(void)
{
    return puppet_last(puppet, COMMAND_AGENT_DIRECTIVE);
}

void answer(enum evidence_state state)
{
    puppet_report(puppet, NODE, directive()->directive.directive_id, state, 0);
}

uint32_t evictions(void)
{
    return puppet_count(puppet, COMMAND_KUBE_EVICT);
}

uint32_t deletes(void)
{
    return puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE);
}

void begin_removal(void)
{
    puppet_report(puppet, NODE, "", EVIDENCE_READY, 0);
    assert_true(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
    assert_int_equal(w1()->step, LIFE_PREPARE);
}

void to_the_last_ready(void)
{
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 31 * SECOND);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
}

void kept_after_all(const char *words)
{
    puppet_run(puppet, SECOND);
    assert_int_equal(w1()->step, LIFE_READY);
    assert_int_equal(w1()->removal, REMOVAL_NONE);
    if (strstr(w1()->held, words) == NULL)
        print_message("held: %s\n", w1()->held);
    assert_non_null(strstr(w1()->held, words));
    assert_true(puppet_said(puppet, words));
    assert_false(puppet->kube_nodes[0].unschedulable);
    assert_int_equal(puppet->nodes[0].phase, INTENTION_READY);
    assert_string_equal(puppet_note_of(&puppet->nodes[0], KEY_REMOVAL), "");
    assert_true(w1()->not_before_ms > puppet->now_ms);
}

void kept(const char *words)
{
    kept_after_all(words);
    assert_int_equal(deletes(), 0);
}
