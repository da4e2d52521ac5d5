#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/cluster_private.h"
#include "coordinator/model/labels.h"
#include "coordinator/model/sorted.h"

// Namespaces and what volumes are made of. All five kinds are kept alike: the facts as told, found by name in
// a sorted array; a shelf says how one kind differs from the others.

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static const struct field space_fields[] = {
    FIELD(struct namespace_facts, name, FIELD_NAME),
    FIELD(struct namespace_facts, labels, FIELD_LABELS),
};
static const struct field claim_fields[] = {
    FIELD(struct claim_facts, space, FIELD_NAME),
    FIELD(struct claim_facts, name, FIELD_TEXT),
    FIELD(struct claim_facts, uid, FIELD_TEXT),
    FIELD(struct claim_facts, volume_name, FIELD_TEXT),
    FIELD(struct claim_facts, class_name, FIELD_NAME),
    FIELD(struct claim_facts, bound, FIELD_PLAIN),
    FIELD(struct claim_facts, lost, FIELD_PLAIN),
    FIELD(struct claim_facts, one_pod_only, FIELD_PLAIN),
    FIELD(struct claim_facts, selected_node, FIELD_NAME),
    FIELD(struct claim_facts, deletion_ms, FIELD_PLAIN),
};
static const struct field volume_fields[] = {
    FIELD(struct volume_facts, name, FIELD_TEXT),          FIELD(struct volume_facts, uid, FIELD_TEXT),
    FIELD(struct volume_facts, driver, FIELD_NAME),        FIELD(struct volume_facts, handle, FIELD_TEXT),
    FIELD(struct volume_facts, has_affinity, FIELD_PLAIN), FIELD(struct volume_facts, labels, FIELD_LABELS),
};
static const struct field class_fields[] = {
    FIELD(struct storage_class_facts, name, FIELD_NAME),
    FIELD(struct storage_class_facts, provisioner, FIELD_NAME),
    FIELD(struct storage_class_facts, waits_for_consumer, FIELD_PLAIN),
    FIELD(struct storage_class_facts, no_provisioner, FIELD_PLAIN),
};
static const struct field csi_node_fields[] = {
    FIELD(struct csi_node_facts, name, FIELD_NAME),
};

// ---- what of a kind is no plain field

static bool volume_terms_same(const void *kept, const void *told)
{
    const struct volume_facts *a = kept;
    const struct volume_facts *b = told;
    return node_terms_equal(a->affinity_terms, a->affinity_term_count, b->affinity_terms,
                            b->affinity_term_count);
}

static void keep_volume_terms(struct keep *keep, void *object, const void *told)
{
    struct volume_facts *kept = object;
    const struct volume_facts *facts = told;
    kept->affinity_terms = keep_node_terms(keep, facts->affinity_terms, facts->affinity_term_count);
    kept->affinity_term_count = facts->affinity_term_count;
}

static bool topologies_same(const void *kept, const void *told)
{
    const struct storage_class_facts *a = kept;
    const struct storage_class_facts *b = told;
    return node_terms_equal(a->allowed_topologies, a->allowed_topology_count, b->allowed_topologies,
                            b->allowed_topology_count);
}

static void keep_topologies(struct keep *keep, void *object, const void *told)
{
    struct storage_class_facts *kept = object;
    const struct storage_class_facts *facts = told;
    kept->allowed_topologies =
        keep_node_terms(keep, facts->allowed_topologies, facts->allowed_topology_count);
    kept->allowed_topology_count = facts->allowed_topology_count;
}

static bool drivers_same(const void *kept, const void *told)
{
    const struct csi_node_facts *a = kept;
    const struct csi_node_facts *b = told;
    if (a->driver_count != b->driver_count)
        return false;
    for (uint32_t i = 0; i < a->driver_count; i++) {
        if (a->drivers[i].volumes_max != b->drivers[i].volumes_max ||
            !words_equal(a->drivers[i].driver, b->drivers[i].driver))
            return false;
    }
    return true;
}

static void keep_drivers(struct keep *keep, void *object, const void *told)
{
    struct csi_node_facts *kept = object;
    const struct csi_node_facts *facts = told;
    struct csi_driver_limit *drivers = ARENA_ARRAY(keep->arena, struct csi_driver_limit, facts->driver_count);
    for (uint32_t i = 0; i < facts->driver_count; i++) {
        drivers[i] = (struct csi_driver_limit){.driver = keep_name(keep, facts->drivers[i].driver),
                                               .volumes_max = facts->drivers[i].volumes_max};
    }
    kept->drivers = drivers;
    kept->driver_count = facts->driver_count;
}

// ---- the shelves

static int compare_space(const void *key, const void *item)
{
    return strcmp(((const struct object_key *)key)->name, ((const struct space *)item)->facts.name);
}

static int compare_claim(const void *key, const void *item)
{
    const struct claim *claim = item;
    return -object_key_order(claim->facts.space, claim->facts.name, key);
}

static int compare_volume(const void *key, const void *item)
{
    return strcmp(((const struct object_key *)key)->name, ((const struct volume *)item)->facts.name);
}

static int compare_class(const void *key, const void *item)
{
    return strcmp(((const struct object_key *)key)->name, ((const struct storage_class *)item)->facts.name);
}

static int compare_csi_node(const void *key, const void *item)
{
    return strcmp(((const struct object_key *)key)->name, ((const struct csi_node *)item)->facts.name);
}

struct shelf {
    const struct field *fields;
    size_t field_count, object_bytes, memory_offset; // the facts are an object's first member
    size_t memory_bytes_expected;
    sorted_compare compare;
    bool (*same)(const void *kept, const void *told); // beyond the fields; NULL: nothing
    void (*keep)(struct keep *keep, void *kept, const void *told);
};
static const struct shelf spaces = {
    .fields = space_fields,
    .field_count = COUNT(space_fields),
    .object_bytes = sizeof(struct space),
    .memory_offset = offsetof(struct space, memory),
    .memory_bytes_expected = 512,
    .compare = compare_space,
};
static const struct shelf claims = {
    .fields = claim_fields,
    .field_count = COUNT(claim_fields),
    .object_bytes = sizeof(struct claim),
    .memory_offset = offsetof(struct claim, memory),
    .memory_bytes_expected = 256,
    .compare = compare_claim,
};
static const struct shelf volumes = {
    .fields = volume_fields,
    .field_count = COUNT(volume_fields),
    .object_bytes = sizeof(struct volume),
    .memory_offset = offsetof(struct volume, memory),
    .memory_bytes_expected = 512,
    .compare = compare_volume,
    .same = volume_terms_same,
    .keep = keep_volume_terms,
};
static const struct shelf storage_classes = {
    .fields = class_fields,
    .field_count = COUNT(class_fields),
    .object_bytes = sizeof(struct storage_class),
    .memory_offset = offsetof(struct storage_class, memory),
    .memory_bytes_expected = 256,
    .compare = compare_class,
    .same = topologies_same,
    .keep = keep_topologies,
};
static const struct shelf csi_nodes = {
    .fields = csi_node_fields,
    .field_count = COUNT(csi_node_fields),
    .object_bytes = sizeof(struct csi_node),
    .memory_offset = offsetof(struct csi_node, memory),
    .memory_bytes_expected = 256,
    .compare = compare_csi_node,
    .same = drivers_same,
    .keep = keep_drivers,
};

static struct keep *memory_of(const struct shelf *shelf, void *object)
{
    struct keep *memory;
    memcpy(&memory, (char *)object + shelf->memory_offset, sizeof(memory));
    return memory;
}

static void fill(struct cluster *cluster, const struct shelf *shelf, void *object, const void *facts)
{
    struct keep *old = memory_of(shelf, object);
    struct keep *keep = keep_create(cluster->strings, shelf->memory_bytes_expected);
    fields_copy(keep, shelf->fields, shelf->field_count, object, facts);
    if (shelf->keep != NULL)
        shelf->keep(keep, object, facts);
    memcpy((char *)object + shelf->memory_offset, &keep, sizeof(keep));
    keep_destroy(old);
    cluster->version++;
}

// `array` is the cluster's; it may move.
static void *put(struct cluster *cluster, const struct shelf *shelf, void *array, uint32_t *count,
                 uint32_t *capacity, const struct object_key *key, const void *facts, void **object)
{
    uint32_t position;
    if (sorted_find(array, *count, key, shelf->compare, &position)) {
        *object = ((void **)array)[position];
        if (fields_compare(shelf->fields, shelf->field_count, *object, facts) != FIELDS_SAME ||
            (shelf->same != NULL && !shelf->same(*object, facts)))
            fill(cluster, shelf, *object, facts);
        return array;
    }
    *object = xcalloc(1, shelf->object_bytes);
    fill(cluster, shelf, *object, facts);
    return sorted_insert(array, count, capacity, position, *object);
}

static void *find(const struct shelf *shelf, void *array, uint32_t count, const char *space, const char *name)
{
    uint32_t position;
    if (!is_given(name))
        return NULL;
    struct object_key key = {space == NULL ? "" : space, name};
    return sorted_find(array, count, &key, shelf->compare, &position) ? ((void **)array)[position] : NULL;
}

static void free_object(const struct shelf *shelf, void *object)
{
    keep_destroy(memory_of(shelf, object));
    free(object);
}

static bool take_away(struct cluster *cluster, const struct shelf *shelf, void *array, uint32_t *count,
                      const char *space, const char *name)
{
    uint32_t position;
    struct object_key key = {space == NULL ? "" : space, name == NULL ? "" : name};
    if (!sorted_find(array, *count, &key, shelf->compare, &position))
        return false;
    free_object(shelf, ((void **)array)[position]);
    sorted_remove(array, count, position);
    cluster->version++;
    return true;
}

// ---- what others call

// The body of a cluster_put_*(): `shelf` is also the name of the cluster's array, `one` that of its counters.
#define PUT(shelf, one, space_given)                                                                         \
    assert(cluster != NULL && facts != NULL && is_given(facts->name));                                       \
    const struct object_key key = {(space_given), facts->name};                                              \
    void *object;                                                                                            \
    cluster->shelf = put(cluster, &shelf, cluster->shelf, &cluster->one##_count, &cluster->one##_capacity,   \
                         &key, facts, &object);                                                              \
    return object

struct space *cluster_put_space(struct cluster *cluster, const struct namespace_facts *facts)
{
    PUT(spaces, space, "");
}

struct claim *cluster_put_claim(struct cluster *cluster, const struct claim_facts *facts)
{
    PUT(claims, claim, facts->space);
}

struct volume *cluster_put_volume(struct cluster *cluster, const struct volume_facts *facts)
{
    PUT(volumes, volume, "");
}

struct storage_class *cluster_put_storage_class(struct cluster *cluster,
                                                const struct storage_class_facts *facts)
{
    PUT(storage_classes, storage_class, "");
}

struct csi_node *cluster_put_csi_node(struct cluster *cluster, const struct csi_node_facts *facts)
{
    PUT(csi_nodes, csi_node, "");
}

bool cluster_remove_space(struct cluster *cluster, const char *name)
{
    return take_away(cluster, &spaces, cluster->spaces, &cluster->space_count, "", name);
}

bool cluster_remove_claim(struct cluster *cluster, const char *space, const char *name)
{
    return take_away(cluster, &claims, cluster->claims, &cluster->claim_count, space, name);
}

bool cluster_remove_volume(struct cluster *cluster, const char *name)
{
    return take_away(cluster, &volumes, cluster->volumes, &cluster->volume_count, "", name);
}

bool cluster_remove_storage_class(struct cluster *cluster, const char *name)
{
    return take_away(cluster, &storage_classes, cluster->storage_classes, &cluster->storage_class_count, "",
                     name);
}

bool cluster_remove_csi_node(struct cluster *cluster, const char *name)
{
    return take_away(cluster, &csi_nodes, cluster->csi_nodes, &cluster->csi_node_count, "", name);
}

struct space *cluster_space(const struct cluster *cluster, const char *name)
{
    return find(&spaces, cluster->spaces, cluster->space_count, "", name);
}

struct claim *cluster_claim(const struct cluster *cluster, const char *space, const char *name)
{
    return find(&claims, cluster->claims, cluster->claim_count, space, name);
}

struct volume *cluster_volume(const struct cluster *cluster, const char *name)
{
    return find(&volumes, cluster->volumes, cluster->volume_count, "", name);
}

struct storage_class *cluster_storage_class(const struct cluster *cluster, const char *name)
{
    return find(&storage_classes, cluster->storage_classes, cluster->storage_class_count, "", name);
}

struct csi_node *cluster_csi_node(const struct cluster *cluster, const char *node_name)
{
    return find(&csi_nodes, cluster->csi_nodes, cluster->csi_node_count, "", node_name);
}

static void free_shelf(const struct shelf *shelf, void *array, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free_object(shelf, ((void **)array)[i]);
    free(array);
}

void storage_free(struct cluster *cluster)
{
    free_shelf(&spaces, cluster->spaces, cluster->space_count);
    free_shelf(&claims, cluster->claims, cluster->claim_count);
    free_shelf(&volumes, cluster->volumes, cluster->volume_count);
    free_shelf(&storage_classes, cluster->storage_classes, cluster->storage_class_count);
    free_shelf(&csi_nodes, cluster->csi_nodes, cluster->csi_node_count);
}
