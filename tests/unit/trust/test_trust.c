// What this proves: certificates made here are such that a TLS client believes them, for as long as they
// should be believed and no longer.
#include "tests/support/cmocka_all.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/trust/trust.h"

#define NOW 1800000000LL

static const char *const name_items[] = {"vpsie-coordinator", "vpsie-coordinator.kube-system.svc"};
static const struct trust_names names = {name_items, 2};

static X509 *certificate_of(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

// What a client does that trusts `authorities`: chain, purpose, time and name.
static bool client_believes(const char *authorities, const char *server, const char *name, int64_t now_s)
{
    X509_STORE *store = X509_STORE_new();
    BIO *bio = BIO_new_mem_buf(authorities, -1);
    for (X509 *authority; (authority = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        X509_STORE_add_cert(store, authority);
        X509_free(authority);
    }
    BIO_free(bio);
    X509 *certificate = certificate_of(server);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, certificate, NULL);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)now_s);
    X509_VERIFY_PARAM_set1_host(parameters, name, 0);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
    bool believed = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_free(certificate);
    X509_STORE_free(store);
    return believed;
}

static unsigned count_certificates(const char *pem)
{
    unsigned count = 0;
    for (const char *at = pem; (at = strstr(at, "BEGIN CERTIFICATE")) != NULL; at++) {
        count++;
    }
    return count;
}

static enum trust_verdict judge(const struct trust *trust, int64_t now_s, bool *usable)
{
    struct error why = {0};
    enum trust_verdict verdict = trust_judge(trust, &names, now_s, usable, &why);
    assert_true((verdict == TRUST_GOOD) == (why.text[0] == '\0'));
    return verdict;
}

static struct trust make(int64_t now_s)
{
    struct trust trust;
    struct error error = {0};
    assert_int_equal(trust_make(&names, now_s, &trust, &error), 0);
    return trust;
}

static void a_client_believes_a_new_certificate_for_its_names_only(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    bool usable = false;
    assert_int_equal(judge(&trust, NOW, &usable), TRUST_GOOD);
    assert_true(usable);
    assert_true(client_believes(trust.authorities, trust.server_cert, name_items[0], NOW));
    assert_true(client_believes(trust.authorities, trust.server_cert, name_items[1], NOW));
    assert_false(client_believes(trust.authorities, trust.server_cert, "vpsie-coordinator.other.svc", NOW));
}

static void a_clock_a_little_behind_believes_it_too(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    assert_true(client_believes(trust.authorities, trust.server_cert, name_items[0], NOW - 1800));
}

static void keys_are_of_the_curve_p_256(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    X509 *certificate = certificate_of(trust.server_cert);
    char group[32] = "";
    EVP_PKEY_get_group_name(X509_get0_pubkey(certificate), group, sizeof group, NULL);
    assert_string_equal(group, "prime256v1");
    X509_free(certificate);
}

static void a_server_certificate_is_due_a_month_before_its_end_and_usable_until_then(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    bool usable = false;
    int64_t end_s = trust_server_end_s(&trust);
    assert_int_equal(end_s, NOW + TRUST_SERVER_SECONDS);
    assert_int_equal(judge(&trust, end_s - TRUST_SERVER_RENEW_SECONDS - 1, &usable), TRUST_GOOD);
    assert_int_equal(judge(&trust, end_s - TRUST_SERVER_RENEW_SECONDS + 1, &usable), TRUST_SERVER_DUE);
    assert_true(usable);
    assert_int_equal(judge(&trust, end_s + 1, &usable), TRUST_SERVER_DUE);
    assert_false(usable);
}

static void a_renewed_server_certificate_is_believed_by_who_trusted_before(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    AUTOFREE char *authorities = xstrdup(trust.authorities);
    AUTOFREE char *before = xstrdup(trust.server_cert);
    int64_t later_s = NOW + 70 * TRUST_DAY_SECONDS;
    struct error error = {0};
    bool usable = false;
    assert_int_equal(trust_renew_server(&trust, &names, later_s, &error), 0);
    assert_string_equal(trust.authorities, authorities);
    assert_string_not_equal(trust.server_cert, before);
    assert_int_equal(judge(&trust, later_s, &usable), TRUST_GOOD);
    assert_true(client_believes(authorities, trust.server_cert, name_items[1], later_s));
}

static void a_new_authority_comes_in_front_of_the_old_one(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    AUTOFREE char *old_server = xstrdup(trust.server_cert);
    struct error error = {0};
    bool usable = false;
    assert_int_equal(trust_renew_authority(&trust, &names, NOW + 5, &error), 0);
    assert_int_equal(count_certificates(trust.authorities), 2);
    assert_int_equal(judge(&trust, NOW + 5, &usable), TRUST_GOOD);
    assert_true(client_believes(trust.authorities, trust.server_cert, name_items[0], NOW + 5));
    assert_true(client_believes(trust.authorities, old_server, name_items[0], NOW + 5));
}

static void a_bundle_does_not_grow_for_ever_nor_keep_the_dead(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    struct error error = {0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trust_renew_authority(&trust, &names, NOW + i, &error), 0);
    }
    assert_int_equal(count_certificates(trust.authorities), TRUST_AUTHORITIES_MAX);
    int64_t dead_s = NOW + TRUST_AUTHORITY_SECONDS + TRUST_DAY_SECONDS;
    assert_int_equal(trust_renew_authority(&trust, &names, dead_s, &error), 0);
    assert_int_equal(count_certificates(trust.authorities), 1);
}

static void an_authority_is_due_a_year_before_its_end(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    bool usable = false;
    assert_int_equal(
        judge(&trust, NOW + TRUST_AUTHORITY_SECONDS - TRUST_AUTHORITY_RENEW_SECONDS + 1, &usable),
        TRUST_AUTHORITY_DUE);
    assert_int_equal(judge(&trust, NOW - 2 * TRUST_BACKDATE_SECONDS, &usable), TRUST_AUTHORITY_DUE);
}

static void a_missing_name_makes_the_server_certificate_due(void **state)
{
    (void)state;
    AUTOTRUST struct trust trust = make(NOW);
    static const char *const more_items[] = {"vpsie-coordinator", "other"};
    const struct trust_names more = {more_items, 2};
    struct error why = {0};
    bool usable = false;
    assert_int_equal(trust_judge(&trust, &more, NOW, &usable, &why), TRUST_SERVER_DUE);
    assert_non_null(strstr(why.text, "other"));
    assert_true(usable);
}

// Parts of two makings, swapped one at a time, and parts that are missing or nonsense.
static void parts_that_do_not_fit_are_not_good(void **state)
{
    (void)state;
    bool usable = false;
    for (int part = 0; part < 4; part++) {
        for (int fault = 0; fault < 3; fault++) {
            AUTOTRUST struct trust trust = make(NOW);
            AUTOTRUST struct trust other = make(NOW);
            char **mine[] = {&trust.authorities, &trust.authority_key, &trust.server_cert, &trust.server_key};
            char *theirs[] = {other.authorities, other.authority_key, other.server_cert, other.server_key};
            free(*mine[part]);
            *mine[part] = fault == 0 ? xstrdup(theirs[part]) : fault == 1 ? xstrdup("nonsense") : NULL;
            enum trust_verdict wanted = part < 2 ? TRUST_AUTHORITY_DUE : TRUST_SERVER_DUE;
            assert_int_equal(judge(&trust, NOW, &usable), wanted);
            assert_true(usable == (part == 1)); // what is shown to agents does not need the authority's key
        }
    }
}

static void names_that_would_change_the_meaning_of_a_certificate_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"a,IP:10.0.0.1", "", "UPPER", "*.example.com"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct trust trust;
        struct error error = {0};
        const struct trust_names one = {&bad[i], 1};
        assert_int_equal(trust_make(&one, NOW, &trust, &error), -1);
        assert_null(trust.server_key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_believes_a_new_certificate_for_its_names_only),
        cmocka_unit_test(a_clock_a_little_behind_believes_it_too),
        cmocka_unit_test(keys_are_of_the_curve_p_256),
        cmocka_unit_test(a_server_certificate_is_due_a_month_before_its_end_and_usable_until_then),
        cmocka_unit_test(a_renewed_server_certificate_is_believed_by_who_trusted_before),
        cmocka_unit_test(a_new_authority_comes_in_front_of_the_old_one),
        cmocka_unit_test(a_bundle_does_not_grow_for_ever_nor_keep_the_dead),
        cmocka_unit_test(an_authority_is_due_a_year_before_its_end),
        cmocka_unit_test(a_missing_name_makes_the_server_certificate_due),
        cmocka_unit_test(parts_that_do_not_fit_are_not_good),
        cmocka_unit_test(names_that_would_change_the_meaning_of_a_certificate_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
