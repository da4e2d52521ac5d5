// What this room is for: YAML manifests as the same documents that JSON gives. What it knows: documents
// between "---" lines, plain scalars as YAML's core schema types them. What it may not do: know objects.
#ifndef VPSIE_COORDINATOR_PLAN_MANIFEST_H
#define VPSIE_COORDINATOR_PLAN_MANIFEST_H

#include "coordinator/plan/source.h"

// Every document of the text into the source. -1 with an error that names `name` and the line.
int manifest_read(struct source *source, const char *text, size_t length, const char *name,
                  struct error *error);

#endif
