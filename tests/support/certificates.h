// What this room is for: a certificate authority and server certificates made at run time, for tests and the
// demo. What it knows: OpenSSL, ECDSA P-256. What it may not do: be linked into a shipped program.
#ifndef VPSIE_TESTS_SUPPORT_CERTIFICATES_H
#define VPSIE_TESTS_SUPPORT_CERTIFICATES_H

#include <stdbool.h>

// PEM texts; free with certificates_free(). Making them aborts when OpenSSL cannot.
struct certificates {
    char *ca_cert, *ca_key;
    char *server_cert, *server_key; // for localhost, 127.0.0.1 and ::1
};
struct certificates certificates_make(void);
void certificates_free(struct certificates *certificates);
// A further server certificate of the same authority: `names` is OpenSSL's form ("DNS:a,IP:127.0.0.1");
// `expired`: its time is over. The caller frees both texts.
void certificates_make_server(const struct certificates *authority, const char *names, bool expired,
                              char **cert_pem, char **key_pem);
// Writes text to path (mode 0600) or aborts.
void certificates_write(const char *path, const char *pem);

#endif
