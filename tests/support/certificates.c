#include "tests/support/certificates.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"

#define DAY_SECONDS 86400L

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "certificates: %s failed\n", what);
        abort();
    }
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    check(extension != NULL && X509_add_ext(cert, extension, -1) == 1, "adding an extension");
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(EVP_PKEY *key, const char *name, bool expired)
{
    static uint32_t serial = 1;
    X509 *cert = X509_new();
    check(cert != NULL && X509_set_version(cert, 2) == 1, "making a certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)(serial++ + (uint32_t)getpid() * 1000u));
    X509_gmtime_adj(X509_getm_notBefore(cert), expired ? -10 * DAY_SECONDS : -DAY_SECONDS);
    X509_gmtime_adj(X509_getm_notAfter(cert), expired ? -DAY_SECONDS : 30 * DAY_SECONDS);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)name,
                               -1, -1, 0);
    check(X509_set_pubkey(cert, key) == 1, "setting the key");
    return cert;
}

static char *take_bio(BIO *bio)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);
    char *text = xstrndup(bytes, (size_t)length);
    BIO_free(bio);
    return text;
}

static char *cert_text(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    check(PEM_write_bio_X509(bio, cert) == 1, "writing a certificate");
    return take_bio(bio);
}

static char *key_text(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    check(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, "writing a key");
    return take_bio(bio);
}

static void make_authority(struct certificates *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    check(key != NULL, "making a key");
    X509 *cert = new_certificate(key, "test authority", false);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(cert, cert, NID_subject_key_identifier, "hash");
    check(X509_sign(cert, key, EVP_sha256()) > 0, "signing");
    out->ca_cert = cert_text(cert);
    out->ca_key = key_text(key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void certificates_make_server(const struct certificates *authority, const char *names, bool expired,
                              char **cert_pem, char **key_pem)
{
    BIO *cert_bio = BIO_new_mem_buf(authority->ca_cert, -1),
        *key_bio = BIO_new_mem_buf(authority->ca_key, -1);
    X509 *ca = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    EVP_PKEY *ca_key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    check(ca != NULL && ca_key != NULL && key != NULL, "reading the authority");
    X509 *cert = new_certificate(key, "test server", expired);
    X509_set_issuer_name(cert, X509_get_subject_name(ca));
    add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(cert, ca, NID_key_usage, "critical,digitalSignature");
    add_extension(cert, ca, NID_ext_key_usage, "serverAuth");
    add_extension(cert, ca, NID_subject_alt_name, names);
    check(X509_sign(cert, ca_key, EVP_sha256()) > 0, "signing");
    *cert_pem = cert_text(cert);
    *key_pem = key_text(key);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
}

struct certificates certificates_make(void)
{
    struct certificates out = {0};
    make_authority(&out);
    certificates_make_server(&out, "DNS:localhost,IP:127.0.0.1,IP:::1", false, &out.server_cert,
                             &out.server_key);
    return out;
}

void certificates_free(struct certificates *certificates)
{
    free(certificates->ca_cert);
    free(certificates->ca_key);
    free(certificates->server_cert);
    free(certificates->server_key);
    memset(certificates, 0, sizeof *certificates);
}

void certificates_write(const char *path, const char *pem)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t length = strlen(pem);
    check(file >= 0 && write(file, pem, length) == (ssize_t)length && close(file) == 0, path);
}
