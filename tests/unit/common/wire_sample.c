#include "tests/unit/common/wire_sample.h"

#include <stdlib.h>

#include "common/arena.h"

static void fill(void *array, void *item)
{
    void **items = array;
    for (size_t i = 0; i < WIRE_SAMPLE_ITEMS; i++)
        items[i] = item;
}

static void *items_of(void *item)
{
    void *items = xcalloc(WIRE_SAMPLE_ITEMS, sizeof(void *));
    fill(items, item);
    return items;
}

static void make_parts(struct wire_sample *s)
{
    vpsie__autoscaler__v1__utilization__init(&s->utilization);
    vpsie__autoscaler__v1__pressure__init(&s->pressure);
    vpsie__autoscaler__v1__pod_evidence__init(&s->pod);
    vpsie__autoscaler__v1__local_volume__init(&s->volume);
    vpsie__autoscaler__v1__readiness__init(&s->readiness);
    vpsie__autoscaler__v1__reason__init(&s->reason);
    vpsie__autoscaler__v1__inhibitor__init(&s->inhibitor);
    s->pods = items_of(&s->pod);
    s->volumes = items_of(&s->volume);
    s->reasons = items_of(&s->reason);
    s->inhibitors = items_of(&s->inhibitor);
    s->notes = items_of("psi: größer");
    s->unknown = items_of("local data: permission denied");
    s->gone = items_of(WIRE_SAMPLE_UID);
    s->utilization.has_load1 = 1;
    s->utilization.load1 = 0.25;
    s->utilization.io_pressure = &s->pressure;
    s->volume.name = "cache";
    s->pod.uid = WIRE_SAMPLE_UID;
    s->pod.volumes = s->volumes;
    s->pod.n_volumes = 1;
    s->pod.unknown = s->unknown;
    s->pod.n_unknown = 1;
    s->reason.code = WIRE_REASON_LOCAL_DATA;
    s->reason.pod_uid = WIRE_SAMPLE_UID;
    s->reason.subject = "cache";
    s->reason.detail = "212 MiB held";
    s->readiness.state = VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY;
    s->readiness.reasons = s->reasons;
    s->readiness.n_reasons = 1;
    s->readiness.evaluated_ms = 2000;
    s->inhibitor.name = "backup";
    s->inhibitor.reason = "nightly";
}

void wire_sample_make(struct wire_sample *s)
{
    make_parts(s);
    vpsie__autoscaler__v1__agent_report__init(&s->report);
    s->report.protocol_version = WIRE_PROTOCOL_VERSION;
    s->report.node_name = "node-1.example";
    s->report.boot_id = "0f0f0f0f-1234-1234-1234-123456789abc";
    s->report.agent_start_id = "start-1";
    s->report.sequence = 7;
    s->report.sample_begin_ms = 1000;
    s->report.sample_end_ms = 2000;
    s->report.credential = "header.payload.signature";
    s->report.agent_version = "1.0.0";
    s->report.utilization = &s->utilization;
    s->report.pods = s->pods;
    s->report.n_pods = 1;
    s->report.pods_complete = 1;
    s->report.pods_gone = s->gone;
    s->report.n_pods_gone = 1;
    s->report.readiness = &s->readiness;
    s->report.directive_id = "drain-1";
    s->report.directive_readiness = &s->readiness;
    s->report.inhibitors = s->inhibitors;
    s->report.n_inhibitors = 1;
    s->report.notes = s->notes;
    s->report.n_notes = 1;
}

void wire_sample_free(struct wire_sample *s)
{
    void *arrays[] = {s->pods, s->volumes, s->reasons, s->inhibitors, s->notes, s->unknown, s->gone};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        free(arrays[i]);
    *s = (struct wire_sample){0};
}

void wire_sample_grow_pods(struct wire_sample *s, size_t count)
{
    static char text[WIRE_TEXT_BYTES_MAX + 1];
    for (size_t i = 0; i < WIRE_TEXT_BYTES_MAX; i++)
        text[i] = 'x';
    fill(s->unknown, text);
    s->report.n_pods = count;
}
