#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "coordinator/vpsie/door.h"

// The last look at the fence of a write: before the connection is made, and once it stands.
struct fence {
    struct vpsie *vpsie;
    uint64_t term;
    bool closed;
};

static bool fence_is_open(void *context)
{
    struct fence *fence = context;
    const struct vpsie_options *options = &fence->vpsie->options;
    if (options->may_act != NULL && !options->may_act(options->context, fence->term)) {
        fence->closed = true;
    }
    return !fence->closed;
}

bool door_wait_until(struct vpsie *vpsie, int64_t monotonic_ms)
{
    struct timespec until = {.tv_sec = monotonic_ms / 1000, .tv_nsec = (monotonic_ms % 1000) * 1000000};
    while (!vpsie->stopping && clock_monotonic_ms() < monotonic_ms) {
        if (pthread_cond_timedwait(&vpsie->changed, &vpsie->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    return !vpsie->stopping;
}

static void not_sent(struct answer *answer, int64_t retry_after_ms, const char *detail)
{
    *answer = (struct answer){.outcome = OUTCOME_NOT_SENT, .retry_after_ms = retry_after_ms};
    snprintf(answer->detail, sizeof answer->detail, "%s", detail);
}

static const char *result_label(const struct http_response *response, const struct answer *answer,
                                char *buffer, size_t bytes)
{
    switch (response->result) {
    case HTTP_ANSWERED: break;
    case HTTP_NOT_SENT: return "not_sent";
    case HTTP_BROKEN: return "broken";
    case HTTP_TIMEOUT: return "timeout";
    case HTTP_TOO_LARGE: return "too_large";
    case HTTP_STOPPED: return "stopped";
    }
    if (answer->error_inside) {
        return "error_inside";
    }
    snprintf(buffer, bytes, "%d", response->status);
    return buffer;
}

static void count(const struct exchange *exchange, const struct http_response *response,
                  const struct answer *answer, int64_t took_ms)
{
    static const double bounds[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
    const char *call = api_call_name(exchange->request->call);
    char labels[128], code[16];
    snprintf(labels, sizeof labels, "call=\"%s\",code=\"%s\"", call,
             result_label(response, answer, code, sizeof code));
    metric_add(metrics_counter("vpsie_autoscaler_vpsie_requests_total", labels, "Requests to the VPSie API."),
               1);
    snprintf(labels, sizeof labels, "call=\"%s\"", call);
    metric_observe(metrics_histogram("vpsie_autoscaler_vpsie_request_duration_seconds", labels,
                                     "Time from sending a request to the VPSie API to its answer or failure.",
                                     bounds, sizeof bounds / sizeof bounds[0]),
                   (double)took_ms / 1000);
    bool bad = answer->outcome != OUTCOME_OK;
    log_event(bad ? LOG_WARN : (exchange->request->write ? LOG_INFO : LOG_DEBUG), "VPSie call",
              LOG_S("call", call), LOG_S("outcome", outcome_name(answer->outcome)),
              LOG_I("status", answer->status), LOG_I("took_ms", took_ms), LOG_S("detail", answer->detail),
              LOG_END);
}

static void call(struct vpsie *vpsie, const struct exchange *exchange, struct fence *fence,
                 struct http_response *response)
{
    const struct api_request *request = exchange->request;
    struct text url = {0}, header = {0};
    text_append(&url, exchange->account->url);
    text_append(&url, text_get(&request->path));
    account_header(exchange->account, &header);
    const char *headers[] = {"Accept: application/json", text_get(&header)};
    struct http_request http = {
        .method = request->method,
        .url = text_get(&url),
        .content_type = request->content_type,
        .body = request->body.length > 0 ? text_get(&request->body) : NULL,
        .body_bytes = request->body.length,
        .headers = headers,
        .header_count = request->call == API_LOGIN ? 1 : 2,
        .timeout_ms = vpsie->options.timeout_ms,
        .response_bytes_max = ANSWER_BYTES_MAX,
        .stop = request->once ? &vpsie->stop_orders : &vpsie->stop_calls,
        .may_send = request->write ? fence_is_open : NULL,
        .may_send_context = fence,
    };
    vpsie->transport.call(exchange->client, &http, request->once, response);
    secret_wipe(&header);
    text_free(&url);
}

// Waits until the rate limit lets the call through, and takes its place. False with an answer when it may not
// leave. Called with the lock held.
static bool take_place(struct vpsie *vpsie, const struct exchange *exchange, struct answer *answer)
{
    bool important = exchange->request->write || exchange->kind != EXCHANGE_COMMAND;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        if (vpsie->stopping) {
            not_sent(answer, 0, "the door is closing");
            return false;
        }
        if (exchange->kind == EXCHANGE_COMMAND && breaker_state(&vpsie->breaker, now_ms) != BREAKER_CLOSED) {
            int64_t left_ms = vpsie->breaker.open_until_ms - now_ms;
            not_sent(answer, left_ms > 0 ? left_ms : 1000,
                     "VPSie failed several times in a row; calls wait until it answers again");
            return false;
        }
        int64_t wait_ms = rate_wait_ms(&vpsie->rate, now_ms, important);
        if (wait_ms == 0) {
            rate_take(&vpsie->rate, now_ms);
            return true;
        }
        if (now_ms + wait_ms > exchange->deadline_ms) {
            not_sent(answer, wait_ms, "the account's calls of this minute are used up");
            return false;
        }
        door_wait_until(vpsie, now_ms + wait_ms);
    }
}

static void learn(struct vpsie *vpsie, const struct exchange *exchange, const struct http_response *response,
                  const struct answer *answer)
{
    int64_t now_ms = clock_monotonic_ms();
    if (answer->outcome == OUTCOME_THROTTLED) {
        int64_t wait_ms = answer->retry_after_ms > 0 ? answer->retry_after_ms : vpsie->tuning.throttled_ms;
        rate_block(&vpsie->rate, now_ms + wait_ms);
    }
    if (exchange->kind == EXCHANGE_TRIAL) {
        return; // of credentials or a base that may be wrong: says nothing about the adopted one
    }
    if (answer->failure) {
        breaker_failure(&vpsie->breaker, now_ms, &vpsie->random);
    } else if (response->result == HTTP_ANSWERED) {
        breaker_success(&vpsie->breaker);
    }
    // A probe that was stopped leaves the breaker as it is: the door is closing.
}

static void show_guards(struct vpsie *vpsie)
{
    int64_t now_ms = clock_monotonic_ms();
    metric_set(metrics_gauge("vpsie_autoscaler_vpsie_breaker_state", NULL,
                             "Circuit breaker before the VPSie API: 0 closed, 1 half open, 2 open."),
               (double)breaker_state(&vpsie->breaker, now_ms));
    metric_set(metrics_gauge("vpsie_autoscaler_vpsie_rate_remaining", NULL,
                             "Calls that may still be made to the VPSie API in the present minute."),
               vpsie->rate.limit - rate_used(&vpsie->rate, now_ms));
}

void exchange(struct vpsie *vpsie, const struct exchange *exchange, struct answer *answer)
{
    const struct api_request *request = exchange->request;
    struct fence fence = {.vpsie = vpsie, .term = exchange->term};
    pthread_mutex_lock(&vpsie->lock);
    bool placed = take_place(vpsie, exchange, answer);
    if (placed && request->once) {
        vpsie->orders_in_flight++;
    }
    pthread_mutex_unlock(&vpsie->lock);
    if (!placed) {
        return;
    }
    struct http_response response = {.result = HTTP_NOT_SENT};
    int64_t began_ms = clock_monotonic_ms();
    if (!request->write || fence_is_open(&fence)) {
        call(vpsie, exchange, &fence, &response);
    }
    answer_read(&response, request->use, answer);
    if (fence.closed) {
        not_sent(answer, 0, "the term it was decided in is over");
    }
    account_scrub(exchange->account, answer->detail);
    count(exchange, &response, answer, clock_monotonic_ms() - began_ms);
    pthread_mutex_lock(&vpsie->lock);
    learn(vpsie, exchange, &response, answer);
    show_guards(vpsie);
    if (request->once) {
        vpsie->orders_in_flight--;
    }
    pthread_cond_broadcast(&vpsie->changed);
    pthread_mutex_unlock(&vpsie->lock);
    http_response_free(&response);
}
