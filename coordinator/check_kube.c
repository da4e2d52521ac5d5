#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/check.h"
#include "coordinator/kube/authority.h"
#include "coordinator/kube/base64.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/permissions.h"

#define MINOR_OLDEST 24
#define APPLY        "kubectl apply -k deploy/overlays/small (or your own overlay)"
#define SHOWN_MAX    6

static void get(struct check *check, const char *path, bool secret, struct api_reply *reply)
{
    struct api_request request = {
        .verb = "get", .kind = "check", .method = "GET", .path = path, .secret_body = secret};
    api_read(check->api, &request, reply);
}

// ------------------------------------------------------------------------------------------ the server

static void check_server(struct check *check)
{
    AUTOREPLY struct api_reply reply = {0};
    get(check, "/version", false, &reply);
    const char *version = json_text(reply.json, "gitVersion");
    long minor = strtol(json_text(reply.json, "minor"), NULL, 10);
    check->reachable = api_succeeded(&reply);
    if (!check->reachable) {
        check_say(check, CHECK_WRONG, "API server",
                  "network policy, --kubeconfig, or the ServiceAccount's token", "does not answer: %s",
                  reply.message);
    } else if (minor < MINOR_OLDEST) {
        check_say(check, CHECK_DOUBTFUL, "API server", "Kubernetes 1.24 or newer",
                  "%s is older than what is supported", version);
    } else {
        check_say(check, CHECK_GOOD, "API server", NULL, "answers, %s", version);
    }
}

// ------------------------------------------------------------------------------------------ permissions

static const char *space_of(const struct check *check, enum permission_space space)
{
    switch (space) {
    case PERMISSION_CLUSTER: return "";
    case PERMISSION_OWN: return check->options->own_namespace;
    case PERMISSION_LEASE: return check->options->lease_namespace;
    case PERMISSION_CREDENTIALS: return check->options->secret_namespace;
    }
    return "";
}

static const char *name_of(const struct check *check, enum permission_name name)
{
    switch (name) {
    case PERMISSION_ANY: return "";
    case PERMISSION_NAME_LEASE: return check->options->lease_name;
    case PERMISSION_NAME_CREDENTIALS: return check->options->secret_name;
    case PERMISSION_NAME_TLS: return check->options->tls_secret_name;
    case PERMISSION_NAME_CA: return check->options->ca_configmap_name;
    case PERMISSION_NAME_HOOKS: return PERMISSION_HOOK_WEBHOOK;
    }
    return "";
}

static char *review_body(const struct check *check, const struct permission *permission)
{
    AUTOJSON cJSON *body = json_object();
    struct text text = {0};
    json_add_text(body, "apiVersion", "authorization.k8s.io/v1");
    json_add_text(body, "kind", "SelfSubjectAccessReview");
    cJSON *attributes = json_add_object(json_add_object(body, "spec"), "resourceAttributes");
    json_add_text(attributes, "group", permission->group);
    json_add_text(attributes, "resource", permission->resource);
    json_add_text(attributes, "subresource", permission->subresource);
    json_add_text(attributes, "verb", permission->verb);
    json_add_text(attributes, "namespace", space_of(check, permission->space));
    json_add_text(attributes, "name", name_of(check, permission->name));
    json_print(body, &text);
    return text_take(&text);
}

// 1 allowed, 0 not, -1 nobody could say.
static int may(struct check *check, const struct permission *permission)
{
    AUTOREPLY struct api_reply reply = {0};
    AUTOFREE char *body = review_body(check, permission);
    struct api_request request = {.verb = "create",
                                  .kind = "SelfSubjectAccessReview",
                                  .method = "POST",
                                  .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                                  .body = body};
    api_read(check->api, &request, &reply); // it stores nothing and may be repeated as any read
    if (!api_succeeded(&reply)) {
        return -1;
    }
    return json_true(json_get(reply.json, "status"), "allowed") ? 1 : 0;
}

static void check_permissions(struct check *check)
{
    AUTOTEXT struct text missing = {0};
    unsigned denied = 0, unknown = 0;
    const char *why = "";
    for (size_t i = 0; i < permission_count && unknown == 0; i++) {
        const struct permission *row = &permissions[i];
        int allowed = may(check, row);
        unknown += allowed < 0;
        if (allowed == 0 && ++denied <= SHOWN_MAX) {
            text_printf(&missing, "%s%s %s%s%s", denied > 1 ? ", " : "", row->verb, row->resource,
                        *row->subresource ? "/" : "", row->subresource);
            why = denied == 1 ? row->why : why;
        }
    }
    if (unknown > 0) {
        check_say(check, CHECK_DOUBTFUL, "permissions", NULL, "the API server does not answer reviews");
    } else if (denied > 0) {
        check_say(check, CHECK_WRONG, "permissions", "kubectl apply -f deploy/deployment/rbac.yaml",
                  "%u of %zu are missing: %s%s (without the first, %s)", denied, permission_count,
                  text_get(&missing), denied > SHOWN_MAX ? ", ..." : "", why);
    } else {
        check_say(check, CHECK_GOOD, "permissions", NULL, "all %zu are granted", permission_count);
    }
}

// ------------------------------------------------------------------------------------------ definitions

static bool serves(const cJSON *list, const char *name, bool namespaced)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(list, "resources"))
    {
        if (strcmp(json_text(item, "name"), name) == 0) {
            return json_true(item, "namespaced") == namespaced;
        }
    }
    return false;
}

static void check_definitions(struct check *check)
{
    static const struct {
        const char *name;
        bool namespaced;
    } wanted[] = {{"nodegroups", true},
                  {"nodegroups/status", true},
                  {"vpsienodes", true},
                  {"vpsienodes/status", true},
                  {"autoscalerconfigs", false}};
    AUTOREPLY struct api_reply reply = {0};
    AUTOTEXT struct text missing = {0};
    get(check, KIND_GROUP_PATH, false, &reply);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!serves(reply.json, wanted[i].name, wanted[i].namespaced)) {
            text_printf(&missing, "%s%s", missing.length > 0 ? ", " : "", wanted[i].name);
        }
    }
    if (!api_succeeded(&reply) && reply.status != 404) {
        check_say(check, CHECK_DOUBTFUL, "definitions", NULL, "cannot be asked for: %s", reply.message);
    } else if (missing.length > 0) {
        check_say(check, CHECK_WRONG, "definitions", "kubectl apply -k deploy/crds",
                  "the API server does not serve %s as it should", text_get(&missing));
    } else {
        check_say(check, CHECK_GOOD, "definitions", NULL,
                  "NodeGroup, VPSieNode and AutoscalerConfig are served");
    }
}

// ------------------------------------------------------------------------------------------ what VPSie is
// asked about

// The condition that says that VPSie takes no order of this group for now, as the core writes it.
static const char *refusal_of(struct check *check, const cJSON *status)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_get(status, "conditions"))
    {
        if (strcmp(json_text(condition, "type"), "Error") == 0 &&
            strcmp(json_text(condition, "status"), "True") == 0 &&
            strcmp(json_text(condition, "reason"), "OrderRefused") == 0) {
            return json_copy(check->arena, condition, "message");
        }
    }
    return "";
}

static void learn_groups(struct check *check)
{
    AUTOREPLY struct api_reply reply = {0};
    uint32_t foreign = 0;
    get(check, KIND_GROUP_PATH "/nodegroups?limit=500", false, &reply);
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(reply.json, "items"))
    {
        const cJSON *spec = json_get(item, "spec"), *metadata = json_get(item, "metadata"),
                    *status = json_get(item, "status");
        const char *managed = json_text(json_get(metadata, "labels"), "autoscaler.vpsie.com/managed");
        if (strcmp(managed, "true") != 0) {
            foreign++;
        } else if (check->group_count < CHECK_GROUPS_MAX) {
            check->groups[check->group_count++] =
                (struct check_group){.name = json_copy(check->arena, metadata, "name"),
                                     .cluster = json_copy(check->arena, spec, "resourceIdentifier"),
                                     .datacenter = json_copy(check->arena, spec, "datacenterID"),
                                     .size_id = json_integer(spec, "kubeSizeID", 0),
                                     .machines = json_integer(status, "currentNodes", 0),
                                     .machines_max = json_integer(spec, "maxNodes", 0),
                                     .refusal = refusal_of(check, status)};
        }
    }
    if (!api_succeeded(&reply)) {
        check_say(check, CHECK_SKIPPED, "groups", NULL, "NodeGroups cannot be listed: %s", reply.message);
    } else if (check->group_count == 0) {
        check_say(check, CHECK_DOUBTFUL, "groups",
                  "apply a NodeGroup with the label autoscaler.vpsie.com/managed=true (deploy/samples)",
                  "there is no NodeGroup to care for; %u are without our label", foreign);
    } else {
        check_say(check, CHECK_GOOD, "groups", NULL, "%u to care for, %u without our label",
                  check->group_count, foreign);
    }
}

static void learn_nodes(struct check *check)
{
    AUTOREPLY struct api_reply reply = {0};
    get(check, "/api/v1/nodes?limit=500", false, &reply);
    uint32_t count = json_count(json_get(reply.json, "items"));
    check->nodes = arena_alloc(check->arena, (count + 1) * sizeof *check->nodes);
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(reply.json, "items"))
    {
        check->nodes[check->node_count++] = json_copy(check->arena, json_get(item, "metadata"), "name");
    }
}

static char *decode(struct check *check, const cJSON *data, const char *key)
{
    AUTOTEXT struct text value = {0};
    const char *encoded = json_text(data, key);
    if (base64_decode(encoded, strlen(encoded), &value, NULL) < 0) {
        return arena_strdup(check->arena, "");
    }
    char *copy = arena_strdup(check->arena, text_get(&value));
    if (value.bytes != NULL) {
        explicit_bzero(value.bytes, value.capacity);
    }
    return copy;
}

static void learn_credentials(struct check *check)
{
    const struct run_options *options = check->options;
    AUTOREPLY struct api_reply reply = {0};
    AUTOTEXT struct text path = {0};
    text_append(&path, "/api/v1/namespaces/");
    http_escape(&path, options->secret_namespace);
    text_append(&path, "/secrets?fieldSelector=metadata.name%3D");
    http_escape(&path, options->secret_name);
    get(check, text_get(&path), true, &reply);
    const cJSON *items = json_get(reply.json, "items");
    const cJSON *data = json_get(items != NULL ? items->child : NULL, "data");
    check->token = decode(check, data, "token");
    check->client_id = decode(check, data, "clientId");
    check->client_secret = decode(check, data, "clientSecret");
    check->url = decode(check, data, "url");
    bool whole = *check->token != '\0' || (*check->client_id != '\0' && *check->client_secret != '\0');
    const char *fix = "kubectl -n kube-system create secret generic vpsie-secret --from-literal=token=...";
    if (!api_succeeded(&reply)) {
        check_say(check, CHECK_WRONG, "secret", "kubectl apply -f deploy/deployment/rbac.yaml",
                  "%s/%s cannot be read: %s", options->secret_namespace, options->secret_name, reply.message);
    } else if (json_count(items) == 0) {
        check_say(check, CHECK_WRONG, "secret", fix, "%s/%s is not there", options->secret_namespace,
                  options->secret_name);
    } else if (!whole) {
        check_say(check, CHECK_WRONG, "secret", fix,
                  "%s/%s holds neither token nor clientId and clientSecret", options->secret_namespace,
                  options->secret_name);
    } else {
        check_say(check, CHECK_GOOD, "secret", NULL, "%s/%s holds %s", options->secret_namespace,
                  options->secret_name, *check->token != '\0' ? "a token" : "a client's id and secret");
    }
}

// ------------------------------------------------------------------------------------------ other objects

static void check_lease(struct check *check)
{
    AUTOREPLY struct api_reply reply = {0};
    AUTOTEXT struct text path = {0};
    text_append(&path, "/apis/coordination.k8s.io/v1/namespaces/");
    http_escape(&path, check->options->lease_namespace);
    text_append(&path, "/leases/");
    http_escape(&path, check->options->lease_name);
    get(check, text_get(&path), false, &reply);
    const cJSON *spec = json_get(reply.json, "spec");
    const char *holder = json_text(spec, "holderIdentity");
    int64_t age_s = (clock_wall_ms() - json_time(spec, "renewTime")) / 1000;
    int64_t duration_s = json_integer(spec, "leaseDurationSeconds", 15);
    if (!api_succeeded(&reply) && reply.status != 404) {
        check_say(check, CHECK_DOUBTFUL, "lease", NULL, "cannot be read: %s", reply.message);
    } else if (*holder == '\0') {
        check_say(check, CHECK_DOUBTFUL, "lease",
                  "kubectl -n kube-system rollout status deploy/vpsie-coordinator", "nobody leads");
    } else if (age_s > 2 * duration_s) {
        check_say(check, CHECK_DOUBTFUL, "lease",
                  "is any coordinator running, and do the nodes' clocks agree?",
                  "%s holds it, but renewed it last %lld s ago", holder, (long long)age_s);
    } else if (!text_starts_with(holder, "vpsie-coordinator")) {
        check_say(check, CHECK_DOUBTFUL, "lease",
                  "kubectl -n kube-system scale deploy --replicas=0, for the Go controller",
                  "%s holds it, which is none of our pods: the predecessor? this one waits", holder);
    } else {
        check_say(check, CHECK_GOOD, "lease", NULL, "%s leads", holder);
    }
}

// 1: refuses when nobody answers, 0: is there but ignores that, -1: not there or not known.
static int hook_state(struct check *check, const char *resource, const char *name)
{
    AUTOREPLY struct api_reply reply = {0};
    AUTOFREE char *path = xprintf("/apis/admissionregistration.k8s.io/v1/%s/%s", resource, name);
    get(check, path, false, &reply);
    if (!api_succeeded(&reply)) {
        return -1;
    }
    const cJSON *hook;
    cJSON_ArrayForEach(hook, json_get(reply.json, "webhooks"))
    {
        if (strcmp(json_text(hook, "failurePolicy"), "Ignore") != 0) { // absent means Fail
            return 1;
        }
    }
    return 0;
}

static void check_predecessor(struct check *check)
{
    static const char *const resources[] = {"validatingwebhookconfigurations",
                                            "mutatingwebhookconfigurations"};
    static const char *const names[] = {PERMISSION_HOOK_WEBHOOK, PERMISSION_HOOK_DELETION};
    bool found = false;
    for (size_t i = 0; i < 4; i++) {
        int state = hook_state(check, resources[i / 2], names[i % 2]);
        found = found || state >= 0;
        if (state >= 0) {
            AUTOFREE char *fix = xprintf("kubectl delete %.*s %s", (int)strlen(resources[i / 2]) - 1,
                                         resources[i / 2], names[i % 2]);
            check_say(check, state == 1 ? CHECK_WRONG : CHECK_DOUBTFUL, "predecessor", fix, "%s %s",
                      names[i % 2],
                      state == 1 ? "refuses every change when the Go controller does not answer"
                                 : "is still there");
        }
    }
    if (!found) {
        check_say(check, CHECK_GOOD, "predecessor", NULL, "none of its webhooks is left");
    }
}

static void check_certificate(struct check *check)
{
    const struct run_options *options = check->options;
    AUTOREPLY struct api_reply reply = {0};
    if (options->tls_cert_file[0] != '\0') {
        check_say(check, CHECK_GOOD, "certificate", NULL, "from the file %s", options->tls_cert_file);
        return;
    }
    AUTOTEXT struct text path = {0};
    text_append(&path, "/api/v1/namespaces/");
    http_escape(&path, options->own_namespace);
    text_append(&path, "/configmaps/");
    http_escape(&path, options->ca_configmap_name);
    get(check, text_get(&path), false, &reply);
    const char *authorities = json_text(json_get(reply.json, "data"), AUTHORITY_KEY_CA_CERT);
    bool good = strstr(authorities, "BEGIN CERTIFICATE") != NULL;
    check_say(check, good ? CHECK_GOOD : CHECK_WRONG, "certificate",
              "a running coordinator makes it; its log says why it could not",
              good ? "agents find whom to trust in ConfigMap %s/%s"
                   : "ConfigMap %s/%s does not tell agents whom to trust",
              options->own_namespace, options->ca_configmap_name);
}

void check_kube(struct check *check)
{
    check_server(check);
    if (!check->reachable) {
        return;
    }
    check_permissions(check);
    check_definitions(check);
    check_certificate(check);
    check_lease(check);
    check_predecessor(check);
    learn_nodes(check);
    learn_groups(check);
    learn_credentials(check);
}
