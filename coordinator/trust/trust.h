// What this room is for: a certificate authority of our own and the one server certificate it signs, so that
// nobody has to make certificates by hand. What it knows: X.509 and ECDSA P-256, by OpenSSL. What it may not
// do: any I/O, read a clock, keep anything.
#ifndef VPSIE_COORDINATOR_TRUST_TRUST_H
#define VPSIE_COORDINATOR_TRUST_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

// All times are Unix seconds.
#define TRUST_DAY_SECONDS             86400LL
#define TRUST_SERVER_SECONDS          (90 * TRUST_DAY_SECONDS)
#define TRUST_SERVER_RENEW_SECONDS    (30 * TRUST_DAY_SECONDS) // so long before its end
#define TRUST_AUTHORITY_SECONDS       (20LL * 365 * TRUST_DAY_SECONDS)
#define TRUST_AUTHORITY_RENEW_SECONDS (365 * TRUST_DAY_SECONDS)
#define TRUST_BACKDATE_SECONDS        3600 // for clocks that are a little behind
#define TRUST_AUTHORITIES_MAX         3    // in one bundle

// PEM texts, owned; NULL when absent.
struct trust {
    char *authorities; // whom to trust: the present authority first, then those before it that have not ended
    char *authority_key;
    char *server_cert;
    char *server_key;
};
void trust_free(struct trust *trust); // wipes the keys
#define AUTOTRUST __attribute__((cleanup(trust_free)))

// DNS names that the server certificate must have.
struct trust_names {
    const char *const *items;
    uint32_t count;
};

enum trust_verdict {
    TRUST_GOOD,
    TRUST_SERVER_DUE,    // a new server certificate is needed, now or soon
    TRUST_AUTHORITY_DUE, // a new authority too
};
// Whether the parts fit together, have the names and last long enough. `usable`: until something better is
// there, an agent that trusts the authorities would accept the server certificate now. `why` says what is
// missing, "" when good.
enum trust_verdict trust_judge(const struct trust *trust, const struct trust_names *names, int64_t now_s,
                               bool *usable, struct error *why);

// A new authority and its first server certificate. `out` is overwritten.
int trust_make(const struct trust_names *names, int64_t now_s, struct trust *out, struct error *error);
// A new server certificate of the same authority.
int trust_renew_server(struct trust *trust, const struct trust_names *names, int64_t now_s,
                       struct error *error);
// A new authority in front of those that have not ended, and a server certificate of it: who has the old
// bundle needs the new one before connecting anew.
int trust_renew_authority(struct trust *trust, const struct trust_names *names, int64_t now_s,
                          struct error *error);

// When the server certificate ends; 0 when it cannot be read.
int64_t trust_server_end_s(const struct trust *trust);

#endif
