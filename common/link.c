#include "common/link.h"

#include <assert.h>
#include <errno.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/text.h"

#define HOST_BYTES_MAX 253u
#define PEM_BYTES_MAX  ((size_t)1024 * 1024)
#define IPC_SCHEME     "ipc://"
#define INPROC_SCHEME  "inproc://"
#define TCP_SCHEME     "tcp://"
#define TLS_SCHEME     "tls+tcp://"

static int fail(struct error *error, int code, const char *what, const char *url)
{
    return error_set(error, code, "%s %s: %s", what, url, nng_strerror(code));
}

// "host:port" or "[v6]:port" in its parts. The host keeps its brackets.
struct place {
    char host[HOST_BYTES_MAX + 3];
    int port; // -1: none given
};

static bool is_host(const char *host, size_t length)
{
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*";
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        allowed = "0123456789abcdefABCDEF:.";
        host++;
        length -= 2;
    }
    for (size_t i = 0; i < length; i++) {
        if (host[i] == '\0' || strchr(allowed, host[i]) == NULL)
            return false;
    }
    return length <= HOST_BYTES_MAX;
}

static int parse_place(const char *text, struct place *place, struct error *error)
{
    struct text_shown shown = text_show(text, strlen(text));
    const char *bracket = strrchr(text, ']');
    const char *colon = strrchr(bracket == NULL ? text : bracket, ':');
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
    place->port = -1;
    if (text[0] != '[' && memchr(text, ':', length) != NULL)
        return error_set(error, EINVAL, "\"%s\": write an IPv6 address in brackets: [::1]:7946", shown.text);
    if (!is_host(text, length) || (length == 0 && colon == NULL) || (length <= 2 && text[0] == '['))
        return error_set(error, EINVAL, "\"%s\" is not an address such as coordinator.example:7946",
                         shown.text);
    memcpy(place->host, text, length);
    place->host[length] = '\0';
    if (colon == NULL)
        return 0;
    uint64_t port;
    if (text_parse_u64(colon + 1, strlen(colon + 1), &port, NULL) < 0 || port > 65535)
        return error_set(error, EINVAL, "\"%s\": the port is a number from 0 to 65535", shown.text);
    place->port = (int)port;
    return 0;
}

static int write_url(char *url, size_t url_bytes, struct error *error, const char *scheme, const char *rest)
{
    int length = snprintf(url, url_bytes, "%s%s", scheme, rest);
    if (length < 0 || (size_t)length >= url_bytes)
        return error_set(error, ENAMETOOLONG, "\"%s%s\" is too long an address", scheme,
                         text_show(rest, strlen(rest)).text);
    return 0;
}

static int ipc_url(const char *address, char *url, size_t url_bytes, struct error *error)
{
    const char *path = address + strlen(IPC_SCHEME);
    struct sockaddr_un name;
    if (path[0] != '/')
        return error_set(error, EINVAL, "\"%s\": write the whole path: ipc:///run/vpsie/admin.sock",
                         text_show(address, strlen(address)).text);
    if (strlen(path) >= sizeof(name.sun_path))
        return error_set(error, ENAMETOOLONG, "the path of a socket has at most %zu bytes: %s",
                         sizeof(name.sun_path) - 1, path);
    return write_url(url, url_bytes, error, IPC_SCHEME, path);
}

int link_url(const char *address, bool insecure, int default_port, char *url, size_t url_bytes,
             struct error *error)
{
    assert(address != NULL && url != NULL && url_bytes > 0);
    if (text_starts_with(address, IPC_SCHEME))
        return ipc_url(address, url, url_bytes, error);
    if (text_starts_with(address, INPROC_SCHEME) && address[strlen(INPROC_SCHEME)] != '\0')
        return write_url(url, url_bytes, error, "", address);
    const char *scheme = insecure ? TCP_SCHEME : TLS_SCHEME;
    const char *rest = address;
    if (text_starts_with(address, TLS_SCHEME)) {
        scheme = TLS_SCHEME;
        rest = address + strlen(TLS_SCHEME);
    } else if (text_starts_with(address, TCP_SCHEME)) {
        if (!insecure)
            return error_set(error, EPERM,
                             "\"%s\" is not encrypted: use tls+tcp://, or say --insecure-transport",
                             text_show(address, strlen(address)).text);
        rest = address + strlen(TCP_SCHEME);
    } else if (strstr(address, "://") != NULL) {
        return error_set(error, EINVAL, "\"%s\": the schemes are tls+tcp, tcp, ipc and inproc",
                         text_show(address, strlen(address)).text);
    }
    struct place place;
    if (parse_place(rest, &place, error) < 0)
        return -1;
    char full[sizeof(place.host) + 8];
    snprintf(full, sizeof(full), "%s:%d", place.host, place.port < 0 ? default_port : place.port);
    return write_url(url, url_bytes, error, scheme, full);
}

static void wipe_text(struct text *text)
{
    if (text->bytes != NULL)
        explicit_bzero(text->bytes, text->capacity);
    text_free(text);
}

static void free_tls_config(nng_tls_config **config)
{
    if (*config != NULL)
        nng_tls_config_free(*config);
}

static int check_given(const char *file, const char *what, const char *url, struct error *error)
{
    if (file != NULL && file[0] != '\0')
        return 0;
    return error_set(error, EINVAL, "%s needs %s", url, what);
}

static nng_tls_config *new_tls_config(nng_tls_mode mode, struct error *error)
{
    nng_tls_config *config = NULL;
    int result = nng_tls_config_alloc(&config, mode);
    if (result == 0) // an engine without 1.3 takes the highest it has
        result = nng_tls_config_version(config, NNG_TLS_1_2, NNG_TLS_1_3);
    if (result == 0)
        return config;
    if (config != NULL)
        nng_tls_config_free(config);
    error_set(error, result, "cannot set up TLS: %s", nng_strerror(result));
    return NULL;
}

static nng_tls_config *listener_tls(const char *url, const struct link_tls *tls, struct error *error)
{
    const struct link_tls none = {0};
    tls = tls == NULL ? &none : tls;
    if (check_given(tls->cert_file, "a certificate file", url, error) < 0 ||
        check_given(tls->key_file, "a key file", url, error) < 0)
        return NULL;
    struct text AUTOTEXT certificate = {0};
    __attribute__((cleanup(wipe_text))) struct text key = {0};
    if (text_read_file(tls->cert_file, PEM_BYTES_MAX, &certificate, error) < 0 ||
        text_read_file(tls->key_file, PEM_BYTES_MAX, &key, error) < 0)
        return NULL;
    __attribute__((cleanup(free_tls_config))) nng_tls_config *config =
        new_tls_config(NNG_TLS_MODE_SERVER, error);
    if (config == NULL)
        return NULL;
    int result = nng_tls_config_own_cert(config, text_get(&certificate), text_get(&key), NULL);
    if (result == 0) // agents prove who they are with a token, not with a certificate
        result = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_NONE);
    if (result != 0) {
        error_set(error, result, "cannot use the certificate %s with the key %s: %s", tls->cert_file,
                  tls->key_file, nng_strerror(result));
        return NULL;
    }
    nng_tls_config *made = config;
    config = NULL;
    return made;
}

// The host in the URL, without brackets.
static char *url_host(const char *url)
{
    const char *host = strstr(url, "://");
    assert(host != NULL);
    host += strlen("://");
    if (host[0] == '[')
        return xstrndup(host + 1, strcspn(host + 1, "]"));
    return xstrndup(host, strcspn(host, ":/"));
}

static nng_tls_config *dialer_tls(const char *url, const struct link_tls *tls, struct error *error)
{
    const struct link_tls none = {0};
    tls = tls == NULL ? &none : tls;
    if (check_given(tls->ca_file, "a file with the certificate authority", url, error) < 0)
        return NULL;
    struct text AUTOTEXT authority = {0};
    if (text_read_file(tls->ca_file, PEM_BYTES_MAX, &authority, error) < 0)
        return NULL;
    __attribute__((cleanup(free_tls_config))) nng_tls_config *config =
        new_tls_config(NNG_TLS_MODE_CLIENT, error);
    if (config == NULL)
        return NULL;
    char AUTOFREE *host = url_host(url);
    bool named = tls->server_name != NULL && tls->server_name[0] != '\0';
    int result = nng_tls_config_ca_chain(config, text_get(&authority), NULL);
    if (result == 0)
        result = nng_tls_config_server_name(config, named ? tls->server_name : host);
    if (result == 0)
        result = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
    if (result != 0) {
        error_set(error, result, "cannot use the certificate authority %s: %s", tls->ca_file,
                  nng_strerror(result));
        return NULL;
    }
    nng_tls_config *made = config;
    config = NULL;
    return made;
}

static void close_descriptor(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

// A socket file that nobody listens on is what a killed process left behind.
static int remove_stale_socket(const char *path, struct error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        if (errno == ENOENT)
            return 0;
        return error_set(error, errno, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, EEXIST, "%s exists and is not a socket", path);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(name.sun_path))
        return error_set(error, ENAMETOOLONG, "%s is too long a path for a socket", path);
    memcpy(name.sun_path, path, strlen(path) + 1);
    __attribute__((cleanup(close_descriptor))) int descriptor =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return error_set(error, errno, "cannot make a socket: %s", strerror(errno));
    int result = connect(descriptor, (const struct sockaddr *)&name, sizeof(name));
    if (result == 0 || errno == EAGAIN || errno == EINPROGRESS)
        return error_set(error, EADDRINUSE, "another process listens on %s", path);
    if (errno != ECONNREFUSED)
        return error_set(error, errno, "cannot tell whether anyone listens on %s: %s", path, strerror(errno));
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set(error, errno, "cannot remove the stale socket %s: %s", path, strerror(errno));
    return 0;
}

static int prepare_listener(nng_listener listener, const char *url, const struct link_tls *tls, int mode,
                            struct error *error)
{
    if (text_starts_with(url, IPC_SCHEME)) {
        if (remove_stale_socket(url + strlen(IPC_SCHEME), error) < 0)
            return -1;
        int result = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, mode);
        return result == 0 ? 0 : fail(error, result, "cannot set the permissions of", url);
    }
    if (text_starts_with(url, TLS_SCHEME)) {
        __attribute__((cleanup(free_tls_config))) nng_tls_config *config = listener_tls(url, tls, error);
        if (config == NULL)
            return -1;
        int result = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config); // takes its own reference
        if (result != 0)
            return fail(error, result, "cannot use TLS on", url);
    }
    if (!text_starts_with(url, INPROC_SCHEME)) // a peer that lost its power is noticed in the end
        (void)nng_listener_set_bool(listener, NNG_OPT_TCP_KEEPALIVE, true);
    return 0;
}

static int read_port(nng_listener listener, const char *url, int *port, struct error *error)
{
    *port = 0;
    if (!text_starts_with(url, TCP_SCHEME) && !text_starts_with(url, TLS_SCHEME))
        return 0;
    int result = nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, port);
    return result == 0 ? 0 : fail(error, result, "cannot read the port of", url);
}

int link_listen(nng_socket socket, const char *url, const struct link_tls *tls, int mode,
                nng_listener *listener, int *port, struct error *error)
{
    assert(url != NULL && listener != NULL);
    nng_listener made;
    int result = nng_listener_create(&made, socket, url);
    if (result != 0)
        return fail(error, result, "cannot listen on", url);
    int bound = 0;
    bool good = prepare_listener(made, url, tls, mode, error) == 0;
    if (good) {
        result = nng_listener_start(made, 0);
        good = result == 0 || fail(error, result, "cannot listen on", url) == 0;
    }
    good = good && read_port(made, url, &bound, error) == 0;
    if (!good) {
        nng_listener_close(made);
        return -1;
    }
    *listener = made;
    if (port != NULL)
        *port = bound;
    return 0;
}

int link_renew_certificate(nng_listener listener, const char *url, const struct link_tls *tls, void **retired,
                           struct error *error)
{
    __attribute__((cleanup(free_tls_config))) nng_tls_config *config = listener_tls(url, tls, error);
    if (config == NULL)
        return -1;
    void *present = NULL;
    int result = nng_listener_get_ptr(listener, NNG_OPT_TLS_CONFIG, &present); // gives a reference
    if (result == 0)
        result = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, config); // takes its own
    if (result != 0) {
        link_free_retired(present);
        return fail(error, result, "cannot renew the certificate of", url);
    }
    link_free_retired(*retired);
    *retired = present;
    return 0;
}

void link_free_retired(void *retired)
{
    if (retired != NULL)
        nng_tls_config_free(retired);
}

static int prepare_dialer(nng_dialer dialer, const char *url, const struct link_tls *tls,
                          int reconnect_min_ms, int reconnect_max_ms, struct error *error)
{
    int result = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, reconnect_min_ms);
    if (result == 0)
        result = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, reconnect_max_ms);
    if (result != 0)
        return fail(error, result, "cannot set the reconnect times of", url);
    if (text_starts_with(url, TLS_SCHEME)) {
        __attribute__((cleanup(free_tls_config))) nng_tls_config *config = dialer_tls(url, tls, error);
        if (config == NULL)
            return -1;
        result = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, config); // takes its own reference
        if (result != 0)
            return fail(error, result, "cannot use TLS to", url);
    }
    if (text_starts_with(url, TLS_SCHEME) || text_starts_with(url, TCP_SCHEME))
        (void)nng_dialer_set_bool(dialer, NNG_OPT_TCP_KEEPALIVE, true);
    return 0;
}

int link_dial(nng_socket socket, const char *url, const struct link_tls *tls, int reconnect_min_ms,
              int reconnect_max_ms, nng_dialer *dialer, struct error *error)
{
    assert(url != NULL && dialer != NULL);
    nng_dialer made;
    int result = nng_dialer_create(&made, socket, url);
    if (result != 0)
        return fail(error, result, "cannot dial", url);
    bool good = prepare_dialer(made, url, tls, reconnect_min_ms, reconnect_max_ms, error) == 0;
    if (good) {
        result = nng_dialer_start(made, NNG_FLAG_NONBLOCK);
        good = result == 0 || fail(error, result, "cannot dial", url) == 0;
    }
    if (!good) {
        nng_dialer_close(made);
        return -1;
    }
    *dialer = made;
    return 0;
}

int link_limits(nng_socket socket, size_t message_bytes_max, int send_timeout_ms, int receive_timeout_ms,
                struct error *error)
{
    int result = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, message_bytes_max);
    if (result == 0)
        result = nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, send_timeout_ms);
    if (result == 0)
        result = nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, receive_timeout_ms);
    return result == 0 ? 0 : error_set(error, result, "cannot limit a socket: %s", nng_strerror(result));
}
