#include "coordinator/model/volumes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/cluster_private.h"

struct uses {
    struct arena *arena;
    struct volume_use *items;
    uint32_t count, capacity;
};

static void add(struct uses *uses, const char *driver, const char *volume)
{
    if (uses->count == uses->capacity) {
        uint32_t capacity = uses->capacity == 0 ? 8 : uses->capacity * 2;
        struct volume_use *items = ARENA_ARRAY(uses->arena, struct volume_use, capacity);
        if (uses->count > 0)
            memcpy(items, uses->items, uses->count * sizeof(*items));
        uses->items = items;
        uses->capacity = capacity;
    }
    uses->items[uses->count++] = (struct volume_use){.driver = driver, .volume = volume};
}

static void add_volume(struct uses *uses, const struct cluster *cluster, const char *name)
{
    const struct volume *volume = cluster_volume(cluster, name);
    if (volume != NULL && is_given(volume->facts.driver) && is_given(volume->facts.handle))
        add(uses, volume->facts.driver, volume->facts.handle);
}

static void add_claim(struct uses *uses, const struct cluster *cluster, const char *space, const char *name)
{
    const struct claim *claim = cluster_claim(cluster, space, name);
    if (claim == NULL)
        return;
    if (is_given(claim->facts.volume_name)) {
        add_volume(uses, cluster, claim->facts.volume_name);
        return;
    }
    const struct storage_class *class = cluster_storage_class(cluster, claim->facts.class_name);
    if (class == NULL || class->facts.no_provisioner || !is_given(class->facts.provisioner))
        return;
    size_t bytes = strlen(space) + strlen(name) + 2;
    char *volume = ARENA_ARRAY(uses->arena, char, bytes);
    snprintf(volume, bytes, "%s/%s", space, name);
    add(uses, class->facts.provisioner, volume);
}

static void add_pod(struct uses *uses, const struct cluster *cluster, const struct pod *pod)
{
    for (uint32_t i = 0; i < pod->claim_count; i++)
        add_claim(uses, cluster, pod->space, pod->claims[i]);
}

static int compare(const void *a, const void *b)
{
    const struct volume_use *left = a;
    const struct volume_use *right = b;
    int order = strcmp(left->driver, right->driver);
    return order != 0 ? order : strcmp(left->volume, right->volume);
}

static uint32_t finish(struct uses *uses, const struct volume_use **out)
{
    if (uses->count > 1)
        qsort(uses->items, uses->count, sizeof(*uses->items), compare);
    uint32_t count = 0;
    for (uint32_t i = 0; i < uses->count; i++) {
        if (count == 0 || compare(&uses->items[count - 1], &uses->items[i]) != 0)
            uses->items[count++] = uses->items[i];
    }
    *out = uses->items;
    return count;
}

uint32_t volumes_of_pod(const struct cluster *cluster, const struct pod *pod, struct arena *arena,
                        const struct volume_use **out)
{
    struct uses uses = {.arena = arena};
    add_pod(&uses, cluster, pod);
    return finish(&uses, out);
}

uint32_t volumes_of_node(const struct cluster *cluster, const struct node *node, struct arena *arena,
                         const struct volume_use **out)
{
    struct uses uses = {.arena = arena};
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        if (!pod->terminal)
            add_pod(&uses, cluster, pod);
    }
    const struct attachment *attachment;
    for (uint32_t cursor = 0; (attachment = table_next(&cluster->tables->attachments_by_node,
                                                       hash_text(HASH_SEED, node->name), &cursor)) != NULL;) {
        if (strcmp(attachment->node_name, node->name) == 0)
            add_volume(&uses, cluster, attachment->volume_name);
    }
    return finish(&uses, out);
}

int32_t volumes_limit(const struct cluster *cluster, const char *node_name, const char *driver)
{
    const struct csi_node *csi_node = cluster_csi_node(cluster, node_name);
    for (uint32_t i = 0; csi_node != NULL && i < csi_node->facts.driver_count; i++) {
        if (strcmp(csi_node->facts.drivers[i].driver, driver) == 0)
            return csi_node->facts.drivers[i].volumes_max;
    }
    return -1;
}
