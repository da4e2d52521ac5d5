// What this room is for: the one Secret that holds the VPSie credentials, from a watch to its sink. What it
// knows: a Secret's data. What it may not do: keep or print a value.
#ifndef VPSIE_COORDINATOR_KUBE_SECRET_H
#define VPSIE_COORDINATOR_KUBE_SECRET_H

#include <cjson/cJSON.h>

#include "common/error.h"
#include "coordinator/kube/kube.h"

// Hands the decoded items of a Secret to the sink and wipes them. -1 when a value is not base64: it is left
// out.
int secret_deliver(const cJSON *json, kube_secret_sink sink, void *context, struct error *error);

#endif
