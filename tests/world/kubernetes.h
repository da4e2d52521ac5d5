// What this room is for: what people and programs do to the cluster in a story: deploy, scale, protect,
// cordon, evict, and what an agent's token says. What it knows: Kubernetes objects. What it may not do: be
// used by the world to run itself.
#ifndef VPSIE_TESTS_WORLD_KUBERNETES_H
#define VPSIE_TESTS_WORLD_KUBERNETES_H

#include "tests/world/world.h"

// What the pods of a workload ask for and what they do. Zeroed fields mean: nothing of it.
struct workload {
    const char *space; // "default" when NULL
    const char *name;  // also the label app
    int32_t replicas;
    int64_t cpu_millis, memory_mb; // requests
    // What they use, as an agent would measure it (annotations of the pods, so that the demo can write it
    // into file trees)
    int64_t use_cpu_millis, use_memory_mb;
    int64_t connections;
    const char *local_data; // "spool=222298112": an emptyDir and the bytes it holds
    const char *volume;     // a PersistentVolume that is attached while a pod runs
    const char *spec;       // more members of the pods' spec, with ' for ": "'hostNetwork':true"
    const char *selector_key, *selector_value;
    const char *affinity_key, *affinity_value; // required node affinity: key In (value)
    const char *toleration_key;                // Exists
    const char *annotation_key, *annotation_value;
    int32_t priority;
    int64_t grace_seconds; // 30 when 0
    int64_t stop_ms;       // 0: drawn
    int64_t run_seconds;   // > 0: ends by itself (Jobs)
};
// The annotations in which a pod's doings are written.
#define USE_PREFIX      "test.vpsie.com/"
#define USE_CPU         USE_PREFIX "cpu-millis"
#define USE_MEMORY      USE_PREFIX "memory-bytes"
#define USE_CONNECTIONS USE_PREFIX "connections"
#define USE_LOCAL_DATA  USE_PREFIX "local-data"
#define USE_VOLUME      USE_PREFIX "volume"
#define USE_STOP_MS     USE_PREFIX "stop-ms"
#define USE_RUN_SECONDS USE_PREFIX "run-seconds"

void add_namespace(struct world *world, const char *name);
// Of CSI_DRIVER. `waits`: WaitForFirstConsumer.
void add_storage_class(struct world *world, const char *name, bool waits);
void add_claim(struct world *world, const char *space, const char *name, const char *class_name);
void add_deployment(struct world *world, const struct workload *workload);
void scale_deployment(struct world *world, const char *space, const char *name, int32_t replicas);
void add_daemonset(struct world *world, const struct workload *workload);
void add_job(struct world *world, const struct workload *workload); // replicas: parallelism
void add_bare_pod(struct world *world, const struct workload *workload);
void add_mirror_pod(struct world *world, const char *node_name, int64_t cpu_millis);
// min_available or max_unavailable < 0: not set. Percentages are not modelled.
void add_budget(struct world *world, const char *space, const char *name, const char *app,
                int32_t min_available, int32_t max_unavailable);
void remove_object(struct world *world, enum api_kind kind, const char *space, const char *name);
// The template and every pod of the app: NULL or < 0 leaves as it is.
void change_use(struct world *world, const char *space, const char *app, int64_t cpu_millis,
                int64_t memory_mb, const char *local_data);

struct group_plan {
    const char *space, *name; // "default" when NULL
    int32_t min, max;
    const char *cluster, *datacenter;
    int64_t size_id;          // kubeSizeID, 0: not set
    const char *offering;     // the first of offeringIDs; NULL: the size
    const char *offering_too; // the second; NULL: none
    const char *label_key, *label_value, *taint_key;
    int64_t up_stabilization_seconds, down_stabilization_seconds, cooldown_seconds;
    int32_t cpu_threshold, memory_threshold; // scale down, percent; 50 when 0
    bool unmanaged;                          // without the label managed=true
};
void add_node_group(struct world *world, const struct group_plan *plan);
void add_config(struct world *world, const char *global_settings); // JSON with ' for ", NULL: none
// A VPSieNode as the predecessor leaves it: vpsieInstanceID 0, no identifier.
void add_predecessor_node(struct world *world, const char *space, const char *group, const char *name,
                          const char *hostname, const char *phase);
void add_predecessor_webhooks(struct world *world);

// value NULL removes.
void annotate(struct world *world, enum api_kind kind, const char *space, const char *name, const char *key,
              const char *value);
void person_cordons(struct world *world, const char *node_name, bool cordoned);

// POST …/pods/NAME/eviction. grace_seconds < 0: the pod's own.
struct api_answer evict(struct world *world, const char *space, const char *name, const char *uid,
                        int64_t grace_seconds);

// How many pods of an app ("": all of the namespace; space NULL: of all) are so.
enum pod_question { PODS_ALL, PODS_READY, PODS_WAITING /* not bound, not ended */, PODS_SUCCEEDED };
size_t count_pods(const struct world *world, const char *space, const char *app, enum pod_question question);
size_t count_ready_nodes(const struct world *world); // masters aside
// Pods on a node that are neither over, nor of a DaemonSet, nor mirrors.
size_t count_movable_pods(const struct world *world, const char *node_name);
bool pod_is_furniture_document(const cJSON *pod);
bool node_is_ready(const struct world *world, const char *node_name);

// A projected ServiceAccount token of the agent's pod on a node, and what TokenReview says of it.
void token_of_node(const struct world *world, const char *node_name, char *token, size_t token_bytes);
struct token_review {
    bool authenticated;
    char user[160];
    char pod_name[100], node_name[100]; // node_name "" on a server before 1.30
};
struct token_review review_token(const struct world *world, const char *token, const char *audience);

#endif
