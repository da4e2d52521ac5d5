#include "coordinator/schedule/volumes.h"

#include <assert.h>
#include <string.h>

#include "coordinator/schedule/lookup.h"

struct user { // how many pods have a ReadWriteOncePod claim
    const struct claim *claim;
    uint32_t pods;
};

struct attached { // a volume; or one that will be made for a claim
    const char *driver;
    const char *space; // of the claim, "" for a volume
    const char *handle;
};

struct attached_list {
    struct attached *items;
    uint32_t count, capacity;
};

struct node_volumes {
    const struct node *node;
    struct attached_list list;
};

struct volumes {
    struct arena *arena;
    const struct cluster *cluster;
    bool users_known; // from the first pod on that has such a claim
    struct lookup users;
    struct lookup nodes;                // of struct node_volumes: what their own pods have
    struct attached_list there, wanted; // of one check
};

struct volumes *volumes_create(struct arena *arena, const struct cluster *cluster)
{
    struct volumes *volumes = ARENA_NEW(arena, struct volumes);
    *volumes =
        (struct volumes){.arena = arena, .cluster = cluster, .users.arena = arena, .nodes.arena = arena};
    return volumes;
}

// ---- ReadWriteOncePod

static struct user *user_of(struct volumes *volumes, const struct claim *claim)
{
    uint64_t hash = lookup_hash_pointer(claim);
    struct user *user;
    for (uint32_t cursor = 0; (user = lookup_next(&volumes->users, hash, &cursor)) != NULL;) {
        if (user->claim == claim)
            return user;
    }
    user = ARENA_NEW(volumes->arena, struct user);
    user->claim = claim;
    lookup_add(&volumes->users, hash, user);
    return user;
}

void volumes_change(struct volumes *volumes, const struct pod *pod, bool coming)
{
    for (uint32_t i = 0; volumes->users_known && i < pod->claim_count; i++) {
        const struct claim *claim = cluster_claim(volumes->cluster, pod->space, pod->claims[i]);
        if (claim == NULL || !claim->facts.one_pod_only)
            continue;
        struct user *user = user_of(volumes, claim);
        assert(coming || user->pods > 0);
        user->pods = coming ? user->pods + 1 : user->pods - 1;
    }
}

void volumes_change_node(struct volumes *volumes, const struct node *node, bool coming)
{
    for (const struct pod *pod = volumes->users_known ? node->pods : NULL; pod != NULL; pod = pod->next) {
        if (!pod->terminal)
            volumes_change(volumes, pod, coming);
    }
}

static void meet_user(void *context, const struct pod *pod)
{
    volumes_change(context, pod, true);
}

static bool in_use(struct volumes *volumes, const struct picture *picture, const struct claim *claim)
{
    if (!volumes->users_known) {
        volumes->users_known = true;
        picture_visit(picture, meet_user, volumes);
    }
    return user_of(volumes, claim)->pods > 0;
}

// ---- the claims by themselves

static bool is_bound(const struct claim *claim)
{
    return claim->facts.bound && claim->facts.volume_name[0] != '\0';
}

static struct placement fails(const char *claim, enum placement_volume why)
{
    return (struct placement){.verdict = PLACEMENT_VOLUME, .volume = why, .claim = claim};
}

static struct placement check_claim(struct volumes *volumes, const struct picture *picture,
                                    const struct pod *pod, const char *name)
{
    const struct claim *claim = cluster_claim(volumes->cluster, pod->space, name);
    if (claim == NULL)
        return fails(name, PLACEMENT_VOLUME_MISSING);
    if (claim->facts.deletion_ms != 0)
        return fails(name, PLACEMENT_VOLUME_GOING);
    if (claim->facts.lost)
        return fails(name, PLACEMENT_VOLUME_LOST);
    if (claim->facts.one_pod_only && in_use(volumes, picture, claim))
        return fails(name, PLACEMENT_VOLUME_IN_USE);
    if (is_bound(claim)) {
        bool there = cluster_volume(volumes->cluster, claim->facts.volume_name) != NULL;
        return there ? (struct placement){.verdict = PLACEMENT_FITS} : fails(name, PLACEMENT_VOLUME_LOST);
    }
    const struct storage_class *class = cluster_storage_class(volumes->cluster, claim->facts.class_name);
    // a claim that names its volume is bound before its pod is scheduled, whatever its class
    if (class == NULL || !class->facts.waits_for_consumer || claim->facts.volume_name[0] != '\0')
        return fails(name, PLACEMENT_VOLUME_UNBOUND);
    if (class->facts.no_provisioner)
        return fails(name, PLACEMENT_VOLUME_NOT_MADE);
    return (struct placement){.verdict = PLACEMENT_FITS};
}

struct placement volumes_check_claims(struct volumes *volumes, const struct picture *picture,
                                      const struct pod *pod)
{
    for (uint32_t i = 0; i < pod->claim_count; i++) {
        struct placement placement = check_claim(volumes, picture, pod, pod->claims[i]);
        if (placement.verdict != PLACEMENT_FITS)
            return placement;
    }
    return (struct placement){.verdict = PLACEMENT_FITS};
}

// ---- zones and other bounds of a volume

static const char *const zone_keys[][2] = {
    // as a volume's label says it, and the newer name that a node may have instead
    {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
    {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
    {"topology.kubernetes.io/region", NULL},
    {"topology.kubernetes.io/zone", NULL},
};
#define ZONE_KEYS (sizeof(zone_keys) / sizeof(zone_keys[0]))

static bool has_zones(const struct place *place)
{
    for (size_t i = 0; i < ZONE_KEYS; i++) {
        if (labels_get(place->labels, zone_keys[i][0]) != NULL)
            return true;
    }
    return false;
}

// "a__b": any of them.
static bool among(const char *zones, const char *zone)
{
    size_t length = strlen(zone);
    for (const char *at = zones; at != NULL;) {
        const char *end = strstr(at, "__");
        size_t bytes = end == NULL ? strlen(at) : (size_t)(end - at);
        if (bytes == length && strncmp(at, zone, length) == 0)
            return true;
        at = end == NULL ? NULL : end + 2;
    }
    return false;
}

static const struct label *wrong_zone(const struct volume *volume, const struct place *place)
{
    const struct labels *labels = &volume->facts.labels;
    for (uint32_t i = 0; i < labels->count; i++) {
        const struct label *label = &labels->items[i];
        for (size_t k = 0; k < ZONE_KEYS; k++) {
            if (strcmp(zone_keys[k][0], label->key) != 0)
                continue;
            const char *zone = labels_get(place->labels, label->key);
            if (zone == NULL && zone_keys[k][1] != NULL)
                zone = labels_get(place->labels, zone_keys[k][1]);
            if (zone == NULL || !among(label->value, zone))
                return label;
        }
    }
    return NULL;
}

static const char *only_value(const struct volume_facts *facts, const char *key)
{
    const struct node_term *term = facts->affinity_terms;
    for (uint32_t i = 0; key != NULL && facts->affinity_term_count == 1 && i < term->expression_count; i++) {
        const struct requirement *requirement = &term->expressions[i];
        if (strcmp(requirement->key, key) == 0 && requirement->operator== SELECTOR_IN &&
                                                  requirement->value_count == 1)
            return requirement->values[0];
    }
    return NULL;
}

static struct placement check_bound(const struct volumes *volumes, const struct claim *claim,
                                    const struct place *place, bool zones)
{
    const struct volume *volume = cluster_volume(volumes->cluster, claim->facts.volume_name);
    assert(volume != NULL);
    struct placement placement = fails(claim->facts.name, PLACEMENT_VOLUME_ELSEWHERE);
    if (volume->facts.has_affinity &&
        !placement_terms_match(volume->facts.affinity_terms, volume->facts.affinity_term_count, place,
                               &placement.key)) {
        placement.value = only_value(&volume->facts, placement.key);
        return placement;
    }
    const struct label *label = zones ? wrong_zone(volume, place) : NULL;
    if (label == NULL)
        return (struct placement){.verdict = PLACEMENT_FITS};
    placement.key = label->key;
    placement.value = label->value;
    return placement;
}

static struct placement check_unbound(const struct volumes *volumes, const struct claim *claim,
                                      const struct place *place)
{
    const char *planned = claim->facts.selected_node;
    if (planned[0] != '\0' && strcmp(planned, place->name) != 0) {
        struct placement placement = fails(claim->facts.name, PLACEMENT_VOLUME_PLANNED);
        placement.value = planned;
        return placement;
    }
    const struct storage_class *class = cluster_storage_class(volumes->cluster, claim->facts.class_name);
    assert(class != NULL);
    if (class->facts.allowed_topology_count > 0 &&
        !placement_terms_match(class->facts.allowed_topologies, class->facts.allowed_topology_count, place,
                               NULL))
        return fails(claim->facts.name, PLACEMENT_VOLUME_TOPOLOGY);
    return (struct placement){.verdict = PLACEMENT_FITS};
}

// ---- how many volumes a node can hold

static bool is_attached(const struct attached_list *list, const struct attached *one)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct attached *known = &list->items[i];
        if (strcmp(known->handle, one->handle) == 0 && strcmp(known->driver, one->driver) == 0 &&
            strcmp(known->space, one->space) == 0)
            return true;
    }
    return false;
}

static void attach(struct arena *arena, struct attached_list *list, const struct attached *one)
{
    if (is_attached(list, one))
        return;
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct attached *items = ARENA_ARRAY(arena, struct attached, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *one;
}

static void attach_pod(struct volumes *volumes, struct attached_list *list, const struct pod *pod)
{
    for (uint32_t i = 0; i < pod->claim_count; i++) {
        const struct claim *claim = cluster_claim(volumes->cluster, pod->space, pod->claims[i]);
        if (claim == NULL)
            continue;
        const struct volume *volume =
            is_bound(claim) ? cluster_volume(volumes->cluster, claim->facts.volume_name) : NULL;
        const struct storage_class *class =
            is_bound(claim) ? NULL : cluster_storage_class(volumes->cluster, claim->facts.class_name);
        struct attached one = {.driver = ""};
        if (volume != NULL)
            one = (struct attached){volume->facts.driver, "", volume->facts.handle};
        else if (class != NULL && !class->facts.no_provisioner)
            one = (struct attached){class->facts.provisioner, pod->space, claim->facts.name};
        if (one.driver[0] != '\0')
            attach(volumes->arena, list, &one);
    }
}

static const struct attached_list *attached_to(struct volumes *volumes, const struct node *node)
{
    uint64_t hash = lookup_hash_pointer(node);
    struct node_volumes *known;
    for (uint32_t cursor = 0; (known = lookup_next(&volumes->nodes, hash, &cursor)) != NULL;) {
        if (known->node == node)
            return &known->list;
    }
    known = ARENA_NEW(volumes->arena, struct node_volumes);
    known->node = node;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        if (!pod->terminal && pod->claim_count > 0)
            attach_pod(volumes, &known->list, pod);
    }
    lookup_add(&volumes->nodes, hash, known);
    return &known->list;
}

static uint32_t count_of(const struct attached_list *list, const char *driver)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        count += strcmp(list->items[i].driver, driver) == 0;
    return count;
}

static void list_limits(const struct volumes *volumes, const struct place *place,
                        const struct csi_driver_limit **limits, uint32_t *count)
{
    const struct csi_node *node =
        place->node == NULL ? NULL : cluster_csi_node(volumes->cluster, place->node->name);
    *limits = node != NULL ? node->facts.drivers : place->attach_limits;
    *count = node != NULL ? node->facts.driver_count : place->attach_limit_count;
}

static struct placement check_limits(struct volumes *volumes, const struct pod *pod,
                                     const struct place *place, const struct put *puts)
{
    const struct csi_driver_limit *limits;
    uint32_t limit_count;
    list_limits(volumes, place, &limits, &limit_count);
    if (limit_count == 0)
        return (struct placement){.verdict = PLACEMENT_FITS};
    volumes->wanted.count = volumes->there.count = 0;
    attach_pod(volumes, &volumes->wanted, pod);
    const struct attached_list *own = place->node == NULL ? NULL : attached_to(volumes, place->node);
    for (uint32_t i = 0; own != NULL && i < own->count; i++)
        attach(volumes->arena, &volumes->there, &own->items[i]);
    for (; puts != NULL; puts = puts->site_next) {
        if (puts->pod != NULL && puts->pod->claim_count > 0)
            attach_pod(volumes, &volumes->there, puts->pod);
    }
    for (uint32_t i = 0; i < limit_count; i++) {
        const char *driver = limits[i].driver;
        int64_t more = 0;
        for (uint32_t j = 0; j < volumes->wanted.count; j++) {
            const struct attached *one = &volumes->wanted.items[j];
            more += strcmp(one->driver, driver) == 0 && !is_attached(&volumes->there, one);
        }
        int64_t asked = more + count_of(&volumes->there, driver);
        if (more > 0 && limits[i].volumes_max >= 0 && asked > limits[i].volumes_max)
            return (struct placement){.verdict = PLACEMENT_ATTACH_LIMIT,
                                      .lack = {driver, asked, limits[i].volumes_max}};
    }
    return (struct placement){.verdict = PLACEMENT_FITS};
}

struct placement volumes_check(struct volumes *volumes, const struct pod *pod, const struct place *place,
                               const struct put *puts)
{
    bool zones = has_zones(place);
    for (uint32_t i = 0; i < pod->claim_count; i++) {
        const struct claim *claim = cluster_claim(volumes->cluster, pod->space, pod->claims[i]);
        if (claim == NULL)
            return fails(pod->claims[i], PLACEMENT_VOLUME_MISSING);
        struct placement placement = is_bound(claim) ? check_bound(volumes, claim, place, zones)
                                                     : check_unbound(volumes, claim, place);
        if (placement.verdict != PLACEMENT_FITS)
            return placement;
    }
    return check_limits(volumes, pod, place, puts);
}
