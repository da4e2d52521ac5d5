#include "coordinator/kube/access.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/text.h"

#define KUBECONFIG_BYTES_MAX (4u << 20)

static int load_account(const struct access_environment *environment, struct access *out, struct error *error)
{
    const char *host = environment->service_host;
    const char *port = *environment->service_port ? environment->service_port : "443";
    const char *directory = environment->account_directory;
    bool is_v6 = strchr(host, ':') != NULL && *host != '[';
    out->server = xprintf(is_v6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
    out->ca_file = xprintf("%s/ca.crt", directory);
    out->token_file = xprintf("%s/token", directory);
    out->origin = xstrdup("service account");
    if (access(out->token_file, R_OK) < 0)
        return error_set(error, 0, "service account: %s cannot be read (automountServiceAccountToken?)",
                         out->token_file);
    if (access(out->ca_file, R_OK) < 0)
        return error_set(error, 0, "service account: %s cannot be read", out->ca_file);
    return 0;
}

static int load_kubeconfig(const char *file, const char *context, struct access *out, struct error *error)
{
    AUTOTEXT struct text text = {0};
    if (text_read_file(file, KUBECONFIG_BYTES_MAX, &text, error) < 0)
        return error_wrap(error, "kubeconfig");
    int result = kubeconfig_parse(text_get(&text), text.length, file, context, out, error);
    if (text.bytes)
        explicit_bzero(text.bytes, text.length);
    return result;
}

static const char *environment_text(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

struct access_environment access_environment(void)
{
    return (struct access_environment){.kubeconfig = environment_text("KUBECONFIG"),
                                       .service_host = environment_text("KUBERNETES_SERVICE_HOST"),
                                       .service_port = environment_text("KUBERNETES_SERVICE_PORT"),
                                       .account_directory = ACCESS_ACCOUNT_DIRECTORY};
}

int access_load(const char *kubeconfig, const char *context, const struct access_environment *environment,
                struct access *out, struct error *error)
{
    int result;
    *out = (struct access){0};
    bool from_environment = *kubeconfig == '\0';
    const char *file = from_environment ? environment->kubeconfig : kubeconfig;
    if (*file && from_environment && strchr(file, ':'))
        result =
            error_set(error, 0,
                      "KUBECONFIG names several files (%.200s), which are not merged here: name one with "
                      "--kubeconfig",
                      file);
    else if (*file)
        result = load_kubeconfig(file, context, out, error);
    else if (*environment->service_host)
        result = load_account(environment, out, error);
    else
        result = error_set(error, 0,
                           "no way to the API server: not in a pod (KUBERNETES_SERVICE_HOST is not set), and "
                           "neither --kubeconfig nor KUBECONFIG names a file");
    if (result < 0)
        access_free(out);
    return result;
}

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void access_free(struct access *access)
{
    wipe(&access->server);
    wipe(&access->ca_file);
    wipe(&access->ca_data);
    wipe(&access->client_cert);
    wipe(&access->client_key);
    wipe(&access->server_name);
    wipe(&access->token);
    wipe(&access->token_file);
    wipe(&access->origin);
}

struct http_trust access_trust(const struct access *access)
{
    return (struct http_trust){.ca_file = access->ca_file,
                               .ca_data = access->ca_data,
                               .client_cert_data = access->client_cert,
                               .client_key_data = access->client_key,
                               .server_name = access->server_name,
                               .insecure_skip_verify = access->insecure_skip_verify};
}
