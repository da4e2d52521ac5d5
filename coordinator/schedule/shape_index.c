#include "coordinator/schedule/shape_index.h"

#include <assert.h>
#include <string.h>

#include "coordinator/model/table.h"

struct shape_value {
    const char *value;
    struct shape_list shapes;
};

struct shape_label {
    const char *key;
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
    uint32_t cursor = 0;
    for (const struct pod_shape *shape; (shape = cluster_next_shape(cluster, &cursor)) != NULL;)
        append(arena, &index->all, shape);
    return index;
}

static struct shape_value *find_value(const struct shape_label *label, const char *value)
{
    uint64_t hash = hash_text(HASH_SEED, value);
    struct lookup_entry *entry = NULL;
    while ((entry = lookup_next(&label->values, hash, entry)) != NULL) {
        struct shape_value *found = entry->item;
        if (found->value == value || strcmp(found->value, value) == 0)
            return found;
    }
    return NULL;
}

static void add_to_label(struct shape_index *index, struct shape_label *label, const struct pod_shape *shape)
{
    const char *value = labels_get(&shape->facts.labels, label->key);
    if (value == NULL)
        return;
    struct shape_value *found = find_value(label, value);
    if (found == NULL) {
        found = ARENA_NEW(index->arena, struct shape_value);
        found->value = value;
        lookup_add(&label->values, hash_text(HASH_SEED, value), found);
    }
    append(index->arena, &found->shapes, shape);
}

void shape_index_add(struct shape_index *index, const struct pod_shape *shape)
{
    append(index->arena, &index->all, shape);
    for (struct shape_label *label = index->labels; label != NULL; label = label->next)
        add_to_label(index, label, shape);
}

static struct shape_label *label_of(struct shape_index *index, const char *key)
{
    for (struct shape_label *label = index->labels; label != NULL; label = label->next) {
        if (strcmp(label->key, key) == 0)
            return label;
    }
    struct shape_label *label = ARENA_NEW(index->arena, struct shape_label);
    *label = (struct shape_label){.key = key, .values.arena = index->arena, .next = index->labels};
    index->labels = label;
    for (uint32_t i = 0; i < index->all.count; i++)
        add_to_label(index, label, index->all.items[i]);
    return label;
}

static bool value_repeats(const struct requirement *requirement, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (strcmp(requirement->values[i], requirement->values[at]) == 0)
            return true;
    }
    return false;
}

uint32_t shape_index_candidates(struct shape_index *index, const struct selector *selector,
                                const struct shape_list **lists, uint32_t lists_max)
{
    const struct requirement *best = NULL;
    uint32_t fewest = UINT32_MAX;
    for (uint32_t i = 0; i < selector->requirement_count; i++) {
        const struct requirement *requirement = &selector->requirements[i];
        if (requirement->operator!= SELECTOR_IN || requirement->value_count> lists_max)
            continue;
        struct shape_label *label = label_of(index, requirement->key);
        uint32_t shapes = 0;
        for (uint32_t j = 0; j < requirement->value_count; j++) {
            const struct shape_value *value = find_value(label, requirement->values[j]);
            shapes += value == NULL ? 0 : value->shapes.count;
        }
        if (shapes < fewest) {
            best = requirement;
            fewest = shapes;
        }
    }
    if (best == NULL)
        return UINT32_MAX;
    uint32_t count = 0;
    for (uint32_t j = 0; j < best->value_count; j++) {
        const struct shape_value *value = find_value(label_of(index, best->key), best->values[j]);
        if (value != NULL && !value_repeats(best, j))
            lists[count++] = &value->shapes;
    }
    return count;
}
