// Filters that look at the other pods: affinity, anti-affinity (in both directions) and topology spread, as
// kubernetes.io/docs/concepts/scheduling-eviction describes them.
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/board.h"
#include "tests/world/parts.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"

// ---- counts by the value of a topology key

struct domain {
    const char *value;
    int64_t pods;
};
struct domains {
    const char *key; // of the topology
    struct domain *items;
    size_t count, capacity;
};

static struct domain *domain_of(struct domains *domains, const char *value, bool make)
{
    for (size_t i = 0; i < domains->count; i++) {
        if (strcmp(domains->items[i].value, value) == 0)
            return &domains->items[i];
    }
    if (!make)
        return NULL;
    if (domains->count == domains->capacity) {
        domains->capacity = domains->capacity == 0 ? 8 : 2 * domains->capacity;
        domains->items = xrealloc_array(domains->items, domains->capacity, sizeof *domains->items);
    }
    domains->items[domains->count] = (struct domain){.value = value};
    return &domains->items[domains->count++];
}

static const char *value_at(const struct board *board, size_t seat, const char *key)
{
    const cJSON *label = json_key(json_at(board->seats[seat].node->document->json, "metadata.labels"), key);
    return cJSON_IsString(label) ? label->valuestring : NULL;
}

static void count_at(struct domains *domains, const struct board *board, size_t seat)
{
    const char *value = value_at(board, seat, domains->key);
    if (value != NULL)
        domain_of(domains, value, true)->pods++;
}

static int64_t pods_at(const struct domains *domains, const char *value)
{
    struct domain *domain = domain_of((struct domains *)(uintptr_t)domains, value, false);
    return domain == NULL ? 0 : domain->pods;
}

// ---- whom a term means

// matchLabelKeys: the owner's own value (mismatchLabelKeys: any other).
static bool own_labels_hold(const cJSON *keys, const cJSON *owner, const cJSON *labels, bool same)
{
    const cJSON *key;
    cJSON_ArrayForEach(key, keys)
    {
        const cJSON *own = json_key(json_at(owner, "metadata.labels"), key->valuestring);
        const cJSON *other = json_key(labels, key->valuestring);
        if (own == NULL)
            continue;
        if ((other != NULL && strcmp(own->valuestring, other->valuestring) == 0) != same)
            return false;
    }
    return true;
}

static bool space_meant(const struct board *board, const cJSON *term, const char *owner_space,
                        const char *space)
{
    const cJSON *spaces = json_key(term, "namespaces"), *selector = json_key(term, "namespaceSelector");
    const cJSON *item;
    cJSON_ArrayForEach(item, spaces)
    {
        if (strcmp(item->valuestring, space) == 0)
            return true;
    }
    if (cJSON_GetArraySize(spaces) == 0 && !cJSON_IsObject(selector))
        return strcmp(owner_space, space) == 0;
    if (!cJSON_IsObject(selector))
        return false;
    const struct api_object *object = api_find(board->api, API_NAMESPACE, "", space);
    AUTOJSON cJSON *none = cJSON_CreateObject();
    const cJSON *labels = object == NULL ? NULL : json_at(object->document->json, "metadata.labels");
    return api_selects(selector, labels == NULL ? none : labels);
}

static bool labels_meant(const cJSON *term, const cJSON *owner, const cJSON *pod)
{
    const cJSON *selector = json_key(term, "labelSelector");
    const cJSON *labels = json_at(pod, "metadata.labels");
    return cJSON_IsObject(selector) && api_selects(selector, labels) &&
           own_labels_hold(json_key(term, "matchLabelKeys"), owner, labels, true) &&
           own_labels_hold(json_key(term, "mismatchLabelKeys"), owner, labels, false);
}

// Does the owner's term mean the pod?
static bool term_means(const struct board *board, const cJSON *term, const cJSON *owner,
                       const char *owner_space, const cJSON *pod, const char *space)
{
    return labels_meant(term, owner, pod) && space_meant(board, term, owner_space, space);
}

static const cJSON *terms_of(const cJSON *pod, const char *which)
{
    return json_key(json_key(json_at(pod, "spec.affinity"), which), REQUIRED);
}

// ---- the outlook of one pod

struct spread {
    const cJSON *constraint;
    struct domains domains; // those of eligible nodes, also where no pod stands
    int64_t skew_max, own;
    int64_t least; // the global minimum
};
struct outlook {
    const struct board *board;
    struct domains *with;   // one for each term of affinity
    struct domains *apart;  // one for each term of anti-affinity
    struct domains *others; // one for each other pod's term that means this pod
    size_t with_count, apart_count, others_count;
    size_t matched; // pods that all terms of affinity mean
    bool means_itself;
    struct spread *spreads;
    size_t spread_count;
};

static bool all_mean(const struct board *board, const cJSON *terms, const struct api_object *owner,
                     const cJSON *pod, const char *space)
{
    const cJSON *term;
    cJSON_ArrayForEach(term, terms)
    {
        if (!term_means(board, term, owner->document->json, owner->space, pod, space))
            return false;
    }
    return true;
}

static struct domains *domains_of(const cJSON *terms, size_t *count)
{
    *count = (size_t)cJSON_GetArraySize(terms);
    struct domains *domains = xcalloc(*count + 1, sizeof *domains);
    size_t i = 0;
    const cJSON *term;
    cJSON_ArrayForEach(term, terms) domains[i++].key = json_text(term, "topologyKey");
    return domains;
}

static void look_for_friends(struct outlook *outlook, const struct api_object *pod)
{
    const struct board *board = outlook->board;
    const cJSON *terms = terms_of(pod->document->json, "podAffinity");
    outlook->with = domains_of(terms, &outlook->with_count);
    if (outlook->with_count == 0)
        return;
    outlook->means_itself = all_mean(board, terms, pod, pod->document->json, pod->space);
    for (size_t i = 0; i < board->pod_count; i++) {
        const struct standing *other = &board->pods[i];
        if (!all_mean(board, terms, pod, other->pod, other->space))
            continue;
        for (size_t t = 0; t < outlook->with_count; t++) {
            outlook->matched += value_at(board, other->seat, outlook->with[t].key) != NULL;
            count_at(&outlook->with[t], board, other->seat);
        }
    }
}

static void look_for_foes(struct outlook *outlook, const struct api_object *pod)
{
    const struct board *board = outlook->board;
    const cJSON *terms = terms_of(pod->document->json, "podAntiAffinity");
    outlook->apart = domains_of(terms, &outlook->apart_count);
    for (size_t i = 0; outlook->apart_count > 0 && i < board->pod_count; i++) {
        const struct standing *other = &board->pods[i];
        size_t t = 0;
        const cJSON *term;
        cJSON_ArrayForEach(term, terms)
        {
            if (term_means(board, term, pod->document->json, pod->space, other->pod, other->space))
                count_at(&outlook->apart[t], board, other->seat);
            t++;
        }
    }
}

static struct domains *others_by(struct outlook *outlook, const char *key)
{
    for (size_t i = 0; i < outlook->others_count; i++) {
        if (strcmp(outlook->others[i].key, key) == 0)
            return &outlook->others[i];
    }
    outlook->others = xrealloc_array(outlook->others, outlook->others_count + 1, sizeof *outlook->others);
    outlook->others[outlook->others_count] = (struct domains){.key = key};
    return &outlook->others[outlook->others_count++];
}

// Symmetry: whom those who stand there keep away.
static void look_at_others(struct outlook *outlook, const struct api_object *pod)
{
    const struct board *board = outlook->board;
    for (size_t i = 0; i < board->pod_count; i++) {
        const struct standing *other = &board->pods[i];
        const cJSON *term;
        cJSON_ArrayForEach(term, terms_of(other->pod, "podAntiAffinity"))
        {
            if (term_means(board, term, other->pod, other->space, pod->document->json, pod->space))
                count_at(others_by(outlook, json_text(term, "topologyKey")), board, other->seat);
        }
    }
}

// ---- spread

static bool has_all_keys(const struct outlook *outlook, size_t seat)
{
    for (size_t i = 0; i < outlook->spread_count; i++) {
        if (value_at(outlook->board, seat, outlook->spreads[i].domains.key) == NULL)
            return false;
    }
    return true;
}

static bool included(const struct spread *spread, const cJSON *pod, const cJSON *node)
{
    bool honor_affinity = strcmp(json_text(spread->constraint, "nodeAffinityPolicy"), "Ignore") != 0;
    bool honor_taints = strcmp(json_text(spread->constraint, "nodeTaintsPolicy"), "Honor") == 0;
    return (!honor_affinity || board_affinity_holds(pod, node)) &&
           (!honor_taints || taints_tolerated(pod, json_at(node, "spec.taints"), true, true, NULL));
}

static void count_spread(struct outlook *outlook, struct spread *spread, const struct api_object *pod)
{
    const struct board *board = outlook->board;
    bool *counts = xcalloc(board->seat_count + 1, sizeof *counts);
    for (size_t seat = 0; seat < board->seat_count; seat++) {
        counts[seat] = has_all_keys(outlook, seat) &&
                       included(spread, pod->document->json, board->seats[seat].node->document->json);
        if (counts[seat])
            domain_of(&spread->domains, value_at(board, seat, spread->domains.key), true);
    }
    for (size_t i = 0; i < board->pod_count; i++) {
        const struct standing *other = &board->pods[i];
        if (counts[other->seat] && strcmp(other->space, pod->space) == 0 && !pod_is_leaving(other->pod) &&
            labels_meant(spread->constraint, pod->document->json, other->pod))
            count_at(&spread->domains, board, other->seat);
    }
    free(counts);
    spread->least = spread->domains.count == 0 ? 0 : INT64_MAX;
    for (size_t i = 0; i < spread->domains.count; i++) {
        if (spread->domains.items[i].pods < spread->least)
            spread->least = spread->domains.items[i].pods;
    }
    if ((int64_t)spread->domains.count < json_number(spread->constraint, "minDomains", 1))
        spread->least = 0;
}

static void look_at_spread(struct outlook *outlook, const struct api_object *pod)
{
    const cJSON *constraints = json_at(pod->document->json, "spec.topologySpreadConstraints");
    outlook->spreads = xcalloc((size_t)cJSON_GetArraySize(constraints) + 1, sizeof *outlook->spreads);
    const cJSON *constraint;
    cJSON_ArrayForEach(constraint, constraints)
    {
        if (strcmp(json_text(constraint, "whenUnsatisfiable"), "DoNotSchedule") != 0)
            continue;
        outlook->spreads[outlook->spread_count++] = (struct spread){
            .constraint = constraint,
            .domains = {.key = json_text(constraint, "topologyKey")},
            .skew_max = json_number(constraint, "maxSkew", 1),
            .own = labels_meant(constraint, pod->document->json, pod->document->json) ? 1 : 0,
        };
    }
    for (size_t i = 0; i < outlook->spread_count; i++)
        count_spread(outlook, &outlook->spreads[i], pod);
}

// ---- made, asked, destroyed

struct outlook *outlook_create(const struct board *board, const struct api_object *pod)
{
    struct outlook *outlook = xcalloc(1, sizeof *outlook);
    outlook->board = board;
    look_for_friends(outlook, pod);
    look_for_foes(outlook, pod);
    look_at_others(outlook, pod);
    look_at_spread(outlook, pod);
    return outlook;
}

static void free_domains(struct domains *domains, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(domains[i].items);
    free(domains);
}

void outlook_destroy(struct outlook *outlook)
{
    free_domains(outlook->with, outlook->with_count);
    free_domains(outlook->apart, outlook->apart_count);
    free_domains(outlook->others, outlook->others_count);
    for (size_t i = 0; i < outlook->spread_count; i++)
        free(outlook->spreads[i].domains.items);
    free(outlook->spreads);
    free(outlook);
}

static bool stands_in_one(const struct outlook *outlook, const struct domains *domains, size_t count,
                          size_t seat)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = value_at(outlook->board, seat, domains[i].key);
        if (value != NULL && pods_at(&domains[i], value) > 0)
            return true;
    }
    return false;
}

// All terms need a domain where a pod stands that all terms mean; the first of a group of pods that mean each
// other may go anywhere that has the keys.
static bool friends_there(const struct outlook *outlook, size_t seat)
{
    bool found = true;
    for (size_t i = 0; i < outlook->with_count; i++) {
        const char *value = value_at(outlook->board, seat, outlook->with[i].key);
        if (value == NULL)
            return false;
        found = found && pods_at(&outlook->with[i], value) > 0;
    }
    return found || (outlook->matched == 0 && outlook->means_itself);
}

static bool spread_holds(const struct outlook *outlook, size_t seat)
{
    for (size_t i = 0; i < outlook->spread_count; i++) {
        const struct spread *spread = &outlook->spreads[i];
        const char *value = value_at(outlook->board, seat, spread->domains.key);
        if (value == NULL ||
            pods_at(&spread->domains, value) + spread->own - spread->least > spread->skew_max)
            return false;
    }
    return true;
}

enum miss outlook_check(const struct outlook *outlook, size_t seat)
{
    if (!spread_holds(outlook, seat))
        return MISS_SPREAD;
    if (!friends_there(outlook, seat))
        return MISS_POD_AFFINITY;
    if (stands_in_one(outlook, outlook->apart, outlook->apart_count, seat))
        return MISS_POD_ANTI_AFFINITY;
    if (stands_in_one(outlook, outlook->others, outlook->others_count, seat))
        return MISS_OTHERS_ANTI_AFFINITY;
    return FITS;
}
