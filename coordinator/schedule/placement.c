#include "coordinator/schedule/placement.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
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

static bool affinity_matches(const struct pod_shape_facts *facts, const struct place *place, const char **key)
{
    *key = NULL;
    if (!facts->has_affinity)
        return true;
    for (uint32_t i = 0; i < facts->affinity_term_count; i++) {
        const struct node_term *term = &facts->affinity_terms[i];
        if (term->expression_count == 0 && term->field_count == 0)
            continue; // an empty term matches nothing
        const struct requirement *failing = failing_expression(term, place);
        bool named = fields_match(term, place);
        if (failing == NULL && named)
            return true;
        *key = failing != NULL ? failing->key : FIELD_NODE_NAME;
    }
    if (facts->affinity_term_count != 1)
        *key = NULL; // of several terms none is the one to blame
    return false;
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

static const struct taint *taint_in_the_way(const struct pod_shape *shape, const struct place *place)
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
    for (uint32_t i = 0; i < facts->node_selector.count; i++) {
        const struct label *wanted = &facts->node_selector.items[i];
        const char *value = labels_get(place->labels, wanted->key);
        if (value == NULL || strcmp(value, wanted->value) != 0)
            return (struct placement){.verdict = PLACEMENT_SELECTOR, .key = wanted->key};
    }
    const char *key;
    if (!affinity_matches(facts, place, &key))
        return (struct placement){.verdict = PLACEMENT_AFFINITY, .key = key};
    const struct taint *taint = taint_in_the_way(shape, place);
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

// ---- in words

const char *placement_verdict_name(enum placement_verdict verdict)
{
    switch (verdict) {
    case PLACEMENT_FITS: return "fits";
    case PLACEMENT_NODE_NAME: return "node-name";
    case PLACEMENT_UNSCHEDULABLE: return "unschedulable";
    case PLACEMENT_NOT_READY: return "not-ready";
    case PLACEMENT_SELECTOR: return "node-selector";
    case PLACEMENT_AFFINITY: return "node-affinity";
    case PLACEMENT_TAINT: return "taint";
    case PLACEMENT_RESOURCES: return "resources";
    case PLACEMENT_BEYOND: return "beyond";
    }
    return "unknown";
}

static void describe_lack(const struct resources_lack *lack, char *buffer, size_t bytes)
{
    char asked[40];
    char left[40];
    if (strcmp(lack->name, "cpu") == 0) {
        quantity_format_cpu(asked, sizeof(asked), lack->asked);
        quantity_format_cpu(left, sizeof(left), lack->free);
        left[strcspn(left, " ")] = '\0';
        asked[strcspn(asked, " ")] = '\0';
        snprintf(buffer, bytes, "needs %s cpu, %s free", asked, left);
    } else if (strcmp(lack->name, "memory") == 0 || strcmp(lack->name, "ephemeral-storage") == 0) {
        quantity_format_memory(asked, sizeof(asked), lack->asked);
        quantity_format_memory(left, sizeof(left), lack->free);
        snprintf(buffer, bytes, "needs %s %s, %s free", asked, lack->name, left);
    } else {
        snprintf(buffer, bytes, "needs %" PRId64 " %s, %" PRId64 " free", lack->asked, lack->name,
                 lack->free);
    }
}

static void describe_needs(uint32_t needs, char *buffer, size_t bytes)
{
    static const struct {
        uint32_t need;
        const char *text;
    } names[] = {
        {POD_NEEDS_POD_AFFINITY, "inter-pod affinity"},
        {POD_NEEDS_SPREAD, "topology spread"},
        {POD_NEEDS_VOLUME, "a persistent volume"},
        {POD_NEEDS_HOST_PORT, "a host port"},
        {POD_NEEDS_RESOURCE_CLAIM, "a resource claim"},
        {POD_NEEDS_UNREADABLE, "something that could not be read"},
    };
    size_t used = 0;
    snprintf(buffer, bytes, "asks for what is beyond these rules: ");
    used = strlen(buffer);
    const char *comma = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && used < bytes; i++) {
        if ((needs & names[i].need) == 0)
            continue;
        snprintf(buffer + used, bytes - used, "%s%s", comma, names[i].text);
        used += strlen(buffer + used);
        comma = ", ";
    }
}

static void describe_taint(const struct taint *taint, char *buffer, size_t bytes)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    snprintf(buffer, bytes, "taint %s%s%s:%s not tolerated", taint->key, *taint->value == '\0' ? "" : "=",
             taint->value, effects[taint->effect]);
}

void placement_describe(const struct placement *placement, char *buffer, size_t bytes)
{
    assert(placement != NULL && buffer != NULL && bytes > 0);
    switch (placement->verdict) {
    case PLACEMENT_FITS: snprintf(buffer, bytes, "fits"); break;
    case PLACEMENT_NODE_NAME: snprintf(buffer, bytes, "asks for another node by name"); break;
    case PLACEMENT_UNSCHEDULABLE: snprintf(buffer, bytes, "node is unschedulable (cordoned)"); break;
    case PLACEMENT_NOT_READY: snprintf(buffer, bytes, "node is not ready"); break;
    case PLACEMENT_SELECTOR:
        snprintf(buffer, bytes, "node selector does not match on label %s", placement->key);
        break;
    case PLACEMENT_AFFINITY:
        if (placement->key == NULL)
            snprintf(buffer, bytes, "no term of the required node affinity matches");
        else
            snprintf(buffer, bytes, "required node affinity does not match on %s", placement->key);
        break;
    case PLACEMENT_TAINT: describe_taint(placement->taint, buffer, bytes); break;
    case PLACEMENT_RESOURCES: describe_lack(&placement->lack, buffer, bytes); break;
    case PLACEMENT_BEYOND: describe_needs(placement->needs, buffer, bytes); break;
    }
}

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
