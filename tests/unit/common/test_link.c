#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/again.h"
#include "tests/unit/common/link_bench.h"

#define SECOND_LISTENER_ARGUMENT "--listen-in-a-second-process"
#define THREADS_MAX              12
#define RUDE_TLS_PEERS           300u
#define RUDE_TLS_PAUSE_US_MAX    20000u

static struct bench_files files;

static void tcp_url(char *url, const char *scheme, int port)
{
    snprintf(url, BENCH_URL_BYTES_MAX, "%s://localhost:%d", scheme, port);
}

static void ipc_url(char *url)
{
    snprintf(url, BENCH_URL_BYTES_MAX, "ipc://%s", files.socket);
}

static void a_peer_that_connects_and_goes_away_leaves_an_ipc_listener_working(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    ipc_url(url);
    bench_server_start(&server, url, NULL);
    for (int i = 0; i < BENCH_RUDE_PEERS; i++)
        bench_rude_ipc(files.socket);
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

static void a_fin_and_a_reset_leave_a_tcp_listener_working(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    bench_server_start(&server, "tcp://127.0.0.1:0", NULL);
    for (int i = 0; i < BENCH_RUDE_PEERS; i++)
        bench_rude_tcp(server.port, NULL, 0, 0);
    tcp_url(url, "tcp", server.port);
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

static void a_hello_a_fin_and_a_reset_leave_a_tls_listener_working(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    unsigned char hello[4096];
    size_t hello_bytes = bench_client_hello(hello, sizeof(hello));
    struct bench_server server;
    struct link_tls server_tls = bench_server_tls(&files);
    struct link_tls client_tls = bench_client_tls(&files);
    bench_server_start(&server, "tls+tcp://127.0.0.1:0", &server_tls);
    // It counts when the reset comes in while the server works on its answer, some milliseconds after the
    // hello.
    for (unsigned i = 0; i < RUDE_TLS_PEERS; i++)
        bench_rude_tcp(server.port, hello, hello_bytes, i * 7919u % RUDE_TLS_PAUSE_US_MAX);
    tcp_url(url, "tls+tcp", server.port);
    assert_true(bench_exchange(url, &client_tls, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

// A dialer whose peer resets every connection comes back each time, and works once the peer is a good one.
static void dial_through_rude_peers(int listener, const char *url, const struct link_tls *client_tls,
                                    const struct link_tls *server_tls)
{
    struct error error = {0};
    nng_socket socket;
    nng_dialer dialer;
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(link_limits(socket, BENCH_MESSAGE_MAX, BENCH_TIMEOUT_MS, BENCH_TIMEOUT_MS, &error), 0);
    assert_int_equal(
        link_dial(socket, url, client_tls, BENCH_RECONNECT_MS, BENCH_RECONNECT_MS, &dialer, &error), 0);
    assert_true(bench_rude_listener_serve(listener, BENCH_RUDE_PEERS));
    close(listener);
    struct bench_server server;
    bench_server_start(&server, url, server_tls);
    assert_true(bench_ask(socket));
    nng_close(socket);
    bench_server_stop(&server);
}

static void an_ipc_dialer_comes_back_after_every_reset(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    ipc_url(url);
    dial_through_rude_peers(bench_rude_listener_ipc(files.socket), url, NULL, NULL);
}

static void a_tcp_dialer_comes_back_after_every_reset(void **state)
{
    (void)state;
    int port;
    char url[BENCH_URL_BYTES_MAX];
    int listener = bench_rude_listener_tcp(&port);
    tcp_url(url, "tcp", port);
    dial_through_rude_peers(listener, url, NULL, NULL);
}

static void a_tls_dialer_comes_back_after_every_reset(void **state)
{
    (void)state;
    int port;
    char url[BENCH_URL_BYTES_MAX];
    int listener = bench_rude_listener_tcp(&port);
    struct link_tls client_tls = bench_client_tls(&files);
    struct link_tls server_tls = bench_server_tls(&files);
    tcp_url(url, "tls+tcp", port);
    dial_through_rude_peers(listener, url, &client_tls, &server_tls);
}

// The body of the second process: the library's own listen, which probes the path by connecting to it.
static int listen_in_second_process(const char *url)
{
    nng_socket socket;
    if (nng_rep0_open(&socket) != 0)
        return 2;
    int result = nng_listen(socket, url, NULL, 0);
    nng_close(socket);
    return result == NNG_EADDRINUSE ? 0 : 1;
}

static void a_second_process_on_the_same_ipc_path_leaves_the_first_working(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    ipc_url(url);
    bench_server_start(&server, url, NULL);
    for (int i = 0; i < 5; i++) {
        char name[] = "second", argument[] = SECOND_LISTENER_ARGUMENT;
        char *arguments[] = {name, argument, url, NULL};
        struct again again;
        again_prepare(&again, arguments);
        pid_t child;
        int status;
        assert_int_equal(posix_spawn(&child, again.program, NULL, NULL, again.arguments, environ), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

static void the_library_starts_few_threads_on_any_number_of_cpus(void **state)
{
    (void)state;
    struct bench_server server;
    char url[BENCH_URL_BYTES_MAX];
    bench_server_start(&server, "tcp://127.0.0.1:0", NULL);
    tcp_url(url, "tcp", server.port);
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks))
        threads += task->d_name[0] != '.';
    closedir(tasks);
    threads -= 1; // the server of this test
    assert_in_range(threads, 2, THREADS_MAX);
    bench_server_stop(&server);
}

static void an_ipc_socket_has_the_mode_that_was_asked_for(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    struct stat status;
    ipc_url(url);
    bench_server_start(&server, url, NULL);
    assert_int_equal(stat(files.socket, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(server.port, 0);
    bench_server_stop(&server);
}

static void a_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    ipc_url(url);
    close(bench_rude_listener_ipc(files.socket)); // the file stays
    assert_int_equal(access(files.socket, F_OK), 0);
    bench_server_start(&server, url, NULL);
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

static int try_listen(const char *url, const struct link_tls *tls, struct error *error)
{
    nng_socket socket;
    nng_listener listener;
    assert_int_equal(nng_rep0_open(&socket), 0);
    int result = link_listen(socket, url, tls, 0600, &listener, NULL, error);
    nng_close(socket);
    return result;
}

static void a_living_listener_is_not_pushed_aside(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    struct error error = {0};
    ipc_url(url);
    bench_server_start(&server, url, NULL);
    assert_int_equal(try_listen(url, NULL, &error), -1);
    assert_int_equal(error.code, EADDRINUSE);
    assert_non_null(strstr(error.text, files.socket));
    assert_true(bench_exchange(url, NULL, BENCH_TIMEOUT_MS));
    bench_server_stop(&server);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    struct error error = {0};
    snprintf(url, sizeof(url), "ipc://%s", files.ca);
    assert_int_equal(try_listen(url, NULL, &error), -1);
    assert_int_equal(error.code, EEXIST);
    assert_non_null(strstr(error.text, files.ca));
    assert_int_equal(access(files.ca, F_OK), 0);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(try_listen("ipc:///nowhere/at/all/socket", NULL, &error), -1);
    assert_non_null(strstr(error.text, "/nowhere/at/all/socket"));
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    char url[BENCH_URL_BYTES_MAX];
    char port[16];
    struct bench_server server;
    struct error error = {0};
    bench_server_start(&server, "tcp://127.0.0.1:0", NULL);
    snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", server.port);
    snprintf(port, sizeof(port), ":%d", server.port);
    assert_int_equal(try_listen(url, NULL, &error), -1);
    assert_non_null(strstr(error.text, port));
    bench_server_stop(&server);
}

static void a_message_over_the_limit_does_not_arrive(void **state)
{
    (void)state;
    struct error error = {0};
    char url[BENCH_URL_BYTES_MAX];
    struct bench_server server;
    nng_socket socket;
    nng_dialer dialer;
    static char big[BENCH_MESSAGE_MAX + 1];
    bench_server_start(&server, "tcp://127.0.0.1:0", NULL);
    tcp_url(url, "tcp", server.port);
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(link_limits(socket, BENCH_MESSAGE_MAX, BENCH_TIMEOUT_MS, 300, &error), 0);
    assert_int_equal(link_dial(socket, url, NULL, BENCH_RECONNECT_MS, BENCH_RECONNECT_MS, &dialer, &error),
                     0);
    assert_true(bench_ask(socket));
    char *answer = NULL;
    size_t length = 0;
    assert_int_equal(nng_send(socket, big, sizeof(big), 0), 0);
    assert_int_equal(nng_recv(socket, (void *)&answer, &length, NNG_FLAG_ALLOC), NNG_ETIMEDOUT);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, BENCH_TIMEOUT_MS), 0);
    assert_true(bench_ask(socket));
    nng_close(socket);
    bench_server_stop(&server);
}

static void a_send_without_a_connection_ends(void **state)
{
    (void)state;
    struct error error = {0};
    nng_socket socket;
    nng_dialer dialer;
    char url[BENCH_URL_BYTES_MAX];
    snprintf(url, sizeof(url), "ipc://%s/nobody", files.directory);
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(link_limits(socket, BENCH_MESSAGE_MAX, 50, 50, &error), 0);
    assert_int_equal(link_dial(socket, url, NULL, 10, 20, &dialer, &error), 0);
    assert_int_equal(nng_send(socket, "x", 1, 0), NNG_ETIMEDOUT);
    nng_close(socket);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_peer_that_connects_and_goes_away_leaves_an_ipc_listener_working),
    cmocka_unit_test(a_fin_and_a_reset_leave_a_tcp_listener_working),
    cmocka_unit_test(a_hello_a_fin_and_a_reset_leave_a_tls_listener_working),
    cmocka_unit_test(an_ipc_dialer_comes_back_after_every_reset),
    cmocka_unit_test(a_tcp_dialer_comes_back_after_every_reset),
    cmocka_unit_test(a_tls_dialer_comes_back_after_every_reset),
    cmocka_unit_test(a_second_process_on_the_same_ipc_path_leaves_the_first_working),
    cmocka_unit_test(the_library_starts_few_threads_on_any_number_of_cpus),
    cmocka_unit_test(an_ipc_socket_has_the_mode_that_was_asked_for),
    cmocka_unit_test(a_stale_socket_file_is_replaced),
    cmocka_unit_test(a_living_listener_is_not_pushed_aside),
    cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
    cmocka_unit_test(a_directory_that_is_not_there_is_named),
    cmocka_unit_test(a_taken_port_is_named),
    cmocka_unit_test(a_message_over_the_limit_does_not_arrive),
    cmocka_unit_test(a_send_without_a_connection_ends),
};

static int make_files(void **state)
{
    (void)state;
    bench_files_make(&files);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    bench_files_remove(&files);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], SECOND_LISTENER_ARGUMENT) == 0)
        return listen_in_second_process(argv[2]);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
