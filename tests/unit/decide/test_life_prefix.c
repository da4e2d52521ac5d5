// Any write may be a coordinator's last one: whichever write of two orders, from the VPSieNode to the Node in
// service, never arrives, whoever leads next goes on rightly.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/puppet.h"

#define MINUTE LIFE_MINUTE_MS
#define SECOND LIFE_SECOND_MS

#define LISTED_AFTER_MS (30 * SECOND)
#define READY_AFTER_MS  (40 * SECOND) // after it has joined

struct kind {             // of a history
    bool another_process; // leads next
    bool both_at_once;    // the two orders
    int64_t joins_after_ms;
    int64_t later_ms; // so much slower is VPSie with the second machine
};

static struct puppet *puppet;
static struct kind kind;
static int64_t made_ms[16];
static uint32_t made, listed, joined, ready;

static void begin(void)
{
    puppet = puppet_create(NULL);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    made = listed = joined = ready = 0;
}

// VPSie makes what was asked for; it is counted and listed after a while, and joins.
static void live(int64_t ms)
{
    for (int64_t lived_ms = 0; lived_ms < ms; lived_ms += SECOND) {
        char name[40];
        puppet_run(puppet, SECOND);
        for (; made < puppet->adds; made++)
            made_ms[made] = puppet->now_ms + (made > 0 ? kind.later_ms : 0);
        while (listed < made && puppet->now_ms >= made_ms[listed] + LISTED_AFTER_MS) {
            snprintf(name, sizeof(name), "vps-%u", ++listed);
            puppet_machine(puppet, name, name);
            puppet->cloud_groups[0].nodes++;
        }
        while (joined < made && puppet->now_ms >= made_ms[joined] + kind.joins_after_ms) {
            snprintf(name, sizeof(name), "vps-%u", ++joined);
            puppet_kube_node(puppet, name, false);
        }
        while (ready < joined && puppet->now_ms >= made_ms[ready] + kind.joins_after_ms + READY_AFTER_MS) {
            snprintf(name, sizeof(name), "vps-%u", ++ready);
            puppet_kube_node(puppet, name, true);
        }
    }
}

static uint32_t owners_of(const char *identifier)
{
    uint32_t owners = 0;
    for (uint32_t i = 0; i < puppet_stored_count(puppet); i++)
        owners += strcmp(puppet_stored(puppet, i)->identifier, identifier) == 0;
    return owners;
}

static void assert_all_is_well(uint32_t write)
{
    char name[40];
    uint32_t in_service = 0;
    for (uint32_t i = 1; i <= listed; i++) {
        snprintf(name, sizeof(name), "vps-%u", i);
        if (owners_of(name) != 1)
            fail_msg("write %u never arrives: %s is %u VPSieNodes'", write, name, owners_of(name));
    }
    for (uint32_t i = 0; i < puppet_stored_count(puppet); i++) {
        const struct puppet_node *node = puppet_stored(puppet, i);
        in_service += node->phase == INTENTION_READY && strcmp(node->identifier, node->node_name) == 0;
    }
    if (in_service != listed || listed > 2)
        fail_msg("write %u never arrives: %u of %u machines are in service", write, in_service, listed);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
}

// True: so many writes there were.
static bool lives_without(uint32_t write)
{
    begin();
    puppet->fenced_write = write;
    puppet_start(puppet);
    puppet_order(puppet, "general", kind.both_at_once ? 2 : 1);
    live(10 * SECOND);
    if (!kind.both_at_once)
        puppet_order(puppet, "general", 1);
    for (int64_t lived_ms = 0; lived_ms < 3 * MINUTE && puppet->writes < write; lived_ms += SECOND)
        live(SECOND);
    bool reached = puppet->writes >= write;
    puppet_lose(puppet);
    live(15 * SECOND);
    if (kind.another_process) {
        puppet_restart(puppet);
        puppet_step(puppet, event_create(EVENT_KUBE_SYNCED));
    }
    puppet->fenced_write = 0;
    puppet_lead(puppet, 2);
    live(25 * MINUTE);
    assert_all_is_well(write);
    puppet_destroy(puppet);
    return reached;
}

static void every_write_of_every_history(bool another_process)
{
    static const int64_t joins_after_ms[] = {20 * SECOND, 32 * SECOND, 60 * SECOND};
    for (int i = 0; i < 12; i++) {
        kind = (struct kind){another_process, i % 2 == 0, joins_after_ms[i / 4], i / 2 % 2 * 50 * SECOND};
        uint32_t write = 1;
        while (lives_without(write))
            write++;
        assert_true(write > 12); // two orders are written about that often at least
    }
}

static void another_process_goes_on_from_every_prefix(void **state)
{
    (void)state;
    every_write_of_every_history(true);
}

static void the_same_process_leading_again_goes_on_from_every_prefix(void **state)
{
    (void)state;
    every_write_of_every_history(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_process_goes_on_from_every_prefix),
        cmocka_unit_test(the_same_process_leading_again_goes_on_from_every_prefix),
    };
    return cmocka_run_group_tests_name("every prefix", tests, NULL, NULL);
}
