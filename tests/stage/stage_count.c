// What the stage counts, and the audit of machines against intentions.
#include <stdlib.h>
#include <string.h>

#include "tests/stage/stage.h"
#include "tests/world/json.h"

static bool is_worker(const cJSON *node)
{
    const cJSON *labels = json_at(node, "metadata.labels");
    return json_key(labels, "node-role.kubernetes.io/control-plane") == NULL &&
           json_key(labels, "node-role.kubernetes.io/master") == NULL;
}

static bool condition_true(const cJSON *document, const char *type)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(document, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), type) == 0) {
            return strcmp(json_text(condition, "status"), "True") == 0;
        }
    }
    return false;
}

static void count_objects(const struct api *api, struct stage_counts *counts)
{
    for (size_t i = 0; i < api_count(api, API_POD); i++) {
        const cJSON *pod = api_at(api, API_POD, i)->document->json;
        counts->pods++;
        counts->pods_running += strcmp(json_text(pod, "status.phase"), "Running") == 0;
        counts->pods_waiting += json_text(pod, "spec.nodeName")[0] == '\0';
    }
    for (size_t i = 0; i < api_count(api, API_NODE); i++) {
        const cJSON *node = api_at(api, API_NODE, i)->document->json;
        if (is_worker(node)) {
            counts->nodes++;
            counts->nodes_ready += condition_true(node, "Ready");
        }
    }
    counts->intentions = (int)api_count(api, API_VPSIENODE);
}

struct stage_counts stage_count(struct stage *stage)
{
    struct stage_counts counts = {0};
    stage_lock(stage);
    count_objects(stage->world->api, &counts);
    counts.machines = (int)cloud_workers(stage->world, STAGE_CLUSTER);
    counts.add_calls = stage->world->cloud->add_calls;
    counts.machines_made = stage->world->cloud->machines_made;
    counts.delete_calls = stage->world->cloud->delete_calls;
    stage_unlock(stage);
    return counts;
}

// Which intentions name this machine?
static int owners_of(const struct api *api, const struct cloud_machine *machine)
{
    int owners = 0;
    for (size_t i = 0; i < api_count(api, API_VPSIENODE); i++) {
        const cJSON *intention = api_at(api, API_VPSIENODE, i)->document->json;
        owners += strcmp(json_text(intention, "spec.vpsieNodeIdentifier"), machine->identifier) == 0;
    }
    return owners;
}

void stage_audit(struct stage *stage, int *lost, int *doubled, struct text *report)
{
    *lost = *doubled = 0;
    stage_lock(stage);
    const struct cloud *cloud = stage->world->cloud;
    for (size_t i = 0; i < cloud->machine_count; i++) {
        const struct cloud_machine *machine = cloud->machines[i];
        if (machine->gone || machine->leaving || machine->call == 0) {
            continue; // not made by a call of the coordinator
        }
        int owners = owners_of(stage->world->api, machine);
        if (owners == 1) {
            continue;
        }
        *lost += owners == 0;
        *doubled += owners > 1;
        text_printf(report, "machine %s has %d intentions\n", machine->hostname, owners);
    }
    stage_unlock(stage);
}
