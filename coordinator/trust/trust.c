#include "coordinator/trust/trust.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/text.h"

#define SERIAL_BITS    127
#define AUTHORITY_NAME "vpsie-autoscaler authority"
#define SERVER_NAME    "vpsie-coordinator"

static void free_certificate(X509 **certificate)
{
    X509_free(*certificate);
}

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

#define AUTOX509 __attribute__((cleanup(free_certificate)))
#define AUTOKEY  __attribute__((cleanup(free_key)))

static void wipe(char **secret)
{
    if (*secret != NULL) {
        explicit_bzero(*secret, strlen(*secret));
    }
    free(*secret);
    *secret = NULL;
}

void trust_free(struct trust *trust)
{
    free(trust->authorities);
    free(trust->server_cert);
    trust->authorities = trust->server_cert = NULL;
    wipe(&trust->authority_key);
    wipe(&trust->server_key);
}

// ---------------------------------------------------------------------------------------------- PEM

static int openssl_failed(struct error *error, const char *what)
{
    char reason[160];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    ERR_clear_error();
    return error_set(error, 0, "%s: %s", what, reason);
}

static X509 *read_certificate(BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    ERR_clear_error();
    return certificate;
}

static X509 *parse_certificate(const char *pem)
{
    BIO *bio = pem != NULL ? BIO_new_mem_buf(pem, -1) : NULL;
    X509 *certificate = bio != NULL ? read_certificate(bio) : NULL;
    BIO_free(bio);
    return certificate;
}

// A key that needs a password is none of ours: the callback must not ask the terminal.
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

static EVP_PKEY *parse_key(const char *pem)
{
    BIO *bio = pem != NULL ? BIO_new_mem_buf(pem, -1) : NULL;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    ERR_clear_error();
    BIO_free(bio);
    return key;
}

static char *take_text(BIO *bio)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = xstrndup(bytes, length > 0 ? (size_t)length : 0);
    if (length > 0) {
        explicit_bzero(bytes, (size_t)length);
    }
    BIO_free(bio);
    return text;
}

static char *certificate_text(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1) {
        abort(); // only memory can be missing
    }
    return take_text(bio);
}

static char *key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        abort();
    }
    return take_text(bio);
}

// ---------------------------------------------------------------------------------------------- judging

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm fields;
    return ASN1_TIME_to_tm(time, &fields) == 1 ? (int64_t)timegm(&fields) : 0;
}

static bool holds_now(const X509 *certificate, int64_t now_s)
{
    return seconds_of(X509_get0_notBefore(certificate)) <= now_s &&
           now_s < seconds_of(X509_get0_notAfter(certificate));
}

static int64_t left_s(const X509 *certificate, int64_t now_s)
{
    return seconds_of(X509_get0_notAfter(certificate)) - now_s;
}

static bool belong_together(X509 *certificate, EVP_PKEY *key)
{
    bool match = certificate != NULL && key != NULL && X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    return match;
}

static bool is_signed_by(X509 *certificate, X509 *authority)
{
    bool is_signed = X509_check_issued(authority, certificate) == X509_V_OK &&
                     X509_verify(certificate, X509_get0_pubkey(authority)) == 1;
    ERR_clear_error();
    return is_signed;
}

static const char *missing_name(X509 *certificate, const struct trust_names *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (X509_check_host(certificate, names->items[i], 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) != 1) {
            return names->items[i];
        }
    }
    return NULL;
}

static enum trust_verdict judge_server(X509 *authority, const struct trust *trust,
                                       const struct trust_names *names, int64_t now_s, bool *usable,
                                       struct error *why)
{
    AUTOX509 X509 *server = parse_certificate(trust->server_cert);
    AUTOKEY EVP_PKEY *key = parse_key(trust->server_key);
    if (!belong_together(server, key)) {
        error_set(why, 0, "there is no server certificate with its key");
        return TRUST_SERVER_DUE;
    }
    if (!is_signed_by(server, authority)) {
        error_set(why, 0, "the server certificate is not of this authority");
        return TRUST_SERVER_DUE;
    }
    *usable = holds_now(server, now_s) && holds_now(authority, now_s);
    const char *missing = missing_name(server, names);
    if (missing != NULL) {
        error_set(why, 0, "the server certificate lacks the name %s", missing);
        return TRUST_SERVER_DUE;
    }
    if (!holds_now(server, now_s) || left_s(server, now_s) < TRUST_SERVER_RENEW_SECONDS) {
        error_set(why, 0, "the server certificate ends in %lld days",
                  (long long)(left_s(server, now_s) / TRUST_DAY_SECONDS));
        return TRUST_SERVER_DUE;
    }
    return TRUST_GOOD;
}

enum trust_verdict trust_judge(const struct trust *trust, const struct trust_names *names, int64_t now_s,
                               bool *usable, struct error *why)
{
    AUTOX509 X509 *authority = parse_certificate(trust->authorities);
    AUTOKEY EVP_PKEY *key = parse_key(trust->authority_key);
    *usable = false;
    error_clear(why);
    if (authority == NULL) {
        error_set(why, 0, "there is no authority's certificate");
        return TRUST_AUTHORITY_DUE;
    }
    enum trust_verdict verdict = judge_server(authority, trust, names, now_s, usable, why);
    if (!belong_together(authority, key)) {
        error_set(why, 0, "the authority's key is missing or of another certificate");
        return TRUST_AUTHORITY_DUE;
    }
    if (!holds_now(authority, now_s) || left_s(authority, now_s) < TRUST_AUTHORITY_RENEW_SECONDS) {
        error_set(why, 0, "the authority's certificate ends in %lld days",
                  (long long)(left_s(authority, now_s) / TRUST_DAY_SECONDS));
        return TRUST_AUTHORITY_DUE;
    }
    return verdict;
}

int64_t trust_server_end_s(const struct trust *trust)
{
    AUTOX509 X509 *server = parse_certificate(trust->server_cert);
    return server != NULL ? seconds_of(X509_get0_notAfter(server)) : 0;
}

// ---------------------------------------------------------------------------------------------- making

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool good = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

static bool add_extension(X509 *certificate, X509 *issuer, int identifier, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, identifier, value);
    bool good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool begin_certificate(X509 *certificate, EVP_PKEY *key, const char *name, int64_t now_s,
                              int64_t lifetime_s)
{
    time_t begin = (time_t)(now_s - TRUST_BACKDATE_SECONDS), end = (time_t)(now_s + lifetime_s);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), begin) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), end) != NULL &&
           X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0) == 1 &&
           X509_set_pubkey(certificate, key) == 1;
}

static bool fill_authority(X509 *certificate, EVP_PKEY *key, int64_t now_s)
{
    return begin_certificate(certificate, key, AUTHORITY_NAME, now_s, TRUST_AUTHORITY_SECONDS) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static char *names_text(const struct trust_names *names)
{
    struct text text = {0};
    for (uint32_t i = 0; i < names->count; i++) {
        text_printf(&text, "%sDNS:%s", i > 0 ? "," : "", names->items[i]);
    }
    return text_take(&text);
}

static bool fill_server(X509 *certificate, EVP_PKEY *key, X509 *authority, EVP_PKEY *authority_key,
                        const struct trust_names *names, int64_t now_s)
{
    AUTOFREE char *alternatives = names_text(names);
    return begin_certificate(certificate, key, SERVER_NAME, now_s, TRUST_SERVER_SECONDS) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(authority)) == 1 &&
           add_extension(certificate, authority, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, authority, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, authority, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, authority, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, authority, NID_authority_key_identifier, "keyid:always") &&
           add_extension(certificate, authority, NID_subject_alt_name, alternatives) &&
           X509_sign(certificate, authority_key, EVP_sha256()) > 0;
}

static bool names_are_plain(const struct trust_names *names)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->items[i][0] == '\0' || names->items[i][strspn(names->items[i], plain)] != '\0') {
            return false;
        }
    }
    return names->count > 0;
}

int trust_renew_server(struct trust *trust, const struct trust_names *names, int64_t now_s,
                       struct error *error)
{
    AUTOX509 X509 *authority = parse_certificate(trust->authorities);
    AUTOKEY EVP_PKEY *authority_key = parse_key(trust->authority_key);
    if (!belong_together(authority, authority_key)) {
        return error_set(error, 0, "there is no authority to sign with");
    }
    if (!names_are_plain(names)) {
        return error_set(error, 0, "a server certificate needs DNS names in lower case");
    }
    AUTOKEY EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTOX509 X509 *certificate = X509_new();
    if (key == NULL || certificate == NULL ||
        !fill_server(certificate, key, authority, authority_key, names, now_s)) {
        return openssl_failed(error, "a server certificate could not be made");
    }
    free(trust->server_cert);
    wipe(&trust->server_key);
    trust->server_cert = certificate_text(certificate);
    trust->server_key = key_text(key);
    return 0;
}

// The authorities of a bundle that have not ended, after `first`.
static char *bundle(X509 *first, const char *before, int64_t now_s)
{
    struct text text = {0};
    AUTOFREE char *newest = certificate_text(first);
    text_append(&text, newest);
    BIO *bio = before != NULL ? BIO_new_mem_buf(before, -1) : NULL;
    for (int count = 1; bio != NULL && count < TRUST_AUTHORITIES_MAX; count++) {
        AUTOX509 X509 *older = read_certificate(bio);
        if (older == NULL) {
            break;
        }
        if (left_s(older, now_s) > 0) {
            AUTOFREE char *pem = certificate_text(older);
            text_append(&text, pem);
        }
    }
    BIO_free(bio);
    return text_take(&text);
}

int trust_renew_authority(struct trust *trust, const struct trust_names *names, int64_t now_s,
                          struct error *error)
{
    AUTOKEY EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTOX509 X509 *certificate = X509_new();
    if (key == NULL || certificate == NULL || !fill_authority(certificate, key, now_s)) {
        return openssl_failed(error, "a certificate authority could not be made");
    }
    char *authorities = bundle(certificate, trust->authorities, now_s);
    free(trust->authorities);
    wipe(&trust->authority_key);
    trust->authorities = authorities;
    trust->authority_key = key_text(key);
    return trust_renew_server(trust, names, now_s, error);
}

int trust_make(const struct trust_names *names, int64_t now_s, struct trust *out, struct error *error)
{
    *out = (struct trust){0};
    if (trust_renew_authority(out, names, now_s, error) < 0) {
        trust_free(out);
        return -1;
    }
    return 0;
}
