#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "common/arena.h"
#include "coordinator/vpsie/account.h"

#define URL "https://api.vpsie.com/apps/v2"

static struct account *make(const char *token, const char *id, const char *secret, const char *url,
                            struct error *error)
{
    struct vpsie_credentials credentials = {
        .token = token, .client_id = id, .client_secret = secret, .url = url};
    return account_create(&credentials, URL, VPSIE_AUTH_HEADER, error);
}

static void white_space_around_a_secret_is_cut_off(void **state)
{
    (void)state;
    struct account *account = make(" token-123\n", NULL, NULL, "\thttps://other.test/v2/ \n", NULL);
    assert_string_equal(account->token, "token-123");
    assert_string_equal(account->url, "https://other.test/v2");
    AUTOTEXT struct text header = {0};
    account_header(account, &header);
    assert_string_equal(text_get(&header), "Vpsie-Auth: token-123");
    account->scheme = VPSIE_AUTH_BEARER;
    text_clear(&header);
    account_header(account, &header);
    assert_string_equal(text_get(&header), "Authorization: Bearer token-123");
    account_destroy(account);
}

static void an_empty_url_means_the_default_one(void **state)
{
    (void)state;
    struct account *account = make("t", NULL, NULL, "", NULL);
    assert_string_equal(account->url, URL);
    account_destroy(account);
}

static void what_cannot_work_is_refused_without_showing_it(void **state)
{
    (void)state;
    const struct {
        const char *token, *id, *secret, *url, *says;
    } cases[] = {
        {NULL, NULL, NULL, "", "neither"},
        {"", "id", "", "", "neither"},
        {NULL, "id", NULL, "", "neither"},
        {"secret-a\r\nX: y", NULL, NULL, "", "printable"},
        {NULL, "id", "secret-a b", "", "printable"},
        {"secret-a", NULL, NULL, "http://api.vpsie.com/v2", "https"},
        {"secret-a", NULL, NULL, "api.vpsie.com/v2", "https"},
        {"secret-a", NULL, NULL, "https://", "empty"},
        {"secret-a", NULL, NULL, "https://user:secret-a@host/v2", "may not hold"},
        {"secret-a", NULL, NULL, "https://host/v2?x=1", "may not hold"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        assert_null(make(cases[i].token, cases[i].id, cases[i].secret, cases[i].url, &error));
        assert_non_null(strstr(error.text, cases[i].says));
        assert_null(strstr(error.text, "secret-a"));
    }
}

static void a_token_wins_over_a_client(void **state)
{
    (void)state;
    struct account *account = make("t", "id", "secret", "", NULL);
    assert_false(account_logs_in(account));
    assert_false(account_is_due(account, 1));
    account_destroy(account);
}

static void a_login_is_renewed_five_minutes_before_its_end(void **state)
{
    (void)state;
    int64_t now = 1700000000000;
    struct account *account = make(NULL, "id", "secret", "", NULL);
    assert_true(account_is_due(account, now));
    account_set_access(account, "access", now + 3600000, now);
    assert_false(account_is_due(account, now + 3600000 - 300001));
    assert_true(account_is_due(account, now + 3600000 - 300000));
    AUTOTEXT struct text header = {0};
    account_header(account, &header);
    assert_string_equal(text_get(&header), "Authorization: Bearer access");
    account_destroy(account);
}

static void a_login_with_a_short_life_is_not_renewed_all_the_time(void **state)
{
    (void)state;
    int64_t now = 1700000000000;
    struct account *account = make(NULL, "id", "secret", "", NULL);
    account_set_access(account, "access", now + 240000, now);
    assert_false(account_is_due(account, now + 119999));
    assert_true(account_is_due(account, now + 120000));
    account_set_access(account, "access", now + 1, now);
    assert_false(account_is_due(account, now + 999));
    assert_true(account_is_due(account, now + 1000));
    account_destroy(account);
}

static void an_end_that_is_unknown_or_past_means_one_hour(void **state)
{
    (void)state;
    int64_t now = 1700000000000;
    struct account *account = make(NULL, "id", "secret", "", NULL);
    account_set_access(account, "a", 0, now);
    assert_int_equal(account->access_until_ms, now + 3600000);
    account_set_access(account, "a", now - 1, now);
    assert_int_equal(account->access_until_ms, now + 3600000);
    account_destroy(account);
}

static void the_login_form_is_percent_encoded(void **state)
{
    (void)state;
    struct account *account = make(NULL, "id&x=1", "a+b/c=%", "", NULL);
    AUTOTEXT struct text body = {0};
    account_login_body(account, &body);
    assert_string_equal(text_get(&body), "clientId=id%26x%3D1&clientSecret=a%2Bb%2Fc%3D%25");
    account_destroy(account);
}

static void each_known_base_has_the_other_one(void **state)
{
    (void)state;
    const char *pairs[][2] = {{"https://h/apps/v2", "https://h/v2"},
                              {"https://h/v2", "https://h/apps/v2"},
                              {"https://h:8443/v2/", "https://h:8443/apps/v2"},
                              {"https://h/api", NULL}};
    for (size_t i = 0; i < 4; i++) {
        struct account *account = make("t", NULL, NULL, pairs[i][0], NULL);
        AUTOTEXT struct text other = {0};
        assert_int_equal(account_other_base(account, &other), pairs[i][1] != NULL);
        assert_string_equal(text_get(&other), pairs[i][1] != NULL ? pairs[i][1] : "");
        account_destroy(account);
    }
}

static void pieces_of_secrets_are_scrubbed_from_what_is_shown(void **state)
{
    (void)state;
    struct account *account = make(NULL, "client-id-0001", "very-secret-value", "", NULL);
    account_set_access(account, "eyJhbGciOi.access.token", 0, 1);
    char text[] = "no such client client-id-0001 with very-secret-val and eyJhbGciOi.acc... or pw";
    account_scrub(account, text);
    assert_string_equal(text, "no such client * with * and *... or pw");
    char harmless[] = "the client is not allowed to do this";
    account_scrub(account, harmless);
    assert_string_equal(harmless, "the client is not allowed to do this");
    account_destroy(account);
}

static void a_copy_stands_on_its_own(void **state)
{
    (void)state;
    struct account *account = make(NULL, "id", "secret", "", NULL);
    account_set_access(account, "access", 0, 1);
    struct account *copy = account_copy(account);
    account_destroy(account);
    assert_string_equal(copy->access, "access");
    assert_string_equal(copy->client_secret, "secret");
    account_destroy(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_around_a_secret_is_cut_off),
        cmocka_unit_test(an_empty_url_means_the_default_one),
        cmocka_unit_test(what_cannot_work_is_refused_without_showing_it),
        cmocka_unit_test(a_token_wins_over_a_client),
        cmocka_unit_test(a_login_is_renewed_five_minutes_before_its_end),
        cmocka_unit_test(a_login_with_a_short_life_is_not_renewed_all_the_time),
        cmocka_unit_test(an_end_that_is_unknown_or_past_means_one_hour),
        cmocka_unit_test(the_login_form_is_percent_encoded),
        cmocka_unit_test(each_known_base_has_the_other_one),
        cmocka_unit_test(pieces_of_secrets_are_scrubbed_from_what_is_shown),
        cmocka_unit_test(a_copy_stands_on_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
