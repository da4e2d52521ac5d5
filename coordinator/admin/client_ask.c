#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/link.h"
#include "coordinator/admin/client.h"

#define SEND_TIMEOUT_MS 5000
// Longer than the server's own limit: then its error arrives, not ours.
#define RECEIVE_TIMEOUT_MS (ADMIN_ANSWER_LIMIT_MS + 5000)

static void close_socket(const nng_socket *socket)
{
    if (nng_socket_id(*socket) > 0)
        nng_close(*socket);
}

static const char *why_not(const char *path, int result)
{
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return "the socket is not there";
    if (access(path, R_OK | W_OK) != 0)
        return "the socket belongs to somebody else: be root or the coordinator's user";
    if (result == NNG_ECONNREFUSED)
        return "nobody listens on the socket: the coordinator has stopped";
    return nng_strerror(result);
}

static int exchange(nng_socket socket, const char *request, char **reply)
{
    nng_msg *message = NULL;
    int result = nng_msg_alloc(&message, 0);
    if (result == 0)
        result = nng_msg_append(message, request, strlen(request));
    if (result == 0)
        result = nng_sendmsg(socket, message, 0);
    if (result != 0) {
        if (message != NULL)
            nng_msg_free(message);
        return result;
    }
    nng_msg *answer = NULL;
    result = nng_recvmsg(socket, &answer, 0);
    if (result != 0)
        return result;
    *reply = xstrndup(nng_msg_body(answer), nng_msg_len(answer));
    nng_msg_free(answer);
    return 0;
}

char *client_ask(const char *socket_path, const char *request, struct error *error)
{
    char address[300], url[300];
    if ((size_t)snprintf(address, sizeof(address), "ipc://%s", socket_path) >= sizeof(address)) {
        error_set(error, 0, "the socket's path is too long");
        return NULL;
    }
    if (link_url(address, false, 0, url, sizeof(url), error) < 0)
        return NULL;
    __attribute__((cleanup(close_socket))) nng_socket socket = NNG_SOCKET_INITIALIZER;
    int result = nng_req0_open(&socket);
    if (result != 0) {
        error_set(error, result, "cannot open a socket: %s", nng_strerror(result));
        return NULL;
    }
    // replies may be large: no limit but memory, they come from ourselves
    if (link_limits(socket, 0, SEND_TIMEOUT_MS, RECEIVE_TIMEOUT_MS, error) < 0)
        return NULL;
    result = nng_dial(socket, url, NULL, 0);
    if (result != 0) {
        error_set(error, result, "no coordinator answers on %s: %s", socket_path,
                  why_not(socket_path, result));
        return NULL;
    }
    char *reply = NULL;
    result = exchange(socket, request, &reply);
    if (result == 0)
        return reply;
    if (result == NNG_ETIMEDOUT)
        error_set(error, result, "the coordinator on %s does not answer", socket_path);
    else
        error_set(error, result, "the coordinator on %s was lost: %s", socket_path, nng_strerror(result));
    return NULL;
}
