// What this room is for: a document of the world into facts, as the Kubernetes door reads it. What it knows:
// the door's decoder. What it may not do: include the world.
#ifndef VPSIE_TESTS_SIM_FACTS_H
#define VPSIE_TESTS_SIM_FACTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "coordinator/decide/event.h"

// Fills an EVENT_OBJECT. False when the door would drop the object.
bool facts_object(enum object_kind kind, const cJSON *json, struct event *event);
bool facts_pod(const cJSON *json, struct arena *arena, struct pod_facts *out);

#endif
