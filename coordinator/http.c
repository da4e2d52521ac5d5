#include "coordinator/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"

#define CONNECT_TIMEOUT_MS_DEFAULT 10000
#define RESPONSE_BYTES_DEFAULT     ((size_t)1024 * 1024)
#define RESPONSE_HEADER_BYTES_MAX  ((size_t)64 * 1024)
#define URL_BYTES_MAX              ((size_t)16 * 1024)
#define HEADER_BYTES_MAX           ((size_t)64 * 1024)
#define STOP_POLL_MS               500
#define RETRY_AFTER_MS_MAX         3600000
#define CONNECTIONS_KEPT           4L

struct http {
    CURLM *multi;
    CURL *easy;
    char *user_agent;
    char *ca_file;
    char *ca_data;
    char *client_cert_data;
    char *client_key_data;
    char *server_name;
    bool insecure_skip_verify;
};

// One call in progress.
struct call {
    const struct http_request *request;
    struct http_response *response;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    char *url;  // as given to libcurl; differs from the request's with a server name
    char *host; // for error texts
    bool once;
    bool sent;     // the connection stands and the request began to leave
    bool fenced;   // the caller's last look said no
    bool answered; // the blank line after the headers of a final response came
    bool repeated; // libcurl wanted to send it a second time, and was refused
    bool too_large;
    bool stopped;
    bool idle;
    size_t header_bytes;
    int64_t active_ms; // when the last byte came, monotonic
    char reason[CURL_ERROR_SIZE];
};

static void global_init(void)
{
    // OpenSSL writes with write(2): a peer that is gone must be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
}

void http_global_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
}

static void free_secret(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

struct http *http_create(const struct http_trust *trust, const char *user_agent, struct error *error)
{
    static const struct http_trust system_trust = {0};
    http_global_init();
    if (trust == NULL) {
        trust = &system_trust;
    }
    if ((trust->client_cert_data == NULL) != (trust->client_key_data == NULL)) {
        error_set(error, 0, "a client certificate and its key must be given together");
        return NULL;
    }
    struct http *http = xcalloc(1, sizeof *http);
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (http->multi == NULL || http->easy == NULL) {
        http_destroy(http);
        error_set(error, 0, "libcurl could not be started");
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    http->user_agent = xstrdup(user_agent);
    http->ca_file = xstrdup(trust->ca_file);
    http->ca_data = xstrdup(trust->ca_data);
    http->client_cert_data = xstrdup(trust->client_cert_data);
    http->client_key_data = xstrdup(trust->client_key_data);
    http->server_name = xstrdup(trust->server_name);
    http->insecure_skip_verify = trust->insecure_skip_verify;
    return http;
}

void http_destroy(struct http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->easy != NULL) {
        curl_easy_cleanup(http->easy);
    }
    if (http->multi != NULL) {
        curl_multi_cleanup(http->multi);
    }
    free(http->user_agent);
    free(http->ca_file);
    free(http->ca_data);
    free(http->client_cert_data);
    free_secret(http->client_key_data);
    free(http->server_name);
    free(http);
}

static int before_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct call *call = context;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    // A second time means that libcurl found the kept connection dead after the request had begun to leave on
    // it, and would repeat. Only a read may be repeated unseen.
    if (call->sent && strcmp(call->request->method, "GET") != 0) {
        call->repeated = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (call->request->may_send != NULL && !call->request->may_send(call->request->may_send_context)) {
        call->fenced = true;
        return CURL_PREREQFUNC_ABORT;
    }
    call->sent = true;
    call->active_ms = clock_monotonic_ms();
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t length = size * count;
    call->active_ms = clock_monotonic_ms();
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->request->on_chunk != NULL && status >= 200 && status <= 299) {
        if (!call->request->on_chunk(call->request->context, bytes, length)) {
            call->stopped = true;
            return 0;
        }
        call->active_ms = clock_monotonic_ms(); // the time spent in the callback is not the server's silence
        return length;
    }
    size_t limit = call->request->response_bytes_max;
    if (limit == 0) {
        limit = RESPONSE_BYTES_DEFAULT;
    }
    if (length > limit || call->response->body.length > limit - length) {
        call->too_large = true;
        return 0;
    }
    text_append_bytes(&call->response->body, bytes, length);
    return length;
}

// Keeps the Date of the last response (an interim 1xx response has headers of its own).
static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t length = size * count;
    call->active_ms = clock_monotonic_ms();
    call->header_bytes += length;
    if (call->header_bytes > RESPONSE_HEADER_BYTES_MAX) {
        call->too_large = true;
        return 0;
    }
    char *date = call->response->date;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        date[0] = '\0';
        call->answered = false;
    } else if (length <= 2 && (bytes[0] == '\r' || bytes[0] == '\n')) {
        call->answered = true;
    } else if (length > 5 && strncasecmp(bytes, "Date:", 5) == 0) {
        size_t begin = 5;
        while (begin < length && bytes[begin] == ' ') {
            begin++;
        }
        size_t end = begin;
        while (end < length && (unsigned char)bytes[end] >= ' ' && (unsigned char)bytes[end] < 0x7f) {
            end++;
        }
        if (end - begin < sizeof call->response->date) {
            memcpy(date, bytes + begin, end - begin);
            date[end - begin] = '\0';
        }
    }
    return length;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static void slist_append(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer == NULL) {
        abort();
    }
    *list = longer;
}

static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item != NULL; item = item->next) {
        explicit_bzero(item->data, strlen(item->data));
    }
    curl_slist_free_all(list);
}

static int add_headers(struct call *call, struct error *error)
{
    const struct http_request *request = call->request;
    for (size_t i = 0; i < request->header_count; i++) {
        const char *header = request->headers[i];
        size_t length = strlen(header);
        if (has_control(header) || strchr(header, ':') == NULL || length > HEADER_BYTES_MAX) {
            return error_set(error, 0,
                             "a request header holds a line break or control character, or is too long");
        }
        slist_append(&call->headers, header);
    }
    slist_append(&call->headers, "Expect:"); // a body is sent at once
    if (request->body != NULL && request->content_type != NULL) {
        if (has_control(request->content_type)) {
            return error_set(error, 0, "the content type holds a control character");
        }
        AUTOFREE char *type = xprintf("Content-Type: %s", request->content_type);
        slist_append(&call->headers, type);
    } else {
        slist_append(&call->headers, "Content-Type:"); // libcurl would claim a form
    }
    return 0;
}

// With a server name of its own the URL carries that name (it is what TLS asks for and checks), while the
// connection goes to, and the Host header names, the host that was given.
static int use_server_name(struct call *call, CURLU *url, const char *server_name, struct error *error)
{
    char *host = NULL, *port = NULL, *given_port = NULL, *rewritten = NULL;
    int result = -1;
    curl_url_get(url, CURLUPART_PORT, &given_port, 0);
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_HOST, server_name, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &rewritten, 0) == CURLUE_OK) {
        AUTOFREE char *to = xprintf("::%s:%s", host, port);
        AUTOFREE char *header =
            given_port != NULL ? xprintf("Host: %s:%s", host, given_port) : xprintf("Host: %s", host);
        slist_append(&call->connect_to, to);
        slist_append(&call->headers, header);
        free(call->url);
        call->url = xstrdup(rewritten);
        result = 0;
    } else {
        error_set(error, 0, "the server name in the certificate is not a host name");
    }
    curl_free(host);
    curl_free(port);
    curl_free(given_port);
    curl_free(rewritten);
    return result;
}

static int check_url(struct call *call, const char *server_name, struct error *error)
{
    const char *given = call->request->url;
    if (strlen(given) > URL_BYTES_MAX) {
        return error_set(error, 0, "the URL is longer than %zu bytes", URL_BYTES_MAX);
    }
    if (strncasecmp(given, "https://", 8) != 0) {
        return error_set(error, 0, "only https:// is allowed, not \"%s\"",
                         text_show(given, strlen(given)).text);
    }
    CURLU *url = curl_url();
    if (url == NULL) {
        abort();
    }
    char *user = NULL, *host = NULL;
    int result = 0;
    if (has_control(given) || strchr(given, ' ') != NULL ||
        curl_url_set(url, CURLUPART_URL, given, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        result = error_set(error, 0, "not a URL: \"%s\"", text_show(given, strlen(given)).text);
    } else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        result = error_set(error, 0, "the URL of %s holds a user name", host);
    } else {
        call->url = xstrdup(given);
        call->host = xstrdup(host);
        if (server_name != NULL) {
            result = use_server_name(call, url, server_name, error);
        }
    }
    curl_free(user);
    curl_free(host);
    curl_url_cleanup(url);
    return result;
}

static void set_blob(CURL *easy, CURLoption option, char *text)
{
    if (text != NULL) {
        struct curl_blob blob = {.data = text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(easy, option, &blob);
    }
}

static void set_trust(const struct http *http, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, http->insecure_skip_verify ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, http->insecure_skip_verify ? 0L : 2L);
    if (http->ca_data != NULL || http->ca_file != NULL) {
        // Whoever names an authority trusts that one alone: the system's directory must not count beside it.
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_data != NULL ? NULL : http->ca_file);
        set_blob(easy, CURLOPT_CAINFO_BLOB, http->ca_data);
    }
    if (http->client_cert_data != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
        curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
        set_blob(easy, CURLOPT_SSLCERT_BLOB, http->client_cert_data);
        set_blob(easy, CURLOPT_SSLKEY_BLOB, http->client_key_data);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 60L); // authorities are rotated; a day is too long
#endif
}

static void set_method(const struct http_request *request, CURL *easy)
{
    if (strcmp(request->method, "GET") == 0) {
        assert(request->body == NULL);
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (request->body != NULL || strcmp(request->method, "DELETE") != 0) {
        size_t bytes = request->body != NULL ? request->body_bytes : 0;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(const struct http *http, struct call *call)
{
    const struct http_request *request = call->request;
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
    if (http->user_agent != NULL) {
        curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, call->connect_to);
    int64_t connect_ms =
        request->connect_timeout_ms > 0 ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS_DEFAULT;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->once ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    set_trust(http, easy);
    set_method(request, easy);
}

static bool is_stopped(const struct http_request *request)
{
    return request->stop != NULL && __atomic_load_n(request->stop, __ATOMIC_RELAXED);
}

// How long to sleep at most, or -1 when the call is to end now.
static int wait_ms(struct call *call)
{
    const struct http_request *request = call->request;
    if (is_stopped(request)) {
        call->stopped = true;
        return -1;
    }
    int64_t wait = STOP_POLL_MS;
    if (request->idle_timeout_ms > 0 && call->sent) {
        int64_t left = call->active_ms + request->idle_timeout_ms - clock_monotonic_ms();
        if (left <= 0) {
            call->idle = true;
            return -1;
        }
        wait = left < wait ? left : wait;
    }
    return (int)wait;
}

static CURLcode transfer(struct http *http, struct call *call)
{
    if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
        return CURLE_FAILED_INIT;
    }
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    while (running > 0) {
        if (curl_multi_perform(http->multi, &running) != CURLM_OK) {
            code = CURLE_FAILED_INIT;
            break;
        }
        if (running > 0) {
            int wait = wait_ms(call);
            if (wait < 0) {
                break;
            }
            curl_multi_poll(http->multi, NULL, 0, wait, NULL);
        }
    }
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            code = message->data.result;
        }
    }
    return code;
}

static void conclude(struct call *call, CURLcode code)
{
    struct http_response *response = call->response;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    response->sent = call->sent;
    curl_off_t retry_after_seconds = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after_seconds);
    if (retry_after_seconds > 0) {
        response->retry_after_ms =
            retry_after_seconds > RETRY_AFTER_MS_MAX / 1000 ? RETRY_AFTER_MS_MAX : retry_after_seconds * 1000;
    }
    // libcurl takes a connection that ends within the headers for an answer without a body.
    if (code == CURLE_OK && status >= 200 && call->answered) {
        response->result = HTTP_ANSWERED;
        return;
    }
    const char *reason = call->reason[0] != '\0' ? call->reason : curl_easy_strerror(code);
    if (call->stopped) {
        response->result = HTTP_STOPPED;
        reason = "the call was stopped";
    } else if (call->too_large) {
        response->result = HTTP_TOO_LARGE;
        reason = "the answer is larger than the limit";
    } else if (!call->sent) {
        response->result = HTTP_NOT_SENT;
        reason = call->fenced ? "the caller withdrew the request before it left" : reason;
    } else if (call->idle || code == CURLE_OPERATION_TIMEDOUT) {
        response->result = HTTP_TIMEOUT;
        reason = call->idle ? "no byte came for too long" : reason;
    } else {
        response->result = HTTP_BROKEN;
        reason = call->repeated     ? "the kept connection died while the request was on its way"
                 : code == CURLE_OK ? "the answer ended within its headers"
                                    : reason;
    }
    error_set(&response->error, (int)code, "%s: %s", call->host, reason);
}

static void perform(struct http *http, const struct http_request *request, struct http_response *response,
                    bool once)
{
    assert(http != NULL && request != NULL && response != NULL);
    assert(request->method != NULL && request->url != NULL);
    memset(response, 0, sizeof *response);
    struct call call = {.request = request, .response = response, .easy = http->easy, .once = once};
    if (check_url(&call, http->server_name, &response->error) != 0 ||
        add_headers(&call, &response->error) != 0) {
        response->result = HTTP_NOT_SENT;
    } else if (is_stopped(request)) {
        response->result = HTTP_STOPPED;
        error_set(&response->error, 0, "%s: the call was stopped", call.host);
    } else {
        set_options(http, &call);
        CURLcode code = transfer(http, &call);
        conclude(&call, code);
        curl_multi_remove_handle(http->multi, http->easy);
        curl_easy_reset(http->easy); // forget every pointer into this call
    }
    free_headers(call.headers);
    curl_slist_free_all(call.connect_to);
    free(call.url);
    free(call.host);
}

void http_call(struct http *http, const struct http_request *request, struct http_response *response)
{
    perform(http, request, response, false);
}

void http_call_once(struct http *http, const struct http_request *request, struct http_response *response)
{
    perform(http, request, response, true);
}

void http_response_free(struct http_response *response)
{
    text_free(&response->body);
}

void http_escape(struct text *out, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            text_append_bytes(out, value, 1);
        } else {
            text_printf(out, "%%%02X", (unsigned char)*value);
        }
    }
}
