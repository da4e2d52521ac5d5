#include "coordinator/model/shapes.h"

#include <assert.h>
#include <stdlib.h>

#include "coordinator/model/labels.h"

static struct pod_kind *kind_hold(struct shapes *shapes, const struct pod_shape_facts *facts, uint64_t hash)
{
    struct pod_kind *kind;
    for (uint32_t cursor = 0; (kind = table_next(&shapes->kinds, hash, &cursor)) != NULL;) {
        if (kind->hash == hash && shape_facts_equal_but_labels(&kind->facts, facts)) {
            kind->references++;
            return kind;
        }
    }
    struct keep *keep = keep_create(shapes->strings, 512);
    kind = ARENA_NEW(keep->arena, struct pod_kind);
    kind->facts = keep_shape_facts(keep, facts);
    kind->hash = hash;
    kind->references = 1;
    kind->id = ++shapes->last_kind_id;
    kind->keep = keep;
    table_insert(&shapes->kinds, hash, kind);
    return kind;
}

static void kind_release(struct shapes *shapes, struct pod_kind *kind)
{
    assert(kind->references > 0);
    if (--kind->references > 0)
        return;
    table_remove(&shapes->kinds, kind->hash, kind);
    keep_destroy(kind->keep);
}

static struct pod_shape *create(struct shapes *shapes, const char *space, const struct pod_shape_facts *facts,
                                struct pod_kind *kind, uint64_t hash)
{
    struct pod_shape *shape = xcalloc(1, sizeof(*shape) + facts->labels.count * sizeof(struct label));
    struct label *labels = (struct label *)(shape + 1);
    for (uint32_t i = 0; i < facts->labels.count; i++) {
        labels[i].key = strings_hold(shapes->strings, facts->labels.items[i].key);
        labels[i].value = strings_hold(shapes->strings, facts->labels.items[i].value);
    }
    shape->facts = kind->facts;
    shape->facts.labels = (struct labels){.items = labels, .count = facts->labels.count};
    shape->space = strings_intern(shapes->strings, space);
    shape->hash = hash;
    shape->references = 1;
    shape->id = ++shapes->last_shape_id;
    shape->kind_id = kind->id;
    shape->kind = kind;
    table_insert(&shapes->shapes, hash, shape);
    return shape;
}

struct pod_shape *shapes_hold(struct shapes *shapes, const char *space, const struct pod_shape_facts *facts)
{
    uint64_t kind_hash = shape_facts_hash_but_labels(facts);
    uint64_t hash = labels_hash(hash_text(kind_hash, space), &facts->labels);
    struct pod_shape *shape;
    for (uint32_t cursor = 0; (shape = table_next(&shapes->shapes, hash, &cursor)) != NULL;) {
        if (shape->hash == hash && words_equal(shape->space, space) &&
            labels_equal(&shape->facts.labels, &facts->labels) &&
            shape_facts_equal_but_labels(&shape->facts, facts)) {
            shape->references++;
            return shape;
        }
    }
    return create(shapes, space, facts, kind_hold(shapes, facts, kind_hash), hash);
}

void shapes_release(struct shapes *shapes, struct pod_shape *shape)
{
    assert(shape->references > 0);
    if (--shape->references > 0)
        return;
    table_remove(&shapes->shapes, shape->hash, shape);
    for (uint32_t i = 0; i < shape->facts.labels.count; i++) {
        strings_release(shapes->strings, shape->facts.labels.items[i].key);
        strings_release(shapes->strings, shape->facts.labels.items[i].value);
    }
    kind_release(shapes, shape->kind);
    free(shape);
}

void shapes_free(struct shapes *shapes)
{
    assert(shapes->shapes.count == 0 && shapes->kinds.count == 0);
    table_free(&shapes->shapes);
    table_free(&shapes->kinds);
}
