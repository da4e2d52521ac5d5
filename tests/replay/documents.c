#include "tests/replay/documents.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/json.h"

static cJSON *texts(const char *const *items, uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(items[i]));
    return array;
}

static cJSON *label_map(const struct labels *labels)
{
    cJSON *map = cJSON_CreateObject();
    for (uint32_t i = 0; i < labels->count; i++)
        cJSON_AddStringToObject(map, labels->items[i].key, labels->items[i].value);
    return map;
}

static cJSON *requirements(const struct requirement *items, uint32_t count)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"};
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *item = json_of("{'key':'%s','operator':'%s'}", items[i].key, operators[items[i].operator]);
        if (items[i].value_count > 0)
            json_put(item, "values", texts(items[i].values, items[i].value_count));
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

// NULL for one that selects nothing.
static cJSON *selector_of(const struct selector *selector)
{
    if (selector->nothing)
        return NULL;
    cJSON *json = cJSON_CreateObject();
    if (selector->requirement_count > 0)
        json_put(json, "matchExpressions", requirements(selector->requirements, selector->requirement_count));
    return json;
}

static cJSON *node_terms(const struct node_term *terms, uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *term = cJSON_CreateObject();
        json_put(term, "matchExpressions", requirements(terms[i].expressions, terms[i].expression_count));
        json_put(term, "matchFields", requirements(terms[i].fields, terms[i].field_count));
        cJSON_AddItemToArray(array, term);
    }
    return array;
}

static void put_amount(cJSON *map, const char *name, int64_t amount, const char *suffix)
{
    char text[40];
    snprintf(text, sizeof text, "%" PRId64 "%s", amount, suffix);
    if (amount > 0)
        cJSON_AddStringToObject(map, name, text);
}

static cJSON *amounts(const struct resources *resources, bool pods)
{
    cJSON *map = cJSON_CreateObject();
    put_amount(map, "cpu", resources->cpu_millis, "m");
    put_amount(map, "memory", resources->memory_bytes, "");
    put_amount(map, "ephemeral-storage", resources->ephemeral_bytes, "");
    if (pods)
        put_amount(map, "pods", resources->pods, "");
    for (uint32_t i = 0; i < resources->extended_count; i++)
        put_amount(map, resources->extended[i].name, resources->extended[i].amount, "");
    return map;
}

// ---- pods

static cJSON *tolerations(const struct pod_shape_facts *facts)
{
    static const char *const operators[] = {"Equal", "Exists", "Lt", "Gt"};
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < facts->toleration_count; i++) {
        const struct toleration *toleration = &facts->tolerations[i];
        cJSON *item = json_of("{'key':'%s','operator':'%s','value':'%s'}", toleration->key,
                              operators[toleration->operator], toleration->value);
        if (!toleration->any_effect)
            json_set_text(item, "effect", effects[toleration->effect]);
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

static cJSON *pod_terms(const struct pod_term *terms, uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *term = json_of("{'topologyKey':'%s'}", terms[i].topology_key);
        json_put(term, "labelSelector", selector_of(&terms[i].selector));
        json_put(term, "namespaces", texts(terms[i].spaces, terms[i].space_count));
        json_put(term, "namespaceSelector", selector_of(&terms[i].space_selector));
        cJSON_AddItemToArray(array, term);
    }
    return array;
}

static void put_affinity(cJSON *spec, const struct pod_shape_facts *facts)
{
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
    if (facts->has_affinity)
        json_set(spec, "affinity.nodeAffinity." REQUIRED ".nodeSelectorTerms",
                 node_terms(facts->affinity_terms, facts->affinity_term_count));
    if (facts->pod_affinity_count > 0)
        json_set(spec, "affinity.podAffinity." REQUIRED,
                 pod_terms(facts->pod_affinity, facts->pod_affinity_count));
    if (facts->pod_anti_affinity_count > 0)
        json_set(spec, "affinity.podAntiAffinity." REQUIRED,
                 pod_terms(facts->pod_anti_affinity, facts->pod_anti_affinity_count));
}

static cJSON *spread(const struct pod_shape_facts *facts)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        const struct spread_constraint *constraint = &facts->spread[i];
        cJSON *item = json_of("{'topologyKey':'%s','whenUnsatisfiable':'DoNotSchedule','maxSkew':%d,"
                              "'minDomains':%d,'nodeAffinityPolicy':'%s','nodeTaintsPolicy':'%s'}",
                              constraint->topology_key, constraint->max_skew, constraint->min_domains,
                              constraint->honor_affinity ? "Honor" : "Ignore",
                              constraint->honor_taints ? "Honor" : "Ignore");
        json_put(item, "labelSelector", selector_of(&constraint->selector));
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

static cJSON *ports(const struct pod_shape_facts *facts)
{
    static const char *const protocols[] = {"TCP", "UDP", "SCTP"};
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < facts->host_port_count; i++)
        cJSON_AddItemToArray(array, json_of("{'hostPort':%d,'hostIP':'%s','protocol':'%s'}",
                                            facts->host_ports[i].port, facts->host_ports[i].ip,
                                            protocols[facts->host_ports[i].protocol]));
    return array;
}

static cJSON *claims(const struct pod *pod)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; pod != NULL && i < pod->claim_count; i++)
        cJSON_AddItemToArray(
            array, json_of("{'name':'v%u','persistentVolumeClaim':{'claimName':'%s'}}", i, pod->claims[i]));
    return array;
}

cJSON *document_of_pod(const struct pod_shape *shape, const char *name, const struct pod *pod)
{
    const struct pod_shape_facts *facts = &shape->facts;
    cJSON *json = json_of("{'metadata':{'name':'%s'},'spec':{'priority':%d,'containers':[{'name':'all'}]}}",
                          name, facts->priority);
    cJSON *spec = json_at(json, "spec");
    cJSON *container = cJSON_GetArrayItem(json_at(spec, "containers"), 0);
    json_set(json, "metadata.labels", label_map(&facts->labels));
    json_set(container, "resources.requests", amounts(&facts->requests, false));
    json_put(container, "ports", ports(facts));
    if (facts->node_selector.count > 0)
        json_put(spec, "nodeSelector", label_map(&facts->node_selector));
    put_affinity(spec, facts);
    json_put(spec, "tolerations", tolerations(facts));
    json_put(spec, "topologySpreadConstraints", spread(facts));
    json_put(spec, "volumes", claims(pod));
    return json;
}

// ---- nodes and volumes

cJSON *document_of_node(const char *name, const struct labels *labels, const struct taints *taints,
                        const struct resources *allocatable, bool unschedulable, bool ready)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    cJSON *json = json_of("{'metadata':{'name':'%s'},'spec':{},'status':{}}", name);
    json_set(json, "metadata.labels", label_map(labels));
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < taints->count; i++)
        cJSON_AddItemToArray(array, json_of("{'key':'%s','value':'%s','effect':'%s'}", taints->items[i].key,
                                            taints->items[i].value, effects[taints->items[i].effect]));
    if (!ready) // its controller has said so, or is about to
        cJSON_AddItemToArray(array, json_of("{'key':'test.vpsie.com/not-ready','effect':'NoSchedule'}"));
    json_set(json, "spec.taints", array);
    json_set_true(json, "spec.unschedulable", unschedulable);
    json_set(json, "status.allocatable", amounts(allocatable, true));
    return json;
}

cJSON *document_of_namespace(const struct namespace_facts *facts)
{
    cJSON *json = json_of("{'metadata':{'name':'%s'}}", facts->name);
    json_set(json, "metadata.labels", label_map(&facts->labels));
    return json;
}

cJSON *document_of_claim(const struct claim_facts *facts)
{
    cJSON *json =
        json_of("{'metadata':{'name':'%s'},'spec':{'storageClassName':'%s','accessModes':['%s']}}",
                facts->name, facts->class_name, facts->one_pod_only ? "ReadWriteOncePod" : "ReadWriteOnce");
    if (facts->volume_name[0] != '\0')
        json_set_text(json, "spec.volumeName", facts->volume_name);
    if (facts->selected_node[0] != '\0')
        json_put(json_make(json, "metadata.annotations"), "volume.kubernetes.io/selected-node",
                 cJSON_CreateString(facts->selected_node));
    if (facts->deletion_ms != 0)
        json_set_time(json, "metadata.deletionTimestamp", facts->deletion_ms);
    json_set_text(json, "status.phase", facts->bound ? "Bound" : facts->lost ? "Lost" : "Pending");
    return json;
}

cJSON *document_of_volume(const struct volume_facts *facts)
{
    cJSON *json = json_of("{'metadata':{'name':'%s'},'spec':{'claimRef':{}}}", facts->name);
    json_set(json, "metadata.labels", label_map(&facts->labels));
    if (facts->driver[0] != '\0')
        json_set(json, "spec.csi",
                 json_of("{'driver':'%s','volumeHandle':'%s'}", facts->driver, facts->handle));
    if (facts->has_affinity)
        json_set(json, "spec.nodeAffinity.required.nodeSelectorTerms",
                 node_terms(facts->affinity_terms, facts->affinity_term_count));
    return json;
}

cJSON *document_of_storage_class(const struct storage_class_facts *facts)
{
    cJSON *json =
        json_of("{'metadata':{'name':'%s'},'provisioner':'%s','volumeBindingMode':'%s'}", facts->name,
                facts->provisioner, facts->waits_for_consumer ? "WaitForFirstConsumer" : "Immediate");
    cJSON *terms = cJSON_CreateArray();
    for (uint32_t i = 0; i < facts->allowed_topology_count; i++) {
        const struct node_term *term = &facts->allowed_topologies[i];
        cJSON *item = cJSON_CreateObject();
        json_put(item, "matchLabelExpressions", requirements(term->expressions, term->expression_count));
        cJSON_AddItemToArray(terms, item);
    }
    json_put(json, "allowedTopologies", terms);
    return json;
}

cJSON *document_of_csi_node(const char *node_name, const struct csi_driver_limit *drivers, uint32_t count)
{
    cJSON *json = json_of("{'metadata':{'name':'%s'}}", node_name);
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *driver = json_of("{'name':'%s'}", drivers[i].driver);
        if (drivers[i].volumes_max >= 0)
            json_set_number(driver, "allocatable.count", drivers[i].volumes_max);
        cJSON_AddItemToArray(array, driver);
    }
    json_set(json, "spec.drivers", array);
    return json;
}

cJSON *document_of_attachment(const struct attachment *attachment)
{
    return json_of("{'metadata':{'name':'%s'},'spec':{'nodeName':'%s','source':{'persistentVolumeName':'%s'}}"
                   "}",
                   attachment->name, attachment->node_name, attachment->volume_name);
}
