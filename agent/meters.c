#include "agent/meters.h"

#include <stdio.h>

#define NAME(rest) "vpsie_autoscaler_agent_" rest

void meters_open(struct meters *meters)
{
    static const double seconds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};
    static const double bytes[] = {512, 1024, 2048, 4096, 8192, 16384, 65536, 262144};
    static const char *const statuses[METERS_ANSWERS] = {"unspecified", "accepted", "unauthenticated",
                                                         "not_leader",  "too_fast", "unsupported_version",
                                                         "invalid",     "other"};
    *meters = (struct meters){
        .samples = metrics_counter(NAME("samples_total"), NULL, "Samples taken of this host."),
        .sample_seconds = metrics_histogram(NAME("sample_duration_seconds"), NULL, "Time one sample took.",
                                            seconds, sizeof seconds / sizeof *seconds),
        .sample_cpu_seconds =
            metrics_counter(NAME("sample_cpu_seconds_total"), NULL, "CPU time spent on samples."),
        .inspections = metrics_gauge(NAME("pod_inspections"), NULL,
                                     "Times a pod's files, processes and connections were looked into."),
        .pods = metrics_gauge(NAME("pods"), NULL, "Pods seen on this node."),
        .unknown_evidence = metrics_gauge(NAME("unknown_evidence"), NULL,
                                          "Pieces of evidence about pods that could not be read."),
        .inhibitors = metrics_gauge(NAME("inhibitors"), NULL, "Inhibitors that hold a drain of this node."),
        .drain_open = metrics_gauge(NAME("drain_open"), NULL, "1 while the coordinator prepares a drain."),
        .drains =
            metrics_counter(NAME("drain_directives_total"), NULL, "Drains the coordinator asked to prepare."),
        .connected = metrics_gauge(NAME("connected"), NULL, "1 while connected to a coordinator."),
        .connections = metrics_counter(NAME("connects_total"), NULL, "Connections made to a coordinator."),
        .dial_errors =
            metrics_counter(NAME("dial_errors_total"), NULL, "Times no connection could even be attempted."),
        .reports = metrics_counter(NAME("reports_sent_total"), NULL, "Reports sent."),
        .report_bytes = metrics_histogram(NAME("report_size_bytes"), NULL, "Size of a report.", bytes,
                                          sizeof bytes / sizeof *bytes),
        .complete_reports = metrics_counter(NAME("complete_reports_sent_total"), NULL,
                                            "Reports that held every pod's evidence."),
        .timeouts =
            metrics_counter(NAME("reports_unanswered_total"), NULL, "Reports without an answer in time."),
        .broken_answers =
            metrics_counter(NAME("answers_malformed_total"), NULL, "Answers that could not be understood."),
        .credential_errors =
            metrics_counter(NAME("credential_errors_total"), NULL, "Times the token could not be read."),
    };
    for (int status = 0; status < METERS_ANSWERS; status++) {
        char labels[64];
        snprintf(labels, sizeof labels, "status=\"%s\"", statuses[status]);
        meters->answers[status] = metrics_counter(NAME("answers_total"), labels, "Answers by status.");
    }
    for (int state = 0; state < READINESS_STATES; state++) {
        char labels[64];
        snprintf(labels, sizeof labels, "state=\"%s\"", readiness_name((enum readiness_state)state));
        meters->readiness[state] =
            metrics_gauge(NAME("readiness"), labels, "1 for the state the node's drain readiness is in.");
    }
}

static double unknown_evidence(const struct host_view *view)
{
    double count = 0;
    for (size_t i = 0; i < view->pod_count; i++)
        for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
            count += view->pod[i].evidence[kind].known ? 0 : 1;
    return count;
}

void meters_of_sample(const struct meters *meters, const struct host_view *view, const struct verdict *node,
                      double seconds, double cpu_seconds)
{
    metric_add(meters->samples, 1);
    metric_observe(meters->sample_seconds, seconds);
    metric_add(meters->sample_cpu_seconds, cpu_seconds);
    metric_set(meters->pods, (double)view->pod_count);
    metric_set(meters->unknown_evidence, unknown_evidence(view));
    metric_set(meters->inhibitors, (double)view->inhibitor_count);
    for (int state = 0; state < READINESS_STATES; state++)
        metric_set(meters->readiness[state], node->state == (enum readiness_state)state);
}
