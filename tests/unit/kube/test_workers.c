// Commands of one key run in order, different keys side by side, and every one is carried out.
#include "script.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/workers.h"

struct record {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t last[64]; // last id of each key
    bool busy[64];
    unsigned done, running, most;
    bool disorder, overlap;
    unsigned hold; // commands wait until so many run at once
};

static unsigned key_number(const struct command *command)
{
    return (unsigned)atoi(command->key + 1);
}

static void execute(void *context, const struct command *command)
{
    struct record *record = context;
    pthread_mutex_lock(&record->lock);
    record->running++;
    if (record->running > record->most)
        record->most = record->running;
    pthread_cond_broadcast(&record->changed);
    if (*command->key) {
        unsigned key = key_number(command);
        record->overlap = record->overlap || record->busy[key];
        record->disorder = record->disorder || command->id <= record->last[key];
        record->busy[key] = true;
        record->last[key] = command->id;
    }
    while (record->most < record->hold)
        pthread_cond_wait(&record->changed, &record->lock);
    pthread_mutex_unlock(&record->lock);
    sched_yield();
    pthread_mutex_lock(&record->lock);
    if (*command->key)
        record->busy[key_number(command)] = false;
    record->running--;
    record->done++;
    pthread_mutex_unlock(&record->lock);
}

static struct command *command_with(enum command_kind kind, uint64_t id, const char *key)
{
    struct commands *commands = commands_create();
    struct command *command = commands_add(commands, kind);
    command->id = id;
    command->key = key;
    if (kind == COMMAND_KUBE_EVENT) {
        command->event.space = command->event.name = command->event.uid = "";
        command->event.reason = command->event.action = command->event.message = "";
    } else {
        command->cordon.node_name = command->cordon.reason = "";
    }
    struct command *copy = command_copy(command);
    commands_destroy(commands);
    return copy;
}

static void record_init(struct record *record)
{
    *record = (struct record){0};
    pthread_mutex_init(&record->lock, NULL);
    pthread_cond_init(&record->changed, NULL);
}

static void keys_keep_their_order_and_nothing_is_lost(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    struct workers *workers = workers_start(8, execute, &record);
    for (uint64_t id = 1; id <= 2000; id++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", (unsigned)(id * 7919 % 13));
        workers_submit(workers, command_with(COMMAND_KUBE_CORDON, id, key));
    }
    workers_stop(workers);
    assert_int_equal(record.done, 2000);
    assert_false(record.disorder);
    assert_false(record.overlap);
}

static void different_keys_run_side_by_side(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    record.hold = 8; // would wait for ever if they ran one after the other
    struct workers *workers = workers_start(8, execute, &record);
    for (uint64_t id = 1; id <= 8; id++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", (unsigned)id);
        workers_submit(workers, command_with(COMMAND_KUBE_CORDON, id, key));
    }
    workers_stop(workers);
    assert_int_equal(record.most, 8);
}

static void a_key_at_work_does_not_hold_up_others_behind_it(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    record.hold = 2;
    struct workers *workers = workers_start(2, execute, &record);
    // The second of k1 must wait for the first, which waits until k2 runs beside it.
    workers_submit(workers, command_with(COMMAND_KUBE_CORDON, 1, "k1"));
    workers_submit(workers, command_with(COMMAND_KUBE_CORDON, 2, "k1"));
    workers_submit(workers, command_with(COMMAND_KUBE_CORDON, 3, "k2"));
    workers_stop(workers);
    assert_int_equal(record.done, 3);
    assert_false(record.disorder);
}

static void commands_without_a_key_have_no_order(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    record.hold = 3;
    struct workers *workers = workers_start(3, execute, &record);
    for (uint64_t id = 1; id <= 3; id++)
        workers_submit(workers, command_with(COMMAND_KUBE_CORDON, id, ""));
    workers_stop(workers);
    assert_int_equal(record.most, 3);
}

static void kubernetes_events_beyond_the_limit_are_dropped_but_never_a_command(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    struct workers *workers = workers_start(1, execute, &record);
    pthread_mutex_lock(&record.lock); // the worker stands still at its first command
    for (uint64_t id = 1; id <= WORKERS_EVENTS_MAX + 500; id++)
        workers_submit(workers, command_with(COMMAND_KUBE_EVENT, id, ""));
    for (uint64_t id = 1; id <= 10; id++)
        workers_submit(workers, command_with(COMMAND_KUBE_CORDON, id, "k1"));
    uint32_t waiting = workers_waiting(workers);
    pthread_mutex_unlock(&record.lock);
    workers_stop(workers);
    assert_in_range(waiting, WORKERS_EVENTS_MAX + 9, WORKERS_EVENTS_MAX + 10);
    assert_in_range(record.done, WORKERS_EVENTS_MAX + 10, WORKERS_EVENTS_MAX + 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_keep_their_order_and_nothing_is_lost),
        cmocka_unit_test(different_keys_run_side_by_side),
        cmocka_unit_test(a_key_at_work_does_not_hold_up_others_behind_it),
        cmocka_unit_test(commands_without_a_key_have_no_order),
        cmocka_unit_test(kubernetes_events_beyond_the_limit_are_dropped_but_never_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
