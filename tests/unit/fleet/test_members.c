#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "coordinator/fleet/members.h"

static void members_are_found_whatever_came_and_went_between(void **state)
{
    (void)state;
    struct members members = {0};
    static bool there[5000];
    uint32_t random = 12345, count = 0;
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t pipe = 1 + (random >> 8) % 4999;
        if (there[pipe]) {
            members_remove(&members, pipe);
            count--;
        } else {
            assert_int_equal(members_add(&members, pipe)->pipe, pipe);
            count++;
        }
        there[pipe] = !there[pipe];
        assert_int_equal(members.count, count);
    }
    for (uint32_t pipe = 1; pipe < 5000; pipe++) {
        const struct member *member = members_find(&members, pipe);
        assert_int_equal(member != NULL, there[pipe]);
        assert_true(member == NULL || member->pipe == pipe);
    }
    members_free(&members);
}

static void nobody_is_found_among_none(void **state)
{
    (void)state;
    struct members members = {0};
    assert_null(members_find(&members, 7));
    members_remove(&members, 7);
    assert_int_equal(members_strangers(&members, 100, NULL, 0), 0);
    members_free(&members);
}

static void those_who_are_identified_are_counted(void **state)
{
    (void)state;
    struct members members = {0};
    struct member *one = members_add(&members, 1);
    struct member *two = members_add(&members, 2);
    members_identify(&members, one, "w-1", 0);
    members_identify(&members, one, "w-1", 0);
    members_identify(&members, two, "w-2", 0);
    assert_int_equal(members.identified, 2);
    members_forget_identity(&members, one);
    members_forget_identity(&members, one);
    assert_int_equal(members.identified, 1);
    members_remove(&members, 2);
    assert_int_equal(members.identified, 0);
    members_free(&members);
}

static void strangers_are_those_not_identified_and_not_heard_of(void **state)
{
    (void)state;
    struct members members = {0};
    uint32_t pipes[8];
    for (uint32_t pipe = 1; pipe <= 6; pipe++) {
        members_add(&members, pipe)->heard_ms = pipe * 100;
    }
    members_identify(&members, members_find(&members, 1), "w-1", 0);
    assert_int_equal(members_strangers(&members, 400, pipes, 8), 2);
    assert_true((pipes[0] == 2 && pipes[1] == 3) || (pipes[0] == 3 && pipes[1] == 2));
    assert_int_equal(members_strangers(&members, 10000, pipes, 3), 3);
    members_free(&members);
}

static void everybody_is_asked_for_everything_again(void **state)
{
    (void)state;
    struct members members = {0};
    members_add(&members, 1)->complete = true;
    members_add(&members, 2)->complete = true;
    members_want_complete(&members);
    assert_false(members_find(&members, 1)->complete);
    assert_false(members_find(&members, 2)->complete);
    members_free(&members);
}

static void the_end_of_a_token_is_read_where_it_can_be(void **state)
{
    (void)state;
    const struct {
        const char *token;
        int64_t end_ms;
    } cases[] = {
        {"h.eyJleHAiOjE3MDQxNjQ2NDV9.s", 1704164645000},                // {"exp":1704164645}
        {"h.eyJleHAiOjE3MDQxNjQ2NDUsImEiOiI_Pz8_In0.s", 1704164645000}, // with a character of base64url
        {"h.eyJleHAiOiJub3cifQ.s", 0},                                  // {"exp":"now"}
        {"h.eyJleHAiOjFlMzB9.s", 0},                                    // {"exp":1e30}
        {"h.e30.s", 0},                                                 // {}
        {"h.!!!!.s", 0},
        {"h..s", 0},
        {"no dots", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(members_token_end_ms(cases[i].token), cases[i].end_ms);
    }
    static char large[20000] = "h.";
    memset(large + 2, 'A', sizeof large - 3);
    assert_int_equal(members_token_end_ms(large), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_whatever_came_and_went_between),
        cmocka_unit_test(nobody_is_found_among_none),
        cmocka_unit_test(those_who_are_identified_are_counted),
        cmocka_unit_test(strangers_are_those_not_identified_and_not_heard_of),
        cmocka_unit_test(everybody_is_asked_for_everything_again),
        cmocka_unit_test(the_end_of_a_token_is_read_where_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
