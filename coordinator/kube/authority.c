#include "coordinator/kube/authority.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "coordinator/kube/base64.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/write.h"
#include "coordinator/trust/trust.h"

#define NAMES_COUNT       4
#define CONFLICT_ATTEMPTS 5
#define CONFLICT_PAUSE_MS INT64_C(100)
#define PERIOD_MS         60000
#define RETRY_MS          5000

struct memory_file {
    int fd;
    char path[32];
};

struct authority {
    struct authority_options options;
    char *space, *secret_name, *configmap_name;
    char *name_texts[NAMES_COUNT];
    struct trust_names names;
    struct memory_file cert_file, key_file;
    char *installed; // the server certificate that the files hold
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool settled; // a round has succeeded
};

// ---------------------------------------------------------------------------------------------- files in
// memory

static int open_memory_file(struct memory_file *file, const char *name, struct error *error)
{
    file->fd = memfd_create(name, MFD_CLOEXEC);
    if (file->fd < 0)
        return error_set(error, errno, "a file in memory could not be made: %s", strerror(errno));
    snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
    return 0;
}

static int fill_memory_file(const struct memory_file *file, const char *text, struct error *error)
{
    size_t length = strlen(text);
    if (ftruncate(file->fd, 0) != 0 || pwrite(file->fd, text, length, 0) != (ssize_t)length)
        return error_set(error, errno, "a file in memory could not be written: %s", strerror(errno));
    return 0;
}

// A reader between the two writes finds halves that do not fit, keeps what it has and looks again.
static int install(struct authority *authority, const struct trust *trust, struct error *error)
{
    if (authority->installed && strcmp(authority->installed, trust->server_cert) == 0)
        return 0;
    if (fill_memory_file(&authority->key_file, trust->server_key, error) < 0 ||
        fill_memory_file(&authority->cert_file, trust->server_cert, error) < 0)
        return -1;
    free(authority->installed);
    authority->installed = xstrdup(trust->server_cert);
    metric_set(metrics_gauge("vpsie_autoscaler_certificate_end_timestamp_seconds", NULL,
                             "When the certificate shown to agents ends, Unix time."),
               (double)trust_server_end_s(trust));
    return 0;
}

// ---------------------------------------------------------------------------------------------- life

static int64_t now_s(const struct authority *authority)
{
    return authority->options.now_s ? authority->options.now_s(authority->options.now_context)
                                    : clock_wall_ms() / 1000;
}

static void make_names(struct authority *authority, const char *service_name)
{
    static const char *const suffixes[NAMES_COUNT] = {"", "", ".svc", ".svc.cluster.local"};
    for (int i = 0; i < NAMES_COUNT; i++)
        authority->name_texts[i] =
            i == 0 ? xstrdup(service_name) : xprintf("%s.%s%s", service_name, authority->space, suffixes[i]);
    authority->names =
        (struct trust_names){.items = (const char *const *)authority->name_texts, .count = NAMES_COUNT};
}

static int prepare_files(struct authority *authority, struct error *error)
{
    AUTOTRUST struct trust unknown = {0};
    if (open_memory_file(&authority->cert_file, "server.crt", error) < 0 ||
        open_memory_file(&authority->key_file, "server.key", error) < 0 ||
        trust_make(&authority->names, now_s(authority), &unknown, error) < 0)
        return -1;
    return install(authority, &unknown, error);
}

struct authority *authority_create(const struct authority_options *options, struct error *error)
{
    assert(options->api && *options->space && *options->secret_name && *options->configmap_name);
    struct authority *authority = xcalloc(1, sizeof(*authority));
    authority->options = *options;
    authority->space = xstrdup(options->space);
    authority->secret_name = xstrdup(options->secret_name);
    authority->configmap_name = xstrdup(options->configmap_name);
    authority->cert_file.fd = authority->key_file.fd = -1;
    make_names(authority, options->service_name);
    pthread_mutex_init(&authority->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&authority->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (prepare_files(authority, error) < 0) {
        authority_destroy(authority);
        return NULL;
    }
    return authority;
}

void authority_destroy(struct authority *authority)
{
    if (!authority)
        return;
    if (authority->cert_file.fd >= 0)
        close(authority->cert_file.fd);
    if (authority->key_file.fd >= 0)
        close(authority->key_file.fd);
    for (int i = 0; i < NAMES_COUNT; i++)
        free(authority->name_texts[i]);
    pthread_cond_destroy(&authority->changed);
    pthread_mutex_destroy(&authority->lock);
    free(authority->installed);
    free(authority->space);
    free(authority->secret_name);
    free(authority->configmap_name);
    free(authority);
}

const char *authority_cert_file(const struct authority *authority)
{
    return authority->cert_file.path;
}

const char *authority_key_file(const struct authority *authority)
{
    return authority->key_file.path;
}

// ---------------------------------------------------------------------------------------------- requests

// The certificate is no scale action: a dry run may make it too, and a standby, so no guard holds these
// writes.
static void request_object(struct authority *authority, const char *method, const char *resource,
                           const char *name, const char *body, struct api_reply *reply)
{
    bool secret = strcmp(resource, "secrets") == 0;
    bool read = strcmp(method, "GET") == 0, create = strcmp(method, "POST") == 0;
    AUTOFREE char *path =
        write_path("/api/v1", authority->space, resource, create ? NULL : name, read ? "" : WRITE_MANAGER);
    struct api_request request = {.verb = read     ? "get"
                                          : create ? "create"
                                                   : "update",
                                  .kind = secret ? "Secret" : "ConfigMap",
                                  .method = method,
                                  .path = path,
                                  .body = body,
                                  .guard = API_READ,
                                  .secret_body = secret};
    if (read)
        api_read(authority->options.api, &request, reply);
    else
        api_call(authority->options.api, &request, reply);
}

// Creates the object, or updates the one that was read (its version says that nobody else wrote meanwhile).
static void write_object(struct authority *authority, const char *resource, const char *name,
                         const cJSON *object, struct api_reply *reply)
{
    struct text body = {0};
    bool exists = *json_text(json_get(object, "metadata"), "resourceVersion") != '\0';
    json_print(object, &body);
    request_object(authority, exists ? "PUT" : "POST", resource, name, text_get(&body), reply);
    explicit_bzero(body.bytes, body.capacity);
    text_free(&body);
}

static cJSON *new_object(const struct authority *authority, const char *kind, const char *name)
{
    cJSON *object = json_object();
    json_add_text(object, "apiVersion", "v1");
    json_add_text(object, "kind", kind);
    cJSON *metadata = json_add_object(object, "metadata");
    json_add_text(metadata, "name", name);
    json_add_text(metadata, "namespace", authority->space);
    cJSON *labels = json_add_object(metadata, "labels");
    json_add_text(labels, "app.kubernetes.io/name", "vpsie-coordinator");
    json_add_text(labels, "app.kubernetes.io/part-of", "vpsie-autoscaler");
    return object;
}

static cJSON *data_of(cJSON *object)
{
    cJSON *data = cJSON_GetObjectItemCaseSensitive(object, "data");
    if (cJSON_IsObject(data))
        return data;
    cJSON_DeleteItemFromObjectCaseSensitive(object, "data");
    return json_add_object(object, "data");
}

static void replace_text(cJSON *data, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(data, key);
    json_add_text(data, key, value);
}

// ---------------------------------------------------------------------------------------------- the Secret

static char *decoded(const cJSON *data, const char *key)
{
    const char *value = json_text(data, key);
    struct text text = {0};
    if (*value == '\0' || base64_decode(value, strlen(value), &text, NULL) < 0) {
        text_free(&text);
        return NULL;
    }
    return text_take(&text);
}

static void put_encoded(cJSON *data, const char *key, const char *value)
{
    size_t length = strlen(value);
    unsigned char *encoded = xcalloc(1, 4 * ((length + 2) / 3) + 1);
    EVP_EncodeBlock(encoded, (const unsigned char *)value, (int)length);
    replace_text(data, key, (const char *)encoded);
    explicit_bzero(encoded, 4 * ((length + 2) / 3));
    free(encoded);
}

static void read_trust(const cJSON *secret, struct trust *out)
{
    const cJSON *data = json_get(secret, "data");
    *out = (struct trust){.authorities = decoded(data, AUTHORITY_KEY_CA_CERT),
                          .authority_key = decoded(data, AUTHORITY_KEY_CA_KEY),
                          .server_cert = decoded(data, AUTHORITY_KEY_SERVER_CERT),
                          .server_key = decoded(data, AUTHORITY_KEY_SERVER_KEY)};
}

static void fill_secret(cJSON *secret, const struct trust *trust)
{
    cJSON *data = data_of(secret);
    put_encoded(data, AUTHORITY_KEY_CA_CERT, trust->authorities);
    put_encoded(data, AUTHORITY_KEY_CA_KEY, trust->authority_key);
    put_encoded(data, AUTHORITY_KEY_SERVER_CERT, trust->server_cert);
    put_encoded(data, AUTHORITY_KEY_SERVER_KEY, trust->server_key);
}

// 1: it is written, 0: another replica was first, -1: it could not be written.
static int store(struct authority *authority, struct api_reply *seen, const struct trust *trust,
                 struct error *error)
{
    AUTOREPLY struct api_reply reply = {0};
    struct api_reply draft = {.wipe = true};
    if (!api_succeeded(seen)) {
        draft.json = new_object(authority, "Secret", authority->secret_name);
        json_add_text(draft.json, "type", "kubernetes.io/tls");
    }
    cJSON *secret = draft.json ? draft.json : seen->json;
    fill_secret(secret, trust);
    write_object(authority, "secrets", authority->secret_name, secret, &reply);
    api_reply_free(&draft);
    if (api_succeeded(&reply))
        return 1;
    if (reply.status == 409 || (api_succeeded(seen) && reply.status == 404))
        return 0;
    return error_set(error, reply.status, "Secret %s/%s could not be written: %s", authority->space,
                     authority->secret_name, reply.message);
}

// ---------------------------------------------------------------------------------------------- the
// ConfigMap

// 1: it says what it should, 0: somebody wrote meanwhile, -1: it could not be written.
static int publish_once(struct authority *authority, const char *authorities, struct error *error)
{
    AUTOREPLY struct api_reply seen = {0};
    AUTOREPLY struct api_reply reply = {0};
    request_object(authority, "GET", "configmaps", authority->configmap_name, NULL, &seen);
    if (!api_succeeded(&seen) && seen.status != 404)
        return error_set(error, seen.status, "ConfigMap %s/%s could not be read: %s", authority->space,
                         authority->configmap_name, seen.message);
    if (!api_succeeded(&seen)) {
        cJSON_Delete(seen.json);
        seen.json = new_object(authority, "ConfigMap", authority->configmap_name);
    } else if (strcmp(json_text(json_get(seen.json, "data"), AUTHORITY_KEY_CA_CERT), authorities) == 0) {
        return 1;
    }
    replace_text(data_of(seen.json), AUTHORITY_KEY_CA_CERT, authorities);
    write_object(authority, "configmaps", authority->configmap_name, seen.json, &reply);
    if (api_succeeded(&reply))
        return 1;
    if (reply.status == 409 || reply.status == 404)
        return 0;
    return error_set(error, reply.status, "ConfigMap %s/%s could not be written: %s", authority->space,
                     authority->configmap_name, reply.message);
}

static int publish(struct authority *authority, const char *authorities, struct error *error)
{
    for (int attempt = 1; attempt <= CONFLICT_ATTEMPTS; attempt++) {
        int result = publish_once(authority, authorities, error);
        if (result != 0)
            return result < 0 ? -1 : 0;
        if (!api_wait(authority->options.api, CONFLICT_PAUSE_MS * attempt))
            break;
    }
    return error_set(error, 409, "ConfigMap %s/%s is written by somebody else all the time", authority->space,
                     authority->configmap_name);
}

// ---------------------------------------------------------------------------------------------- a round

// Agents must be able to know the authority before they are shown its certificate.
static int take(struct authority *authority, const struct trust *trust, struct error *error)
{
    if (publish(authority, trust->authorities, error) < 0)
        return -1;
    return install(authority, trust, error);
}

static int renew(struct authority *authority, struct trust *trust, enum trust_verdict verdict,
                 struct error *error)
{
    return verdict == TRUST_SERVER_DUE
               ? trust_renew_server(trust, &authority->names, now_s(authority), error)
               : trust_renew_authority(trust, &authority->names, now_s(authority), error);
}

// 1: done, 0: another replica was first, -1: failed.
static int round_once(struct authority *authority, struct error *error)
{
    AUTOREPLY struct api_reply seen = {0};
    AUTOTRUST struct trust trust = {0};
    struct error why = {0}, ignored;
    bool usable = false;
    request_object(authority, "GET", "secrets", authority->secret_name, NULL, &seen);
    if (!api_succeeded(&seen) && seen.status != 404)
        return error_set(error, seen.status, "Secret %s/%s could not be read: %s", authority->space,
                         authority->secret_name, seen.message);
    if (api_succeeded(&seen))
        read_trust(seen.json, &trust);
    enum trust_verdict verdict = trust_judge(&trust, &authority->names, now_s(authority), &usable, &why);
    if (verdict == TRUST_GOOD)
        return take(authority, &trust, error) < 0 ? -1 : 1;
    if (usable)
        take(authority, &trust, &ignored); // whatever becomes of the renewal
    if (renew(authority, &trust, verdict, error) < 0)
        return -1;
    int stored = store(authority, &seen, &trust, error);
    if (stored > 0) {
        log_event(LOG_INFO,
                  verdict == TRUST_SERVER_DUE ? "made a new server certificate"
                                              : "made a certificate authority",
                  LOG_S("secret", authority->secret_name), LOG_S("because", why.text), LOG_END);
        return take(authority, &trust, error) < 0 ? -1 : 1;
    }
    return stored;
}

int authority_tick(struct authority *authority, struct error *error)
{
    for (int attempt = 1; attempt <= CONFLICT_ATTEMPTS; attempt++) {
        int result = round_once(authority, error);
        if (result > 0) {
            pthread_mutex_lock(&authority->lock);
            authority->settled = true;
            pthread_cond_broadcast(&authority->changed);
            pthread_mutex_unlock(&authority->lock);
            return 0;
        }
        if (result < 0)
            return -1;
        if (!api_wait(authority->options.api, CONFLICT_PAUSE_MS * attempt))
            break;
    }
    return error_set(error, 409, "Secret %s/%s is written by somebody else all the time", authority->space,
                     authority->secret_name);
}

void authority_run(struct authority *authority)
{
    int64_t pause_ms;
    do {
        struct error error = {0};
        pause_ms = authority_tick(authority, &error) == 0 ? PERIOD_MS : RETRY_MS;
        if (pause_ms == RETRY_MS && !api_stopping(authority->options.api))
            log_event(LOG_ERROR, "the certificate for agents could not be looked after",
                      LOG_S("error", error.text), LOG_END);
    } while (api_wait(authority->options.api, pause_ms));
}

bool authority_wait(struct authority *authority, int64_t timeout_ms)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
    pthread_mutex_lock(&authority->lock);
    while (!authority->settled &&
           pthread_cond_timedwait(&authority->changed, &authority->lock, &until) != ETIMEDOUT) {
    }
    bool settled = authority->settled;
    pthread_mutex_unlock(&authority->lock);
    return settled;
}
