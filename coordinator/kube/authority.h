// What this room is for: the coordinator's own certificate authority, kept in a Secret for all replicas, its
// certificate published in a ConfigMap for the agents, the server certificate renewed in time. What it knows:
// those two objects. What it may not do: touch a disk (the files it offers are in memory), overwrite what
// another replica made.
#ifndef VPSIE_COORDINATOR_KUBE_AUTHORITY_H
#define VPSIE_COORDINATOR_KUBE_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/kube/api.h"

// The objects' keys. The Secret is of the type kubernetes.io/tls; agents mount the ConfigMap.
#define AUTHORITY_KEY_CA_CERT     "ca.crt"
#define AUTHORITY_KEY_CA_KEY      "ca.key"
#define AUTHORITY_KEY_SERVER_CERT "tls.crt"
#define AUTHORITY_KEY_SERVER_KEY  "tls.key"

struct authority_options {
    struct api *api;
    const char *space, *secret_name, *configmap_name;
    const char *service_name; // what agents call: NAME, NAME.SPACE, NAME.SPACE.svc and with .cluster.local
    int64_t (*now_s)(void *context); // Unix seconds; NULL: the wall clock
    void *now_context;
};

// The strings are copied. From here on the files hold a certificate, at first one that nobody trusts, so that
// the listener can be set up before the API server answers. NULL with an error when OpenSSL or the kernel
// cannot.
struct authority *authority_create(const struct authority_options *options, struct error *error);
void authority_destroy(struct authority *authority); // wipes the keys; NULL is fine

// One round: takes what the Secret holds, makes or renews what is missing or due, publishes, and fills the
// files. -1 with why not; a certificate that is still usable is taken all the same. One thread.
int authority_tick(struct authority *authority, struct error *error);
void authority_run(
    struct authority *authority); // ticks until the api stops: each minute, sooner after a failure
// Waits until a round has succeeded; false when the time is over. Any thread.
bool authority_wait(struct authority *authority, int64_t timeout_ms);

// Paths for whoever opens files; valid in this process until authority_destroy(). Rewritten when there is
// news.
const char *authority_cert_file(const struct authority *authority);
const char *authority_key_file(const struct authority *authority);

#endif
