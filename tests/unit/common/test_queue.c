#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/queue.h"

static int items[1000];

static void items_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct queue *queue = queue_create(3);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++)
            assert_true(queue_push(queue, &items[round + i]));
        assert_int_equal(queue_length(queue), 3);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(queue_pop(queue, 0), &items[round + i]);
    }
    assert_int_equal(queue_length(queue), 0);
    queue_destroy(queue);
}

static void a_full_queue_takes_nothing_that_will_not_wait(void **state)
{
    (void)state;
    struct queue *queue = queue_create(1);
    assert_true(queue_try_push(queue, &items[0]));
    assert_int_equal(queue_waits(queue), 0);
    assert_false(queue_try_push(queue, &items[1]));
    assert_int_equal(queue_waits(queue), 1);
    assert_ptr_equal(queue_pop(queue, -1), &items[0]);
    assert_true(queue_try_push(queue, &items[1]));
    assert_ptr_equal(queue_pop(queue, -1), &items[1]);
    queue_destroy(queue);
}

static void an_empty_queue_gives_nothing_in_time(void **state)
{
    (void)state;
    struct queue *queue = queue_create(1);
    assert_null(queue_pop(queue, 0));
    int64_t before_ms = clock_monotonic_ms();
    assert_null(queue_pop(queue, 20));
    assert_true(clock_monotonic_ms() - before_ms >= 19);
    queue_destroy(queue);
}

static void a_closed_queue_can_be_emptied_and_not_filled(void **state)
{
    (void)state;
    struct queue *queue = queue_create(4);
    assert_true(queue_push(queue, &items[0]));
    assert_true(queue_push(queue, &items[1]));
    queue_close(queue);
    queue_close(queue);
    assert_false(queue_push(queue, &items[2]));
    assert_false(queue_try_push(queue, &items[2]));
    assert_int_equal(queue_waits(queue), 0);
    assert_ptr_equal(queue_pop(queue, -1), &items[0]);
    assert_ptr_equal(queue_pop(queue, 1000), &items[1]);
    assert_null(queue_pop(queue, -1));
    queue_destroy(queue);
}

static void *push_one(void *context)
{
    return queue_push(context, &items[1]) ? &items[1] : NULL;
}

static void *pop_one(void *context)
{
    return queue_pop(context, -1);
}

static void a_full_queue_makes_its_producer_wait(void **state)
{
    (void)state;
    struct queue *queue = queue_create(1);
    pthread_t producer;
    void *pushed;
    assert_true(queue_push(queue, &items[0]));
    assert_int_equal(pthread_create(&producer, NULL, push_one, queue), 0);
    while (queue_waits(queue) == 0)
        clock_sleep_ms(1);
    assert_int_equal(queue_length(queue), 1);
    assert_ptr_equal(queue_pop(queue, -1), &items[0]);
    assert_ptr_equal(queue_pop(queue, -1), &items[1]);
    pthread_join(producer, &pushed);
    assert_ptr_equal(pushed, &items[1]);
    queue_destroy(queue);
}

static void closing_wakes_who_waits_to_push(void **state)
{
    (void)state;
    struct queue *queue = queue_create(1);
    pthread_t producer;
    void *pushed;
    assert_true(queue_push(queue, &items[0]));
    assert_int_equal(pthread_create(&producer, NULL, push_one, queue), 0);
    while (queue_waits(queue) == 0)
        clock_sleep_ms(1);
    queue_close(queue);
    pthread_join(producer, &pushed);
    assert_null(pushed);
    assert_ptr_equal(queue_pop(queue, 0), &items[0]);
    queue_destroy(queue);
}

static void closing_wakes_who_waits_to_pop(void **state)
{
    (void)state;
    struct queue *queue = queue_create(1);
    pthread_t consumers[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, pop_one, queue), 0);
    clock_sleep_ms(10);
    queue_close(queue);
    for (int i = 0; i < 3; i++) {
        void *popped;
        pthread_join(consumers[i], &popped);
        assert_null(popped);
    }
    queue_destroy(queue);
}

#define PRODUCERS        4
#define ITEMS_A_PRODUCER 5000

struct number {
    int producer, value;
};

struct producer {
    struct queue *queue;
    struct number *numbers;
};

static void *produce(void *context)
{
    const struct producer *producer = context;
    for (int i = 0; i < ITEMS_A_PRODUCER; i++) {
        if (!queue_push(producer->queue, &producer->numbers[i]))
            return NULL;
    }
    return NULL;
}

static void nothing_is_lost_doubled_or_reordered_between_threads(void **state)
{
    (void)state;
    struct queue *queue = queue_create(7);
    pthread_t threads[PRODUCERS];
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};
    for (int i = 0; i < PRODUCERS; i++) {
        struct number *numbers = calloc(ITEMS_A_PRODUCER, sizeof(*numbers));
        for (int j = 0; j < ITEMS_A_PRODUCER; j++)
            numbers[j] = (struct number){.producer = i, .value = j};
        producers[i] = (struct producer){.queue = queue, .numbers = numbers};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS * ITEMS_A_PRODUCER; i++) {
        const struct number *number = queue_pop(queue, -1);
        assert_non_null(number);
        assert_int_equal(number->value, next[number->producer]++);
        assert_true(queue_length(queue) <= 7);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        free(producers[i].numbers);
    }
    assert_int_equal(queue_length(queue), 0);
    queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_queue_takes_nothing_that_will_not_wait),
        cmocka_unit_test(an_empty_queue_gives_nothing_in_time),
        cmocka_unit_test(a_closed_queue_can_be_emptied_and_not_filled),
        cmocka_unit_test(a_full_queue_makes_its_producer_wait),
        cmocka_unit_test(closing_wakes_who_waits_to_push),
        cmocka_unit_test(closing_wakes_who_waits_to_pop),
        cmocka_unit_test(nothing_is_lost_doubled_or_reordered_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
