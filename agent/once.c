#include "agent/once.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/identity.h"
#include "agent/print.h"
#include "agent/report.h"
#include "common/clock.h"

static void sample(struct host *host)
{
    struct host_request request = {
        .wall_ms = clock_wall_ms(), .monotonic_ms = clock_monotonic_ms(), .inspect_all = true};
    host_sample(host, &request);
}

static void print_report(const struct agent_settings *settings, const struct report_identity *identity,
                         const struct host_view *view, struct text *text)
{
    struct verdict *verdict = xcalloc(1, sizeof *verdict);
    readiness_of_node(view, &settings->limits, READINESS_REASONS_MAX, verdict);
    struct report *report = report_create(identity);
    struct arena *arena = arena_create((size_t)64 * 1024);
    struct report_content content = {.view = view, .node = verdict};
    report_next(report);
    WireReport *message = report_compose(report, &content, true, false, arena);
    if (settings->json)
        print_json(&message->base, text);
    else
        print_text(message, text);
    arena_destroy(arena);
    report_destroy(report);
    free(verdict);
}

int once_print(const struct agent_settings *settings, FILE *out, struct error *error)
{
    struct report_identity identity;
    if (identity_make(settings, &identity, error) < 0)
        return -1;
    struct text AUTOTEXT text = {0};
    struct host *host = host_create(&settings->host);
    sample(host);
    clock_sleep_ms(ONCE_WINDOW_MS);
    sample(host);
    print_report(settings, &identity, host_view(host), &text);
    host_destroy(host);
    if (fwrite(text.bytes, 1, text.length, out) != text.length || fflush(out) != 0)
        return error_set(error, errno, "write the report: %s", strerror(errno));
    return 0;
}
