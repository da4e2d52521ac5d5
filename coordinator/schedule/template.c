#include "coordinator/schedule/template.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/resources.h"

#define MIB                (INT64_C(1) << 20)
#define GIB                (INT64_C(1) << 30)
#define GB                 INT64_C(1000000000)
#define PODS_DEFAULT       110 // the kubelet's --max-pods
#define HOURS_PER_MONTH    730.0
#define LABELS_LEARNED_MAX 10u
#define LABELS_OURS        5u
#define KEY_HOSTNAME       "kubernetes.io/hostname"
#define KEY_OS             "kubernetes.io/os"
#define KEY_ARCH           "kubernetes.io/arch"
#define KEY_INSTANCE_TYPE  "node.kubernetes.io/instance-type"

// What the kubelet derives from the machine or the cloud, and a new machine of the group will have, too.
static const char *const learned_keys[] = {
    "beta.kubernetes.io/arch",       "beta.kubernetes.io/os",       KEY_ARCH,         KEY_OS,
    "topology.kubernetes.io/region", "topology.kubernetes.io/zone", (KEY_DATACENTER),
};
// What else says where a machine is: a storage driver's own zones. Such a label can also be one machine's
// alone.
#define PREFIX_TOPOLOGY "topology."
// So many other nodes of the group must agree on it, as far as there are so many.
#define WITNESSES_MAX 8u
// These follow the size: learned only from a node of the same size.
static const char *const learned_size_keys[] = {
    "beta.kubernetes.io/instance-type",
    KEY_INSTANCE_TYPE,
    KEY_OFFERING,
};

// ---- the size: an offer of the data centre, or what a VPSie group says of itself

struct size {
    bool known;
    const char *name;
    int64_t cpu_millis, memory_bytes, disk_bytes;
    double price_hour;
};

static const struct vpsie_group_facts *group_of_size(const struct cloud_cluster *cloud, int64_t size_id)
{
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++) {
        if (cloud->groups[i].size_id == size_id && !cloud->groups[i].deleted)
            return &cloud->groups[i];
    }
    return NULL;
}

static const struct offer_facts *offer_of_size(const struct cloud_offers *offers, int64_t size_id)
{
    for (uint32_t i = 0; offers != NULL && i < offers->offer_count; i++) {
        if (offers->offers[i].id == size_id)
            return &offers->offers[i];
    }
    return NULL;
}

static struct size find_size(const struct cluster *cluster, const struct group *group, int64_t size_id)
{
    const struct offer_facts *offer =
        offer_of_size(cluster_offers(cluster, group->facts.datacenter_id), size_id);
    if (offer != NULL) {
        return (struct size){
            .known = offer->cpu > 0 && offer->memory_mb > 0,
            .name = offer->name,
            .cpu_millis = offer->cpu * INT64_C(1000),
            .memory_bytes = offer->memory_mb * MIB,
            .disk_bytes = offer->disk_gb * GB,
            .price_hour = offer->price_hour > 0 ? offer->price_hour : offer->price_month / HOURS_PER_MONTH,
        };
    }
    const struct vpsie_group_facts *facts =
        group_of_size(cluster_cloud(cluster, group->facts.resource_identifier), size_id);
    if (facts == NULL)
        return (struct size){.name = ""};
    return (struct size){
        .known = facts->cpu > 0 && facts->memory_mb > 0,
        .name = "",
        .cpu_millis = facts->cpu * INT64_C(1000),
        .memory_bytes = facts->memory_mb * MIB,
        .disk_bytes = facts->disk_gb * GB,
    };
}

// ---- live nodes to learn from

// The size that VPSie says the node's machine was ordered with; 0: it does not say.
static int64_t ordered_size(const struct cluster *cluster, const struct node *node)
{
    const struct intention *intention = node->intention;
    if (intention == NULL || intention->facts.vpsie_group_id == 0)
        return 0;
    const struct cloud_cluster *cloud = cluster_cloud(cluster, intention->facts.resource_identifier);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++) {
        if (cloud->groups[i].id == intention->facts.vpsie_group_id)
            return cloud->groups[i].size_id;
    }
    return 0;
}

// A machine shows its cores as they are, and a little less memory than it was sold with (firmware, kernel).
static bool looks_like(const struct node *node, const struct size *size)
{
    return node->capacity.cpu_millis == size->cpu_millis &&
           node->capacity.memory_bytes <= size->memory_bytes + size->memory_bytes / 50 &&
           node->capacity.memory_bytes >= size->memory_bytes / 4 * 3;
}

static bool is_teacher(const struct node *node)
{
    return node->ready == NODE_READY_TRUE && node->deletion_ms == 0 && node->allocatable.cpu_millis > 0 &&
           node->allocatable.memory_bytes > 0 && node->allocatable.pods > 0;
}

static bool has_size(const struct cluster *cluster, const struct node *node, const struct size *size,
                     int64_t size_id)
{
    int64_t ordered = ordered_size(cluster, node);
    return ordered != 0 ? ordered == size_id : size->known && looks_like(node, size);
}

static const struct node *younger(const struct node *a, const struct node *b)
{
    return a == NULL || b->created_ms > a->created_ms ? b : a;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct lesson {
    const struct node *of_group;                 // the youngest of the group, whatever its size
    const struct node *witnesses[WITNESSES_MAX]; // others of the group
    uint32_t witness_count;
    const struct node *of_size; // the youngest of the size, in the group if there is one
    bool of_size_in_group;
    struct resources allocatable; // of all nodes of the size, in the group if there is one: the least of each
};

static void learn_size(struct lesson *lesson, const struct node *node, bool in_group)
{
    if (lesson->of_size_in_group && !in_group)
        return;
    if (lesson->of_size == NULL || in_group != lesson->of_size_in_group) {
        lesson->of_size = node;
        lesson->of_size_in_group = in_group;
        lesson->allocatable = node->allocatable;
        return;
    }
    struct resources *least = &lesson->allocatable;
    lesson->of_size = younger(lesson->of_size, node);
    least->cpu_millis = smaller(least->cpu_millis, node->allocatable.cpu_millis);
    least->memory_bytes = smaller(least->memory_bytes, node->allocatable.memory_bytes);
    least->ephemeral_bytes = smaller(least->ephemeral_bytes, node->allocatable.ephemeral_bytes);
    least->pods = smaller(least->pods, node->allocatable.pods);
    least->extended = lesson->of_size->allocatable.extended;
    least->extended_count = lesson->of_size->allocatable.extended_count;
}

static void learn_group(struct lesson *lesson, const struct node *node)
{
    if (lesson->witness_count < WITNESSES_MAX)
        lesson->witnesses[lesson->witness_count++] = node;
    lesson->of_group = younger(lesson->of_group, node);
}

static struct lesson learn(const struct cluster *cluster, const struct group *group, const struct size *size,
                           int64_t size_id)
{
    struct lesson lesson = {0};
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        if (!is_teacher(node))
            continue;
        if (node->group == group)
            learn_group(&lesson, node);
        if (has_size(cluster, node, size, size_id))
            learn_size(&lesson, node, node->group == group);
    }
    return lesson;
}

// ---- before the first: a default reserve
//
// The stepwise reserve that managed Kubernetes services publish for their own nodes, which is on the careful
// side of what kubeadm-made nodes reserve: of cpu 6 % of the first core, 1 % of the second, 0.5 % of the next
// two and 0.25 % of the others, and 60 millis for what runs beside; of memory a quarter of the first 4 GiB, a
// fifth of the next 4, a tenth of the next 8, 6 % of the next 112 and 2 % of the rest, and 100 MiB (the
// kubelet's eviction threshold); of the disk 15 % (its eviction threshold and the filesystem itself).

struct step {
    int64_t width; // INT64_MAX: all the rest
    int64_t part_of_10000;
};

static int64_t reserve(int64_t amount, const struct step *steps, size_t count)
{
    int64_t reserved = 0;
    for (size_t i = 0; i < count && amount > 0; i++) {
        int64_t here = smaller(amount, steps[i].width);
        reserved += here / 10000 * steps[i].part_of_10000 + here % 10000 * steps[i].part_of_10000 / 10000;
        amount -= here;
    }
    return reserved;
}

static struct resources default_allocatable(const struct size *size)
{
    static const struct step cpu[] = {{1000, 600}, {1000, 100}, {2000, 50}, {INT64_MAX, 25}};
    static const struct step memory[] = {
        {4 * GIB, 2500}, {4 * GIB, 2000}, {8 * GIB, 1000}, {112 * GIB, 600}, {INT64_MAX, 200}};
    int64_t cpu_reserved = 60 + reserve(size->cpu_millis, cpu, sizeof(cpu) / sizeof(cpu[0]));
    int64_t memory_reserved =
        100 * MIB + reserve(size->memory_bytes, memory, sizeof(memory) / sizeof(memory[0]));
    return (struct resources){
        .cpu_millis = size->cpu_millis > cpu_reserved ? size->cpu_millis - cpu_reserved : 0,
        .memory_bytes = size->memory_bytes > memory_reserved ? size->memory_bytes - memory_reserved : 0,
        .ephemeral_bytes = size->disk_bytes / 100 * 85,
        .pods = PODS_DEFAULT,
    };
}

// ---- labels

struct label_list {
    struct label *items;
    uint32_t count;
};

static void set_label(struct label_list *list, const char *key, const char *value)
{
    uint32_t at = 0;
    while (at < list->count && strcmp(list->items[at].key, key) < 0)
        at++;
    if (at == list->count || strcmp(list->items[at].key, key) != 0) {
        memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof(*list->items));
        list->count++;
    }
    list->items[at] = (struct label){key, value};
}

static void learn_labels(struct label_list *list, const struct node *node, const char *const *keys,
                         size_t count)
{
    for (size_t i = 0; node != NULL && i < count; i++) {
        const char *value = labels_get(&node->labels, keys[i]);
        if (value != NULL)
            set_label(list, keys[i], value);
    }
}

static bool all_agree(const struct lesson *lesson, const struct label *label)
{
    if (lesson->witness_count < 2)
        return strcmp(label->value, lesson->of_group->name) != 0;
    for (uint32_t i = 0; i < lesson->witness_count; i++) {
        const char *value = labels_get(&lesson->witnesses[i]->labels, label->key);
        if (value == NULL || strcmp(value, label->value) != 0)
            return false;
    }
    return true;
}

static void learn_topology(struct label_list *list, const struct lesson *lesson)
{
    for (uint32_t i = 0; lesson->of_group != NULL && i < lesson->of_group->labels.count; i++) {
        const struct label *label = &lesson->of_group->labels.items[i];
        if (strncmp(label->key, PREFIX_TOPOLOGY, strlen(PREFIX_TOPOLOGY)) == 0 && all_agree(lesson, label))
            set_label(list, label->key, label->value);
    }
}

// Later ones win: the default, what was learned, the group's own, ours.
static const struct labels *make_labels(struct arena *arena, const struct group *group,
                                        const struct lesson *lesson, int64_t size_id)
{
    uint32_t room = group->facts.node_labels.count + LABELS_LEARNED_MAX + LABELS_OURS;
    if (lesson->of_group != NULL)
        room += lesson->of_group->labels.count;
    struct label_list list = {.items = ARENA_ARRAY(arena, struct label, room)};
    set_label(&list, KEY_OS, "linux");
    set_label(&list, KEY_ARCH, "amd64");
    learn_topology(&list, lesson);
    learn_labels(&list, lesson->of_group, learned_keys, sizeof(learned_keys) / sizeof(learned_keys[0]));
    if (lesson->of_size_in_group) {
        learn_labels(&list, lesson->of_size, learned_size_keys,
                     sizeof(learned_size_keys) / sizeof(learned_size_keys[0]));
    }
    for (uint32_t i = 0; i < group->facts.node_labels.count; i++)
        set_label(&list, group->facts.node_labels.items[i].key, group->facts.node_labels.items[i].value);
    set_label(&list, KEY_MANAGED, "true");
    set_label(&list, KEY_NODEGROUP, group->facts.name);
    set_label(&list, KEY_HOSTNAME,
              arena_printf(arena, "new.%s.%s.%" PRId64, group->facts.space, group->facts.name, size_id));
    struct labels *labels = ARENA_NEW(arena, struct labels);
    *labels = (struct labels){.items = list.items, .count = list.count};
    return labels;
}

// ---- what will run there before any pod of the user's

struct residents {
    const struct pod_shape **shapes;
    uint32_t count;
};

static uint32_t count_mirrors(const struct node *node)
{
    uint32_t count = 0;
    for (const struct pod *pod = node == NULL ? NULL : node->pods; pod != NULL; pod = pod->next)
        count += pod->mirror && !pod->terminal;
    return count;
}

// DaemonSet pods that land there, and the static pods that a machine of its kind runs.
static struct residents find_residents(struct arena *arena, const struct cluster *cluster,
                                       const struct place *place, const struct node *learned_from)
{
    uint32_t room = cluster->daemonset_count + count_mirrors(learned_from);
    struct residents residents = {.shapes = ARENA_ARRAY(arena, const struct pod_shape *, room)};
    for (uint32_t i = 0; i < cluster->daemonset_count; i++) {
        const struct daemonset *daemonset = cluster->daemonsets[i];
        if (daemonset->being_deleted)
            continue;
        enum placement_verdict verdict = placement_check_static(daemonset->shape, place).verdict;
        if (verdict == PLACEMENT_FITS || verdict == PLACEMENT_BEYOND) // it will get there by rules of its own
            residents.shapes[residents.count++] = daemonset->shape;
    }
    const struct pod *pod = learned_from == NULL ? NULL : learned_from->pods;
    for (; pod != NULL; pod = pod->next) {
        if (pod->mirror && !pod->terminal)
            residents.shapes[residents.count++] = pod->shape;
    }
    return residents;
}

static struct resources overhead(struct arena *arena, const struct residents *residents)
{
    struct resources sum = {0};
    for (uint32_t i = 0; i < residents->count; i++)
        resources_add(&sum, &residents->shapes[i]->facts.requests);
    struct resources copy = resources_copy(arena, &sum);
    resources_free(&sum);
    return copy;
}

// The drivers of a new machine, as a live one of its kind has them.
static void learn_attach_limits(struct place *place, const struct cluster *cluster,
                                const struct lesson *lesson)
{
    const struct node *teacher =
        lesson->of_size_in_group || lesson->of_group == NULL ? lesson->of_size : lesson->of_group;
    const struct csi_node *drivers = teacher == NULL ? NULL : cluster_csi_node(cluster, teacher->name);
    if (drivers == NULL)
        return;
    place->attach_limits = drivers->facts.drivers;
    place->attach_limit_count = drivers->facts.driver_count;
}

static const char *say_unknown(struct arena *arena, const struct group *group, const struct size *size,
                               int64_t size_id)
{
    if (size->known)
        return "";
    if (size_id == 0)
        return "no size is set (kubeSizeID)";
    return arena_printf(arena, "size %" PRId64 " is not in VPSie's offers for data center %s", size_id,
                        group->facts.datacenter_id);
}

struct template_node template_create(struct arena *arena, const struct cluster *cluster,
                                     const struct group *group, int64_t size_id)
{
    assert(arena != NULL && cluster != NULL && group != NULL);
    struct size size = find_size(cluster, group, size_id);
    struct lesson lesson = learn(cluster, group, &size, size_id);
    struct resources *allocatable = ARENA_NEW(arena, struct resources);
    if (lesson.of_size != NULL)
        *allocatable = resources_copy(arena, &lesson.allocatable);
    else if (size.known)
        *allocatable = default_allocatable(&size);
    struct template_node template = {
        .place =
            {
                .name = "",
                .labels = make_labels(arena, group, &lesson, size_id),
                .taints = &group->facts.node_taints,
                .allocatable = allocatable,
                .ready = true,
            },
        .size_id = size_id,
        .size_name = size.name,
        .price_hour = size.price_hour,
        .learned_from = lesson.of_size == NULL ? "" : lesson.of_size->name,
        .unknown = lesson.of_size != NULL ? "" : say_unknown(arena, group, &size, size_id),
    };
    struct residents residents =
        find_residents(arena, cluster, &template.place, lesson.of_size_in_group ? lesson.of_size : NULL);
    template.place.used = overhead(arena, &residents);
    template.place.residents = residents.shapes;
    template.place.resident_count = residents.count;
    learn_attach_limits(&template.place, cluster, &lesson);
    return template;
}
