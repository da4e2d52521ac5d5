// What this room is for: the Kubernetes door: objects and outcomes in as events, commands out as API calls,
// the Lease. What it knows: the Kubernetes API. What it may not do: decide anything, keep JSON, act for a
// leader that is no more.
#ifndef VPSIE_COORDINATOR_KUBE_KUBE_H
#define VPSIE_COORDINATOR_KUBE_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"

// Takes the event over. May wait (a full queue slows its door). Called from the door's threads.
typedef void (*kube_sink)(void *context, struct event *event);
// A watched Secret changed (the VPSie credentials): key/value pairs, valid during the call only; count 0: it
// is gone.
struct kube_secret_item {
    const char *key;
    const char *value; // decoded; wiped after the call
};
typedef void (*kube_secret_sink)(void *context, const struct kube_secret_item *items, uint32_t count);

struct kube_options {
    const char *kubeconfig; // "" = $KUBECONFIG when set, else in-cluster
    const char *context;    // "" = current-context
    const char *identity;   // lease holder identity
    const char *lease_namespace, *lease_name;
    int64_t lease_duration_ms, renew_deadline_ms, retry_period_ms;
    bool leader_elect; // false: lead at once with term 1 (tests, plan)
    bool dry_run; // refuse every write as a last guard; the Lease is not taken either: leads at once, only
                  // reading
    const char *secret_namespace, *secret_name; // credentials; "" = none
    const char *own_namespace;
    // Where the door keeps a certificate authority of the coordinator's own (authority.h); NULL or "": it
    // keeps none.
    const char *tls_secret_name, *ca_configmap_name, *service_name;
    kube_sink sink;
    kube_secret_sink secret_sink; // may be NULL
    void *context_pointer;
};

struct kube;
// Reads the configuration and starts the door's threads; the API server need not be reachable yet.
struct kube *kube_start(const struct kube_options *options, struct error *error);
// Stops everything; releases the Lease when `release_lease`. No event comes after it returns.
void kube_stop(struct kube *kube, bool release_lease);
// Takes the command over. Commands of one key run in order; different keys run side by side. Every command
// with an outcome gets exactly one EVENT_OUTCOME, also when fenced (OUTCOME_NOT_SENT). Any thread.
void kube_submit(struct kube *kube, struct command *command);
// Is `term` the present leadership, with time left to act? Asked by the other doors too, right before they
// send.
bool kube_may_act(struct kube *kube, uint64_t term);
bool kube_is_leading(struct kube *kube);

// Who does a token speak for? Blocking TokenReview with `audience`; on success writes the node name bound
// into the token (authentication.kubernetes.io/node-name, else the node of the bound pod, which is read).
// Returns 0; -1 with error->code 401 when the token is not valid, 403 when it is valid but of the wrong
// service account or not bound to a node, else another code: the API server could not say (try again). Any
// thread. Results are not cached here.
int kube_review_token(struct kube *kube, const char *token, const char *audience, const char *service_account,
                      char *node_name, size_t node_name_bytes, struct error *error);

// The certificate that the door keeps for agents, as files of this process, rewritten whenever there is a new
// one. Waits until it is the one that agents can trust; false when it is not yet after timeout_ms (the files
// then hold one that nobody trusts, until the API server answers). Only with tls_secret_name.
bool kube_certificate(struct kube *kube, int64_t timeout_ms, const char **cert_file, const char **key_file);

struct kube_health {
    bool synced;
    bool reachable;
    char detail[256];
    char server[256]; // URL
    char holder[256]; // of the Lease
    bool leading;
};
void kube_health(struct kube *kube, struct kube_health *out);

#endif
