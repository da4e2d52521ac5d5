#include "coordinator/model/keep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HELD_PER_CHUNK 14u

struct keep_held {
    struct keep_held *next;
    uint32_t count;
    const char *strings[HELD_PER_CHUNK];
};

struct keep *keep_create(struct strings *strings, size_t bytes_expected)
{
    struct arena *arena = arena_create(bytes_expected);
    struct keep *keep = ARENA_NEW(arena, struct keep);
    *keep = (struct keep){.strings = strings, .arena = arena};
    return keep;
}

void keep_destroy(struct keep *keep)
{
    if (keep == NULL)
        return;
    for (const struct keep_held *held = keep->held; held != NULL; held = held->next) {
        for (uint32_t i = 0; i < held->count; i++)
            strings_release(keep->strings, held->strings[i]);
    }
    arena_destroy(keep->arena);
}

const char *keep_name(struct keep *keep, const char *text)
{
    return strings_intern(keep->strings, text);
}

const char *keep_value(struct keep *keep, const char *text)
{
    if (keep->held == NULL || keep->held->count == HELD_PER_CHUNK) {
        struct keep_held *chunk = ARENA_NEW(keep->arena, struct keep_held);
        chunk->next = keep->held;
        keep->held = chunk;
    }
    const char *held = strings_hold(keep->strings, text);
    keep->held->strings[keep->held->count++] = held;
    return held;
}

const char *keep_text(struct keep *keep, const char *text)
{
    return text == NULL || *text == '\0' ? "" : arena_strdup(keep->arena, text);
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static struct labels copy_labels(struct keep *keep, const struct labels *labels,
                                 const char *(*copy_value)(struct keep *, const char *))
{
    if (labels->count == 0)
        return (struct labels){0};
    struct label *items = ARENA_ARRAY(keep->arena, struct label, labels->count);
    bool sorted = true;
    for (uint32_t i = 0; i < labels->count; i++) {
        items[i].key = keep_name(keep, labels->items[i].key);
        items[i].value = copy_value(keep, labels->items[i].value);
        sorted = sorted && (i == 0 || strcmp(items[i - 1].key, items[i].key) < 0);
    }
    if (!sorted)
        qsort(items, labels->count, sizeof(*items), compare_labels);
    return (struct labels){.items = items, .count = labels->count};
}

struct labels keep_labels(struct keep *keep, const struct labels *labels)
{
    return copy_labels(keep, labels, keep_value);
}

struct labels keep_annotations(struct keep *keep, const struct labels *annotations)
{
    return copy_labels(keep, annotations, keep_text);
}

struct taints keep_taints(struct keep *keep, const struct taints *taints)
{
    if (taints->count == 0)
        return (struct taints){0};
    struct taint *items = ARENA_ARRAY(keep->arena, struct taint, taints->count);
    for (uint32_t i = 0; i < taints->count; i++) {
        items[i].key = keep_name(keep, taints->items[i].key);
        items[i].value = keep_value(keep, taints->items[i].value);
        items[i].effect = taints->items[i].effect;
    }
    return (struct taints){.items = items, .count = taints->count};
}

struct resources keep_resources(struct keep *keep, const struct resources *resources)
{
    struct resources copy = *resources;
    copy.extended = NULL;
    if (resources->extended_count == 0)
        return copy;
    struct extended_resource *items =
        ARENA_ARRAY(keep->arena, struct extended_resource, resources->extended_count);
    for (uint32_t i = 0; i < resources->extended_count; i++) {
        items[i].name = keep_name(keep, resources->extended[i].name);
        items[i].amount = resources->extended[i].amount;
    }
    copy.extended = items;
    return copy;
}

const char *const *keep_values(struct keep *keep, const char *const *values, uint32_t count)
{
    if (count == 0)
        return NULL;
    const char **copy = ARENA_ARRAY(keep->arena, const char *, count);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = keep_value(keep, values[i]);
    return copy;
}

const struct requirement *keep_requirements(struct keep *keep, const struct requirement *requirements,
                                            uint32_t count)
{
    if (count == 0)
        return NULL;
    struct requirement *copy = ARENA_ARRAY(keep->arena, struct requirement, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = requirements[i];
        copy[i].key = keep_name(keep, requirements[i].key);
        copy[i].values = keep_values(keep, requirements[i].values, requirements[i].value_count);
    }
    return copy;
}

const struct node_term *keep_node_terms(struct keep *keep, const struct node_term *terms, uint32_t count)
{
    if (count == 0)
        return NULL;
    struct node_term *copy = ARENA_ARRAY(keep->arena, struct node_term, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = terms[i];
        copy[i].expressions = keep_requirements(keep, terms[i].expressions, terms[i].expression_count);
        copy[i].fields = keep_requirements(keep, terms[i].fields, terms[i].field_count);
    }
    return copy;
}

static const struct toleration *keep_tolerations(struct keep *keep, const struct toleration *tolerations,
                                                 uint32_t count)
{
    if (count == 0)
        return NULL;
    struct toleration *copy = ARENA_ARRAY(keep->arena, struct toleration, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = tolerations[i];
        copy[i].key = keep_name(keep, tolerations[i].key);
        copy[i].value = keep_value(keep, tolerations[i].value);
    }
    return copy;
}

static struct selector keep_selector(struct keep *keep, const struct selector *selector)
{
    struct selector copy = *selector;
    copy.requirements = keep_requirements(keep, selector->requirements, selector->requirement_count);
    return copy;
}

static const struct pod_term *keep_pod_terms(struct keep *keep, const struct pod_term *terms, uint32_t count)
{
    if (count == 0)
        return NULL;
    struct pod_term *copy = ARENA_ARRAY(keep->arena, struct pod_term, count);
    for (uint32_t i = 0; i < count; i++) {
        const char **spaces = ARENA_ARRAY(keep->arena, const char *, terms[i].space_count);
        for (uint32_t j = 0; j < terms[i].space_count; j++)
            spaces[j] = keep_name(keep, terms[i].spaces[j]);
        copy[i] = (struct pod_term){
            .topology_key = keep_name(keep, terms[i].topology_key),
            .selector = keep_selector(keep, &terms[i].selector),
            .spaces = spaces,
            .space_count = terms[i].space_count,
            .space_selector = keep_selector(keep, &terms[i].space_selector),
        };
    }
    return copy;
}

static const struct spread_constraint *keep_spread(struct keep *keep, const struct pod_shape_facts *facts)
{
    if (facts->spread_count == 0)
        return NULL;
    struct spread_constraint *copy = ARENA_ARRAY(keep->arena, struct spread_constraint, facts->spread_count);
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        copy[i] = facts->spread[i];
        copy[i].topology_key = keep_name(keep, facts->spread[i].topology_key);
        copy[i].space = keep_name(keep, facts->spread[i].space);
        copy[i].selector = keep_selector(keep, &facts->spread[i].selector);
    }
    return copy;
}

static const struct host_port *keep_ports(struct keep *keep, const struct pod_shape_facts *facts)
{
    if (facts->host_port_count == 0)
        return NULL;
    struct host_port *copy = ARENA_ARRAY(keep->arena, struct host_port, facts->host_port_count);
    for (uint32_t i = 0; i < facts->host_port_count; i++) {
        copy[i] = facts->host_ports[i];
        copy[i].ip = keep_value(keep, facts->host_ports[i].ip);
    }
    return copy;
}

struct pod_shape_facts keep_shape_facts(struct keep *keep, const struct pod_shape_facts *facts)
{
    struct pod_shape_facts copy = *facts;
    copy.requests = keep_resources(keep, &facts->requests);
    copy.labels = (struct labels){0};
    copy.node_selector = keep_labels(keep, &facts->node_selector);
    copy.affinity_terms = keep_node_terms(keep, facts->affinity_terms, facts->affinity_term_count);
    copy.tolerations = keep_tolerations(keep, facts->tolerations, facts->toleration_count);
    copy.pod_affinity = keep_pod_terms(keep, facts->pod_affinity, facts->pod_affinity_count);
    copy.pod_anti_affinity = keep_pod_terms(keep, facts->pod_anti_affinity, facts->pod_anti_affinity_count);
    copy.spread = keep_spread(keep, facts);
    copy.host_ports = keep_ports(keep, facts);
    copy.scheduler_name = keep_name(keep, facts->scheduler_name);
    return copy;
}
