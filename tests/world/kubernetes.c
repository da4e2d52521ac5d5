#include "tests/world/kubernetes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "tests/world/parts.h"

static const char *space_of(const char *space)
{
    return space == NULL ? "default" : space;
}

static void make(struct world *world, enum api_kind kind, const char *space, cJSON *document)
{
    struct api_answer answer = api_create(world->api, kind, space, document);
    if (!API_OK(answer))
        fprintf(stderr, "the story is wrong: %d %s\n", answer.code, answer.message);
    assert(API_OK(answer));
}

void add_namespace(struct world *world, const char *name)
{
    make(world, API_NAMESPACE, "",
         json_of("{'metadata':{'name':'%s','labels':{'kubernetes.io/metadata.name':'%s'}}}", name, name));
}

void add_storage_class(struct world *world, const char *name, bool waits)
{
    make(world, API_STORAGE_CLASS, "",
         json_of("{'metadata':{'name':'%s'},'provisioner':'" CSI_DRIVER "','volumeBindingMode':'%s'}", name,
                 waits ? "WaitForFirstConsumer" : "Immediate"));
}

void add_claim(struct world *world, const char *space, const char *name, const char *class_name)
{
    make(world, API_CLAIM, space_of(space),
         json_of("{'metadata':{'name':'%s'},'spec':{'storageClassName':'%s','accessModes':['ReadWriteOnce'],"
                 "'resources':{'requests':{'storage':'1Gi'}}}}",
                 name, class_name));
}

// ----------------------------------------------------------------------------------------- pods' doings

static void set_use(cJSON *annotations, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    if (value > 0)
        json_put(annotations, key, cJSON_CreateString(text));
}

static void tell_use(cJSON *template, const struct workload *workload)
{
    cJSON *annotations = json_make(template, "metadata.annotations");
    set_use(annotations, USE_CPU, workload->use_cpu_millis);
    set_use(annotations, USE_MEMORY, workload->use_memory_mb * 1048576);
    set_use(annotations, USE_CONNECTIONS, workload->connections);
    set_use(annotations, USE_STOP_MS, workload->stop_ms);
    set_use(annotations, USE_RUN_SECONDS, workload->run_seconds);
    if (workload->volume != NULL)
        json_put(annotations, USE_VOLUME, cJSON_CreateString(workload->volume));
    if (workload->annotation_key != NULL)
        json_put(annotations, workload->annotation_key, cJSON_CreateString(workload->annotation_value));
    if (workload->local_data == NULL)
        return;
    json_put(annotations, USE_LOCAL_DATA, cJSON_CreateString(workload->local_data));
    cJSON *volumes = cJSON_CreateArray();
    cJSON_AddItemToArray(volumes, json_of("{'name':'%.*s','emptyDir':{}}",
                                          (int)strcspn(workload->local_data, "="), workload->local_data));
    json_set(template, "spec.volumes", volumes);
}

static void tolerate(cJSON *template, const char *key, const char *effect, int64_t seconds)
{
    cJSON *tolerations = json_at(template, "spec.tolerations");
    if (tolerations == NULL) {
        tolerations = cJSON_CreateArray();
        json_set(template, "spec.tolerations", tolerations);
    }
    cJSON *toleration = json_of("{'key':'%s','operator':'Exists'}", key);
    if (effect != NULL)
        json_set_text(toleration, "effect", effect);
    if (seconds >= 0)
        json_set_number(toleration, "tolerationSeconds", seconds);
    cJSON_AddItemToArray(tolerations, toleration);
}

static void add_members(cJSON *object, const char *members)
{
    AUTOJSON cJSON *more = json_of("{%s}", members);
    while (more->child != NULL) {
        cJSON *member = cJSON_DetachItemViaPointer(more, more->child);
        char key[80];
        snprintf(key, sizeof key, "%s", member->string);
        json_put(object, key, member);
    }
}

// A pod template as the API server stores it, defaults and admission's tolerations in place.
static cJSON *template_of(const struct workload *workload)
{
    cJSON *template = json_of(
        "{'metadata':{'labels':{'app':'%s'}},'spec':{'containers':[{'name':'main','image':'example/%s:1',"
        "'resources':{'requests':{'cpu':'%lldm','memory':'%lldMi'}}}],'restartPolicy':'%s',"
        "'terminationGracePeriodSeconds':%lld,'schedulerName':'default-scheduler','priority':%d}}",
        workload->name, workload->name, (long long)workload->cpu_millis, (long long)workload->memory_mb,
        workload->run_seconds > 0 ? "Never" : "Always",
        (long long)(workload->grace_seconds > 0 ? workload->grace_seconds : 30), workload->priority);
    if (workload->selector_key != NULL)
        json_put(json_make(template, "spec.nodeSelector"), workload->selector_key,
                 cJSON_CreateString(workload->selector_value));
    if (workload->affinity_key != NULL)
        json_set(template, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
                 json_of("{'nodeSelectorTerms':[{'matchExpressions':[{'key':'%s','operator':'In',"
                         "'values':['%s']}]}]}",
                         workload->affinity_key, workload->affinity_value));
    if (workload->toleration_key != NULL)
        tolerate(template, workload->toleration_key, NULL, -1);
    tell_use(template, workload);
    if (workload->spec != NULL)
        add_members(json_at(template, "spec"), workload->spec);
    return template;
}

static void default_tolerations(cJSON *template)
{
    tolerate(template, "node.kubernetes.io/not-ready", "NoExecute", 300);
    tolerate(template, "node.kubernetes.io/unreachable", "NoExecute", 300);
}

static cJSON *controller_of(const struct workload *workload, cJSON *template)
{
    cJSON *document = json_of("{'metadata':{'name':'%s','labels':{'app':'%s'}},'spec':{'replicas':%d,"
                              "'selector':{'matchLabels':{'app':'%s'}}}}",
                              workload->name, workload->name, workload->replicas, workload->name);
    json_set(document, "spec.template", template);
    return document;
}

void add_deployment(struct world *world, const struct workload *workload)
{
    cJSON *template = template_of(workload);
    default_tolerations(template);
    make(world, API_DEPLOYMENT, space_of(workload->space), controller_of(workload, template));
}

void scale_deployment(struct world *world, const char *space, const char *name, int32_t replicas)
{
    AUTOJSON cJSON *patch = json_of("{'spec':{'replicas':%d}}", replicas);
    struct api_answer answer =
        api_patch(world->api, API_DEPLOYMENT, space, name, false, API_MERGE_PATCH, patch);
    assert(API_OK(answer));
    (void)answer;
}

void add_daemonset(struct world *world, const struct workload *workload)
{
    static const char *const keys[] = {
        "node.kubernetes.io/not-ready",     "node.kubernetes.io/unreachable",
        "node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/pid-pressure",  "node.kubernetes.io/unschedulable",
    };
    cJSON *template = template_of(workload);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        tolerate(template, keys[i], i < 2 ? "NoExecute" : "NoSchedule", -1);
    make(world, API_DAEMONSET, space_of(workload->space), controller_of(workload, template));
}

void add_job(struct world *world, const struct workload *workload)
{
    assert(workload->run_seconds > 0);
    cJSON *template = template_of(workload);
    default_tolerations(template);
    cJSON *document = controller_of(workload, template);
    json_set(document, "spec.replicas", NULL);
    json_set_number(document, "spec.completions", workload->replicas);
    json_set_number(document, "spec.parallelism", workload->replicas);
    make(world, API_JOB, space_of(workload->space), document);
}

void add_bare_pod(struct world *world, const struct workload *workload)
{
    cJSON *pod = template_of(workload);
    default_tolerations(pod);
    json_set_text(pod, "metadata.name", workload->name);
    make(world, API_POD, space_of(workload->space), pod);
}

void add_mirror_pod(struct world *world, const char *node_name, int64_t cpu_millis)
{
    char name[160];
    snprintf(name, sizeof name, "kube-proxy-%s", node_name);
    struct workload workload = {.name = name, .cpu_millis = cpu_millis, .memory_mb = 32};
    const struct api_object *node = api_find(world->api, API_NODE, "", node_name);
    assert(node != NULL);
    cJSON *pod = template_of(&workload);
    json_set_text(pod, "metadata.name", name);
    json_set_text(pod, "spec.nodeName", node_name);
    json_put(json_make(pod, "metadata.annotations"), "kubernetes.io/config.mirror",
             cJSON_CreateString(node->uid));
    json_set(pod, "metadata.ownerReferences", owner_reference(node));
    make(world, API_POD, "kube-system", pod);
}

void add_budget(struct world *world, const char *space, const char *name, const char *app,
                int32_t min_available, int32_t max_unavailable)
{
    cJSON *budget =
        json_of("{'metadata':{'name':'%s'},'spec':{'selector':{'matchLabels':{'app':'%s'}}}}", name, app);
    if (min_available >= 0)
        json_set_number(budget, "spec.minAvailable", min_available);
    if (max_unavailable >= 0)
        json_set_number(budget, "spec.maxUnavailable", max_unavailable);
    make(world, API_BUDGET, space_of(space), budget);
}

void remove_object(struct world *world, enum api_kind kind, const char *space, const char *name)
{
    struct api_answer answer = api_delete(world->api, kind, space, name, (struct api_preconditions){0}, -1);
    assert(API_OK(answer));
    (void)answer;
}

static void change_annotations(cJSON *document, int64_t cpu_millis, int64_t memory_mb, const char *local_data)
{
    cJSON *annotations = json_make(document, "metadata.annotations");
    set_use(annotations, USE_CPU, cpu_millis);
    set_use(annotations, USE_MEMORY, memory_mb * 1048576);
    if (local_data != NULL)
        json_put(annotations, USE_LOCAL_DATA, cJSON_CreateString(local_data));
}

void change_use(struct world *world, const char *space, const char *app, int64_t cpu_millis,
                int64_t memory_mb, const char *local_data)
{
    const struct api_object *deployment = api_find(world->api, API_DEPLOYMENT, space, app);
    if (deployment != NULL) {
        cJSON *wanted = api_copy(deployment);
        change_annotations(json_at(wanted, "spec.template"), cpu_millis, memory_mb, local_data);
        api_put(world->api, deployment, wanted);
    }
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, space);
    for (size_t i = 0; i < pods.count; i++) {
        if (strcmp(json_text(pods.items[i].document->json, "metadata.labels.app"), app) != 0)
            continue;
        cJSON *pod = api_copy(&pods.items[i]);
        change_annotations(pod, cpu_millis, memory_mb, local_data);
        api_put(world->api, &pods.items[i], pod);
    }
}

// -------------------------------------------------------------------------------- the autoscaler's own

void add_node_group(struct world *world, const struct group_plan *plan)
{
    cJSON *group = json_of(
        "{'metadata':{'name':'%s','labels':{}},'spec':{'minNodes':%d,'maxNodes':%d,'datacenterID':'%s',"
        "'resourceIdentifier':'%s','project':'main','kubernetesVersion':'v1.31.2','allowMixedInstances':true,"
        "'scaleUpPolicy':{'enabled':true,'stabilizationWindowSeconds':%lld,'cpuThreshold':80,"
        "'memoryThreshold':80},"
        "'scaleDownPolicy':{'enabled':true,'stabilizationWindowSeconds':%lld,'cpuThreshold':%d,"
        "'memoryThreshold':%d,'cooldownSeconds':%lld}}}",
        plan->name, plan->min, plan->max, plan->datacenter, plan->cluster,
        (long long)plan->up_stabilization_seconds, (long long)plan->down_stabilization_seconds,
        plan->cpu_threshold > 0 ? plan->cpu_threshold : 50,
        plan->memory_threshold > 0 ? plan->memory_threshold : 50, (long long)plan->cooldown_seconds);
    if (plan->size_id != 0)
        json_set_number(group, "spec.kubeSizeID", plan->size_id);
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)plan->size_id);
    json_set(group, "spec.offeringIDs", json_of("['%s']", plan->offering != NULL ? plan->offering : size));
    if (plan->offering_too != NULL)
        cJSON_AddItemToArray(json_at(group, "spec.offeringIDs"), cJSON_CreateString(plan->offering_too));
    if (!plan->unmanaged)
        json_put(json_at(group, "metadata.labels"), "autoscaler.vpsie.com/managed",
                 cJSON_CreateString("true"));
    if (plan->label_key != NULL)
        json_put(json_make(group, "spec.labels"), plan->label_key, cJSON_CreateString(plan->label_value));
    if (plan->taint_key != NULL) {
        cJSON *taints = cJSON_CreateArray();
        cJSON_AddItemToArray(taints,
                             json_of("{'key':'%s','value':'true','effect':'NoSchedule'}", plan->taint_key));
        json_set(group, "spec.taints", taints);
    }
    make(world, API_NODEGROUP, space_of(plan->space), group);
}

void add_config(struct world *world, const char *global_settings)
{
    cJSON *config = json_of("{'metadata':{'name':'default'},'spec':{}}");
    if (global_settings != NULL)
        json_set(config, "spec.globalSettings", json_of("%s", global_settings));
    make(world, API_CONFIG, "", config);
}

void add_predecessor_node(struct world *world, const char *space, const char *group, const char *name,
                          const char *hostname, const char *phase)
{
    const struct api_object *owner = api_find(world->api, API_NODEGROUP, space_of(space), group);
    assert(owner != NULL);
    const cJSON *spec = json_key(owner->document->json, "spec");
    cJSON *node =
        json_of("{'metadata':{'name':'%s','labels':{'autoscaler.vpsie.com/managed':'true',"
                "'autoscaler.vpsie.com/nodegroup':'%s'},"
                "'finalizers':['vpsienode.autoscaler.vpsie.com/finalizer'],"
                "'annotations':{'autoscaler.vpsie.com/creation-requested':'true'}},"
                "'spec':{'vpsieInstanceID':0,'instanceType':'%lld','nodeGroupName':'%s','datacenterID':'%s',"
                "'resourceIdentifier':'%s','project':'main','kubernetesVersion':'v1.31.2','nodeName':'%s'}}",
                name, group, (long long)json_number(spec, "kubeSizeID", 0), group,
                json_text(spec, "datacenterID"), json_text(spec, "resourceIdentifier"), hostname);
    json_set(node, "metadata.ownerReferences", owner_reference(owner));
    make(world, API_VPSIENODE, space_of(space), node);
    AUTOJSON cJSON *status =
        json_of("{'status':{'phase':'%s','nodeName':'%s','hostname':'%s'}}", phase, hostname, hostname);
    api_patch(world->api, API_VPSIENODE, space_of(space), name, true, API_MERGE_PATCH, status);
}

void add_predecessor_webhooks(struct world *world)
{
    static const char *const names[] = {"vpsie-autoscaler-webhook", "vpsie-autoscaler-node-deletion"};
    for (size_t i = 0; i < 2; i++)
        make(world, API_VALIDATING_WEBHOOK, "",
             json_of("{'metadata':{'name':'%s'},'webhooks':[{'name':'%s.vpsie.com','failurePolicy':'Fail',"
                     "'clientConfig':{'service':{'namespace':'kube-system','name':'%s'}}}]}",
                     names[i], names[i], names[i]));
}

void annotate(struct world *world, enum api_kind kind, const char *space, const char *name, const char *key,
              const char *value)
{
    AUTOJSON cJSON *patch = json_of("{'metadata':{'annotations':{}}}");
    cJSON_AddItemToObject(json_at(patch, "metadata.annotations"), key,
                          value == NULL ? cJSON_CreateNull() : cJSON_CreateString(value));
    struct api_answer answer = api_patch(world->api, kind, space, name, false, API_MERGE_PATCH, patch);
    assert(API_OK(answer));
    (void)answer;
}

void person_cordons(struct world *world, const char *node_name, bool cordoned)
{
    AUTOJSON cJSON *patch = json_of("{'spec':{'unschedulable':%s}}", cordoned ? "true" : "null");
    struct api_answer answer = api_patch(world->api, API_NODE, "", node_name, false, API_MERGE_PATCH, patch);
    assert(API_OK(answer));
    (void)answer;
}

// ------------------------------------------------------------------------------------------- counting

size_t count_pods(const struct world *world, const char *space, const char *app, enum pod_question question)
{
    size_t count = 0;
    for (size_t i = 0; i < api_count(world->api, API_POD); i++) {
        const struct api_object *object = api_at(world->api, API_POD, i);
        const cJSON *pod = object->document->json;
        if ((space != NULL && strcmp(object->space, space) != 0) ||
            (app[0] != 0 && strcmp(json_text(pod, "metadata.labels.app"), app) != 0))
            continue;
        bool over = pod_is_over(pod), bound = json_text(pod, "spec.nodeName")[0] != 0;
        switch (question) {
        case PODS_ALL: count++; break;
        case PODS_READY: count += pod_is_ready(pod) && !pod_is_leaving(pod); break;
        case PODS_WAITING: count += !bound && !over && !pod_is_leaving(pod); break;
        case PODS_SUCCEEDED: count += strcmp(json_text(pod, "status.phase"), "Succeeded") == 0; break;
        }
    }
    return count;
}

bool node_is_ready(const struct world *world, const char *node_name)
{
    const struct api_object *node = api_find(world->api, API_NODE, "", node_name);
    return node != NULL &&
           strcmp(json_text(condition_get(node->document->json, "Ready"), "status"), "True") == 0;
}

size_t count_ready_nodes(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < api_count(world->api, API_NODE); i++) {
        const struct api_object *node = api_at(world->api, API_NODE, i);
        const cJSON *labels = json_at(node->document->json, "metadata.labels");
        if (json_key(labels, "node-role.kubernetes.io/control-plane") == NULL)
            count += node_is_ready(world, node->name);
    }
    return count;
}

size_t count_movable_pods(const struct world *world, const char *node_name)
{
    size_t count = 0;
    for (size_t i = 0; i < api_count(world->api, API_POD); i++) {
        const struct api_object *object = api_at(world->api, API_POD, i);
        const cJSON *pod = object->document->json;
        if (strcmp(object->node_name, node_name) == 0 && !pod_is_over(pod) && !pod_is_furniture_document(pod))
            count++;
    }
    return count;
}

// --------------------------------------------------------------------------------------------- tokens

#define TOKEN_PREFIX "agent-token/"

void token_of_node(const struct world *world, const char *node_name, char *token, size_t token_bytes)
{
    const struct api_object *node = api_find(world->api, API_NODE, "", node_name);
    snprintf(token, token_bytes, TOKEN_PREFIX "%s/%s", node_name, node == NULL ? "" : node->uid);
}

struct token_review review_token(const struct world *world, const char *token, const char *audience)
{
    struct token_review review = {0};
    char right[512];
    size_t prefix = strlen(TOKEN_PREFIX);
    if (strncmp(token, TOKEN_PREFIX, prefix) != 0 || strcmp(audience, "vpsie-coordinator") != 0)
        return review;
    size_t length = strcspn(token + prefix, "/");
    if (length >= sizeof review.node_name)
        return review;
    memcpy(review.node_name, token + prefix, length);
    token_of_node(world, review.node_name, right, sizeof right);
    review.authenticated = strcmp(right, token) == 0 && right[strlen(right) - 1] != '/';
    if (!review.authenticated)
        return (struct token_review){0};
    snprintf(review.user, sizeof review.user, "system:serviceaccount:kube-system:vpsie-agent");
    snprintf(review.pod_name, sizeof review.pod_name, "vpsie-agent-%.8s", review.node_name);
    return review;
}
