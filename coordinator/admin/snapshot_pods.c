#include <stdio.h>
#include <string.h>

#include "coordinator/admin/snapshot_parts.h"

// ---- templates: what the scheduler looks at, the same for all pods of a controller

static void tolerations(struct json *json, const struct pod_shape_facts *shape)
{
    static const char *const OPERATORS[] = {"Equal", "Exists", "Lt", "Gt"};
    if (shape->toleration_count == 0)
        return;
    json_put_array(json, "tolerations");
    for (uint32_t i = 0; i < shape->toleration_count; i++) {
        const struct toleration *one = &shape->tolerations[i];
        json_put_object(json, NULL);
        json_put_string(json, "key", one->key);
        json_put_string(json, "operator", OPERATORS[one->operator]);
        json_put_string(json, "value", one->value);
        json_put_string(json, "effect", one->any_effect ? "" : taint_effect_name(one->effect));
        json_put_end(json);
    }
    json_put_end(json);
}

static void pod_terms(struct json *json, const char *name, const struct pod_term *terms, uint32_t count)
{
    if (count == 0)
        return;
    json_put_object(json, name);
    json_put_array(json, "requiredDuringSchedulingIgnoredDuringExecution");
    for (uint32_t i = 0; i < count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "topologyKey", terms[i].topology_key);
        snapshot_selector(json, "labelSelector", &terms[i].selector);
        snapshot_texts(json, "namespaces", terms[i].spaces, terms[i].space_count);
        snapshot_selector(json, "namespaceSelector", &terms[i].space_selector);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

static void affinity(struct json *json, const struct pod_shape_facts *shape)
{
    if (!shape->has_affinity && shape->pod_affinity_count == 0 && shape->pod_anti_affinity_count == 0)
        return;
    json_put_object(json, "affinity");
    if (shape->has_affinity) {
        json_put_object(json, "nodeAffinity");
        snapshot_node_terms(json, "requiredDuringSchedulingIgnoredDuringExecution", shape->affinity_terms,
                            shape->affinity_term_count);
        json_put_end(json);
    }
    pod_terms(json, "podAffinity", shape->pod_affinity, shape->pod_affinity_count);
    pod_terms(json, "podAntiAffinity", shape->pod_anti_affinity, shape->pod_anti_affinity_count);
    json_put_end(json);
}

static void spread(struct json *json, const struct pod_shape_facts *shape)
{
    if (shape->spread_count == 0)
        return;
    json_put_array(json, "topologySpreadConstraints");
    for (uint32_t i = 0; i < shape->spread_count; i++) {
        const struct spread_constraint *one = &shape->spread[i];
        json_put_object(json, NULL);
        json_put_string(json, "topologyKey", one->topology_key);
        json_put_string(json, "whenUnsatisfiable", "DoNotSchedule");
        json_put_integer(json, "maxSkew", one->max_skew);
        json_put_integer(json, "minDomains", one->min_domains);
        json_put_string(json, "nodeAffinityPolicy", one->honor_affinity ? "Honor" : "Ignore");
        json_put_string(json, "nodeTaintsPolicy", one->honor_taints ? "Honor" : "Ignore");
        snapshot_selector(json, "labelSelector", &one->selector);
        json_put_end(json);
    }
    json_put_end(json);
}

static void host_ports(struct json *json, const struct pod_shape_facts *shape)
{
    static const char *const PROTOCOLS[] = {"TCP", "UDP", "SCTP"};
    if (shape->host_port_count == 0)
        return;
    json_put_array(json, "ports");
    for (uint32_t i = 0; i < shape->host_port_count; i++) {
        json_put_object(json, NULL);
        json_put_integer(json, "hostPort", shape->host_ports[i].port);
        json_put_string(json, "hostIP", shape->host_ports[i].ip);
        json_put_string(json, "protocol", PROTOCOLS[shape->host_ports[i].protocol]);
        json_put_end(json);
    }
    json_put_end(json);
}

// All requests in one container: the sum is what counts. What could not be read stays unreadable.
static void containers(struct json *json, const struct pod_shape_facts *shape)
{
    struct resources requests = shape->requests;
    requests.pods = 0; // every pod asks for one
    json_put_array(json, "containers");
    json_put_object(json, NULL);
    json_put_string(json, "name", "all");
    json_put_object(json, "resources");
    snapshot_amounts(json, "requests", &requests);
    json_put_end(json);
    host_ports(json, shape);
    json_put_end(json);
    if ((shape->needs & POD_NEEDS_UNREADABLE) != 0) {
        json_put_object(json, NULL);
        json_put_string(json, "name", "unreadable");
        json_put_object(json, "resources");
        json_put_object(json, "requests");
        json_put_string(json, "cpu", "could not be read");
        json_put_end(json);
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

void snapshot_shape(struct json *json, const struct pod_shape *shape)
{
    const struct pod_shape_facts *facts = &shape->facts;
    json_put_object(json, "metadata");
    snapshot_labels(json, "labels", &facts->labels);
    json_put_end(json);
    json_put_object(json, "spec");
    containers(json, facts);
    if (facts->node_selector.count > 0)
        snapshot_labels(json, "nodeSelector", &facts->node_selector);
    affinity(json, facts);
    spread(json, facts);
    tolerations(json, facts);
    json_put_integer(json, "priority", facts->priority);
    json_put_string(json, "schedulerName", facts->scheduler_name);
    if ((facts->needs & POD_NEEDS_RESOURCE_CLAIM) != 0) {
        json_put_array(json, "resourceClaims");
        json_put_object(json, NULL);
        json_put_string(json, "name", "beyond");
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

struct shapes_told { // one bit a shape id
    uint8_t *bits;
    uint32_t bytes;
};

static bool told_before(struct shapes_told *told, uint32_t id)
{
    uint32_t byte = id / 8;
    if (byte >= told->bytes) {
        uint32_t bytes = byte * 2 + 64;
        told->bits = xrealloc_array(told->bits, bytes, 1);
        memset(told->bits + told->bytes, 0, bytes - told->bytes);
        told->bytes = bytes;
    }
    uint8_t bit = (uint8_t)(1u << (id % 8));
    bool before = (told->bits[byte] & bit) != 0;
    told->bits[byte] |= bit;
    return before;
}

typedef void (*visit_pod)(struct json *json, const struct pod *pod, void *context);

static void visit_pods(struct json *json, const struct cluster *cluster, visit_pod visit, void *context)
{
    for (uint32_t i = 0; i < cluster->node_count; i++)
        for (const struct pod *pod = cluster->nodes[i]->pods; pod != NULL; pod = pod->next)
            visit(json, pod, context);
    for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
        visit(json, pod, context);
    for (const struct stray *stray = cluster->strays; stray != NULL; stray = stray->next)
        for (const struct pod *pod = stray->pods; pod != NULL; pod = pod->next)
            visit(json, pod, context);
}

static void template_of(struct json *json, const struct pod *pod, void *context)
{
    if (told_before(context, pod->shape->id))
        return;
    json_put_object(json, NULL);
    json_put_integer(json, "id", pod->shape->id);
    snapshot_shape(json, pod->shape);
    json_put_end(json);
}

void snapshot_templates(struct json *json, const struct cluster *cluster)
{
    struct shapes_told told = {0};
    json_put_array(json, "templates");
    visit_pods(json, cluster, template_of, &told);
    json_put_end(json);
    free_text((char **)&told.bits);
}

// ---- pods

static void pod_metadata(struct json *json, const struct pod *pod)
{
    json_put_object(json, "metadata");
    json_put_string(json, "namespace", pod->space);
    json_put_string(json, "name", pod->name);
    json_put_string(json, "uid", pod->uid);
    json_put_time(json, "creationTimestamp", pod->created_ms);
    if (pod->deletion_ms != 0)
        json_put_time(json, "deletionTimestamp", pod->deletion_ms);
    bool annotated = pod->safe_to_evict != TRISTATE_UNSET || pod->do_not_disrupt || pod->mirror ||
                     *pod->safe_local_volumes != '\0';
    if (annotated) {
        json_put_object(json, "annotations");
        if (pod->safe_to_evict != TRISTATE_UNSET)
            json_put_string(json, "cluster-autoscaler.kubernetes.io/safe-to-evict",
                            pod->safe_to_evict == TRISTATE_TRUE ? "true" : "false");
        if (*pod->safe_local_volumes != '\0')
            json_put_string(json, "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
                            pod->safe_local_volumes);
        if (pod->do_not_disrupt)
            json_put_string(json, KEY_PREFIX "do-not-disrupt", "true");
        if (pod->mirror)
            json_put_string(json, "kubernetes.io/config.mirror", "");
        json_put_end(json);
    }
    if (*pod->controller_kind != '\0') {
        json_put_array(json, "ownerReferences");
        json_put_object(json, NULL);
        json_put_string(json, "kind", pod->controller_kind);
        json_put_string(json, "name", pod->controller_name);
        json_put_string(json, "uid", pod->controller_uid);
        json_put_bool(json, "controller", true);
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

static void pod_volumes(struct json *json, const struct pod *pod)
{
    if (pod->local_volume_count == 0 && pod->claim_count == 0)
        return;
    json_put_array(json, "volumes");
    for (uint32_t i = 0; i < pod->local_volume_count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "name", pod->local_volumes[i]);
        json_put_object(json, "emptyDir");
        json_put_end(json);
        json_put_end(json);
    }
    for (uint32_t i = 0; i < pod->claim_count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "claim-%u", i);
        json_put_object(json, NULL);
        json_put_string(json, "name", name);
        json_put_object(json, "persistentVolumeClaim");
        json_put_string(json, "claimName", pod->claims[i]);
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

static void pod_conditions(struct json *json, const struct pod *pod)
{
    json_put_array(json, "conditions");
    if (pod->ready) {
        json_put_object(json, NULL);
        json_put_string(json, "type", "Ready");
        json_put_string(json, "status", "True");
        json_put_end(json);
    }
    if (pod->unschedulable) {
        json_put_object(json, NULL);
        json_put_string(json, "type", "PodScheduled");
        json_put_string(json, "status", "False");
        json_put_string(json, "reason", "Unschedulable");
        json_put_string(json, "message", pod->unschedulable_message);
        json_put_time(json, "lastTransitionTime", pod->unschedulable_since_ms);
        json_put_end(json);
    }
    json_put_end(json);
}

static void pod_item(struct json *json, const struct pod *pod, void *context)
{
    static const char *const PHASES[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
    (void)context;
    snapshot_item_begin(json, "v1", "Pod");
    pod_metadata(json, pod);
    json_put_integer(json, "template", pod->shape->id);
    json_put_object(json, "spec");
    json_put_string(json, "nodeName", pod->node_name);
    json_put_integer(json, "terminationGracePeriodSeconds", pod->grace_seconds);
    pod_volumes(json, pod);
    if (pod->gated) {
        json_put_array(json, "schedulingGates");
        json_put_object(json, NULL);
        json_put_string(json, "name", "gated");
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_object(json, "status");
    json_put_string(json, "phase", PHASES[pod->phase]);
    json_put_string(json, "nominatedNodeName", pod->nominated_node);
    pod_conditions(json, pod);
    json_put_end(json);
    if (*pod->verdict != '\0')
        json_put_string(json, "verdict", pod->verdict);
    json_put_end(json);
}

void snapshot_pods(struct json *json, const struct cluster *cluster)
{
    visit_pods(json, cluster, pod_item, NULL);
}
