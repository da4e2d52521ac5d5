#include <assert.h>

#include "coordinator/model/cluster_private.h"

const struct pod_shape *cluster_next_shape(const struct cluster *cluster, uint32_t *cursor)
{
    assert(cluster != NULL && cursor != NULL);
    const struct table *table = &cluster->tables->shapes.shapes;
    while (*cursor < table->capacity) {
        const struct pod_shape *shape = table->items[(*cursor)++];
        if (shape != NULL)
            return shape;
    }
    return NULL;
}
