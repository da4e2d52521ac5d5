// What this room is for: an API server without the server: objects with versions, patches, preconditions,
// finalizers, status apart from spec, and the log that watches are served from. What it knows: Kubernetes'
// API conventions. What it may not do: know what a scheduler or a kubelet does with the objects, speak HTTP.
#ifndef VPSIE_TESTS_WORLD_API_H
#define VPSIE_TESTS_WORLD_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/world/json.h"
#include "tests/world/random.h"

// The coordinator's Kubernetes door has functions of the same names, and the simulator links both.
#define api_create  world_api_create
#define api_destroy world_api_destroy

enum api_kind {
    API_NODE,
    API_POD,
    API_NAMESPACE,
    API_SECRET,
    API_SERVICE,
    API_CLAIM,  // PersistentVolumeClaim
    API_VOLUME, // PersistentVolume
    API_BUDGET, // PodDisruptionBudget
    API_DEPLOYMENT,
    API_REPLICASET,
    API_STATEFULSET,
    API_DAEMONSET,
    API_JOB,
    API_STORAGE_CLASS,
    API_CSI_NODE,
    API_ATTACHMENT, // VolumeAttachment
    API_PRIORITY_CLASS,
    API_LEASE,
    API_EVENT, // events.k8s.io/v1
    API_ENDPOINT_SLICE,
    API_VALIDATING_WEBHOOK,
    API_NODEGROUP,
    API_VPSIENODE,
    API_CONFIG, // AutoscalerConfig
    API_CONFIGMAP,
    API_KIND_COUNT
};
struct api_kind_info {
    const char *kind, *plural, *group, *version; // group "" is the core group
    bool namespaced;
    bool status;     // has a status subresource
    bool generation; // a change of spec raises metadata.generation
};
const struct api_kind_info *api_kind_info(enum api_kind kind);
// API_KIND_COUNT when there is none.
enum api_kind api_kind_find(const char *group, const char *version, const char *plural);

// One version of one object. Never changed once stored; shared by the store and the log.
struct document {
    uint32_t references;
    cJSON *json;
};
struct api_object {
    enum api_kind kind;
    const char *space, *name, *uid; // point into the document
    const char *node_name;          // spec.nodeName, "" without
    const char *owner_uid;          // of the controller reference, "" without
    int64_t version;
    struct document *document;
};

enum api_change_type { API_ADDED, API_MODIFIED, API_DELETED };
struct api_change {
    int64_t version;
    enum api_kind kind;
    enum api_change_type type;
    struct document *now;    // DELETED: the last state, with the version of the deletion
    struct document *before; // NULL when ADDED
};

// Called after every change, within the write: may look and set timers, may not write.
typedef void (*api_listener)(void *context, const struct api_change *change);

struct api;
// `now_ms` is read whenever a time is stamped; `random` gives uids. Both are borrowed.
struct api *api_create_store(const int64_t *now_ms, struct random *random);
void api_destroy(struct api *api);
void api_listen(struct api *api, api_listener listener, void *context); // at most API_LISTENERS_MAX
void api_unlisten(struct api *api, void *context);
#define API_LISTENERS_MAX 8

// What a request came to: an HTTP status and, when it failed, metav1.Status' reason and message.
struct api_answer {
    int code;
    const char *reason;
    char message[400];
    int64_t retry_after_seconds;
    const struct api_object *object; // borrowed: valid until the next write
};
#define API_OK(answer) ((answer).code >= 200 && (answer).code < 300)

enum api_patch_type { API_MERGE_PATCH, API_JSON_PATCH };
struct api_preconditions {
    const char *uid;     // NULL or "": none
    const char *version; // resourceVersion, NULL or "": none
};

// Takes the document over. `space` "" for what has no namespace. metadata.generateName is honoured.
struct api_answer api_create(struct api *api, enum api_kind kind, const char *space, cJSON *document);
struct api_answer api_get(const struct api *api, enum api_kind kind, const char *space, const char *name);
// A resourceVersion inside the patch or document is a precondition (409).
struct api_answer api_patch(struct api *api, enum api_kind kind, const char *space, const char *name,
                            bool status, enum api_patch_type type, const cJSON *patch);
struct api_answer api_replace(struct api *api, enum api_kind kind, const char *space, const char *name,
                              bool status, const cJSON *document);
// grace_seconds < 0: the pod's own. Pods that run are only marked; the kubelet ends them with grace 0.
struct api_answer api_delete(struct api *api, enum api_kind kind, const char *space, const char *name,
                             struct api_preconditions preconditions, int64_t grace_seconds);
// For the world's own controllers: spec and status at once, no precondition. Takes the document. What did
// not change is not written. The object must be there.
void api_put(struct api *api, const struct api_object *object, cJSON *document);
cJSON *api_copy(const struct api_object *object); // to change and put

// NULL when absent.
const struct api_object *api_find(const struct api *api, enum api_kind kind, const char *space,
                                  const char *name);
// All objects of a kind, in order of namespace and name. Writes move indices.
size_t api_count(const struct api *api, enum api_kind kind);
const struct api_object *api_at(const struct api *api, enum api_kind kind, size_t index);
// A snapshot of a kind's objects for loops that write: pointers stay valid until api_release().
struct api_list {
    const struct api_object *items; // copies that hold their document
    size_t count;
};
struct api_list api_snapshot(const struct api *api, enum api_kind kind, const char *space); // NULL: all
void api_release(struct api_list *list);
#define AUTOLIST __attribute__((cleanup(api_release)))

// The log. Versions rise by one with every write in the whole store.
int64_t api_version(const struct api *api);
int64_t api_compacted_version(const struct api *api); // watches from before this are Gone (410)
void api_compact(struct api *api, int64_t version);   // forget what is not after `version`
// The first change after `version`, NULL when there is none. Version must not be compacted away.
const struct api_change *api_change_after(const struct api *api, int64_t version);
void document_hold(struct document *document);
void document_release(struct document *document); // NULL is fine

// "app=web,tier in (a,b),!old" and "spec.nodeName=w-1,metadata.name!=x". NULL or "" match everything.
// Returns -1 for a selector that cannot be read.
int api_matches_labels(const cJSON *document, const char *selector);
int api_matches_fields(const cJSON *document, const char *selector);
// metav1.LabelSelector (matchLabels, matchExpressions) against metadata.labels. NULL matches nothing, {} all.
bool api_selects(const cJSON *label_selector, const cJSON *labels);

#endif
