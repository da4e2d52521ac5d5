#include "tests/bench/decide_cluster.h"

#include <string.h>

#include "coordinator/model/cluster.h"
#include "coordinator/model/table.h"

#define MIB               (INT64_C(1) << 20)
#define KEY_HOSTNAME      "kubernetes.io/hostname"
#define KEY_ZONE          "topology.kubernetes.io/zone"
#define NODE_CPU_MILLIS   7800
#define NODE_MEMORY_BYTES (INT64_C(29) << 30)
#define APPS              7u // values of the one label of Karpenter's pods

struct bench_options bench_options_default(void)
{
    return (struct bench_options){.seed = 1,
                                  .nodes = 5000,
                                  .pods = 150000,
                                  .pending = 10000,
                                  .kinds = 50,
                                  .groups = 9,
                                  .offers = 8,
                                  .affinity = 0.07,
                                  .anti_affinity = 0.07,
                                  .spread = 0.06,
                                  .volumes = 0.02,
                                  .filled = 0.95};
}

// The same for the same seed and subject, whatever was drawn before.
static uint32_t draw(const struct bench_options *options, const char *what, uint64_t subject, uint32_t below)
{
    uint64_t hash = hash_number(hash_text(hash_number(HASH_SEED, options->seed), what), subject);
    hash ^= hash >> 31;
    hash *= 0x9e3779b97f4a7c15ull;
    return (uint32_t)((hash >> 33) % below);
}

static const char *zone_name(uint32_t zone)
{
    static const char *const names[BENCH_ZONES] = {"zone-a", "zone-b", "zone-c"};
    return names[zone % BENCH_ZONES];
}

static struct event *object(enum object_kind kind)
{
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = kind;
    return event;
}

// ---- offers

uint32_t bench_offer_of_nodes(const struct bench_options *options)
{
    return options->offers > 3 ? 3 : options->offers - 1; // 8 cores, 32 GiB
}

struct offer_facts bench_offer(const struct bench_options *options, struct arena *arena, uint32_t index)
{
    if (options->karpenter) {
        int32_t cores = (int32_t)index + 1;
        int64_t memory_mb = 2048 * (int64_t)cores;
        return (struct offer_facts){.id = 1 + index,
                                    .name = arena_printf(arena, "fake-%u", index),
                                    .cpu = cores,
                                    .memory_mb = memory_mb,
                                    .disk_gb = 100,
                                    .price_hour = 0.1 * cores + 0.1 * (double)memory_mb / 1024.0};
    }
    int32_t cores = (int32_t)(2 * (index + 1));
    int64_t memory_mb = (int64_t)cores * (index % 3 == 1 ? 2048 : 4096);
    return (struct offer_facts){.id = 1 + index,
                                .name = arena_printf(arena, "size-%dc", cores),
                                .cpu = cores,
                                .memory_mb = memory_mb,
                                .disk_gb = 160,
                                .price_hour = 0.012 * cores + 0.003 * (double)memory_mb / 1024.0};
}

// ---- groups, nodes, machines

static const char *group_name(struct arena *arena, uint32_t group)
{
    return arena_printf(arena, "group-%02u", group);
}

static const char *datacenter_name(struct arena *arena, uint32_t group)
{
    return arena_printf(arena, "dc-%s", zone_name(group));
}

static struct event *group_event(const struct bench_options *options, uint32_t index)
{
    struct event *event = object(OBJECT_NODEGROUP);
    struct arena *arena = event->arena;
    struct nodegroup_facts *facts = ARENA_NEW(arena, struct nodegroup_facts);
    const char **offerings = ARENA_ARRAY(arena, const char *, options->offers);
    for (uint32_t i = 0; i < options->offers; i++)
        offerings[i] = arena_printf(arena, "%u", i + 1);
    struct label *labels = ARENA_ARRAY(arena, struct label, 1);
    labels[0] = (struct label){KEY_ZONE, zone_name(index)};
    *facts = (struct nodegroup_facts){.space = "kube-system",
                                      .name = group_name(arena, index),
                                      .uid = group_name(arena, index),
                                      .resource_version = "1",
                                      .generation = 1,
                                      .created_ms = BENCH_START_MS - 86400000,
                                      .managed = true,
                                      .has_finalizer = true,
                                      .max_nodes = 100000,
                                      .datacenter_id = datacenter_name(arena, index),
                                      .resource_identifier = BENCH_CLUSTER,
                                      .project = "p",
                                      .offering_ids = offerings,
                                      .offering_count = options->offers,
                                      .kubernetes_version = "v1.30.0",
                                      .os_image_id = "",
                                      .preferred_instance_type = "",
                                      .notes = "",
                                      .allow_mixed_instances = true,
                                      .node_labels = {labels, 1},
                                      .status_vpsie_group_id = BENCH_GROUP_ID + index,
                                      .invalid = ""};
    facts->scale_up = (struct scale_policy_facts){
        .enabled = true, .cpu_threshold_percent = 100, .memory_threshold_percent = 100};
    facts->cost = (struct cost_facts){.enabled = true, // as the door reads it when nothing is given
                                      .strategy = COST_AUTO,
                                      .interval_seconds = 86400,
                                      .monthly_savings_min = 10,
                                      .performance_impact_max_percent = 5};
    facts->scale_down = (struct scale_policy_facts){.enabled = true,
                                                    .stabilization_seconds = 60,
                                                    .cpu_threshold_percent = 50,
                                                    .memory_threshold_percent = 50};
    event->object.group = facts;
    return event;
}

static const char *node_name(struct arena *arena, uint32_t node)
{
    return arena_printf(arena, "worker-%05u", node);
}

static void node_labels(struct event *event, struct node_facts *facts, const char *group, uint32_t index)
{
    const struct label labels[] = {
        {"autoscaler.vpsie.com/managed", "true"},
        {"autoscaler.vpsie.com/nodegroup", group},
        {"beta.kubernetes.io/arch", "amd64"},
        {"beta.kubernetes.io/os", "linux"},
        {"example.com/cost-center", "platform"},
        {"example.com/environment", "production"},
        {"kubernetes.io/arch", "amd64"},
        {KEY_HOSTNAME, facts->name},
        {"kubernetes.io/os", "linux"},
        {"node.kubernetes.io/instance-type", "size-8c"},
        {"topology.kubernetes.io/region", "region-1"},
        {KEY_ZONE, zone_name(index)},
    };
    uint32_t count = sizeof(labels) / sizeof(labels[0]);
    struct label *items = ARENA_ARRAY(event->arena, struct label, count);
    memcpy(items, labels, sizeof(labels));
    facts->labels = (struct labels){items, count};
}

static struct event *node_event(const struct bench_options *options, uint32_t index)
{
    struct event *event = object(OBJECT_NODE);
    struct arena *arena = event->arena;
    struct node_facts *facts = ARENA_NEW(arena, struct node_facts);
    *facts = (struct node_facts){
        .name = node_name(arena, index),
        .uid = arena_printf(arena, "uid-node-%05u", index),
        .resource_version = "1",
        .ready = NODE_READY_TRUE,
        .ready_changed_ms = BENCH_START_MS - 3600000,
        .created_ms = BENCH_START_MS - 7200000,
        .provider_id = "",
        .hostname = node_name(arena, index),
        .internal_ip = arena_printf(arena, "10.%u.%u.%u", index / 65536, index / 256 % 256, index % 256),
        .external_ip = "",
        .kubelet_version = "v1.30.0"};
    facts->allocatable = (struct resources){.cpu_millis = NODE_CPU_MILLIS,
                                            .memory_bytes = NODE_MEMORY_BYTES,
                                            .ephemeral_bytes = INT64_C(100) << 30,
                                            .pods = 110};
    struct offer_facts offer = bench_offer(options, arena, bench_offer_of_nodes(options));
    facts->capacity = facts->allocatable;
    facts->capacity.cpu_millis = offer.cpu * INT64_C(1000);
    facts->capacity.memory_bytes = offer.memory_mb * MIB - 200 * MIB;
    node_labels(event, facts, group_name(arena, index % options->groups), index % options->groups);
    event->object.node = facts;
    return event;
}

static struct event *intention_event(const struct bench_options *options, uint32_t index)
{
    struct event *event = object(OBJECT_INTENTION);
    struct arena *arena = event->arena;
    uint32_t group = index % options->groups;
    struct intention_facts *facts = ARENA_NEW(arena, struct intention_facts);
    struct label *annotations = ARENA_ARRAY(arena, struct label, 2);
    annotations[0] = (struct label){KEY_CREATED_BY, CREATED_BY_US};
    annotations[1] = (struct label){KEY_CREATION_REASON, "metrics"};
    struct label *labels = ARENA_ARRAY(arena, struct label, 2);
    labels[0] = (struct label){KEY_MANAGED, "true"};
    labels[1] = (struct label){KEY_NODEGROUP, group_name(arena, group)};
    *facts = (struct intention_facts){.space = "kube-system",
                                      .name = node_name(arena, index),
                                      .uid = arena_printf(arena, "uid-intention-%05u", index),
                                      .resource_version = "1",
                                      .created_ms = BENCH_START_MS - 7200000 + index,
                                      .has_finalizer = true,
                                      .labels = {labels, 2},
                                      .annotations = {annotations, 2},
                                      .group_name = group_name(arena, group),
                                      .owner_uid = group_name(arena, group),
                                      .vpsie_instance_id = 1 + (int64_t)index,
                                      .identifier = arena_printf(arena, "machine-%05u", index),
                                      .vpsie_group_id = BENCH_GROUP_ID + group,
                                      .instance_type = "size-8c",
                                      .datacenter_id = datacenter_name(arena, group),
                                      .resource_identifier = BENCH_CLUSTER,
                                      .project = "p",
                                      .kubernetes_version = "v1.30.0",
                                      .node_name = node_name(arena, index),
                                      .ip_address = "",
                                      .phase = INTENTION_READY,
                                      .hostname = node_name(arena, index),
                                      .ready_ms = BENCH_START_MS - 3600000,
                                      .last_error = ""};
    event->object.intention = facts;
    return event;
}

struct machine_facts bench_machine(const struct bench_options *options, struct arena *arena, uint32_t node)
{
    struct offer_facts offer = bench_offer(options, arena, bench_offer_of_nodes(options));
    return (struct machine_facts){.id = 1 + (int64_t)node,
                                  .identifier = arena_printf(arena, "machine-%05u", node),
                                  .hostname = node_name(arena, node),
                                  .default_ip = "",
                                  .private_ip = "",
                                  .role = MACHINE_ROLE_WORKER,
                                  .datacenter_id = datacenter_name(arena, node % options->groups),
                                  .status = "active",
                                  .created_ms = BENCH_START_MS - 7200000,
                                  .cpu = offer.cpu,
                                  .memory_mb = offer.memory_mb};
}

struct vpsie_group_facts bench_vpsie_group(const struct bench_options *options, struct arena *arena,
                                           uint32_t group)
{
    struct offer_facts offer = bench_offer(options, arena, bench_offer_of_nodes(options));
    uint32_t nodes = options->nodes / options->groups + (group < options->nodes % options->groups);
    return (struct vpsie_group_facts){.id = BENCH_GROUP_ID + group,
                                      .identifier = group_name(arena, group),
                                      .name = group_name(arena, group),
                                      .size_id = offer.id,
                                      .cpu = offer.cpu,
                                      .memory_mb = offer.memory_mb,
                                      .disk_gb = offer.disk_gb,
                                      .nodes_count = (int32_t)nodes,
                                      .datacenter_id = datacenter_name(arena, group),
                                      .active = true};
}

struct event *bench_report(const struct bench_options *options, uint32_t node, int64_t now_ms,
                           uint64_t sequence)
{
    (void)options;
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct agent_report_facts *facts = ARENA_NEW(event->arena, struct agent_report_facts);
    *facts = (struct agent_report_facts){.node_name = node_name(event->arena, node),
                                         .start_id = "start",
                                         .sequence = sequence,
                                         .received_ms = now_ms,
                                         .version = "1.0.0",
                                         .cpu_used_millis = 2000,
                                         .memory_used_bytes = INT64_C(4) << 30,
                                         .memory_total_bytes = INT64_C(32) << 30,
                                         .pods_complete = true,
                                         .directive_id = ""};
    facts->verdict.state = EVIDENCE_READY;
    facts->verdict.evaluated_ms = now_ms;
    event->report = facts;
    return event;
}

// ---- pods

struct owner { // a Deployment or StatefulSet
    const char *app;
    uint32_t id;
    bool stateful;
};

static struct owner owner_of(struct arena *arena, const char *prefix, uint32_t id)
{
    return (struct owner){.app = arena_printf(arena, "%s-%05u", prefix, id), .id = id};
}

static void add_labels(struct event *event, struct pod_facts *facts, const struct owner *owner)
{
    struct label *labels = ARENA_ARRAY(event->arena, struct label, 5);
    uint32_t count = 0;
    labels[count++] = (struct label){"app.kubernetes.io/instance", owner->app};
    labels[count++] = (struct label){"app.kubernetes.io/name", owner->app};
    labels[count++] = (struct label){"app.kubernetes.io/version", "1.2.3"};
    labels[count++] = (struct label){"pod-template-hash", facts->controller_name};
    if (owner->stateful)
        labels[count++] = (struct label){"statefulset.kubernetes.io/pod-name", facts->name};
    facts->shape.labels = (struct labels){labels, count};
}

static struct selector app_selector(struct event *event, const char *key, const char *app)
{
    struct requirement *requirement = ARENA_NEW(event->arena, struct requirement);
    const char **values = ARENA_ARRAY(event->arena, const char *, 1);
    values[0] = app;
    *requirement =
        (struct requirement){.key = key, .operator= SELECTOR_IN, .values = values, .value_count = 1};
    return (struct selector){.requirements = requirement, .requirement_count = 1};
}

static struct pod_term *term(struct event *event, const char *topology_key, const char *key, const char *app)
{
    struct pod_term *made = ARENA_NEW(event->arena, struct pod_term);
    const char **spaces = ARENA_ARRAY(event->arena, const char *, 1);
    spaces[0] = BENCH_SPACE;
    *made = (struct pod_term){.topology_key = topology_key,
                              .selector = app_selector(event, key, app),
                              .spaces = spaces,
                              .space_count = 1,
                              .space_selector = {.nothing = true}};
    return made;
}

static void keep_together(struct event *event, struct pod_shape_facts *shape, const char *topology_key,
                          const char *key, const char *app)
{
    shape->pod_affinity = term(event, topology_key, key, app);
    shape->pod_affinity_count = 1;
}

static void keep_apart(struct event *event, struct pod_shape_facts *shape, const char *topology_key,
                       const char *key, const char *app)
{
    shape->pod_anti_affinity = term(event, topology_key, key, app);
    shape->pod_anti_affinity_count = 1;
}

static void spread_over(struct event *event, struct pod_shape_facts *shape, const char *topology_key,
                        const char *key, const char *app)
{
    struct spread_constraint *spread = ARENA_NEW(event->arena, struct spread_constraint);
    *spread = (struct spread_constraint){.topology_key = topology_key,
                                         .selector = app_selector(event, key, app),
                                         .space = BENCH_SPACE,
                                         .max_skew = 1,
                                         .min_domains = 1,
                                         .honor_affinity = true};
    shape->spread = spread;
    shape->spread_count = 1;
}

#define APP_KEY "app.kubernetes.io/name"

// Which relation an owner's pods have is its own for ever.
static void relate(const struct bench_options *options, struct event *event, struct pod_facts *facts,
                   const struct owner *owner, const char *kind)
{
    double at = draw(options, kind, owner->id, 1000000) / 1e6;
    struct pod_shape_facts *shape = &facts->shape;
    if ((at -= options->affinity) < 0) {
        // half of them near their own kind, half near another application that runs
        uint32_t running = options->pods / BENCH_OWNER_PODS;
        bool own = draw(options, "own", owner->id, 2) == 0 || running == 0;
        const char *app =
            own ? owner->app : owner_of(event->arena, "app", draw(options, "near", owner->id, running)).app;
        keep_together(event, shape, KEY_ZONE, APP_KEY, app);
    } else if ((at -= options->anti_affinity) < 0) {
        keep_apart(event, shape, KEY_HOSTNAME, APP_KEY, owner->app);
    } else if ((at -= options->spread) < 0) {
        spread_over(event, shape, draw(options, "where", owner->id, 2) == 0 ? KEY_ZONE : KEY_HOSTNAME,
                    APP_KEY, owner->app);
    }
}

static struct pod_facts *new_pod(struct event *event, const struct owner *owner, uint32_t index)
{
    struct arena *arena = event->arena;
    struct toleration *tolerations = ARENA_ARRAY(arena, struct toleration, 2);
    static const char *const keys[] = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"};
    for (int i = 0; i < 2; i++)
        tolerations[i] = (struct toleration){
            .key = keys[i], .value = "", .operator= TOLERATION_EXISTS, .effect = TAINT_NO_EXECUTE};
    struct pod_facts *facts = ARENA_NEW(arena, struct pod_facts);
    *facts = (struct pod_facts){.space = BENCH_SPACE,
                                .name = arena_printf(arena, "%s-6d4cf56db6-%06u", owner->app, index),
                                .uid = arena_printf(arena, "7b0a2f5c-3a0e-%s-%08u", owner->app, index),
                                .node_name = "",
                                .nominated_node = "",
                                .phase = POD_RUNNING,
                                .controller_kind = owner->stateful ? "StatefulSet" : "ReplicaSet",
                                .controller_name = arena_printf(arena, "%s-6d4cf56db6", owner->app),
                                .controller_uid = arena_printf(arena, "uid-%s", owner->app),
                                .ready = true,
                                .unschedulable_message = "",
                                .created_ms = BENCH_START_MS - 3600000,
                                .grace_seconds = 30,
                                .safe_local_volumes = ""};
    facts->shape.requests.pods = 1;
    facts->shape.scheduler_name = "default-scheduler";
    facts->shape.tolerations = tolerations;
    facts->shape.toleration_count = 2;
    add_labels(event, facts, owner);
    event->object.pod = facts;
    return facts;
}

static void add_claim(const struct bench_options *options, struct event *event, struct pod_facts *facts,
                      const struct owner *owner)
{
    if (draw(options, "volumes", owner->id, 1000000) / 1e6 >= options->volumes)
        return;
    const char **claims = ARENA_ARRAY(event->arena, const char *, 1);
    claims[0] = arena_printf(event->arena, "data-%s", facts->name);
    facts->claims = claims;
    facts->claim_count = 1;
}

static struct event *claim_event(const struct pod_facts *pod, uint32_t index, bool bound)
{
    struct event *event = object(OBJECT_CLAIM);
    struct claim_facts *facts = ARENA_NEW(event->arena, struct claim_facts);
    *facts = (struct claim_facts){.space = BENCH_SPACE,
                                  .name = arena_strdup(event->arena, pod->claims[0]),
                                  .uid = arena_printf(event->arena, "uid-%s", pod->claims[0]),
                                  .volume_name = bound ? arena_printf(event->arena, "pvc-%u", index) : "",
                                  .class_name = "standard",
                                  .bound = bound,
                                  .selected_node = ""};
    event->object.claim = facts;
    return event;
}

struct event *bench_pod(const struct bench_options *options, uint32_t index, bool changed)
{
    struct event *event = object(OBJECT_POD);
    struct arena *arena = event->arena;
    struct owner owner = owner_of(arena, "app", index / BENCH_OWNER_PODS);
    owner.stateful = draw(options, "stateful", owner.id, 10) == 0;
    struct pod_facts *facts = new_pod(event, &owner, index);
    // neighbours of one owner are on different nodes
    uint32_t node = index % options->nodes;
    double each = options->filled * NODE_CPU_MILLIS * options->nodes / options->pods;
    facts->node_name = node_name(arena, node);
    facts->shape.requests.cpu_millis =
        (int64_t)(each * (0.5 + draw(options, "cpu", owner.id, 1001) / 1000.0));
    facts->shape.requests.memory_bytes = MIB * (128 + 32 * (int64_t)draw(options, "memory", owner.id, 24));
    facts->ready = !changed;
    relate(options, event, facts, &owner, "relation");
    add_claim(options, event, facts, &owner);
    return event;
}

// https://github.com/kubernetes-sigs/karpenter, its scheduling benchmark: a fifth of each sort of pod.
static void relate_as_karpenter(const struct bench_options *options, struct event *event,
                                struct pod_facts *facts, uint32_t index)
{
    static const int64_t cpu[] = {100, 250, 500, 1000, 1500};
    static const int64_t memory[] = {100, 256, 512, 1024, 2048, 4096};
    struct pod_shape_facts *shape = &facts->shape;
    shape->requests.cpu_millis = cpu[draw(options, "cpu", index, 5)];
    shape->requests.memory_bytes = memory[draw(options, "memory", index, 6)] * MIB;
    shape->tolerations = NULL;
    shape->toleration_count = 0;
    facts->controller_name = facts->controller_uid = "karpenter";
    uint32_t fifth = (uint32_t)((uint64_t)index * 5 / options->pending);
    static const char *const label_keys[] = {"my-label", "my-label", "my-label", "my-affinity", "app"};
    const char *value =
        fifth == 4 ? "nginx"
                   : arena_printf(event->arena, "%c", 'a' + (int)draw(options, "value", index, APPS));
    const char *wanted =
        fifth == 4 ? value
                   : arena_printf(event->arena, "%c", 'a' + (int)draw(options, "wanted", index, APPS));
    struct label *labels = ARENA_ARRAY(event->arena, struct label, 1);
    labels[0] = (struct label){label_keys[fifth], fifth == 3 ? wanted : value};
    shape->labels = (struct labels){labels, 1};
    if (fifth == 1 || fifth == 2)
        spread_over(event, shape, fifth == 1 ? KEY_ZONE : KEY_HOSTNAME, "my-label", wanted);
    else if (fifth == 3)
        keep_together(event, shape, KEY_ZONE, "my-affinity", wanted);
    else if (fifth == 4)
        keep_apart(event, shape, KEY_HOSTNAME, "app", value);
}

struct event *bench_pending(const struct bench_options *options, uint32_t index, int64_t now_ms)
{
    struct event *event = object(OBJECT_POD);
    uint32_t kind = index % options->kinds;
    struct owner owner = owner_of(event->arena, options->karpenter ? "karpenter" : "new", kind);
    struct pod_facts *facts = new_pod(event, &owner, index);
    facts->phase = POD_PENDING;
    facts->ready = false;
    facts->unschedulable = true;
    facts->unschedulable_since_ms = facts->created_ms = now_ms;
    facts->unschedulable_message = "0/5000 nodes are available: 5000 Insufficient cpu.";
    if (options->karpenter) {
        relate_as_karpenter(options, event, facts, index);
        return event;
    }
    facts->shape.requests.cpu_millis = 200 + 10 * (int64_t)(kind % 100);
    facts->shape.requests.memory_bytes =
        MIB * (256 + 8 * (int64_t)(kind / 100 + 10 * draw(options, "memory", kind, 20)));
    relate(options, event, facts, &owner, "waiting");
    add_claim(options, event, facts, &owner);
    return event;
}

// ---- all of it

static struct event *class_event(void)
{
    struct event *event = object(OBJECT_STORAGE_CLASS);
    struct storage_class_facts *facts = ARENA_NEW(event->arena, struct storage_class_facts);
    *facts = (struct storage_class_facts){
        .name = "standard", .provisioner = "csi.vpsie.com", .waits_for_consumer = true};
    event->object.storage_class = facts;
    return event;
}

static struct event *config_event(const struct bench_options *options)
{
    struct event *event = object(OBJECT_CONFIG);
    struct config_facts *facts = ARENA_NEW(event->arena, struct config_facts);
    *facts = (struct config_facts){.uid = "uid-config",
                                   .resource_version = "1",
                                   .generation = 1,
                                   .max_concurrent_scale_ups = 1000,
                                   .max_concurrent_scale_downs = 1000,
                                   .node_ready_timeout_seconds = 600,
                                   .pod_eviction_timeout_seconds = 120,
                                   .rebalancing = options->consolidation,
                                   .consolidation = options->consolidation,
                                   .invalid = ""};
    event->object.config = facts;
    return event;
}

static struct event *volume_event(uint32_t index, uint32_t zone)
{
    struct event *event = object(OBJECT_VOLUME);
    struct arena *arena = event->arena;
    struct volume_facts *facts = ARENA_NEW(arena, struct volume_facts);
    struct node_term *terms = ARENA_NEW(arena, struct node_term);
    struct requirement *requirement = ARENA_NEW(arena, struct requirement);
    const char **values = ARENA_ARRAY(arena, const char *, 1);
    values[0] = zone_name(zone);
    *requirement =
        (struct requirement){.key = KEY_ZONE, .operator= SELECTOR_IN, .values = values, .value_count = 1};
    *terms = (struct node_term){.expressions = requirement, .expression_count = 1};
    *facts = (struct volume_facts){.name = arena_printf(arena, "pvc-%u", index),
                                   .uid = arena_printf(arena, "uid-pvc-%u", index),
                                   .driver = "csi.vpsie.com",
                                   .handle = arena_printf(arena, "disk-%u", index),
                                   .affinity_terms = terms,
                                   .affinity_term_count = 1,
                                   .has_affinity = true};
    event->object.volume = facts;
    return event;
}

// The claim (and volume) of a pod that has one; NULL else.
static struct event *storage_event(const struct bench_options *options, uint32_t index, bool bound,
                                   bool volume)
{
    struct event *pod =
        bound ? bench_pod(options, index, false) : bench_pending(options, index, BENCH_START_MS);
    struct event *event = NULL;
    if (pod->object.pod->claim_count > 0)
        event = volume ? volume_event(index, index % options->nodes % options->groups)
                       : claim_event(pod->object.pod, index, bound);
    event_destroy(pod);
    return event != NULL ? event : event_create(EVENT_TIMER);
}

struct event *bench_event(const struct bench_options *options, uint32_t index)
{
    if (index == 0)
        return class_event();
    if (index == 1)
        return options->config ? config_event(options) : event_create(EVENT_TIMER);
    if ((index -= 2) < options->groups)
        return group_event(options, index);
    if ((index -= options->groups) < options->nodes)
        return node_event(options, index);
    if ((index -= options->nodes) < options->nodes)
        return intention_event(options, index);
    if ((index -= options->nodes) < options->pods)
        return bench_pod(options, index, false);
    bool storage = options->volumes > 0;
    if (storage && (index -= options->pods) < options->pods)
        return storage_event(options, index, true, true);
    if (storage && (index -= options->pods) < options->pods)
        return storage_event(options, index, true, false);
    if (storage && (index -= options->pods) < options->pending)
        return storage_event(options, index, false, false);
    return NULL;
}
