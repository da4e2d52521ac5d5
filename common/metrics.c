#include "common/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/metrics_process.h"

#define METRIC_MAGIC  0x6d747269u
#define BOUNDS_MAX    16u
#define BUCKETS_COUNT 32768u // a power of two over METRICS_SERIES_MAX
#define DROPPED_NAME  "vpsie_autoscaler_metrics_series_dropped_total"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct histogram {
    size_t bound_count;
    double bounds[BOUNDS_MAX];
    _Atomic uint64_t counts[BOUNDS_MAX + 1]; // not cumulative; the last is +Inf
    _Atomic double sum;
};

// A series. Never freed: a handle that was forgotten may still be in somebody's hand.
struct metric {
    uint32_t magic;
    enum metric_type type;
    char *name;
    char *labels; // "" when none
    char *help;
    struct metric *next_in_bucket;
    bool forgotten; // not rendered; comes back when its series is asked for again
    _Atomic double value;
    struct histogram *histogram;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *registry_buckets[BUCKETS_COUNT];
static struct metric *registry_series[METRICS_SERIES_MAX];
static size_t registry_count;
static _Atomic uint64_t registry_dropped;
static struct histogram dummy_histogram;
static struct metric dummy = {.magic = METRIC_MAGIC, .histogram = &dummy_histogram};

static uint32_t hash_of(const char *name, const char *labels)
{
    uint32_t hash = 2166136261u; // FNV-1a
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    hash = (hash ^ '{') * 16777619u;
    for (const char *c = labels; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return (hash ^ (hash >> 16)) & (BUCKETS_COUNT - 1);
}

static struct histogram *make_histogram(const double *bounds, size_t bound_count)
{
    struct histogram *histogram = xcalloc(1, sizeof(*histogram));
    histogram->bound_count = bound_count;
    for (size_t i = 0; i < bound_count; i++) {
        assert(i == 0 || bounds[i] > bounds[i - 1]);
        histogram->bounds[i] = bounds[i];
    }
    return histogram;
}

static void zero(struct metric *metric)
{
    atomic_store(&metric->value, 0.0);
    if (metric->histogram == NULL)
        return;
    atomic_store(&metric->histogram->sum, 0.0);
    for (size_t i = 0; i <= BOUNDS_MAX; i++)
        atomic_store(&metric->histogram->counts[i], 0);
}

static struct metric *find_or_make(enum metric_type type, const char *name, const char *labels,
                                   const char *help, const double *bounds, size_t bound_count)
{
    uint32_t bucket = hash_of(name, labels);
    for (struct metric *metric = registry_buckets[bucket]; metric != NULL; metric = metric->next_in_bucket) {
        if (strcmp(metric->name, name) == 0 && strcmp(metric->labels, labels) == 0) {
            assert(metric->type == type);
            metric->forgotten = false;
            return metric;
        }
    }
    if (registry_count == METRICS_SERIES_MAX) {
        atomic_fetch_add(&registry_dropped, 1);
        return &dummy;
    }
    struct metric *metric = xcalloc(1, sizeof(*metric));
    metric->magic = METRIC_MAGIC;
    metric->type = type;
    metric->name = xstrdup(name);
    metric->labels = xstrdup(labels);
    metric->help = xstrdup(help);
    if (type == METRIC_HISTOGRAM)
        metric->histogram = make_histogram(bounds, bound_count);
    metric->next_in_bucket = registry_buckets[bucket];
    registry_buckets[bucket] = metric;
    registry_series[registry_count++] = metric;
    return metric;
}

static struct metric *get(enum metric_type type, const char *name, const char *labels, const char *help,
                          const double *bounds, size_t bound_count)
{
    assert(name != NULL && help != NULL && bound_count <= BOUNDS_MAX);
    pthread_mutex_lock(&registry_lock);
    struct metric *metric = find_or_make(type, name, labels == NULL ? "" : labels, help, bounds, bound_count);
    pthread_mutex_unlock(&registry_lock);
    return metric;
}

struct metric *metrics_counter(const char *name, const char *labels, const char *help)
{
    return get(METRIC_COUNTER, name, labels, help, NULL, 0);
}

struct metric *metrics_gauge(const char *name, const char *labels, const char *help)
{
    return get(METRIC_GAUGE, name, labels, help, NULL, 0);
}

struct metric *metrics_histogram(const char *name, const char *labels, const char *help, const double *bounds,
                                 size_t bound_count)
{
    return get(METRIC_HISTOGRAM, name, labels, help, bounds, bound_count);
}

static void add(_Atomic double *sum, double value)
{
    double old = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &old, old + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

void metric_add(struct metric *metric, double value)
{
    assert(metric != NULL && metric->magic == METRIC_MAGIC);
    assert(metric == &dummy || metric->type == METRIC_GAUGE ||
           (metric->type == METRIC_COUNTER && value >= 0));
    add(&metric->value, value);
}

void metric_set(struct metric *metric, double value)
{
    assert(metric != NULL && metric->magic == METRIC_MAGIC);
    assert(metric == &dummy || metric->type == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    assert(metric != NULL && metric->magic == METRIC_MAGIC && metric->histogram != NULL);
    struct histogram *histogram = metric->histogram;
    size_t i = 0;
    while (i < histogram->bound_count && !(value <= histogram->bounds[i]))
        i++;
    atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
    add(&histogram->sum, value);
}

double metric_value(const struct metric *metric)
{
    assert(metric != NULL && metric->magic == METRIC_MAGIC);
    if (metric->type != METRIC_HISTOGRAM)
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    uint64_t count = 0;
    for (size_t i = 0; i <= metric->histogram->bound_count; i++)
        count += atomic_load_explicit(&metric->histogram->counts[i], memory_order_relaxed);
    return (double)count;
}

void metrics_forget(const char *name)
{
    pthread_mutex_lock(&registry_lock);
    for (size_t i = 0; i < registry_count; i++) {
        struct metric *metric = registry_series[i];
        if (!metric->forgotten && strcmp(metric->name, name) == 0) {
            metric->forgotten = true;
            zero(metric);
        }
    }
    pthread_mutex_unlock(&registry_lock);
}

static void append_number(struct text *out, double value)
{
    if (isnan(value))
        text_append(out, "NaN");
    else if (isinf(value))
        text_append(out, value > 0 ? "+Inf" : "-Inf");
    else if (value == trunc(value) && fabs(value) < 1e15)
        text_printf(out, "%.0f", value);
    else
        text_printf(out, "%.17g", value);
}

// The shortest form that reads as the bound does in the source: 0.1, not 0.10000000000000001.
static void append_bound(struct text *out, double bound)
{
    text_printf(out, "%.12g", bound);
}

static void render_sample(struct text *out, const char *name, const char *suffix, const char *labels,
                          double value)
{
    text_printf(out, "%s%s", name, suffix);
    if (labels[0] != '\0')
        text_printf(out, "{%s}", labels);
    text_append(out, " ");
    append_number(out, value);
    text_append(out, "\n");
}

static void render_histogram(struct text *out, const struct metric *metric)
{
    const struct histogram *histogram = metric->histogram;
    const char *comma = metric->labels[0] != '\0' ? "," : "";
    uint64_t total = 0;
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        total += atomic_load(&histogram->counts[i]);
        text_printf(out, "%s_bucket{%s%sle=\"", metric->name, metric->labels, comma);
        if (i < histogram->bound_count)
            append_bound(out, histogram->bounds[i]);
        else
            text_append(out, "+Inf");
        text_printf(out, "\"} %" PRIu64 "\n", total);
    }
    render_sample(out, metric->name, "_sum", metric->labels, atomic_load(&histogram->sum));
    render_sample(out, metric->name, "_count", metric->labels, (double)total);
}

void metrics_append_header(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP %s ", name);
    for (const char *c = help; *c != '\0'; c++) {
        if (*c == '\\')
            text_append(out, "\\\\");
        else if (*c == '\n')
            text_append(out, "\\n");
        else
            text_append_bytes(out, c, 1);
    }
    text_printf(out, "\n# TYPE %s %s\n", name, type);
}

static int compare_series(const void *left, const void *right)
{
    const struct metric *a = *(struct metric *const *)left;
    const struct metric *b = *(struct metric *const *)right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->labels, b->labels);
}

static void render_series(struct text *out, struct metric **series, size_t count)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (size_t i = 0; i < count; i++) {
        const struct metric *metric = series[i];
        if (i == 0 || strcmp(metric->name, series[i - 1]->name) != 0)
            metrics_append_header(out, metric->name, types[metric->type], metric->help);
        if (metric->type == METRIC_HISTOGRAM)
            render_histogram(out, metric);
        else
            render_sample(out, metric->name, "", metric->labels, metric_value(metric));
    }
}

static void free_series(struct metric ***series)
{
    free(*series);
}

void metrics_render(struct text *out)
{
    assert(out != NULL);
    metrics_append_process(out);
    struct metric *dropped =
        metrics_counter(DROPPED_NAME, NULL, "Series that were not made because there were too many.");
    if (dropped != &dummy)
        atomic_store(&dropped->value, (double)atomic_load(&registry_dropped));
    // Series are never freed, so the lock is held for the copy of the pointers alone.
    pthread_mutex_lock(&registry_lock);
    __attribute__((cleanup(free_series))) struct metric **series =
        xcalloc(registry_count, sizeof(struct metric *));
    size_t count = 0;
    for (size_t i = 0; i < registry_count; i++) {
        if (!registry_series[i]->forgotten)
            series[count++] = registry_series[i];
    }
    pthread_mutex_unlock(&registry_lock);
    qsort(series, count, sizeof(struct metric *), compare_series);
    render_series(out, series, count);
}

const char *metrics_label_escape(char *buffer, size_t bytes, const char *value)
{
    assert(buffer != NULL && bytes > 0 && value != NULL);
    size_t used = 0;
    size_t left = strlen(value);
    while (left > 0) {
        size_t length = text_utf8_length(value, left);
        const char *from = value;
        size_t taken = length == 0 ? 1 : length;
        if (length == 0) {
            from = "?"; // the text form is UTF-8
            length = 1;
        } else if (*value == '\\' || *value == '"' || *value == '\n') {
            from = *value == '\\' ? "\\\\" : *value == '"' ? "\\\"" : "\\n";
            length = 2;
        }
        if (used + length >= bytes)
            break;
        memcpy(buffer + used, from, length);
        used += length;
        value += taken;
        left -= taken;
    }
    buffer[used] = '\0';
    return buffer;
}
