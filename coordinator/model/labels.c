#include "coordinator/model/labels.h"

#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster.h"
#include "coordinator/model/resources.h"
#include "coordinator/model/table.h"

const char *labels_get(const struct labels *labels, const char *key)
{
    uint32_t low = 0;
    uint32_t high = labels->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(labels->items[middle].key, key);
        if (order == 0)
            return labels->items[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool integer_parse(const char *text, int64_t *out)
{
    if (*text == '+' && text[1] != '-')
        text++;
    return text_parse_i64(text, strlen(text), out, NULL) == 0;
}

static bool has_value(const struct requirement *requirement, const char *value)
{
    for (uint32_t i = 0; i < requirement->value_count; i++) {
        if (strcmp(requirement->values[i], value) == 0)
            return true;
    }
    return false;
}

static bool compares(const struct requirement *requirement, const char *value)
{
    int64_t have;
    int64_t limit;
    if (requirement->value_count != 1 || !integer_parse(value, &have) ||
        !integer_parse(requirement->values[0], &limit))
        return false;
    return requirement->operator== SELECTOR_GT ? have > limit : have<limit;
}

bool requirement_matches(const struct requirement *requirement, const struct labels *labels)
{
    const char *value = labels_get(labels, requirement->key);
    switch (requirement->operator) {
    case SELECTOR_IN: return value != NULL && has_value(requirement, value);
    case SELECTOR_NOT_IN: return value == NULL || !has_value(requirement, value);
    case SELECTOR_EXISTS: return value != NULL;
    case SELECTOR_DOES_NOT_EXIST: return value == NULL;
    case SELECTOR_GT:
    case SELECTOR_LT: return value != NULL && compares(requirement, value);
    }
    return false;
}

bool selector_matches(const struct selector *selector, const struct labels *labels)
{
    if (selector->nothing)
        return false;
    for (uint32_t i = 0; i < selector->requirement_count; i++) {
        if (!requirement_matches(&selector->requirements[i], labels))
            return false;
    }
    return true;
}

bool words_equal(const char *a, const char *b)
{
    if (a == b)
        return true;
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!words_equal(a->items[i].key, b->items[i].key) ||
            !words_equal(a->items[i].value, b->items[i].value))
            return false;
    }
    return true;
}

bool taints_equal(const struct taints *a, const struct taints *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct taint *left = &a->items[i];
        const struct taint *right = &b->items[i];
        if (left->effect != right->effect || !words_equal(left->key, right->key) ||
            !words_equal(left->value, right->value))
            return false;
    }
    return true;
}

bool texts_equal(const char *const *a, uint32_t a_count, const char *const *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!words_equal(a[i], b[i]))
            return false;
    }
    return true;
}

bool requirements_equal(const struct requirement *a, uint32_t a_count, const struct requirement *b,
                        uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (a[i].operator!= b[i].operator|| !words_equal(a[i].key, b[i].key) ||
            !texts_equal(a[i].values, a[i].value_count, b[i].values, b[i].value_count))
            return false;
    }
    return true;
}

bool node_terms_equal(const struct node_term *a, uint32_t a_count, const struct node_term *b,
                      uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!requirements_equal(a[i].expressions, a[i].expression_count, b[i].expressions,
                                b[i].expression_count) ||
            !requirements_equal(a[i].fields, a[i].field_count, b[i].fields, b[i].field_count))
            return false;
    }
    return true;
}

static bool selectors_equal(const struct selector *a, const struct selector *b)
{
    return a->nothing == b->nothing &&
           requirements_equal(a->requirements, a->requirement_count, b->requirements, b->requirement_count);
}

static bool pod_terms_equal(const struct pod_term *a, uint32_t a_count, const struct pod_term *b,
                            uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++) {
        if (!words_equal(a[i].topology_key, b[i].topology_key) ||
            !selectors_equal(&a[i].selector, &b[i].selector) ||
            !texts_equal(a[i].spaces, a[i].space_count, b[i].spaces, b[i].space_count) ||
            !selectors_equal(&a[i].space_selector, &b[i].space_selector))
            return false;
    }
    return true;
}

static bool spreads_equal(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    if (a->spread_count != b->spread_count)
        return false;
    for (uint32_t i = 0; i < a->spread_count; i++) {
        const struct spread_constraint *left = &a->spread[i];
        const struct spread_constraint *right = &b->spread[i];
        if (left->max_skew != right->max_skew || left->min_domains != right->min_domains ||
            left->honor_affinity != right->honor_affinity || left->honor_taints != right->honor_taints ||
            !words_equal(left->topology_key, right->topology_key) ||
            !words_equal(left->space, right->space) || !selectors_equal(&left->selector, &right->selector))
            return false;
    }
    return true;
}

static bool ports_equal(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    if (a->host_port_count != b->host_port_count)
        return false;
    for (uint32_t i = 0; i < a->host_port_count; i++) {
        const struct host_port *left = &a->host_ports[i];
        const struct host_port *right = &b->host_ports[i];
        if (left->port != right->port || left->protocol != right->protocol ||
            !words_equal(left->ip, right->ip))
            return false;
    }
    return true;
}

static bool tolerations_equal(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    if (a->toleration_count != b->toleration_count)
        return false;
    for (uint32_t i = 0; i < a->toleration_count; i++) {
        const struct toleration *left = &a->tolerations[i];
        const struct toleration *right = &b->tolerations[i];
        if (left->operator!= right->operator|| left->any_effect != right->any_effect ||
            left->effect != right->effect || !words_equal(left->key, right->key) ||
            !words_equal(left->value, right->value))
            return false;
    }
    return true;
}

bool shape_facts_equal_but_labels(const struct pod_shape_facts *a, const struct pod_shape_facts *b)
{
    return a->needs == b->needs && a->priority == b->priority &&
           resources_equal(&a->requests, &b->requests) &&
           labels_equal(&a->node_selector, &b->node_selector) && a->has_affinity == b->has_affinity &&
           node_terms_equal(a->affinity_terms, a->affinity_term_count, b->affinity_terms,
                            b->affinity_term_count) &&
           tolerations_equal(a, b) && words_equal(a->scheduler_name, b->scheduler_name) &&
           pod_terms_equal(a->pod_affinity, a->pod_affinity_count, b->pod_affinity, b->pod_affinity_count) &&
           pod_terms_equal(a->pod_anti_affinity, a->pod_anti_affinity_count, b->pod_anti_affinity,
                           b->pod_anti_affinity_count) &&
           spreads_equal(a, b) && ports_equal(a, b);
}

uint64_t labels_hash(uint64_t seed, const struct labels *labels)
{
    uint64_t hash = hash_number(seed, labels->count);
    for (uint32_t i = 0; i < labels->count; i++) {
        hash = hash_text(hash, labels->items[i].key);
        hash = hash_text(hash, labels->items[i].value);
    }
    return hash;
}

static uint64_t hash_requirements(uint64_t hash, const struct requirement *requirements, uint32_t count)
{
    hash = hash_number(hash, count);
    for (uint32_t i = 0; i < count; i++) {
        hash = hash_text(hash, requirements[i].key);
        hash = hash_number(hash, requirements[i].operator);
        hash = hash_number(hash, requirements[i].value_count);
        for (uint32_t j = 0; j < requirements[i].value_count; j++)
            hash = hash_text(hash, requirements[i].values[j]);
    }
    return hash;
}

static uint64_t hash_requests(uint64_t hash, const struct resources *requests)
{
    hash = hash_number(hash, (uint64_t)requests->cpu_millis);
    hash = hash_number(hash, (uint64_t)requests->memory_bytes);
    hash = hash_number(hash, (uint64_t)requests->ephemeral_bytes);
    hash = hash_number(hash, (uint64_t)requests->pods);
    hash = hash_number(hash, requests->extended_count);
    for (uint32_t i = 0; i < requests->extended_count; i++) {
        hash = hash_text(hash, requests->extended[i].name);
        hash = hash_number(hash, (uint64_t)requests->extended[i].amount);
    }
    return hash;
}

static uint64_t hash_selector(uint64_t hash, const struct selector *selector)
{
    hash = hash_number(hash, selector->nothing);
    return hash_requirements(hash, selector->requirements, selector->requirement_count);
}

static uint64_t hash_pod_terms(uint64_t hash, const struct pod_term *terms, uint32_t count)
{
    hash = hash_number(hash, count);
    for (uint32_t i = 0; i < count; i++) {
        hash = hash_text(hash, terms[i].topology_key);
        hash = hash_selector(hash, &terms[i].selector);
        hash = hash_selector(hash, &terms[i].space_selector);
        hash = hash_number(hash, terms[i].space_count);
        for (uint32_t j = 0; j < terms[i].space_count; j++)
            hash = hash_text(hash, terms[i].spaces[j]);
    }
    return hash;
}

static uint64_t hash_spreads(uint64_t hash, const struct pod_shape_facts *facts)
{
    hash = hash_number(hash, facts->spread_count);
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        const struct spread_constraint *spread = &facts->spread[i];
        hash = hash_text(hash, spread->topology_key);
        hash = hash_selector(hash, &spread->selector);
        hash = hash_text(hash, spread->space);
        hash = hash_number(hash, (uint64_t)spread->max_skew);
        hash = hash_number(hash, (uint64_t)spread->min_domains);
        hash = hash_number(hash, (spread->honor_affinity ? 2u : 0u) + (spread->honor_taints ? 1u : 0u));
    }
    return hash;
}

static uint64_t hash_tolerations(uint64_t hash, const struct pod_shape_facts *facts)
{
    hash = hash_number(hash, facts->toleration_count);
    for (uint32_t i = 0; i < facts->toleration_count; i++) {
        const struct toleration *toleration = &facts->tolerations[i];
        hash = hash_text(hash, toleration->key);
        hash = hash_text(hash, toleration->value);
        hash = hash_number(hash, (uint64_t)toleration->operator* 64 + toleration->effect * UINT64_C(2) +
                                     (toleration->any_effect ? 1u : 0u));
    }
    return hash;
}

uint64_t shape_facts_hash_but_labels(const struct pod_shape_facts *facts)
{
    uint64_t hash = hash_requests(HASH_SEED, &facts->requests);
    hash = labels_hash(hash, &facts->node_selector);
    hash = hash_number(hash, facts->has_affinity ? facts->affinity_term_count + 1u : 0);
    for (uint32_t i = 0; i < facts->affinity_term_count; i++) {
        const struct node_term *term = &facts->affinity_terms[i];
        hash = hash_requirements(hash, term->expressions, term->expression_count);
        hash = hash_requirements(hash, term->fields, term->field_count);
    }
    hash = hash_tolerations(hash, facts);
    hash = hash_pod_terms(hash, facts->pod_affinity, facts->pod_affinity_count);
    hash = hash_pod_terms(hash, facts->pod_anti_affinity, facts->pod_anti_affinity_count);
    hash = hash_spreads(hash, facts);
    hash = hash_number(hash, facts->host_port_count);
    for (uint32_t i = 0; i < facts->host_port_count; i++) {
        hash = hash_text(hash, facts->host_ports[i].ip);
        hash = hash_number(hash, (uint64_t)facts->host_ports[i].port * 4 + facts->host_ports[i].protocol);
    }
    hash = hash_number(hash, facts->needs);
    hash = hash_number(hash, (uint64_t)facts->priority);
    return hash_text(hash, facts->scheduler_name);
}
