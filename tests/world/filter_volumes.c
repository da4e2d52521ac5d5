// Filters that look at volumes: claims, where their volumes can be used or made, how many a node can hold.
// kubernetes.io/docs/concepts/storage: persistent-volumes, storage-classes, storage-limits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/board.h"
#include "tests/world/parts.h"

#define SELECTED_NODE  "volume.kubernetes.io/selected-node"
#define NO_PROVISIONER "kubernetes.io/no-provisioner"
#define NAME_BYTES     600

bool board_claim_name(const cJSON *volume, const char *pod_name, char *name, size_t bytes)
{
    if (json_key(volume, "ephemeral") != NULL)
        snprintf(name, bytes, "%s-%s", pod_name, json_text(volume, "name"));
    else
        snprintf(name, bytes, "%s", json_text(volume, "persistentVolumeClaim.claimName"));
    return name[0] != 0;
}

static const cJSON *document_of(const struct board *board, enum api_kind kind, const char *space,
                                const char *name)
{
    const struct api_object *object = api_find(board->api, kind, space, name);
    return object == NULL ? NULL : object->document->json;
}

static bool is_bound(const cJSON *claim)
{
    return json_text(claim, "spec.volumeName")[0] != 0 &&
           strcmp(json_text(claim, "status.phase"), "Bound") == 0;
}

// ---- places

// A zone or region label of the volume binds it; the value may name several, joined by "__". A node without
// any of these labels is not held to them.
static bool zone_holds(const cJSON *volume, const cJSON *node)
{
    static const char *const keys[] = {"topology.kubernetes.io/zone", "topology.kubernetes.io/region",
                                       "failure-domain.beta.kubernetes.io/zone",
                                       "failure-domain.beta.kubernetes.io/region"};
    const cJSON *labels = json_at(node, "metadata.labels");
    bool held = false, holds = true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *at = json_key_text(labels, keys[i]);
        const char *list = json_key_text(json_at(volume, "metadata.labels"), keys[i]);
        held = held || at[0] != 0;
        bool found = list[0] == 0;
        while (list[0] != 0 && !found) {
            const char *end = strstr(list, "__");
            size_t length = end == NULL ? strlen(list) : (size_t)(end - list);
            found = strlen(at) == length && strncmp(list, at, length) == 0;
            list = end == NULL ? "" : end + 2;
        }
        holds = holds && found;
    }
    return holds || !held;
}

static bool volume_reaches(const cJSON *volume, const cJSON *node)
{
    const cJSON *required = json_at(volume, "spec.nodeAffinity.required"), *term;
    if (!zone_holds(volume, node))
        return false;
    if (required == NULL)
        return true;
    cJSON_ArrayForEach(term, json_key(required, "nodeSelectorTerms"))
    {
        if (board_term_holds(term, node))
            return true;
    }
    return false;
}

static bool topology_allowed(const cJSON *class, const cJSON *node)
{
    const cJSON *terms = json_key(class, "allowedTopologies"), *term, *expression, *value;
    if (cJSON_GetArraySize(terms) == 0)
        return true;
    cJSON_ArrayForEach(term, terms)
    {
        bool holds = cJSON_GetArraySize(json_key(term, "matchLabelExpressions")) > 0;
        cJSON_ArrayForEach(expression, json_key(term, "matchLabelExpressions"))
        {
            const char *at = json_key_text(json_at(node, "metadata.labels"), json_text(expression, "key"));
            bool in = false;
            cJSON_ArrayForEach(value, json_key(expression, "values")) in =
                in || (at[0] != 0 && strcmp(value->valuestring, at) == 0);
            holds = holds && in;
        }
        if (holds)
            return true;
    }
    return false;
}

static bool same_mode(const cJSON *claim, const cJSON *volume)
{
    const cJSON *mode, *offered;
    cJSON_ArrayForEach(mode, json_at(claim, "spec.accessModes"))
    {
        bool found = false;
        cJSON_ArrayForEach(offered, json_at(volume, "spec.accessModes")) found =
            found || strcmp(offered->valuestring, mode->valuestring) == 0;
        if (!found)
            return false;
    }
    return true;
}

// A volume that exists, belongs to nobody and suits the claim on this node; NULL without one.
static const struct api_object *volume_to_take(const struct board *board, const cJSON *claim,
                                               const cJSON *node)
{
    for (size_t i = 0; i < api_count(board->api, API_VOLUME); i++) {
        const struct api_object *object = api_at(board->api, API_VOLUME, i);
        const cJSON *volume = object->document->json;
        if (json_at(volume, "spec.claimRef") == NULL &&
            strcmp(json_text(volume, "spec.storageClassName"), json_text(claim, "spec.storageClassName")) ==
                0 &&
            quantity_units(json_text(volume, "spec.capacity.storage")) >=
                quantity_units(json_text(claim, "spec.resources.requests.storage")) &&
            same_mode(claim, volume) && volume_reaches(volume, node))
            return object;
    }
    return NULL;
}

static enum miss check_unbound(const struct board *board, const cJSON *claim, const struct seat *seat)
{
    const cJSON *node = seat->node->document->json;
    const cJSON *class = document_of(board, API_STORAGE_CLASS, "", json_text(claim, "spec.storageClassName"));
    if (class == NULL || json_text(claim, "spec.volumeName")[0] != 0 ||
        strcmp(json_text(class, "volumeBindingMode"), "WaitForFirstConsumer") != 0)
        return MISS_CLAIM; // somebody else binds it first
    const char *selected = json_key_text(json_at(claim, "metadata.annotations"), SELECTED_NODE);
    if (selected[0] != 0 && strcmp(selected, seat->node->name) != 0)
        return MISS_VOLUME_PLACE;
    if (volume_to_take(board, claim, node) != NULL)
        return FITS;
    bool made = strcmp(json_text(class, "provisioner"), NO_PROVISIONER) != 0;
    return made && topology_allowed(class, node) ? FITS : MISS_VOLUME_PLACE;
}

// ---- who uses a claim

static bool uses_claim(const struct standing *standing, const char *space, const char *claim_name)
{
    char name[NAME_BYTES];
    const cJSON *volume;
    if (strcmp(standing->space, space) != 0)
        return false;
    cJSON_ArrayForEach(volume, json_at(standing->pod, "spec.volumes"))
    {
        if (board_claim_name(volume, json_text(standing->pod, "metadata.name"), name, sizeof name) &&
            strcmp(name, claim_name) == 0)
            return true;
    }
    return false;
}

static bool one_pod_only(const cJSON *claim)
{
    const cJSON *mode;
    cJSON_ArrayForEach(mode, json_at(claim, "spec.accessModes"))
    {
        if (strcmp(mode->valuestring, "ReadWriteOncePod") == 0)
            return true;
    }
    return false;
}

static bool used_already(const struct board *board, const cJSON *claim, const char *space, const char *name)
{
    for (size_t i = 0; one_pod_only(claim) && i < board->pod_count; i++) {
        if (uses_claim(&board->pods[i], space, name))
            return true;
    }
    return false;
}

// ---- attach limits: distinct volumes by driver

struct uses {
    char (*items)[2 * NAME_BYTES]; // "DRIVER VOLUME"
    size_t count, capacity;
};

static void use(struct uses *uses, const char *driver, const char *volume)
{
    char item[2 * NAME_BYTES];
    snprintf(item, sizeof item, "%s %s", driver, volume);
    for (size_t i = 0; i < uses->count; i++) {
        if (strcmp(uses->items[i], item) == 0)
            return;
    }
    if (uses->count == uses->capacity) {
        uses->capacity = uses->capacity == 0 ? 8 : 2 * uses->capacity;
        uses->items = xrealloc_array(uses->items, uses->capacity, sizeof *uses->items);
    }
    memcpy(uses->items[uses->count++], item, sizeof item);
}

static void use_volume(struct uses *uses, const struct board *board, const char *name)
{
    const cJSON *csi = json_at(document_of(board, API_VOLUME, "", name), "spec.csi");
    if (csi != NULL)
        use(uses, json_text(csi, "driver"), json_text(csi, "volumeHandle"));
}

static void use_claims(struct uses *uses, const struct board *board, const cJSON *pod, const char *space)
{
    char name[NAME_BYTES], unbound[2 * NAME_BYTES];
    const cJSON *volume;
    cJSON_ArrayForEach(volume, json_at(pod, "spec.volumes"))
    {
        if (!board_claim_name(volume, json_text(pod, "metadata.name"), name, sizeof name))
            continue;
        const cJSON *claim = document_of(board, API_CLAIM, space, name);
        const cJSON *class =
            document_of(board, API_STORAGE_CLASS, "", json_text(claim, "spec.storageClassName"));
        if (json_text(claim, "spec.volumeName")[0] != 0) {
            use_volume(uses, board, json_text(claim, "spec.volumeName"));
        } else if (class != NULL && strcmp(json_text(class, "provisioner"), NO_PROVISIONER) != 0) {
            snprintf(unbound, sizeof unbound, "%s/%s", space, name);
            use(uses, json_text(class, "provisioner"), unbound);
        }
    }
}

static int64_t uses_by(const struct uses *uses, const char *driver)
{
    int64_t count = 0;
    size_t length = strlen(driver);
    for (size_t i = 0; i < uses->count; i++)
        count += strncmp(uses->items[i], driver, length) == 0 && uses->items[i][length] == ' ';
    return count;
}

static bool attachable(const struct board *board, const struct api_object *pod, size_t seat)
{
    const char *node_name = board->seats[seat].node->name;
    const cJSON *csi_node = document_of(board, API_CSI_NODE, "", node_name), *driver;
    if (csi_node == NULL)
        return true;
    struct uses there = {0};
    for (size_t i = 0; i < board->pod_count; i++) {
        if (board->pods[i].seat == seat)
            use_claims(&there, board, board->pods[i].pod, board->pods[i].space);
    }
    for (size_t i = 0; i < api_count(board->api, API_ATTACHMENT); i++) {
        const cJSON *attachment = api_at(board->api, API_ATTACHMENT, i)->document->json;
        if (strcmp(json_text(attachment, "spec.nodeName"), node_name) == 0)
            use_volume(&there, board, json_text(attachment, "spec.source.persistentVolumeName"));
    }
    struct uses before = {.count = there.count};
    before.items = xcalloc(there.count + 1, sizeof *before.items);
    if (there.count > 0)
        memcpy(before.items, there.items, there.count * sizeof *before.items);
    use_claims(&there, board, pod->document->json, pod->space);
    bool fits = true;
    cJSON_ArrayForEach(driver, json_at(csi_node, "spec.drivers"))
    {
        const char *name = json_text(driver, "name");
        int64_t limit = json_number(driver, "allocatable.count", INT64_MAX), after = uses_by(&there, name);
        // a node that is too full already is no obstacle to a pod that adds nothing
        fits = fits && (after <= limit || after == uses_by(&before, name));
    }
    free(there.items);
    free(before.items);
    return fits;
}

// ---- the filter

enum miss attachable_check(const struct board *board, const struct api_object *pod, size_t seat)
{
    char name[NAME_BYTES];
    bool any = false;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_at(pod->document->json, "spec.volumes"))
    {
        if (!board_claim_name(entry, pod->name, name, sizeof name))
            continue;
        any = true;
        const cJSON *claim = document_of(board, API_CLAIM, pod->space, name);
        if (claim == NULL || json_text(claim, "metadata.deletionTimestamp")[0] != 0 ||
            strcmp(json_text(claim, "status.phase"), "Lost") == 0)
            return MISS_CLAIM;
        if (used_already(board, claim, pod->space, name))
            return MISS_ONE_POD_ONLY;
        if (!is_bound(claim)) {
            enum miss miss = check_unbound(board, claim, &board->seats[seat]);
            if (miss != FITS)
                return miss;
            continue;
        }
        const cJSON *volume = document_of(board, API_VOLUME, "", json_text(claim, "spec.volumeName"));
        if (volume == NULL)
            return MISS_CLAIM;
        if (!volume_reaches(volume, board->seats[seat].node->document->json))
            return MISS_VOLUME_PLACE;
    }
    return any && !attachable(board, pod, seat) ? MISS_ATTACH_LIMIT : FITS;
}

// ---- binding

static void add_place(cJSON *expressions, const cJSON *node, const char *key)
{
    const cJSON *present, *label = json_key(json_at(node, "metadata.labels"), key);
    cJSON_ArrayForEach(present, expressions)
    {
        if (strcmp(json_text(present, "key"), key) == 0)
            return;
    }
    if (label != NULL)
        cJSON_AddItemToArray(
            expressions, json_of("{'key':'%s','operator':'In','values':['%s']}", key, label->valuestring));
}

// What a provisioner makes for a claim: a volume that can be used where the node is: in its zone, and by the
// keys of the class' topologies.
static cJSON *make_volume(const cJSON *class, const cJSON *node, const char *name)
{
    cJSON *volume = json_of("{'metadata':{'name':'%s'},'spec':{'csi':{'driver':'%s','volumeHandle':'%s'},"
                            "'storageClassName':'%s'}}",
                            name, json_text(class, "provisioner"), name, json_text(class, "metadata.name"));
    cJSON *expressions = cJSON_CreateArray();
    const cJSON *term, *expression;
    add_place(expressions, node, "topology.kubernetes.io/zone");
    cJSON_ArrayForEach(term, json_key(class, "allowedTopologies"))
    {
        cJSON_ArrayForEach(expression, json_key(term, "matchLabelExpressions"))
            add_place(expressions, node, json_text(expression, "key"));
    }
    if (cJSON_GetArraySize(expressions) == 0) {
        cJSON_Delete(expressions);
        return volume;
    }
    cJSON *required = json_of("{'nodeSelectorTerms':[{}]}");
    json_put(cJSON_GetArrayItem(json_key(required, "nodeSelectorTerms"), 0), "matchExpressions", expressions);
    json_set(volume, "spec.nodeAffinity.required", required);
    return volume;
}

static void bind_claim(const struct board *board, const struct api_object *claim, const char *node_name)
{
    const cJSON *node = document_of(board, API_NODE, "", node_name), *json = claim->document->json;
    const cJSON *class = document_of(board, API_STORAGE_CLASS, "", json_text(json, "spec.storageClassName"));
    const struct api_object *found = volume_to_take(board, json, node);
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "pvc-%s", claim->uid);
    cJSON *reference = json_of("{'kind':'PersistentVolumeClaim','namespace':'%s','name':'%s','uid':'%s'}",
                               claim->space, claim->name, claim->uid);
    cJSON *wanted = api_copy(claim);
    if (found != NULL) {
        snprintf(name, sizeof name, "%s", found->name);
        cJSON *volume = api_copy(found);
        json_set(volume, "spec.claimRef", reference);
        api_put(board->api, found, volume);
    } else {
        cJSON *volume = make_volume(class, node, name);
        json_set(volume, "spec.claimRef", reference);
        api_create(board->api, API_VOLUME, "", volume);
        json_put(json_make(wanted, "metadata.annotations"), SELECTED_NODE, cJSON_CreateString(node_name));
    }
    json_set_text(wanted, "spec.volumeName", name);
    json_set_text(wanted, "status.phase", "Bound");
    api_put(board->api, api_find(board->api, API_CLAIM, claim->space, claim->name), wanted);
}

void board_volumes_bind(const struct board *board, const struct api_object *pod, const char *node_name)
{
    char name[NAME_BYTES];
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_at(pod->document->json, "spec.volumes"))
    {
        if (!board_claim_name(entry, pod->name, name, sizeof name))
            continue;
        const struct api_object *claim = api_find(board->api, API_CLAIM, pod->space, name);
        if (claim != NULL && !is_bound(claim->document->json))
            bind_claim(board, claim, node_name);
    }
}
