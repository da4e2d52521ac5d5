#include "coordinator/schedule/ports.h"

#include <string.h>

#include "coordinator/schedule/picture.h"

#define ANY_ADDRESS "0.0.0.0"

static bool conflict(const struct host_port *a, const struct host_port *b)
{
    if (a->port != b->port || a->protocol != b->protocol)
        return false;
    return strcmp(a->ip, b->ip) == 0 || strcmp(a->ip, ANY_ADDRESS) == 0 || strcmp(b->ip, ANY_ADDRESS) == 0;
}

static const struct host_port *taken(const struct pod_shape *shape, const struct pod_shape *by)
{
    for (uint32_t i = 0; i < shape->facts.host_port_count; i++) {
        for (uint32_t j = 0; j < by->facts.host_port_count; j++) {
            if (conflict(&shape->facts.host_ports[i], &by->facts.host_ports[j]))
                return &shape->facts.host_ports[i];
        }
    }
    return NULL;
}

struct placement ports_check(const struct pod_shape *shape, const struct place *place, const struct put *puts)
{
    struct placement placement = {.verdict = PLACEMENT_FITS};
    if (shape->facts.host_port_count == 0)
        return placement;
    const struct pod *pod = place->node == NULL ? NULL : place->node->pods;
    for (; pod != NULL && placement.port == NULL; pod = pod->next) {
        if (pod->terminal || (placement.port = taken(shape, pod->shape)) == NULL)
            continue;
        placement.other = pod;
    }
    for (; puts != NULL && placement.port == NULL; puts = puts->site_next) {
        if ((placement.port = taken(shape, puts->profile->shape)) != NULL)
            placement.other = puts->pod;
    }
    if (placement.port != NULL)
        placement.verdict = PLACEMENT_HOST_PORT;
    return placement;
}
