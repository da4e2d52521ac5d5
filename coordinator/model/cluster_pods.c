#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/labels.h"
#include "coordinator/model/resources.h"

static uint64_t name_hash(const char *space, const char *name)
{
    return hash_text(hash_text(HASH_SEED, space), name);
}

static uint64_t text_hash(const char *text)
{
    return hash_text(HASH_SEED, text);
}

// ---- what a node's pods ask for

static void recount(struct node *node)
{
    resources_free(&node->requested);
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        if (pod->counted)
            resources_add(&node->requested, &pod->shape->facts.requests);
    }
}

// The shape's list holds exactly the pods that are counted on a node.
static void shape_gains(struct pod *pod)
{
    pod->shape_previous = NULL;
    pod->shape_next = pod->shape->pods;
    if (pod->shape->pods != NULL)
        pod->shape->pods->shape_previous = pod;
    pod->shape->pods = pod;
}

static void shape_loses(struct pod *pod)
{
    if (pod->shape_previous == NULL)
        pod->shape->pods = pod->shape_next;
    else
        pod->shape_previous->shape_next = pod->shape_next;
    if (pod->shape_next != NULL)
        pod->shape_next->shape_previous = pod->shape_previous;
    pod->shape_previous = pod->shape_next = NULL;
}

static void count_pod(struct pod *pod)
{
    assert(!pod->counted);
    if (pod->node == NULL || pod->terminal)
        return;
    resources_add(&pod->node->requested, &pod->shape->facts.requests);
    pod->node->pod_count++;
    shape_gains(pod);
    pod->counted = true;
}

static void uncount_pod(struct pod *pod)
{
    if (!pod->counted)
        return;
    pod->counted = false;
    pod->node->pod_count--;
    shape_loses(pod);
    if (resources_saturated(&pod->node->requested))
        recount(pod->node);
    else
        resources_subtract(&pod->node->requested, &pod->shape->facts.requests);
}

// ---- the list that a pod is in: its node's, a stray's or the unbound ones

static void append(struct pod **first, struct pod **last, struct pod *pod)
{
    pod->previous = *last;
    pod->next = NULL;
    if (*last == NULL)
        *first = pod;
    else
        (*last)->next = pod;
    *last = pod;
}

static void take_out(struct pod **first, struct pod **last, struct pod *pod)
{
    if (pod->previous == NULL)
        *first = pod->next;
    else
        pod->previous->next = pod->next;
    if (pod->next == NULL)
        *last = pod->previous;
    else
        pod->next->previous = pod->previous;
    pod->previous = NULL;
    pod->next = NULL;
}

static struct stray *find_stray(const struct cluster *cluster, const char *node_name)
{
    struct stray *stray;
    for (uint32_t cursor = 0;
         (stray = table_next(&cluster->tables->strays, text_hash(node_name), &cursor)) != NULL;) {
        if (strcmp(stray->node_name, node_name) == 0)
            return stray;
    }
    return NULL;
}

static struct stray *find_or_add_stray(struct cluster *cluster, const char *node_name)
{
    struct stray *stray = find_stray(cluster, node_name);
    if (stray != NULL)
        return stray;
    stray = xcalloc(1, sizeof(*stray));
    stray->node_name = strings_intern(cluster->strings, node_name);
    stray->previous = cluster->last_stray;
    if (cluster->last_stray == NULL)
        cluster->strays = stray;
    else
        cluster->last_stray->next = stray;
    cluster->last_stray = stray;
    table_insert(&cluster->tables->strays, text_hash(node_name), stray);
    return stray;
}

static void remove_stray(struct cluster *cluster, struct stray *stray)
{
    assert(stray->pods == NULL && stray->pod_count == 0);
    if (stray->previous == NULL)
        cluster->strays = stray->next;
    else
        stray->previous->next = stray->next;
    if (stray->next == NULL)
        cluster->last_stray = stray->previous;
    else
        stray->next->previous = stray->previous;
    table_remove(&cluster->tables->strays, text_hash(stray->node_name), stray);
    free(stray);
}

static void enlist(struct cluster *cluster, struct pod *pod)
{
    pod->node = cluster_node(cluster, pod->node_name);
    if (pod->node != NULL) {
        append(&pod->node->pods, &pod->node->last_pod, pod);
    } else if (is_given(pod->node_name)) {
        struct stray *stray = find_or_add_stray(cluster, pod->node_name);
        append(&stray->pods, &stray->last_pod, pod);
        stray->pod_count++;
        cluster->stray_count++;
    } else {
        append(&cluster->unbound, &cluster->last_unbound, pod);
        cluster->unbound_count++;
    }
    count_pod(pod);
}

static void delist(struct cluster *cluster, struct pod *pod)
{
    uncount_pod(pod);
    if (pod->node != NULL) {
        take_out(&pod->node->pods, &pod->node->last_pod, pod);
        pod->node = NULL;
    } else if (is_given(pod->node_name)) {
        struct stray *stray = find_stray(cluster, pod->node_name);
        assert(stray != NULL && stray->pod_count > 0);
        take_out(&stray->pods, &stray->last_pod, pod);
        cluster->stray_count--;
        if (--stray->pod_count == 0)
            remove_stray(cluster, stray);
    } else {
        take_out(&cluster->unbound, &cluster->last_unbound, pod);
        cluster->unbound_count--;
    }
}

void pods_adopt(struct cluster *cluster, struct node *node)
{
    struct stray *stray = find_stray(cluster, node->name);
    if (stray == NULL)
        return;
    assert(node->pods == NULL);
    node->pods = stray->pods;
    node->last_pod = stray->last_pod;
    cluster->stray_count -= stray->pod_count;
    stray->pods = stray->last_pod = NULL;
    stray->pod_count = 0;
    remove_stray(cluster, stray);
    for (struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        pod->node = node;
        count_pod(pod);
    }
}

void pods_give_away(struct cluster *cluster, struct node *node)
{
    if (node->pods == NULL)
        return;
    struct stray *stray = find_or_add_stray(cluster, node->name);
    assert(stray->pods == NULL);
    stray->pods = node->pods;
    stray->last_pod = node->last_pod;
    for (struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        pod->node = NULL;
        if (pod->counted)
            shape_loses(pod);
        pod->counted = false;
        stray->pod_count++;
    }
    cluster->stray_count += stray->pod_count;
    node->pods = node->last_pod = NULL;
    node->pod_count = 0;
    resources_free(&node->requested);
}

// ---- one pod

static void copy_text(const char **to, const char *text)
{
    if (is_given(*to))
        free((void *)*to);
    *to = is_given(text) ? xstrdup(text) : "";
}

static void replace_value(struct strings *strings, const char **to, const char *text)
{
    const char *held = strings_hold(strings, text);
    if (*to != NULL)
        strings_release(strings, *to);
    *to = held;
}

// A pod's list of names: of local volumes, of claims.
static void free_names(struct strings *strings, const char ***names, uint32_t *count)
{
    for (uint32_t i = 0; i < *count; i++)
        strings_release(strings, (*names)[i]);
    free(*names);
    *names = NULL;
    *count = 0;
}

static void copy_names(struct strings *strings, const char ***names, uint32_t *count, const char *const *told,
                       uint32_t told_count)
{
    free_names(strings, names, count);
    if (told_count == 0)
        return;
    *names = xcalloc(told_count, sizeof(**names));
    for (uint32_t i = 0; i < told_count; i++)
        (*names)[i] = strings_hold(strings, told[i]);
    *count = told_count;
}

// Name and uid never change in a pod's life: they lie behind it, in one piece of memory.
static struct pod *create(struct cluster *cluster, const struct pod_facts *facts)
{
    size_t name_bytes = strlen(facts->name) + 1;
    size_t uid_bytes = is_given(facts->uid) ? strlen(facts->uid) + 1 : 1;
    struct pod *pod = xcalloc(1, sizeof(*pod) + name_bytes + uid_bytes);
    char *tail = (char *)(pod + 1);
    memcpy(tail, facts->name, name_bytes);
    if (uid_bytes > 1)
        memcpy(tail + name_bytes, facts->uid, uid_bytes);
    pod->space = strings_intern(cluster->strings, facts->space);
    pod->name = tail;
    pod->uid = tail + name_bytes;
    pod->verdict = strings_intern(cluster->strings, "");
    pod->unschedulable_message = pod->safe_local_volumes = "";
    pod->sequence = ++cluster->tables->pod_sequence;
    table_insert(&cluster->tables->pods_by_name, name_hash(pod->space, pod->name), pod);
    if (is_given(pod->uid))
        table_insert(&cluster->tables->pods_by_uid, text_hash(pod->uid), pod);
    cluster->pod_count++;
    return pod;
}

// Takes the caller's reference to the shape over.
static void fill(struct cluster *cluster, struct pod *pod, const struct pod_facts *facts,
                 struct pod_shape *shape)
{
    struct strings *strings = cluster->strings;
    if (pod->shape != NULL)
        shapes_release(&cluster->tables->shapes, pod->shape);
    pod->shape = shape;
    pod->node_name = strings_intern(strings, facts->node_name);
    pod->nominated_node = strings_intern(strings, facts->nominated_node);
    pod->controller_kind = strings_intern(strings, facts->controller_kind);
    replace_value(strings, &pod->controller_name, facts->controller_name);
    replace_value(strings, &pod->controller_uid, facts->controller_uid);
    pod->unschedulable_since_ms = facts->unschedulable_since_ms;
    pod->created_ms = facts->created_ms;
    pod->deletion_ms = facts->deletion_ms;
    pod->grace_seconds = facts->grace_seconds;
    copy_text(&pod->safe_local_volumes, facts->safe_local_volumes);
    copy_names(strings, &pod->local_volumes, &pod->local_volume_count, facts->local_volumes,
               facts->local_volume_count);
    copy_names(strings, &pod->claims, &pod->claim_count, facts->claims, facts->claim_count);
    pod->phase = facts->phase;
    pod->safe_to_evict = facts->safe_to_evict;
    pod->mirror = facts->mirror;
    pod->unschedulable = facts->unschedulable;
    pod->gated = facts->gated;
    pod->terminal = facts->terminal;
    pod->do_not_disrupt = facts->do_not_disrupt;
    pod->verdict = strings_intern(strings, "");
    pod->verdict_decision_id = 0;
}

// Changes that matter to nobody's decision.
static void fill_quiet(struct pod *pod, const struct pod_facts *facts)
{
    pod->ready = facts->ready;
    if (!words_equal(pod->unschedulable_message, facts->unschedulable_message))
        copy_text(&pod->unschedulable_message, facts->unschedulable_message);
}

static bool same(const struct pod *pod, const struct pod_facts *facts, const struct pod_shape *shape)
{
    return pod->shape == shape && pod->phase == facts->phase && pod->safe_to_evict == facts->safe_to_evict &&
           pod->mirror == facts->mirror && pod->unschedulable == facts->unschedulable &&
           pod->gated == facts->gated && pod->terminal == facts->terminal &&
           pod->do_not_disrupt == facts->do_not_disrupt &&
           pod->unschedulable_since_ms == facts->unschedulable_since_ms &&
           pod->created_ms == facts->created_ms && pod->deletion_ms == facts->deletion_ms &&
           pod->grace_seconds == facts->grace_seconds && words_equal(pod->node_name, facts->node_name) &&
           words_equal(pod->nominated_node, facts->nominated_node) &&
           words_equal(pod->controller_kind, facts->controller_kind) &&
           words_equal(pod->controller_name, facts->controller_name) &&
           words_equal(pod->controller_uid, facts->controller_uid) &&
           words_equal(pod->safe_local_volumes, facts->safe_local_volumes) &&
           texts_equal(pod->local_volumes, pod->local_volume_count, facts->local_volumes,
                       facts->local_volume_count) &&
           texts_equal(pod->claims, pod->claim_count, facts->claims, facts->claim_count);
}

static void update(struct cluster *cluster, struct pod *pod, const struct pod_facts *facts,
                   struct pod_shape *shape)
{
    if (words_equal(pod->node_name, facts->node_name)) { // it keeps its place in its list
        uncount_pod(pod);
        fill(cluster, pod, facts, shape);
        count_pod(pod);
    } else {
        delist(cluster, pod);
        fill(cluster, pod, facts, shape);
        enlist(cluster, pod);
    }
}

struct pod *cluster_put_pod(struct cluster *cluster, const struct pod_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct pod *pod = cluster_pod(cluster, facts->space, facts->name);
    if (pod != NULL && uid_differs(pod->uid, facts->uid)) {
        cluster_remove_pod(cluster, facts->space, facts->name, pod->uid);
        pod = NULL;
    }
    if (pod == NULL && cluster->pod_count >= FACTS_PODS_MAX)
        return NULL;
    struct pod_shape *shape = shapes_hold(&cluster->tables->shapes, facts->space, &facts->shape);
    if (pod == NULL) {
        pod = create(cluster, facts);
        fill(cluster, pod, facts, shape);
        enlist(cluster, pod);
        cluster->version++;
    } else if (same(pod, facts, shape)) {
        shapes_release(&cluster->tables->shapes, shape);
    } else {
        update(cluster, pod, facts, shape);
        cluster->version++;
    }
    fill_quiet(pod, facts);
    return pod;
}

static void free_pod(struct cluster *cluster, struct pod *pod)
{
    shapes_release(&cluster->tables->shapes, pod->shape);
    strings_release(cluster->strings, pod->controller_name);
    strings_release(cluster->strings, pod->controller_uid);
    free_names(cluster->strings, &pod->local_volumes, &pod->local_volume_count);
    free_names(cluster->strings, &pod->claims, &pod->claim_count);
    copy_text(&pod->unschedulable_message, "");
    copy_text(&pod->safe_local_volumes, "");
    free(pod);
}

bool cluster_remove_pod(struct cluster *cluster, const char *space, const char *name, const char *uid)
{
    struct pod *pod = cluster_pod(cluster, space, name);
    if (pod == NULL || uid_differs(pod->uid, uid))
        return false;
    delist(cluster, pod);
    table_remove(&cluster->tables->pods_by_name, name_hash(pod->space, pod->name), pod);
    if (is_given(pod->uid))
        table_remove(&cluster->tables->pods_by_uid, text_hash(pod->uid), pod);
    cluster->pod_count--;
    cluster->version++;
    free_pod(cluster, pod);
    return true;
}

static void free_list(struct cluster *cluster, struct pod *pod)
{
    while (pod != NULL) {
        struct pod *next = pod->next;
        free_pod(cluster, pod);
        pod = next;
    }
}

void pods_free(struct cluster *cluster)
{
    free_list(cluster, cluster->unbound);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        free_list(cluster, cluster->nodes[i]->pods);
        cluster->nodes[i]->pods = NULL;
    }
    for (struct stray *stray = cluster->strays; stray != NULL;) {
        struct stray *next = stray->next;
        free_list(cluster, stray->pods);
        free(stray);
        stray = next;
    }
}

struct pod *cluster_pod(const struct cluster *cluster, const char *space, const char *name)
{
    struct pod *pod;
    if (!is_given(name))
        return NULL;
    for (uint32_t cursor = 0;
         (pod = table_next(&cluster->tables->pods_by_name, name_hash(space, name), &cursor)) != NULL;) {
        if (strcmp(pod->name, name) == 0 && words_equal(pod->space, space))
            return pod;
    }
    return NULL;
}

struct pod *cluster_pod_by_uid(const struct cluster *cluster, const char *uid)
{
    struct pod *pod;
    if (!is_given(uid))
        return NULL;
    for (uint32_t cursor = 0;
         (pod = table_next(&cluster->tables->pods_by_uid, text_hash(uid), &cursor)) != NULL;) {
        if (strcmp(pod->uid, uid) == 0)
            return pod;
    }
    return NULL;
}

bool pod_is_furniture(const struct pod *pod)
{
    return pod->mirror || strcmp(pod->controller_kind, "DaemonSet") == 0;
}
