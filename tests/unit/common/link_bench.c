#include "tests/unit/common/link_bench.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/certificates.h"

static void in_directory(const struct bench_files *files, char *path, const char *name)
{
    snprintf(path, BENCH_PATH_BYTES_MAX, "%s/%s", files->directory, name);
}

void bench_files_make(struct bench_files *files)
{
    strcpy(files->directory, "/tmp/vpsie-link.XXXXXX");
    assert_non_null(mkdtemp(files->directory));
    in_directory(files, files->ca, "ca.pem");
    in_directory(files, files->certificate, "server.pem");
    in_directory(files, files->key, "server.key");
    in_directory(files, files->other_ca, "other.pem");
    in_directory(files, files->expired_certificate, "expired.pem");
    in_directory(files, files->expired_key, "expired.key");
    in_directory(files, files->socket, "socket");
    struct certificates ours = certificates_make();
    struct certificates other = certificates_make();
    char *expired_cert;
    char *expired_key;
    certificates_make_server(&ours, "DNS:localhost", true, &expired_cert, &expired_key);
    certificates_write(files->ca, ours.ca_cert);
    certificates_write(files->certificate, ours.server_cert);
    certificates_write(files->key, ours.server_key);
    certificates_write(files->other_ca, other.ca_cert);
    certificates_write(files->expired_certificate, expired_cert);
    certificates_write(files->expired_key, expired_key);
    free(expired_cert);
    free(expired_key);
    certificates_free(&ours);
    certificates_free(&other);
}

void bench_files_remove(struct bench_files *files)
{
    const char *paths[] = {files->ca,       files->certificate,         files->key,
                           files->other_ca, files->expired_certificate, files->expired_key,
                           files->socket};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        unlink(paths[i]);
    rmdir(files->directory);
}

struct link_tls bench_server_tls(const struct bench_files *files)
{
    return (struct link_tls){.cert_file = files->certificate, .key_file = files->key};
}

struct link_tls bench_client_tls(const struct bench_files *files)
{
    return (struct link_tls){.ca_file = files->ca};
}

static void *serve(void *context)
{
    struct bench_server *server = context;
    nng_msg *message;
    for (;;) {
        int result = nng_recvmsg(server->socket, &message, 0);
        if (result == NNG_ECLOSED)
            return NULL;
        if (result == 0 && nng_sendmsg(server->socket, message, 0) != 0)
            nng_msg_free(message);
    }
}

void bench_server_start(struct bench_server *server, const char *url, const struct link_tls *tls)
{
    struct error error = {0};
    assert_int_equal(nng_rep0_open(&server->socket), 0);
    assert_int_equal(
        link_limits(server->socket, BENCH_MESSAGE_MAX, BENCH_TIMEOUT_MS, NNG_DURATION_INFINITE, &error), 0);
    if (link_listen(server->socket, url, tls, 0600, &server->listener, &server->port, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void bench_server_stop(struct bench_server *server)
{
    nng_close(server->socket);
    pthread_join(server->thread, NULL);
}

bool bench_ask(nng_socket socket)
{
    char question[] = "are you there?";
    char answer[sizeof(question)] = "";
    size_t length = sizeof(answer);
    if (nng_send(socket, question, sizeof(question), 0) != 0 || nng_recv(socket, answer, &length, 0) != 0)
        return false;
    return length == sizeof(question) && memcmp(question, answer, length) == 0;
}

bool bench_exchange(const char *url, const struct link_tls *tls, int timeout_ms)
{
    struct error error = {0};
    nng_socket socket;
    nng_dialer dialer;
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(link_limits(socket, BENCH_MESSAGE_MAX, timeout_ms, timeout_ms, &error), 0);
    if (link_dial(socket, url, tls, BENCH_RECONNECT_MS, BENCH_RECONNECT_MS, &dialer, &error) < 0)
        fail_msg("%s", error.text);
    bool answered = bench_ask(socket);
    nng_close(socket);
    return answered;
}

static int connect_to(const struct sockaddr *name, socklen_t length)
{
    int descriptor = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(connect(descriptor, name, length), 0);
    return descriptor;
}

static struct sockaddr_un ipc_name(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof(name.sun_path));
    strcpy(name.sun_path, path);
    return name;
}

static void reset(int descriptor)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    shutdown(descriptor, SHUT_WR);
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(descriptor);
}

void bench_rude_ipc(const char *path)
{
    struct sockaddr_un name = ipc_name(path);
    close(connect_to((struct sockaddr *)&name, sizeof(name)));
}

void bench_rude_tcp(int port, const void *hello, size_t hello_bytes, unsigned pause_us)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = connect_to((struct sockaddr *)&name, sizeof(name));
    if (hello_bytes > 0)
        (void)!send(descriptor, hello, hello_bytes, MSG_NOSIGNAL);
    if (pause_us > 0)
        usleep(pause_us);
    reset(descriptor);
}

size_t bench_client_hello(unsigned char *bytes, size_t bytes_max)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *client = SSL_new(context);
    assert_non_null(client);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(client, BIO_new(BIO_s_mem()), out);
    SSL_set_max_proto_version(client, TLS1_2_VERSION);
    assert_true(SSL_connect(client) <= 0);
    int length = BIO_read(out, bytes, (int)bytes_max);
    assert_true(length > 0);
    SSL_free(client);
    SSL_CTX_free(context);
    return (size_t)length;
}

int bench_rude_listener_ipc(const char *path)
{
    struct sockaddr_un name = ipc_name(path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(descriptor, 16), 0);
    return descriptor;
}

int bench_rude_listener_tcp(int *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(name);
    int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&name, &length), 0);
    assert_int_equal(listen(descriptor, 16), 0);
    *port = ntohs(name.sin_port);
    return descriptor;
}

bool bench_rude_listener_serve(int listener, int count)
{
    for (int i = 0; i < count; i++) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        if (poll(&ready, 1, BENCH_TIMEOUT_MS) != 1)
            return false;
        int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (descriptor >= 0)
            reset(descriptor);
    }
    return true;
}
