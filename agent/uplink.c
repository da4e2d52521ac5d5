#include "agent/uplink.h"

#include <assert.h>
#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/wire.h"

#define URL_BYTES_MAX 512

enum request_stage { REQUEST_NONE, REQUEST_SENDING, REQUEST_RECEIVING };

struct uplink {
    struct uplink_settings settings;
    nng_socket socket;
    nng_ctx context;
    nng_aio *aio;
    nng_dialer dialer;
    bool dialing;
    int wake; // eventfd

    // Shared with the library's threads.
    pthread_mutex_t lock;
    enum request_stage stage;
    uint32_t pipes;         // open now
    bool connected_news;    // pipes were added since the caller was told
    bool disconnected_news; // the last one went since
    bool finished;          // a request came to its end
    nng_msg *answer;        // with finished; NULL: it failed
    int code;               // with finished
};

static void wake(struct uplink *uplink)
{
    uint64_t one = 1;
    ssize_t written = write(uplink->wake, &one, sizeof one);
    (void)written; // full means that it is awake already
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)pipe;
    struct uplink *uplink = context;
    pthread_mutex_lock(&uplink->lock);
    if (event == NNG_PIPE_EV_ADD_POST) {
        uplink->pipes++;
        uplink->connected_news = true;
    } else if (uplink->pipes > 0) {
        uplink->pipes--;
        uplink->disconnected_news = uplink->pipes == 0;
        uplink->connected_news = uplink->connected_news && uplink->pipes > 0;
    }
    pthread_mutex_unlock(&uplink->lock);
    wake(uplink);
}

static void finish(struct uplink *uplink, int code, nng_msg *answer)
{
    pthread_mutex_lock(&uplink->lock);
    uplink->stage = REQUEST_NONE;
    uplink->finished = true;
    uplink->code = code;
    uplink->answer = answer;
    pthread_mutex_unlock(&uplink->lock);
    wake(uplink);
}

static void on_request(void *context)
{
    struct uplink *uplink = context;
    int result = nng_aio_result(uplink->aio);
    pthread_mutex_lock(&uplink->lock);
    enum request_stage stage = uplink->stage;
    if (stage == REQUEST_SENDING && result == 0)
        uplink->stage = REQUEST_RECEIVING;
    pthread_mutex_unlock(&uplink->lock);
    if (stage == REQUEST_SENDING && result == 0) {
        nng_ctx_recv(uplink->context, uplink->aio);
        return;
    }
    if (stage == REQUEST_SENDING) { // a message that was not taken is still ours
        nng_msg_free(nng_aio_get_msg(uplink->aio));
        nng_aio_set_msg(uplink->aio, NULL);
    }
    finish(uplink, result, result == 0 ? nng_aio_get_msg(uplink->aio) : NULL);
}

static int open_socket(struct uplink *uplink, struct error *error)
{
    int result = nng_req0_open(&uplink->socket);
    if (result != 0)
        return error_set(error, result, "open a socket: %s", nng_strerror(result));
    if (link_limits(uplink->socket, uplink->settings.message_bytes_max, uplink->settings.answer_timeout_ms,
                    uplink->settings.answer_timeout_ms, error) < 0)
        return -1;
    result = nng_ctx_open(&uplink->context, uplink->socket);
    if (result == 0) // a report that got no answer is not repeated: a newer one goes
        result = nng_ctx_set_ms(uplink->context, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (result == 0)
        result = nng_aio_alloc(&uplink->aio, on_request, uplink);
    if (result == 0)
        result = nng_pipe_notify(uplink->socket, NNG_PIPE_EV_ADD_POST, on_pipe, uplink);
    if (result == 0)
        result = nng_pipe_notify(uplink->socket, NNG_PIPE_EV_REM_POST, on_pipe, uplink);
    if (result != 0)
        return error_set(error, result, "set up a socket: %s", nng_strerror(result));
    nng_aio_set_timeout(uplink->aio, uplink->settings.answer_timeout_ms);
    return 0;
}

struct uplink *uplink_create(const struct uplink_settings *settings, struct error *error)
{
    assert(settings->answer_timeout_ms > 0 && settings->message_bytes_max > 0);
    struct uplink *uplink = xcalloc(1, sizeof *uplink);
    uplink->settings = *settings;
    pthread_mutex_init(&uplink->lock, NULL);
    uplink->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (uplink->wake < 0)
        error_set(error, errno, "eventfd: %s", strerror(errno));
    if (uplink->wake >= 0 && open_socket(uplink, error) == 0)
        return uplink;
    uplink_destroy(uplink);
    return NULL;
}

void uplink_destroy(struct uplink *uplink)
{
    if (!uplink)
        return;
    if (uplink->aio)
        nng_aio_stop(uplink->aio);
    if (nng_socket_id(uplink->socket) > 0)
        nng_close(uplink->socket);
    if (uplink->aio)
        nng_aio_free(uplink->aio);
    if (uplink->answer)
        nng_msg_free(uplink->answer);
    if (uplink->wake >= 0)
        close(uplink->wake);
    pthread_mutex_destroy(&uplink->lock);
    free(uplink);
}

int uplink_dial(struct uplink *uplink, const char *address, struct error *error)
{
    char url[URL_BYTES_MAX];
    nng_aio_abort(uplink->aio, NNG_ECANCELED); // without a request under way that does nothing
    if (uplink->dialing)
        nng_dialer_close(uplink->dialer); // its connection goes with it
    uplink->dialing = false;
    if (link_url(address, uplink->settings.insecure, WIRE_DEFAULT_PORT, url, sizeof url, error) < 0)
        return -1;
    if (link_dial(uplink->socket, url, &uplink->settings.tls, uplink->settings.reconnect_min_ms,
                  uplink->settings.reconnect_max_ms, &uplink->dialer, error) < 0)
        return -1;
    uplink->dialing = true;
    return 0;
}

int uplink_descriptor(const struct uplink *uplink)
{
    return uplink->wake;
}

// One at a time, in the order that makes sense of them: the end of a connection ends its request.
static struct uplink_event next_event(struct uplink *uplink, nng_msg **answer)
{
    if (uplink->disconnected_news) {
        uplink->disconnected_news = false;
        return (struct uplink_event){.kind = UPLINK_DISCONNECTED};
    }
    if (uplink->finished) {
        uplink->finished = false;
        *answer = uplink->answer;
        uplink->answer = NULL;
        return (struct uplink_event){.kind = *answer ? UPLINK_ANSWER : UPLINK_FAILED, .code = uplink->code};
    }
    if (uplink->connected_news && uplink->pipes > 0) {
        uplink->connected_news = false;
        return (struct uplink_event){.kind = UPLINK_CONNECTED};
    }
    return (struct uplink_event){.kind = UPLINK_NOTHING};
}

struct uplink_event uplink_take(struct uplink *uplink)
{
    nng_msg *answer = NULL;
    uint64_t count;
    ssize_t got = read(uplink->wake, &count, sizeof count);
    (void)got; // nothing there: someone asks without having polled
    pthread_mutex_lock(&uplink->lock);
    struct uplink_event event = next_event(uplink, &answer);
    bool more = uplink->disconnected_news || uplink->finished || uplink->connected_news;
    // The library would repeat the request on the next connection, where it would lack the credential.
    bool abort = event.kind == UPLINK_DISCONNECTED && uplink->stage != REQUEST_NONE;
    pthread_mutex_unlock(&uplink->lock);
    if (abort)
        nng_aio_abort(uplink->aio, NNG_ECONNRESET);
    if (more)
        wake(uplink);
    if (answer) {
        event.length = nng_msg_len(answer);
        event.bytes = xcalloc(event.length + 1, 1);
        memcpy(event.bytes, nng_msg_body(answer), event.length);
        nng_msg_free(answer);
    }
    return event;
}

bool uplink_connected(struct uplink *uplink)
{
    pthread_mutex_lock(&uplink->lock);
    bool connected = uplink->pipes > 0;
    pthread_mutex_unlock(&uplink->lock);
    return connected;
}

bool uplink_busy(struct uplink *uplink)
{
    pthread_mutex_lock(&uplink->lock);
    bool busy = uplink->stage != REQUEST_NONE || uplink->finished;
    pthread_mutex_unlock(&uplink->lock);
    return busy;
}

int uplink_send(struct uplink *uplink, const uint8_t *bytes, size_t length, struct error *error)
{
    assert(!uplink_busy(uplink));
    nng_msg *message = NULL;
    int result = nng_msg_alloc(&message, length);
    if (result != 0)
        return error_set(error, result, "allocate a message: %s", nng_strerror(result));
    memcpy(nng_msg_body(message), bytes, length);
    pthread_mutex_lock(&uplink->lock);
    uplink->stage = REQUEST_SENDING;
    pthread_mutex_unlock(&uplink->lock);
    nng_aio_set_msg(uplink->aio, message);
    nng_ctx_send(uplink->context, uplink->aio);
    return 0;
}
