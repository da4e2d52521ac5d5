#include <setjmp.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_create(64);
    unsigned char *pieces[300];
    for (size_t bytes = 0; bytes < 300; bytes++) {
        pieces[bytes] = arena_alloc(arena, bytes);
        assert_int_equal((uintptr_t)pieces[bytes] % alignof(max_align_t), 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(pieces[bytes][i], 0);
        memset(pieces[bytes], (int)(bytes % 255 + 1), bytes);
    }
    for (size_t bytes = 0; bytes < 300; bytes++) {
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(pieces[bytes][i], bytes % 255 + 1);
    }
    arena_destroy(arena);
}

static void nothing_is_still_a_place_of_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    void *a = arena_alloc(arena, 0);
    void *b = arena_alloc(arena, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    arena_destroy(arena);
}

static void memory_is_zeroed_again_after_a_reset(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1024);
    memset(arena_alloc(arena, 512), 0xff, 512);
    arena_reset(arena);
    unsigned char *piece = arena_alloc(arena, 512);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(piece[i], 0);
    arena_destroy(arena);
}

static void a_reset_gives_back_all_but_the_first_block(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1024);
    size_t at_first = arena_bytes(arena);
    assert_true(at_first >= 1024);
    for (int i = 0; i < 1000; i++)
        arena_alloc(arena, 1000);
    assert_true(arena_bytes(arena) >= 1000 * 1000);
    arena_reset(arena);
    assert_int_equal(arena_bytes(arena), at_first);
    arena_alloc(arena, 900);
    assert_int_equal(arena_bytes(arena), at_first);
    arena_destroy(arena);
}

static void a_piece_larger_than_any_block_has_its_own(void **state)
{
    (void)state;
    struct arena *arena = arena_create(256);
    size_t bytes = 20u * 1024u * 1024u;
    unsigned char *piece = arena_alloc(arena, bytes);
    piece[0] = piece[bytes - 1] = 1;
    assert_true(arena_bytes(arena) >= bytes);
    assert_true(arena_bytes(arena) < bytes + 8192);
    arena_destroy(arena);
}

static void texts_are_copied(void **state)
{
    (void)state;
    struct arena *arena = arena_create(256);
    char source[] = "node-1";
    char *copy = arena_strdup(arena, source);
    source[0] = 'X';
    assert_string_equal(copy, "node-1");
    assert_null(arena_strdup(arena, NULL));
    assert_null(arena_strndup(arena, NULL, 3));
    assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(arena, "ab", 30), "ab");
    assert_string_equal(arena_strndup(arena, "ab", 0), "");
    assert_string_equal(arena_printf(arena, "%s/%d", "pod", 7), "pod/7");
    assert_string_equal(arena_printf(arena, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(arena, "%5000d", 1)), 5000);
    const char unterminated[3] = {'a', 'b', 'c'};
    assert_string_equal(arena_strndup(arena, unterminated, 3), "abc");
    arena_destroy(arena);
}

static void typed_pieces_have_their_size(void **state)
{
    (void)state;
    struct arena *arena = arena_create(256);
    int64_t *numbers = ARENA_ARRAY(arena, int64_t, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers[i], 0);
    numbers[99] = 1;
    assert_int_equal(*ARENA_NEW(arena, int64_t), 0);
    assert_non_null(ARENA_ARRAY(arena, int64_t, 0));
    arena_destroy(arena);
}

static void destroying_nothing_is_fine(void **state)
{
    (void)state;
    arena_destroy(NULL);
}

static void the_malloc_family_copies_and_zeroes(void **state)
{
    (void)state;
    unsigned char *zeroed = xcalloc(10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    zeroed = xrealloc_array(zeroed, 1000, 10);
    assert_int_equal(zeroed[99], 0);
    free(zeroed);
    void *nothing = xcalloc(0, 8);
    assert_non_null(nothing);
    nothing = xrealloc_array(nothing, 0, 8);
    assert_non_null(nothing);
    free(nothing);
    assert_null(xstrdup(NULL));
    assert_null(xstrndup(NULL, 1));
    char AUTOFREE *a = xstrdup("a");
    char AUTOFREE *b = xstrndup("bcd", 2);
    char AUTOFREE *c = xprintf("%s%s%d", a, b, 9);
    assert_string_equal(c, "abc9");
}

// AddressSanitizer's malloc would end the child itself.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void overflow_arena(void)
{
    arena_alloc_array(arena_create(64), SIZE_MAX / 2, 3);
}

static void exhaust_arena(void)
{
    arena_alloc(arena_create(64), SIZE_MAX - 100);
}

static void overflow_realloc(void)
{
    free(xrealloc_array(NULL, SIZE_MAX / 2, 3));
}

// In a child: it must end with abort() and a message on stderr.
static void expect_abort(void (*action)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        action();
        _exit(0);
    }
    close(ends[1]);
    char said[16384] = "";
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "out of memory"));
}

static void what_cannot_be_had_aborts_with_a_message(void **state)
{
    (void)state;
    expect_abort(overflow_arena);
    expect_abort(overflow_realloc);
    expect_abort(exhaust_arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(nothing_is_still_a_place_of_its_own),
        cmocka_unit_test(memory_is_zeroed_again_after_a_reset),
        cmocka_unit_test(a_reset_gives_back_all_but_the_first_block),
        cmocka_unit_test(a_piece_larger_than_any_block_has_its_own),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(typed_pieces_have_their_size),
        cmocka_unit_test(destroying_nothing_is_fine),
        cmocka_unit_test(the_malloc_family_copies_and_zeroes),
        cmocka_unit_test(what_cannot_be_had_aborts_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
