// Any bytes as a list page or a watch: cut into pieces whatever the chunks, each piece through every decoder
// and every patch maker.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/patch.h"
#include "coordinator/kube/splitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_labels(const struct labels *labels)
{
    for (uint32_t i = 0; i < labels->count; i++) {
        assert(labels->items[i].key && labels->items[i].value);
        assert(i == 0 || strcmp(labels->items[i - 1].key, labels->items[i].key) < 0);
    }
}

static void check_resources(const struct resources *resources)
{
    assert(resources->cpu_millis >= 0 && resources->memory_bytes >= 0 && resources->ephemeral_bytes >= 0);
    for (uint32_t i = 0; i < resources->extended_count; i++) {
        assert(resources->extended[i].amount > 0);
        assert(i == 0 || strcmp(resources->extended[i - 1].name, resources->extended[i].name) < 0);
    }
}

static void check_requirements(const struct requirement *requirements, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert(*requirements[i].key && requirements[i].operator<= SELECTOR_LT);
        for (uint32_t j = 0; j < requirements[i].value_count; j++)
            assert(requirements[i].values[j]);
    }
}

static void check_terms(const struct pod_term *terms, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert(*terms[i].topology_key);
        check_requirements(terms[i].selector.requirements, terms[i].selector.requirement_count);
        check_requirements(terms[i].space_selector.requirements, terms[i].space_selector.requirement_count);
        // some namespace is always meant: the pod's own, listed ones, or selected ones
        assert(terms[i].space_count > 0 || !terms[i].space_selector.nothing);
        assert(!terms[i].selector.nothing || terms[i].selector.requirement_count == 0 ||
               terms[i].selector.requirements);
    }
}

static void check_shape(const struct pod_shape_facts *shape)
{
    check_labels(&shape->labels);
    check_resources(&shape->requests);
    assert(shape->requests.pods == 1);
    check_terms(shape->pod_affinity, shape->pod_affinity_count);
    check_terms(shape->pod_anti_affinity, shape->pod_anti_affinity_count);
    for (uint32_t i = 0; i < shape->spread_count; i++) {
        assert(*shape->spread[i].topology_key && shape->spread[i].max_skew >= 1);
        assert(shape->spread[i].min_domains >= 1 && shape->spread[i].space);
        check_requirements(shape->spread[i].selector.requirements,
                           shape->spread[i].selector.requirement_count);
    }
    for (uint32_t i = 0; i < shape->host_port_count; i++) {
        assert(shape->host_ports[i].port >= 1 && shape->host_ports[i].port <= 65535);
        assert(*shape->host_ports[i].ip && shape->host_ports[i].protocol <= PORT_SCTP);
    }
}

static void check_config(const struct config_facts *config)
{
    for (uint32_t i = 0; i < config->budget_count; i++) {
        const struct disruption_budget_facts *budget = &config->budgets[i];
        assert(budget->nodes_max >= 0 || (budget->percent >= 0 && budget->percent <= 100));
        assert(budget->schedule && budget->duration_seconds >= 0);
        for (uint32_t j = 0; j < budget->group_count; j++)
            assert(budget->groups[j]);
    }
    assert(config->group_defaults == NULL || *config->group_defaults->space);
}

static void check_storage(const struct event *event)
{
    switch (event->object.kind) {
    case OBJECT_CLAIM:
        assert(*event->object.claim->space && *event->object.claim->name);
        assert(!event->object.claim->bound || *event->object.claim->volume_name);
        break;
    case OBJECT_VOLUME:
        for (uint32_t i = 0; i < event->object.volume->affinity_term_count; i++)
            check_requirements(event->object.volume->affinity_terms[i].expressions,
                               event->object.volume->affinity_terms[i].expression_count);
        break;
    case OBJECT_CSI_NODE:
        for (uint32_t i = 1; i < event->object.csi_node->driver_count; i++)
            assert(strcmp(event->object.csi_node->drivers[i - 1].driver,
                          event->object.csi_node->drivers[i].driver) <= 0);
        break;
    default: break;
    }
}

// Everything that reaches the core can be said on one line.
static void check_words(const struct event *event)
{
    AUTOTEXT struct text out = {0};
    event_describe(event, &out);
    assert(out.length > 0);
}

static void check_object(const struct event *event)
{
    check_words(event);
    check_storage(event);
    switch (event->object.kind) {
    case OBJECT_NODE:
        check_labels(&event->object.node->labels);
        check_resources(&event->object.node->allocatable);
        assert(*event->object.node->name && event->object.node->hostname && event->object.node->provider_id);
        break;
    case OBJECT_POD:
        check_shape(&event->object.pod->shape);
        assert(*event->object.pod->uid);
        for (uint32_t i = 0; i < event->object.pod->claim_count; i++)
            assert(*event->object.pod->claims[i]);
        break;
    case OBJECT_DAEMONSET: check_shape(&event->object.daemonset->shape); break;
    case OBJECT_CONFIG: check_config(event->object.config); break;
    case OBJECT_NODEGROUP:
        check_labels(&event->object.group->node_labels);
        assert(strlen(event->object.group->invalid) < 2048 && strlen(event->object.group->doubtful) < 2048);
        assert(*event->object.group->invalid ||
               (event->object.group->min_nodes <= event->object.group->max_nodes &&
                event->object.group->offering_count > 0));
        break;
    default: break;
    }
}

static void make_patches(const cJSON *json)
{
    AUTOTEXT struct text kept = {0};
    AUTOFREE char *cordon = patch_cordon(json, "fuzz");
    AUTOFREE char *uncordon = patch_uncordon(json);
    AUTOFREE char *finalizer = patch_finalizer(json, FINALIZER_NODEGROUP, false);
    const struct label label = {"autoscaler.vpsie.com/managed", "true"};
    const struct taint taint = {"a", "b", TAINT_NO_EXECUTE};
    AUTOFREE char *label_node = patch_label_node(
        json, &(struct labels){&label, 1}, &(struct labels){&label, 1}, &(struct taints){&taint, 1}, &kept);
    const char *bodies[] = {cordon, uncordon, finalizer, label_node};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (!bodies[i])
            continue;
        AUTOJSON cJSON *back = json_parse(bodies[i], strlen(bodies[i]), NULL);
        assert(cJSON_IsObject(back));
    }
}

static void decode_all(const cJSON *json)
{
    make_patches(json);
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        struct event *event = event_create(EVENT_OBJECT);
        struct error error = {0};
        event->object.kind = (enum object_kind)i;
        if (kinds[i].fill(json, event, &error) == 0)
            check_object(event);
        else
            assert(error.text[0] != '\0');
        event_destroy(event);
    }
}

struct seen {
    uint64_t hash;
    bool decode;
};

static bool take(void *context, enum splitter_piece piece, char *bytes, size_t length)
{
    struct seen *seen = context;
    for (size_t i = 0; i < length; i++)
        seen->hash = (seen->hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    seen->hash = (seen->hash ^ (uint64_t)piece) * 1099511628211u + 1;
    if (!seen->decode)
        return true;
    AUTOJSON cJSON *before = json_parse(bytes, length, NULL);
    json_blank_managed_fields(bytes, length);
    AUTOJSON cJSON *json = json_parse(bytes, length, NULL);
    if (before && !json)
        abort();
    if (!json)
        return true;
    decode_all(json);
    const cJSON *object = json_get(json, "object"); // of a watch event
    if (object)
        decode_all(object);
    return true;
}

// The same pieces must come out whatever the size of the chunks.
static uint64_t split(enum splitter_mode mode, const char *bytes, size_t size, size_t chunk, bool decode)
{
    struct seen seen = {.decode = decode};
    struct splitter splitter;
    splitter_init(&splitter, mode, take, &seen);
    for (size_t at = 0; at < size; at += chunk)
        splitter_feed(&splitter, bytes + at, size - at < chunk ? size - at : chunk);
    uint64_t hash = seen.hash * 4 + splitter.skipped * 2 + (splitter_complete(&splitter) ? 1 : 0);
    splitter_free(&splitter, true);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum splitter_mode mode = data[0] & 1 ? SPLITTER_STREAM : SPLITTER_LIST;
    size_t chunk = (size_t)(data[0] >> 1) % 32 + 1;
    char *bytes = malloc(size); // exactly as long, so that reading on is seen
    if (!bytes)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    uint64_t whole = split(mode, bytes, size - 1, size, true);
    uint64_t pieces = split(mode, bytes, size - 1, chunk, false);
    if (whole != pieces)
        abort();
    free(bytes);
    return 0;
}
