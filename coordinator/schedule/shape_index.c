#include "coordinator/schedule/shape_index.h"

#include <assert.h>
#include <string.h>

struct shape_value {
    const char *value; // interned
    struct shape_list shapes;
};

struct shape_label {
    const char *key;      // interned
    struct lookup values; // of struct shape_value
    struct shape_label *next;
};

static void append(struct arena *arena, struct shape_list *list, const struct pod_shape *shape)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        const struct pod_shape **items = ARENA_ARRAY(arena, const struct pod_shape *, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(const struct pod_shape *));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = shape;
}

struct shape_index *shape_index_create(struct arena *arena, const struct cluster *cluster)
{
    struct shape_index *index = ARENA_NEW(arena, struct shape_index);
    index->arena = arena;
    index->strings = cluster->strings;
    uint32_t cursor = 0;
    for (const struct pod_shape *shape; (shape = cluster_next_shape(cluster, &cursor)) != NULL;)
        append(arena, &index->all, shape);
    return index;
}

void shape_index_add(struct shape_index *index, const struct pod_shape *shape)
{
    append(index->arena, &index->strangers, shape);
}

// ---- by the value of a label

static struct shape_value *find_value(const struct shape_label *label, const char *value)
{
    uint64_t hash = lookup_hash_pointer(value);
    struct shape_value *found;
    for (uint32_t cursor = 0; (found = lookup_next(&label->values, hash, &cursor)) != NULL;) {
        if (found->value == value)
            return found;
    }
    return NULL;
}

static void add_to_label(struct shape_index *index, struct shape_label *label, const struct pod_shape *shape)
{
    const struct labels *labels = &shape->facts.labels;
    uint32_t at = 0;
    while (at < labels->count && labels->items[at].key != label->key)
        at++;
    if (at == labels->count)
        return;
    const char *value = labels->items[at].value;
    struct shape_value *found = find_value(label, value);
    if (found == NULL) {
        found = ARENA_NEW(index->arena, struct shape_value);
        found->value = value;
        lookup_add(&label->values, lookup_hash_pointer(value), found);
    }
    append(index->arena, &found->shapes, shape);
}

static struct shape_label *label_of(struct shape_index *index, const char *key)
{
    for (struct shape_label *label = index->labels; label != NULL; label = label->next) {
        if (label->key == key)
            return label;
    }
    struct shape_label *label = ARENA_NEW(index->arena, struct shape_label);
    *label = (struct shape_label){.key = key, .values.arena = index->arena, .next = index->labels};
    index->labels = label;
    for (uint32_t i = 0; i < index->all.count; i++)
        add_to_label(index, label, index->all.items[i]);
    return label;
}

// Of one requirement: the lists of its values; how many shapes they hold in all.
static uint32_t list_values(struct shape_index *index, const struct requirement *requirement,
                            const struct shape_list **lists, uint32_t *list_count)
{
    *list_count = 0;
    const char *key = strings_find(index->strings, requirement->key);
    if (key == NULL)
        return 0; // no shape has such a label
    const struct shape_label *label = label_of(index, key);
    uint32_t shapes = 0;
    for (uint32_t i = 0; i < requirement->value_count; i++) {
        const char *value = strings_find(index->strings, requirement->values[i]);
        const struct shape_value *found = value == NULL ? NULL : find_value(label, value);
        bool repeats = false;
        for (uint32_t j = 0; found != NULL && j < *list_count; j++)
            repeats = repeats || lists[j] == &found->shapes;
        if (found == NULL || repeats)
            continue;
        lists[(*list_count)++] = &found->shapes;
        shapes += found->shapes.count;
    }
    return shapes;
}

uint32_t shape_index_candidates(struct shape_index *index, const struct selector *selector,
                                const struct shape_list **lists)
{
    const struct shape_list *tried[SHAPE_LISTS_MAX];
    uint32_t fewest = index->all.count;
    uint32_t count = 1;
    lists[0] = &index->all;
    for (uint32_t i = 0; i < selector->requirement_count; i++) {
        const struct requirement *requirement = &selector->requirements[i];
        if (requirement->operator!= SELECTOR_IN || requirement->value_count >= SHAPE_LISTS_MAX)
            continue;
        uint32_t tried_count;
        uint32_t shapes = list_values(index, requirement, tried, &tried_count);
        if (shapes >= fewest)
            continue;
        fewest = shapes;
        count = tried_count;
        memcpy(lists, tried, tried_count * sizeof(tried[0]));
    }
    assert(count < SHAPE_LISTS_MAX);
    if (index->strangers.count > 0)
        lists[count++] = &index->strangers;
    return count;
}
