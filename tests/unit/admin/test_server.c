#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "coordinator/admin/client.h"

// What a core would do, on a thread of its own or not at all.
struct answerer {
    struct admin *admin;
    pthread_mutex_t lock;
    uint64_t ids[64];
    int count;
    bool answers, full;
};

static char directory[] = "/tmp/admin-test-XXXXXX";
static char socket_path[128];

static bool take(void *context, struct admin_request *request)
{
    struct answerer *answerer = context;
    if (answerer->full)
        return false;
    pthread_mutex_lock(&answerer->lock);
    uint64_t id = request->id;
    if (answerer->count < 64)
        answerer->ids[answerer->count++] = id;
    struct admin *admin = answerer->admin;
    bool answers = answerer->answers;
    pthread_mutex_unlock(&answerer->lock);
    if (answers)
        admin_reply(admin, id,
                    xprintf("{\"ok\":true,\"command\":\"%s\"}", admin_command_name(request->command)));
    admin_request_free(request);
    return true;
}

static struct answerer *start(bool answers)
{
    struct answerer *answerer = xcalloc(1, sizeof(*answerer));
    pthread_mutex_init(&answerer->lock, NULL);
    answerer->answers = answers;
    struct admin_options options = {.path = socket_path, .sink = take, .context = answerer};
    struct error error = {0};
    pthread_mutex_lock(&answerer->lock);
    answerer->admin = admin_start(&options, &error);
    pthread_mutex_unlock(&answerer->lock);
    assert_non_null(answerer->admin);
    return answerer;
}

static void stop(struct answerer *answerer)
{
    admin_stop(answerer->admin);
    pthread_mutex_destroy(&answerer->lock);
    free(answerer);
}

static bool eventually(bool (*holds)(void *context), void *context)
{
    for (int i = 0; i < 2000; i++) {
        if (holds(context))
            return true;
        clock_sleep_ms(10);
    }
    return false;
}

static int taken(struct answerer *answerer)
{
    pthread_mutex_lock(&answerer->lock);
    int count = answerer->count;
    pthread_mutex_unlock(&answerer->lock);
    return count;
}

static void a_request_is_answered(void **state)
{
    (void)state;
    struct answerer *answerer = start(true);
    for (int i = 0; i < 20; i++) {
        struct error error = {0};
        char *reply = client_ask(socket_path, "{\"command\":\"status\"}", &error);
        assert_non_null(reply);
        assert_string_equal(reply, "{\"ok\":true,\"command\":\"status\"}");
        free(reply);
    }
    struct stat file;
    assert_int_equal(stat(socket_path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    stop(answerer);
    assert_int_equal(access(socket_path, F_OK), -1);
}

static void nonsense_never_reaches_the_core(void **state)
{
    (void)state;
    struct answerer *answerer = start(true);
    struct error error = {0};
    char *reply = client_ask(socket_path, "{\"command\":\"reboot\"}", &error);
    assert_non_null(strstr(reply, "\"ok\":false"));
    assert_non_null(strstr(reply, "\"code\":\"invalid\""));
    free(reply);
    assert_int_equal(taken(answerer), 0);
    stop(answerer);
}

static void the_log_level_is_changed_without_the_core(void **state)
{
    (void)state;
    struct answerer *answerer = start(false);
    struct error error = {0};
    char *reply = client_ask(socket_path, "{\"command\":\"log-level\",\"level\":\"error\"}", &error);
    assert_string_equal(reply, "{\"ok\":true,\"level\":\"error\"}");
    free(reply);
    assert_int_equal(log_get_level(), LOG_ERROR);
    reply = client_ask(socket_path, "{\"command\":\"log-level\",\"level\":\"loud\"}", &error);
    assert_non_null(strstr(reply, "\"ok\":false"));
    free(reply);
    assert_int_equal(log_get_level(), LOG_ERROR);
    stop(answerer);
}

static void a_full_queue_is_said_at_once(void **state)
{
    (void)state;
    struct answerer *answerer = start(true);
    answerer->full = true;
    struct error error = {0};
    char *reply = client_ask(socket_path, "{\"command\":\"status\"}", &error);
    assert_non_null(strstr(reply, "\"code\":\"busy\""));
    free(reply);
    stop(answerer);
}

struct asker {
    pthread_t thread;
    char *reply;
};

static void *ask_in_background(void *context)
{
    struct asker *asker = context;
    asker->reply = client_ask(socket_path, "{\"command\":\"nodes\"}", NULL);
    return NULL;
}

static bool eight_taken(void *context)
{
    return taken(context) >= 8;
}

static void a_core_that_does_not_answer_is_reported_and_its_late_answer_dropped(void **state)
{
    (void)state;
    struct answerer *answerer = start(false);
    struct asker askers[8] = {0};
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_in_background, &askers[i]), 0);
    assert_true(eventually(eight_taken, answerer));
    for (int i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_non_null(askers[i].reply);
        assert_non_null(strstr(askers[i].reply, "\"code\":\"timeout\""));
        free(askers[i].reply);
    }
    for (int i = 0; i < 8; i++)
        admin_reply(answerer->admin, answerer->ids[i], xstrdup("{\"ok\":true}"));
    pthread_mutex_lock(&answerer->lock);
    answerer->answers = true;
    pthread_mutex_unlock(&answerer->lock);
    char *reply = client_ask(socket_path, "{\"command\":\"pods\"}", NULL);
    assert_string_equal(reply, "{\"ok\":true,\"command\":\"pods\"}"); // nobody else's answer
    free(reply);
    stop(answerer);
}

// A client that sends and is gone before the answer comes.
static void ask_and_vanish(void)
{
    nng_socket socket = NNG_SOCKET_INITIALIZER;
    assert_int_equal(nng_req0_open(&socket), 0);
    char url[160];
    snprintf(url, sizeof(url), "ipc://%s", socket_path);
    assert_int_equal(nng_dial(socket, url, NULL, 0), 0);
    char request[] = "{\"command\":\"snapshot\"}";
    assert_int_equal(nng_send(socket, request, strlen(request), 0), 0);
    clock_sleep_ms(5);
    nng_close(socket);
}

// Connects and says nothing of NNG's.
static void rude_connection(bool speaks)
{
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%.100s", socket_path);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    if (speaks)
        assert_true(write(descriptor, "GET / HTTP/1.1\r\n\r\n", 18) == 18);
    close(descriptor);
}

static void clients_that_vanish_or_are_rude_do_no_harm(void **state)
{
    (void)state;
    struct answerer *answerer = start(true);
    for (int i = 0; i < 12; i++) {
        ask_and_vanish();
        rude_connection(i % 2 == 0);
    }
    char *reply = client_ask(socket_path, "{\"command\":\"groups\"}", NULL);
    assert_string_equal(reply, "{\"ok\":true,\"command\":\"groups\"}");
    free(reply);
    stop(answerer);
}

static bool socket_there(void *context)
{
    (void)context;
    return access(socket_path, F_OK) == 0;
}

static void a_directory_that_cannot_be_used_is_reported_and_tried_again(void **state)
{
    (void)state;
    char kept[128], blocker[128];
    snprintf(kept, sizeof(kept), "%s", socket_path);
    snprintf(blocker, sizeof(blocker), "%s/blocked", directory);
    FILE *file = fopen(blocker, "w"); // a file where the directory should be
    assert_non_null(file);
    fclose(file);
    snprintf(socket_path, sizeof(socket_path), "%s/blocked/admin.sock", directory);
    struct answerer *answerer = start(true);
    char problem[600];
    admin_problem(answerer->admin, problem, sizeof(problem));
    assert_true(problem[0] != '\0');
    assert_int_equal(unlink(blocker), 0);
    assert_true(eventually(socket_there, NULL));
    char *reply = client_ask(socket_path, "{\"command\":\"groups\"}", NULL);
    assert_non_null(reply);
    free(reply);
    admin_problem(answerer->admin, problem, sizeof(problem));
    assert_string_equal(problem, "");
    stop(answerer);
    assert_int_equal(rmdir(blocker), 0);
    snprintf(socket_path, sizeof(socket_path), "%s", kept);
}

static void a_socket_that_somebody_removed_is_made_again(void **state)
{
    (void)state;
    struct answerer *answerer = start(true);
    assert_int_equal(unlink(socket_path), 0);
    assert_true(eventually(socket_there, NULL));
    char *reply = client_ask(socket_path, "{\"command\":\"groups\"}", NULL);
    assert_non_null(reply);
    free(reply);
    stop(answerer);
}

static void a_second_coordinator_waits_for_the_socket_of_the_first(void **state)
{
    (void)state;
    struct answerer *first = start(true);
    struct answerer *second = start(true);
    char problem[600];
    admin_problem(second->admin, problem, sizeof(problem));
    assert_non_null(strstr(problem, "another process listens"));
    stop(first);
    assert_true(eventually(socket_there, NULL));
    char *reply = client_ask(socket_path, "{\"command\":\"groups\"}", NULL);
    assert_non_null(reply);
    free(reply);
    stop(second);
}

static void a_path_that_can_be_no_socket_is_an_error_at_once(void **state)
{
    (void)state;
    char path[200];
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    struct admin_options options = {.path = path, .sink = take};
    struct error error = {0};
    assert_null(admin_start(&options, &error));
    assert_non_null(strstr(error.text, "path"));
}

static void asking_nobody_says_what_is_missing(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(client_ask("/nowhere/admin.sock", "{}", &error));
    assert_non_null(strstr(error.text, "/nowhere/admin.sock: the socket is not there"));
}

static int make_directory(void **state)
{
    (void)state;
    log_init("test", LOG_FORMAT_TEXT, LOG_ERROR);
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(nonsense_never_reaches_the_core),
        cmocka_unit_test(the_log_level_is_changed_without_the_core),
        cmocka_unit_test(a_full_queue_is_said_at_once),
        cmocka_unit_test(a_core_that_does_not_answer_is_reported_and_its_late_answer_dropped),
        cmocka_unit_test(clients_that_vanish_or_are_rude_do_no_harm),
        cmocka_unit_test(a_directory_that_cannot_be_used_is_reported_and_tried_again),
        cmocka_unit_test(a_socket_that_somebody_removed_is_made_again),
        cmocka_unit_test(a_second_coordinator_waits_for_the_socket_of_the_first),
        cmocka_unit_test(a_path_that_can_be_no_socket_is_an_error_at_once),
        cmocka_unit_test(asking_nobody_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
