#include "common/web.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/log.h"
#include "common/metrics.h"

#define WEB_MAGIC                   0x77656230u
#define CONNECTIONS_MAX             64u
#define CONNECTIONS_PER_ADDRESS_MAX 16u
#define CONNECTION_MEMORY_BYTES     (16u * 1024u)
#define IDLE_SECONDS_MAX            10u
#define LISTEN_BACKLOG              64
#define HOST_BYTES_MAX              256u

struct web {
    uint32_t magic;
    struct web_options options;
    struct MHD_Daemon *daemon;
    int port;
};

struct address {
    char host[HOST_BYTES_MAX];
    char port[8];
};

static int parse_listen(const char *listen_text, struct address *address, struct error *error)
{
    const char *colon = strrchr(listen_text, ':');
    uint64_t port;
    if (colon == NULL || text_parse_u64(colon + 1, strlen(colon + 1), &port, NULL) < 0 || port > 65535)
        return error_set(error, EINVAL, "\"%s\" is not an address such as 0.0.0.0:9090 or [::]:9090",
                         text_show(listen_text, strlen(listen_text)).text);
    const char *host = listen_text;
    size_t length = (size_t)(colon - listen_text);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != NULL) {
        return error_set(error, EINVAL, "\"%s\": write an IPv6 address in brackets: [::]:9090",
                         text_show(listen_text, strlen(listen_text)).text);
    }
    if (length >= HOST_BYTES_MAX)
        return error_set(error, EINVAL, "\"%s\" is too long",
                         text_show(listen_text, strlen(listen_text)).text);
    memcpy(address->host, length == 0 ? "0.0.0.0" : host, length == 0 ? sizeof("0.0.0.0") : length);
    if (length > 0)
        address->host[length] = '\0';
    strcpy(address->port, colon + 1 + strspn(colon + 1, "0"));
    if (address->port[0] == '\0')
        strcpy(address->port, "0");
    return 0;
}

static void close_descriptor(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static void free_addresses(struct addrinfo **addresses)
{
    if (*addresses != NULL)
        freeaddrinfo(*addresses);
}

static int bind_and_listen(int descriptor, const struct addrinfo *place)
{
    int on = 1;
    int off = 0;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (place->ai_family == AF_INET6) // [::] serves IPv4 too
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(descriptor, place->ai_addr, place->ai_addrlen) != 0)
        return -1;
    return listen(descriptor, LISTEN_BACKLOG);
}

// A listening socket, or -1. Ours and not the library's, because the library does not say what went wrong.
static int open_listener(const char *listen_text, struct error *error)
{
    struct address address;
    if (parse_listen(listen_text, &address, error) < 0)
        return -1;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    __attribute__((cleanup(free_addresses))) struct addrinfo *places = NULL;
    int result = getaddrinfo(address.host, address.port, &hints, &places);
    if (result != 0)
        return error_set(error, EINVAL, "cannot listen on %s: %s", listen_text, gai_strerror(result));
    __attribute__((cleanup(close_descriptor))) int descriptor =
        socket(places->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0 || bind_and_listen(descriptor, places) != 0)
        return error_set(error, errno, "cannot listen on %s: %s", listen_text, strerror(errno));
    int listener = descriptor;
    descriptor = -1;
    return listener;
}

static int bound_port(int descriptor)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof(name);
    if (getsockname(descriptor, (struct sockaddr *)&name, &length) != 0)
        return 0;
    char port[8];
    if (getnameinfo((struct sockaddr *)&name, length, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
        return 0;
    return atoi(port);
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct text *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body->length, (void *)(uintptr_t)text_get(body), MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_line(struct MHD_Connection *connection, unsigned status, const char *line)
{
    struct text AUTOTEXT body = {0};
    text_append(&body, line);
    return reply(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result reply_probe(struct MHD_Connection *connection, web_probe probe, void *context)
{
    struct text AUTOTEXT why = {0};
    bool good = probe == NULL || probe(context, &why);
    if (why.length == 0)
        text_append(&why, good ? "ok" : "not ok");
    if (why.bytes[why.length - 1] != '\n')
        text_append(&why, "\n");
    return reply(connection, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8",
                 &why);
}

static enum MHD_Result reply_metrics(struct MHD_Connection *connection, const struct web *web)
{
    struct text AUTOTEXT body = {0};
    if (web->options.refresh != NULL)
        web->options.refresh(web->options.context);
    metrics_render(&body);
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **state)
{
    (void)version;
    (void)upload;
    const struct web *web = context;
    static char headers_seen;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return reply_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (*state == NULL) { // the library asks once after the headers, and again after the body
        *state = &headers_seen;
        return MHD_YES;
    }
    if (*upload_bytes != 0)
        return MHD_NO; // nobody has a reason to send a body
    if (strcmp(path, "/healthz") == 0)
        return reply_probe(connection, web->options.health, web->options.context);
    if (strcmp(path, "/readyz") == 0)
        return reply_probe(connection, web->options.ready, web->options.context);
    if (strcmp(path, "/metrics") == 0)
        return reply_metrics(connection, web);
    return reply_line(connection, MHD_HTTP_NOT_FOUND, "not here; there are /healthz, /readyz and /metrics\n");
}

static void log_library(void *context, const char *format, va_list arguments)
{
    (void)context;
    if (!log_enabled(LOG_DEBUG))
        return;
    struct text AUTOTEXT line = {0};
    text_vprintf(&line, format, arguments);
    while (line.length > 0 && line.bytes[line.length - 1] == '\n')
        line.bytes[--line.length] = '\0';
    log_event(LOG_DEBUG, "http server", LOG_S("detail", text_get(&line)), LOG_END);
}

struct web *web_start(const struct web_options *options, struct error *error)
{
    assert(options != NULL && options->listen != NULL);
    error_clear(error);
    if (options->listen[0] == '\0')
        return NULL;
    int listener = open_listener(options->listen, error);
    if (listener < 0)
        return NULL;
    struct web *web = xcalloc(1, sizeof(*web));
    *web = (struct web){.magic = WEB_MAGIC, .options = *options, .port = bound_port(listener)};
    web->options.listen = NULL; // the caller's text need not live on
    // ITC: without a wake-up channel of its own, the library's thread notices the stop by its listening
    // socket alone, and not even by that while every connection is taken.
    web->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        answer, web, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        CONNECTIONS_PER_ADDRESS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_END);
    if (web->daemon == NULL) { // versions differ in whether the socket is closed by now, so it is left alone
        free(web);
        error_set(error, EIO, "cannot serve on %s: the HTTP server did not start", options->listen);
        return NULL;
    }
    return web;
}

int web_port(const struct web *web)
{
    assert(web != NULL && web->magic == WEB_MAGIC);
    return web->port;
}

void web_stop(struct web *web)
{
    if (web == NULL)
        return;
    assert(web->magic == WEB_MAGIC);
    MHD_stop_daemon(web->daemon);
    web->magic = 0;
    free(web);
}
