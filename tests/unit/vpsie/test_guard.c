#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "coordinator/vpsie/guard.h"

static void no_minute_ever_sees_more_calls_than_the_limit(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 100);
    static int64_t made[2000];
    int count = 0;
    for (int64_t now = 1000; now < 1000 + 10 * 60000 && count < 2000; now += 37) {
        if (rate_wait_ms(&rate, now, true) == 0) {
            rate_take(&rate, now);
            made[count++] = now;
        }
    }
    assert_true(count >= 900);
    for (int i = 100; i < count; i++) {
        assert_true(made[i] - made[i - 100] >= 60000);
    }
    rate_free(&rate);
}

static void lists_leave_a_fifth_of_the_calls_to_orders(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 100);
    int reads = 0, writes = 0;
    while (rate_wait_ms(&rate, 5000, false) == 0) {
        rate_take(&rate, 5000);
        reads++;
    }
    while (rate_wait_ms(&rate, 5000, true) == 0) {
        rate_take(&rate, 5000);
        writes++;
    }
    assert_int_equal(reads, 80);
    assert_int_equal(writes, 20);
    assert_int_equal(rate_used(&rate, 5000), 100);
    assert_int_equal(rate_wait_ms(&rate, 5000, true), 60000);
    assert_int_equal(rate_used(&rate, 64999), 100);
    assert_int_equal(rate_used(&rate, 65000), 0);
    rate_free(&rate);
}

static void the_servers_word_to_wait_holds_for_reads_and_writes(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 10);
    rate_block(&rate, 9000);
    rate_block(&rate, 8000); // an earlier end does not shorten it
    assert_int_equal(rate_wait_ms(&rate, 5000, false), 4000);
    assert_int_equal(rate_wait_ms(&rate, 5000, true), 4000);
    assert_int_equal(rate_wait_ms(&rate, 9000, true), 0);
    rate_free(&rate);
}

static void a_rate_of_one_call_still_works(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 1);
    assert_int_equal(rate_wait_ms(&rate, 0, false), 0);
    rate_take(&rate, 0);
    assert_int_equal(rate_wait_ms(&rate, 1, true), 59999);
    rate_free(&rate);
}

static void the_breaker_opens_after_failures_in_a_row_only(void **state)
{
    (void)state;
    uint64_t random = 9;
    struct breaker breaker;
    breaker_init(&breaker, 3, 1000, 4000);
    breaker_failure(&breaker, 0, &random);
    breaker_failure(&breaker, 0, &random);
    breaker_success(&breaker);
    breaker_failure(&breaker, 0, &random);
    breaker_failure(&breaker, 0, &random);
    assert_int_equal(breaker_state(&breaker, 0), BREAKER_CLOSED);
    breaker_failure(&breaker, 0, &random);
    assert_int_equal(breaker_state(&breaker, 0), BREAKER_OPEN);
    assert_int_equal(breaker_state(&breaker, 999), BREAKER_OPEN);
    assert_int_equal(breaker_state(&breaker, 1251), BREAKER_HALF_OPEN);
}

static void half_open_lets_one_probe_through_and_its_failure_doubles_the_wait(void **state)
{
    (void)state;
    uint64_t random = 9;
    struct breaker breaker;
    breaker_init(&breaker, 1, 1000, 4000);
    breaker_failure(&breaker, 0, &random);
    assert_false(breaker_take_probe(&breaker, 500));
    int64_t now = breaker.open_until_ms;
    assert_true(breaker_take_probe(&breaker, now));
    assert_false(breaker_take_probe(&breaker, now));
    int64_t length[] = {2000, 4000, 4000};
    for (int i = 0; i < 3; i++) {
        breaker_failure(&breaker, now, &random);
        assert_true(breaker.open_until_ms >= now + length[i]);
        assert_true(breaker.open_until_ms <= now + length[i] + length[i] / 4);
        now = breaker.open_until_ms;
        assert_true(breaker_take_probe(&breaker, now));
    }
    breaker_success(&breaker);
    assert_int_equal(breaker_state(&breaker, now), BREAKER_CLOSED);
    breaker_failure(&breaker, now, &random); // and the wait is short again
    assert_true(breaker.open_until_ms <= now + 1250);
}

static void a_call_that_left_before_the_breaker_opened_does_not_move_it(void **state)
{
    (void)state;
    uint64_t random = 9;
    struct breaker breaker;
    breaker_init(&breaker, 1, 1000, 4000);
    breaker_failure(&breaker, 0, &random);
    int64_t until = breaker.open_until_ms;
    breaker_failure(&breaker, 900, &random);
    assert_int_equal(breaker.open_until_ms, until);
}

static void backoff_is_anywhere_between_nothing_and_a_doubling_bound(void **state)
{
    (void)state;
    uint64_t random = 12345;
    for (int32_t attempt = 0; attempt < 40; attempt++) {
        int64_t bound = attempt < 4 ? 500 << attempt : 8000;
        if (bound > 8000) {
            bound = 8000;
        }
        int64_t smallest = bound, largest = 0;
        for (int i = 0; i < 500; i++) {
            int64_t wait = backoff_ms(attempt, 500, 8000, &random);
            assert_true(wait >= 0 && wait <= bound);
            smallest = wait < smallest ? wait : smallest;
            largest = wait > largest ? wait : largest;
        }
        assert_true(smallest < bound / 10 && largest > bound * 9 / 10);
    }
    assert_int_equal(backoff_ms(3, 0, 0, &random), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_ever_sees_more_calls_than_the_limit),
        cmocka_unit_test(lists_leave_a_fifth_of_the_calls_to_orders),
        cmocka_unit_test(the_servers_word_to_wait_holds_for_reads_and_writes),
        cmocka_unit_test(a_rate_of_one_call_still_works),
        cmocka_unit_test(the_breaker_opens_after_failures_in_a_row_only),
        cmocka_unit_test(half_open_lets_one_probe_through_and_its_failure_doubles_the_wait),
        cmocka_unit_test(a_call_that_left_before_the_breaker_opened_does_not_move_it),
        cmocka_unit_test(backoff_is_anywhere_between_nothing_and_a_doubling_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
