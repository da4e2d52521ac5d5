// What this room is for: counters, gauges and histograms, and their Prometheus text form.
// What it knows: names and numbers. What it may not do: know what they mean.
#ifndef VPSIE_COMMON_METRICS_H
#define VPSIE_COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

// Names carry the prefix vpsie_autoscaler_ and a unit (_seconds, _bytes, _total), as Prometheus asks.
// A series is found or made by name and labels ("group=\"general\",phase=\"Ready\"", already escaped; NULL:
// none). Handles live as long as the process; all functions are thread-safe; setting is one atomic store. At
// most METRICS_SERIES_MAX series: beyond that metrics_series_dropped_total counts and a dummy handle is
// returned.
#define METRICS_SERIES_MAX 20000
struct metric;
struct metric *metrics_counter(const char *name, const char *labels, const char *help);
struct metric *metrics_gauge(const char *name, const char *labels, const char *help);
// bounds: ascending upper bounds, at most 16, without +Inf.
struct metric *metrics_histogram(const char *name, const char *labels, const char *help, const double *bounds,
                                 size_t bound_count);
void metric_add(struct metric *metric, double value); // counter (value >= 0) or gauge
void metric_set(struct metric *metric, double value); // gauge
void metric_observe(struct metric *metric, double value);
double metric_value(const struct metric *metric);
// Drop every series of a name (a group that was deleted takes its gauges with it: drop all, set the living
// again).
void metrics_forget(const char *name);
// Text exposition format 0.0.4, sorted by name then labels, # HELP and # TYPE once a name. Also process_*
// (resident memory, CPU seconds, open descriptors, start time, threads) read from /proc/self.
void metrics_render(struct text *out);
// Escape a label value ('\\', '"', newline) into buffer.
const char *metrics_label_escape(char *buffer, size_t bytes, const char *value);

#endif
