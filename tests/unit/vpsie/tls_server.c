#include "tests/unit/vpsie/tls_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"

#define CONNECTIONS_MAX   256
#define REQUESTS_MAX      1024
#define REQUEST_BYTES_MAX (256 * 1024)

struct tls_server {
    const struct tls_step *steps;
    size_t step_count;
    SSL_CTX *tls;
    char *certificate;
    int listener;
    int port;
    pthread_t accepter;
    pthread_t threads[CONNECTIONS_MAX];
    atomic_bool stopping, refuse_reset, refuse_silent;
    pthread_mutex_t lock;
    size_t connections;
    char *requests[REQUESTS_MAX];
    size_t request_count;
};
struct connection {
    struct tls_server *server;
    int socket;
    SSL *tls;
    char *buffer;
    size_t length;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert(extension != NULL);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static void make_certificate(struct tls_server *server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert(key != NULL && certificate != NULL);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"script", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1,DNS:script.test");
    assert(X509_sign(certificate, key, EVP_sha256()) > 0);
    server->tls = SSL_CTX_new(TLS_server_method());
    assert(SSL_CTX_use_certificate(server->tls, certificate) == 1);
    assert(SSL_CTX_use_PrivateKey(server->tls, key) == 1);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);
    server->certificate = xstrndup(bytes, (size_t)length);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

// Waits until the socket can be read; false when the server stops.
static bool wait_readable(struct connection *connection)
{
    while (!atomic_load(&connection->server->stopping)) {
        struct pollfd entry = {.fd = connection->socket, .events = POLLIN};
        if ((connection->tls != NULL && SSL_pending(connection->tls) > 0) || poll(&entry, 1, 20) > 0) {
            return true;
        }
    }
    return false;
}

static size_t request_bytes(const char *buffer, size_t length)
{
    const char *end = memmem(buffer, length, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - buffer) + 4, body = 0;
    const char *field = strcasestr(buffer, "\r\nContent-Length:");
    if (field != NULL && field < end) {
        body = strtoul(field + 17, NULL, 10);
    }
    return length >= head + body ? head + body : 0;
}

// The next whole request, recorded. Returns its index or -1 when the connection or the server ended.
static long read_request(struct connection *connection)
{
    for (;;) {
        size_t bytes = request_bytes(connection->buffer, connection->length);
        if (bytes > 0) {
            struct tls_server *server = connection->server;
            pthread_mutex_lock(&server->lock);
            assert(server->request_count < REQUESTS_MAX);
            size_t index = server->request_count++;
            server->requests[index] = xstrndup(connection->buffer, bytes);
            pthread_mutex_unlock(&server->lock);
            memmove(connection->buffer, connection->buffer + bytes, connection->length - bytes + 1);
            connection->length -= bytes;
            return (long)index;
        }
        if (!wait_readable(connection)) {
            return -1;
        }
        int got = SSL_read(connection->tls, connection->buffer + connection->length,
                           (int)(REQUEST_BYTES_MAX - connection->length));
        if (got <= 0) {
            return -1;
        }
        connection->length += (size_t)got;
        connection->buffer[connection->length] = '\0';
    }
}

static void reset(int socket)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void hold(struct connection *connection)
{
    while (!atomic_load(&connection->server->stopping)) {
        usleep(10000);
    }
}

static void serve(struct connection *connection)
{
    struct tls_server *server = connection->server;
    if (!wait_readable(connection) || SSL_accept(connection->tls) != 1) {
        return;
    }
    for (long index; (index = read_request(connection)) >= 0;) {
        size_t at = (size_t)index < server->step_count ? (size_t)index : server->step_count - 1;
        const struct tls_step *step = &server->steps[at];
        if (step->raw != NULL) {
            SSL_write(connection->tls, step->raw, (int)strlen(step->raw));
        }
        switch (step->then) {
        case TLS_THEN_NEXT: continue;
        case TLS_THEN_CLOSE: SSL_shutdown(connection->tls); return;
        case TLS_THEN_RESET: reset(connection->socket); return;
        case TLS_THEN_HOLD: hold(connection); return;
        }
    }
}

static void *run_connection(void *argument)
{
    struct connection *connection = argument;
    struct tls_server *server = connection->server;
    if (atomic_load(&server->refuse_reset)) {
        reset(connection->socket);
    } else if (atomic_load(&server->refuse_silent)) {
        hold(connection);
    } else {
        connection->buffer = xcalloc(1, REQUEST_BYTES_MAX + 1);
        connection->tls = SSL_new(server->tls);
        SSL_set_fd(connection->tls, connection->socket);
        serve(connection);
        SSL_free(connection->tls);
        free(connection->buffer);
    }
    close(connection->socket);
    free(connection);
    return NULL;
}

static void *run_accepter(void *argument)
{
    struct tls_server *server = argument;
    for (int socket; (socket = accept(server->listener, NULL, NULL)) >= 0;) {
        struct connection *connection = xcalloc(1, sizeof *connection);
        connection->server = server;
        connection->socket = socket;
        pthread_mutex_lock(&server->lock);
        assert(server->connections < CONNECTIONS_MAX);
        size_t index = server->connections++;
        pthread_mutex_unlock(&server->lock);
        assert(pthread_create(&server->threads[index], NULL, run_connection, connection) == 0);
    }
    return NULL;
}

struct tls_server *tls_server_start(const struct tls_step *steps, size_t step_count)
{
    signal(SIGPIPE, SIG_IGN);
    struct tls_server *server = xcalloc(1, sizeof *server);
    server->steps = steps;
    server->step_count = step_count;
    pthread_mutex_init(&server->lock, NULL);
    make_certificate(server);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
    assert(listen(server->listener, 64) == 0);
    assert(getsockname(server->listener, (struct sockaddr *)&address, &length) == 0);
    server->port = ntohs(address.sin_port);
    assert(pthread_create(&server->accepter, NULL, run_accepter, server) == 0);
    return server;
}

void tls_server_stop(struct tls_server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->accepter, NULL);
    close(server->listener);
    for (size_t i = 0; i < server->connections; i++) {
        pthread_join(server->threads[i], NULL);
    }
    for (size_t i = 0; i < server->request_count; i++) {
        free(server->requests[i]);
    }
    SSL_CTX_free(server->tls);
    free(server->certificate);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int tls_server_port(const struct tls_server *server)
{
    return server->port;
}

const char *tls_server_certificate(const struct tls_server *server)
{
    return server->certificate;
}

size_t tls_server_requests(struct tls_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

size_t tls_server_connections(struct tls_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->connections;
    pthread_mutex_unlock(&server->lock);
    return count;
}

char *tls_server_request(struct tls_server *server, size_t index)
{
    pthread_mutex_lock(&server->lock);
    assert(index < server->request_count);
    char *copy = xstrdup(server->requests[index]);
    pthread_mutex_unlock(&server->lock);
    return copy;
}

void tls_server_refuse(struct tls_server *server, bool reset_it, bool silent)
{
    atomic_store(&server->refuse_reset, reset_it);
    atomic_store(&server->refuse_silent, silent);
}
