#include "coordinator/schedule/placement.h"

#include <assert.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/model/quantity.h"

#define FIELD_NODE_NAME     "metadata.name"
#define TAINT_UNSCHEDULABLE "node.kubernetes.io/unschedulable"

// ---- node affinity: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/

static bool names_place(const struct requirement *field, const struct place *place)
{
    if (strcmp(field->key, FIELD_NODE_NAME) != 0)
        return false;
    bool listed = false;
    for (uint32_t i = 0; i < field->value_count; i++)
        listed = listed || strcmp(field->values[i], place->name) == 0;
    if (field->operator== SELECTOR_IN)
        return listed;
    return field->operator== SELECTOR_NOT_IN && !listed;
}

static bool fields_match(const struct node_term *term, const struct place *place)
{
    for (uint32_t i = 0; i < term->field_count; i++) {
        if (!names_place(&term->fields[i], place))
            return false;
    }
    return true;
}

// NULL when all of the term's expressions hold, else the first that does not.
static const struct requirement *failing_expression(const struct node_term *term, const struct place *place)
{
    for (uint32_t i = 0; i < term->expression_count; i++) {
        if (!requirement_matches(&term->expressions[i], place->labels))
            return &term->expressions[i];
    }
    return NULL;
}

bool placement_terms_match(const struct node_term *terms, uint32_t count, const struct place *place,
                           const char **key)
{
    const char *blamed = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct node_term *term = &terms[i];
        if (term->expression_count == 0 && term->field_count == 0)
            continue; // an empty term matches nothing
        const struct requirement *failing = failing_expression(term, place);
        bool named = fields_match(term, place);
        if (failing == NULL && named)
            return true;
        blamed = failing != NULL ? failing->key : FIELD_NODE_NAME;
    }
    if (key != NULL)
        *key = count == 1 ? blamed : NULL; // of several terms none is the one to blame
    return false;
}

static const char *failing_selector(const struct pod_shape_facts *facts, const struct place *place)
{
    for (uint32_t i = 0; i < facts->node_selector.count; i++) {
        const struct label *wanted = &facts->node_selector.items[i];
        const char *value = labels_get(place->labels, wanted->key);
        if (value == NULL || strcmp(value, wanted->value) != 0)
            return wanted->key;
    }
    return NULL;
}

bool placement_selects(const struct pod_shape *shape, const struct place *place)
{
    const struct pod_shape_facts *facts = &shape->facts;
    return failing_selector(facts, place) == NULL &&
           (!facts->has_affinity ||
            placement_terms_match(facts->affinity_terms, facts->affinity_term_count, place, NULL));
}

// Every term asks for nodes by name, and for none of this name.
static bool pinned_elsewhere(const struct pod_shape_facts *facts, const struct place *place)
{
    if (!facts->has_affinity || facts->affinity_term_count == 0)
        return false;
    for (uint32_t i = 0; i < facts->affinity_term_count; i++) {
        if (facts->affinity_terms[i].field_count == 0 || fields_match(&facts->affinity_terms[i], place))
            return false;
    }
    return true;
}

// ---- taints: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

static bool value_tolerated(const struct toleration *toleration, const struct taint *taint)
{
    int64_t have;
    int64_t limit;
    switch (toleration->operator) {
    case TOLERATION_EXISTS: return true;
    case TOLERATION_EQUAL: return strcmp(toleration->value, taint->value) == 0;
    case TOLERATION_LT:
    case TOLERATION_GT:
        if (!integer_parse(taint->value, &have) || !integer_parse(toleration->value, &limit))
            return false;
        return toleration->operator== TOLERATION_GT ? have > limit : have<limit;
    }
    return false;
}

bool placement_tolerates(const struct pod_shape *shape, const struct taint *taint)
{
    for (uint32_t i = 0; i < shape->facts.toleration_count; i++) {
        const struct toleration *toleration = &shape->facts.tolerations[i];
        if (!toleration->any_effect && toleration->effect != taint->effect)
            continue;
        if (*toleration->key != '\0' && strcmp(toleration->key, taint->key) != 0)
            continue;
        if (value_tolerated(toleration, taint))
            return true;
    }
    return false;
}

const struct taint *placement_taint(const struct pod_shape *shape, const struct place *place)
{
    for (uint32_t i = 0; i < place->taints->count; i++) {
        const struct taint *taint = &place->taints->items[i];
        if (taint->effect != TAINT_PREFER_NO_SCHEDULE && !placement_tolerates(shape, taint))
            return taint;
    }
    return NULL;
}

static bool tolerates_unschedulable(const struct pod_shape *shape)
{
    static const struct taint taint = {.key = TAINT_UNSCHEDULABLE, .value = "", .effect = TAINT_NO_SCHEDULE};
    return placement_tolerates(shape, &taint);
}

// ---- the filters in order

static struct placement check_node(const struct pod_shape *shape, const struct place *place)
{
    const struct pod_shape_facts *facts = &shape->facts;
    if (pinned_elsewhere(facts, place))
        return (struct placement){.verdict = PLACEMENT_NODE_NAME, .key = FIELD_NODE_NAME};
    if (place->unschedulable && !tolerates_unschedulable(shape))
        return (struct placement){.verdict = PLACEMENT_UNSCHEDULABLE};
    if (!place->ready)
        return (struct placement){.verdict = PLACEMENT_NOT_READY};
    const char *key = failing_selector(facts, place);
    if (key != NULL)
        return (struct placement){.verdict = PLACEMENT_SELECTOR, .key = key};
    if (facts->has_affinity &&
        !placement_terms_match(facts->affinity_terms, facts->affinity_term_count, place, &key))
        return (struct placement){.verdict = PLACEMENT_AFFINITY, .key = key};
    const struct taint *taint = placement_taint(shape, place);
    if (taint != NULL)
        return (struct placement){.verdict = PLACEMENT_TAINT, .taint = taint};
    return (struct placement){.verdict = PLACEMENT_FITS};
}

static struct placement check_needs(const struct pod_shape *shape)
{
    if (shape->facts.needs != 0)
        return (struct placement){.verdict = PLACEMENT_BEYOND, .needs = shape->facts.needs};
    return (struct placement){.verdict = PLACEMENT_FITS};
}

struct placement placement_check(const struct pod_shape *shape, const struct place *place)
{
    assert(shape != NULL && place != NULL);
    struct placement placement = check_node(shape, place);
    if (placement.verdict != PLACEMENT_FITS)
        return placement;
    if (!resources_fit(&shape->facts.requests, place->allocatable, &place->used, &placement.lack)) {
        placement.verdict = PLACEMENT_RESOURCES;
        return placement;
    }
    return check_needs(shape);
}

struct placement placement_check_static(const struct pod_shape *shape, const struct place *place)
{
    assert(shape != NULL && place != NULL);
    struct placement placement = check_node(shape, place);
    return placement.verdict != PLACEMENT_FITS ? placement : check_needs(shape);
}

// ---- places

struct place place_of_node(const struct node *node)
{
    assert(node != NULL);
    return (struct place){
        .name = node->name,
        .labels = &node->labels,
        .taints = &node->taints,
        .allocatable = &node->allocatable,
        .used = resources_copy(NULL, &node->requested),
        .unschedulable = node->unschedulable,
        .ready = node->ready == NODE_READY_TRUE,
        .node = node,
    };
}

void place_free(struct place *place)
{
    if (place != NULL)
        resources_free(&place->used);
}
