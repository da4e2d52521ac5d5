// What this room is for: one good report with something in every field, for tests to spoil one field at a
// time. What it knows: the wire's messages. What it may not do: be over a limit by itself.
#ifndef VPSIE_TESTS_UNIT_COMMON_WIRE_SAMPLE_H
#define VPSIE_TESTS_UNIT_COMMON_WIRE_SAMPLE_H

#include "common/wire.h"

#define WIRE_SAMPLE_UID   "12345678-1234-1234-1234-123456789abc"
#define WIRE_SAMPLE_ITEMS (WIRE_PODS_MAX + 1u) // one over the largest bound

// The collections point WIRE_SAMPLE_ITEMS times at the same item, so a test need only raise a count.
struct wire_sample {
    WireReport report;
    Vpsie__Autoscaler__V1__Utilization utilization;
    Vpsie__Autoscaler__V1__Pressure pressure;
    Vpsie__Autoscaler__V1__PodEvidence pod;
    Vpsie__Autoscaler__V1__LocalVolume volume;
    Vpsie__Autoscaler__V1__Readiness readiness;
    Vpsie__Autoscaler__V1__Reason reason;
    Vpsie__Autoscaler__V1__Inhibitor inhibitor;
    Vpsie__Autoscaler__V1__PodEvidence **pods;
    Vpsie__Autoscaler__V1__LocalVolume **volumes;
    Vpsie__Autoscaler__V1__Reason **reasons;
    Vpsie__Autoscaler__V1__Inhibitor **inhibitors;
    char **notes, **unknown, **gone;
};

void wire_sample_make(struct wire_sample *sample);
void wire_sample_free(struct wire_sample *sample);
// Gives every pod long texts and raises the count.
void wire_sample_grow_pods(struct wire_sample *sample, size_t count);

#endif
