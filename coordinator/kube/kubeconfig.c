#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/kube/access.h"
#include "coordinator/kube/base64.h"
#include "coordinator/kube/yaml.h"

#define CREDENTIAL_BYTES_MAX (1u << 20)

// One kubeconfig being read; `what` and `name` say where we are, for errors ("user", "admin").
struct config {
    const char *file;
    const char *what;
    const char *name;
    const struct yaml *fields;
    struct error *error;
};

static int refuse(const struct config *config, const char *field, const char *why)
{
    return error_set(config->error, 0, "kubeconfig %s: %s \"%s\": %s: %s", config->file, config->what,
                     config->name, field, why);
}

// The text of a scalar field; "" when absent. NULL after an error.
static const char *field_text(const struct config *config, const char *field)
{
    const struct yaml *node = yaml_get(config->fields, field);
    if (!node)
        return "";
    if (node->kind != YAML_SCALAR) {
        refuse(config, field, "must be a text");
        return NULL;
    }
    return node->text;
}

static char *beside(const struct config *config, const char *path)
{
    const char *slash = strrchr(config->file, '/');
    if (*path == '/' || !slash)
        return xstrdup(path);
    return xprintf("%.*s/%s", (int)(slash - config->file), config->file, path);
}

// NAME-data (base64) wins over NAME (a file, whose content is read). *out stays NULL when neither is there.
static int field_content(const struct config *config, const char *field, char **out)
{
    AUTOTEXT struct text content = {0};
    AUTOFREE char *data_field = xprintf("%s-data", field);
    const char *data = field_text(config, data_field);
    const char *path = field_text(config, field);
    if (!data || !path)
        return -1;
    if (*data) {
        if (base64_decode(data, strlen(data), &content, NULL) < 0)
            return refuse(config, data_field, "is not base64");
    } else if (*path) {
        struct error cause = {0};
        AUTOFREE char *whole = beside(config, path);
        if (text_read_file(whole, CREDENTIAL_BYTES_MAX, &content, &cause) < 0)
            return refuse(config, field, cause.text);
    } else {
        return 0;
    }
    if (content.length == 0 || memchr(content.bytes, '\0', content.length))
        return refuse(config, *data ? data_field : field, "does not hold PEM text");
    *out = text_take(&content);
    return 0;
}

static int field_bool(const struct config *config, const char *field, bool *out)
{
    const char *text = field_text(config, field);
    if (!text)
        return -1;
    *out = text_equal_fold(text, "true");
    if (*text && !*out && !text_equal_fold(text, "false"))
        return refuse(config, field, "must be true or false");
    return 0;
}

static int read_cluster(const struct config *config, struct access *out)
{
    const char *server = field_text(config, "server");
    const char *ca_data = field_text(config, "certificate-authority-data");
    const char *ca_file = field_text(config, "certificate-authority");
    const char *server_name = field_text(config, "tls-server-name");
    if (!server || !ca_data || !ca_file || !server_name)
        return -1;
    if (yaml_get(config->fields, "proxy-url"))
        return refuse(config, "proxy-url", "proxies are not supported");
    if (!text_starts_with(server, "https://") || server[8] == '\0')
        return refuse(config, "server", "must be an https:// address");
    size_t length = strlen(server);
    while (server[length - 1] == '/')
        length--;
    out->server = xstrndup(server, length);
    if (*server_name)
        out->server_name = xstrdup(server_name);
    if (field_bool(config, "insecure-skip-tls-verify", &out->insecure_skip_verify) < 0)
        return -1;
    if (out->insecure_skip_verify && (*ca_data || *ca_file))
        return refuse(config, "insecure-skip-tls-verify", "contradicts certificate-authority");
    if (*ca_file && !*ca_data)
        out->ca_file = beside(config, ca_file);
    return *ca_data ? field_content(config, "certificate-authority", &out->ca_data) : 0;
}

static int refuse_unusable(const struct config *config)
{
    static const struct {
        const char *field;
        const char *why;
    } unusable[] = {
        {"exec", "credential plugins are not supported; use a token, tokenFile or client certificate"},
        {"auth-provider", "auth providers are not supported; use a token, tokenFile or client certificate"},
        {"username",
         "basic authentication no longer exists in Kubernetes; use a token or client certificate"},
        {"password",
         "basic authentication no longer exists in Kubernetes; use a token or client certificate"},
        {"as", "impersonation is not supported"},
        {"as-uid", "impersonation is not supported"},
        {"as-groups", "impersonation is not supported"},
        {"as-user-extra", "impersonation is not supported"},
    };
    for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
        if (yaml_get(config->fields, unusable[i].field))
            return refuse(config, unusable[i].field, unusable[i].why);
    }
    return 0;
}

static bool is_header_safe(const char *token)
{
    for (; *token; token++) {
        if ((unsigned char)*token <= ' ' || (unsigned char)*token >= 0x7f)
            return false;
    }
    return true;
}

static int read_user(const struct config *config, struct access *out)
{
    if (refuse_unusable(config) < 0)
        return -1;
    const char *token = field_text(config, "token");
    const char *token_file = field_text(config, "tokenFile");
    if (!token || !token_file)
        return -1;
    if (!is_header_safe(token))
        return refuse(config, "token", "holds characters that no token has");
    if (*token)
        out->token = xstrdup(token);
    if (*token_file)
        out->token_file = beside(config, token_file);
    if (field_content(config, "client-certificate", &out->client_cert) < 0 ||
        field_content(config, "client-key", &out->client_key) < 0)
        return -1;
    if (out->client_cert && !out->client_key)
        return refuse(config, "client-certificate", "has no client-key beside it");
    if (out->client_key && !out->client_cert)
        return refuse(config, "client-key", "has no client-certificate beside it");
    return 0;
}

// The entry NAME of clusters, contexts or users; config->fields then points at what is inside.
static int select_entry(struct config *config, const struct yaml *root, const char *list, const char *what,
                        const char *name)
{
    const struct yaml *entries = yaml_get(root, list);
    config->what = what;
    config->name = name;
    config->fields = NULL;
    for (const struct yaml *entry = entries ? entries->first : NULL; entry; entry = entry->next) {
        const struct yaml *found = yaml_get(entry, "name");
        if (!found || found->kind != YAML_SCALAR || strcmp(found->text, name) != 0)
            continue;
        config->fields = yaml_get(entry, what);
        return 0; // an entry without content has no fields
    }
    return error_set(config->error, 0, "kubeconfig %s: there is no %s \"%s\"", config->file, what, name);
}

static int read_root(struct config *config, const struct yaml *root, const char *context, struct access *out)
{
    if (root->kind != YAML_MAPPING)
        return error_set(config->error, 0, "kubeconfig %s: not a kubeconfig", config->file);
    const struct yaml *current = yaml_get(root, "current-context");
    if (*context == '\0' && current && current->kind == YAML_SCALAR)
        context = current->text;
    if (*context == '\0')
        return error_set(config->error, 0,
                         "kubeconfig %s: no current-context is set: name one with --context", config->file);
    if (select_entry(config, root, "contexts", "context", context) < 0)
        return -1;
    const char *cluster = field_text(config, "cluster");
    const char *user = field_text(config, "user");
    if (!cluster || !user)
        return -1;
    if (*cluster == '\0')
        return refuse(config, "cluster", "is missing");
    if (select_entry(config, root, "clusters", "cluster", cluster) < 0 || read_cluster(config, out) < 0)
        return -1;
    if (*user && (select_entry(config, root, "users", "user", user) < 0 || read_user(config, out) < 0))
        return -1;
    out->origin = xprintf("kubeconfig %s, context %s", config->file, context);
    return 0;
}

int kubeconfig_parse(const char *text, size_t length, const char *file, const char *context,
                     struct access *out, struct error *error)
{
    *out = (struct access){0};
    struct arena *arena = arena_create(16384);
    struct config config = {.file = file, .error = error};
    struct error cause = {0};
    const struct yaml *root = yaml_read(text, length, arena, &cause);
    int result = root ? read_root(&config, root, context, out)
                      : error_set(error, 0, "kubeconfig %s: %s", file, cause.text);
    arena_destroy(arena);
    if (result < 0)
        access_free(out);
    return result;
}
