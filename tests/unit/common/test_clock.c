#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"

static void a_sleep_lasts_at_least_as_long_as_asked(void **state)
{
    (void)state;
    int64_t before_ms = clock_monotonic_ms();
    clock_sleep_ms(30);
    assert_true(clock_monotonic_ms() - before_ms >= 30);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
}

static void the_steady_clock_starts_near_the_wall_clock(void **state)
{
    (void)state;
    int64_t wall_ms = clock_wall_ms();
    int64_t steady_ms = clock_steady_wall_ms();
    assert_true(steady_ms >= wall_ms - 1);
    assert_true(steady_ms - wall_ms < INT64_C(3600000));
    assert_true(wall_ms > INT64_C(1700000000000));
}

static void *watch(void *context)
{
    int64_t *worst_ms = context;
    int64_t last_ms = clock_steady_wall_ms();
    for (int i = 0; i < 20000; i++) {
        int64_t now_ms = clock_steady_wall_ms();
        if (last_ms - now_ms > *worst_ms)
            *worst_ms = last_ms - now_ms;
        last_ms = now_ms;
    }
    return NULL;
}

static void the_steady_clock_never_goes_back_in_any_thread(void **state)
{
    (void)state;
    pthread_t threads[4];
    int64_t worst_ms[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &worst_ms[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(worst_ms[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleep_lasts_at_least_as_long_as_asked),
        cmocka_unit_test(the_steady_clock_starts_near_the_wall_clock),
        cmocka_unit_test(the_steady_clock_never_goes_back_in_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
