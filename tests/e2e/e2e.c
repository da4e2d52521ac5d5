#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/json.h"

#define SOUND_LIMIT_MS 30000

struct stage *e2e_stage(const char *name, uint64_t seed)
{
    struct stage_options options = stage_options_quick(name);
    options.seed = seed;
    struct stage *stage = stage_create(&options);
    stage_add_group(stage, "general", 1, E2E_GROUP_MIN, E2E_GROUP_MAX, 2);
    stage_deploy(stage, &(struct workload){.space = E2E_SPACE,
                                           .name = E2E_APP,
                                           .replicas = 0,
                                           .cpu_millis = 800,
                                           .memory_mb = 256,
                                           .use_cpu_millis = 100,
                                           .use_memory_mb = 64,
                                           .grace_seconds = 1});
    return stage;
}

void e2e_scale(struct stage *stage, int replicas)
{
    stage_scale(stage, E2E_SPACE, E2E_APP, replicas);
}

bool e2e_leads(struct stage *stage, void *index)
{
    AUTOTEXT struct text out = {0};
    static const char *const words[] = {"status", "-o", "json", NULL};
    int coordinator = index != NULL ? *(int *)index : 0;
    return stage_ask(stage, coordinator, words, &out) == 0 && strstr(text_get(&out), "\"ACTING\"") != NULL;
}

bool e2e_agents_heard(struct stage *stage, void *index)
{
    AUTOTEXT struct text out = {0};
    static const char *const words[] = {"agents", "-o", "json", NULL};
    int coordinator = index != NULL ? *(int *)index : 0;
    if (stage_ask(stage, coordinator, words, &out) != 0) {
        return false;
    }
    AUTOJSON cJSON *reply = cJSON_Parse(text_get(&out));
    return cJSON_GetArraySize(json_at(reply, "agents")) >= stage_count(stage).nodes_ready;
}

bool e2e_all_run(struct stage *stage, void *replicas)
{
    struct stage_counts counts = stage_count(stage);
    return counts.pods == *(int *)replicas && counts.pods_running == *(int *)replicas;
}

bool e2e_machines(struct stage *stage, void *count)
{
    struct stage_counts counts = stage_count(stage);
    int wanted = *(int *)count;
    return counts.machines == wanted && counts.nodes == wanted && counts.nodes_ready == wanted &&
           counts.intentions == wanted;
}

bool e2e_at_least_machines(struct stage *stage, void *count)
{
    return stage_count(stage).nodes_ready >= *(int *)count;
}

bool e2e_orders_open(struct stage *stage, void *unused)
{
    (void)unused;
    struct stage_counts counts = stage_count(stage);
    return counts.machines > counts.nodes_ready;
}

bool e2e_removing(struct stage *stage, void *unused)
{
    (void)unused;
    bool removing = false;
    stage_lock(stage);
    for (size_t i = 0; i < api_count(stage->world->api, API_VPSIENODE); i++) {
        const char *phase =
            json_text(api_at(stage->world->api, API_VPSIENODE, i)->document->json, "status.phase");
        removing = removing || strcmp(phase, "Terminating") == 0 || strcmp(phase, "Deleting") == 0;
    }
    stage_unlock(stage);
    return removing;
}

static bool master_untouched(struct stage *stage)
{
    stage_lock(stage);
    const struct cloud_machine *master = NULL;
    for (size_t i = 0; i < stage->world->cloud->machine_count; i++) {
        master = stage->world->cloud->machines[i]->master ? stage->world->cloud->machines[i] : master;
    }
    bool there = master != NULL && !master->gone && !master->leaving;
    const struct api_object *node =
        there ? api_find(stage->world->api, API_NODE, "", master->node_name) : NULL;
    bool untouched = node != NULL && !json_true(node->document->json, "spec.unschedulable");
    stage_unlock(stage);
    return untouched;
}

// A machine may be without its intention for a moment: until the lists have been read again.
static bool none_lost(struct stage *stage, void *unused)
{
    (void)unused;
    AUTOTEXT struct text report = {0};
    int lost = 0, doubled = 0;
    stage_audit(stage, &lost, &doubled, &report);
    return lost == 0 || doubled != 0;
}

void e2e_assert_sound(struct stage *stage)
{
    AUTOTEXT struct text report = {0};
    int lost = 0, doubled = 0;
    stage_wait(stage, "no machine without an intention", none_lost, NULL, SOUND_LIMIT_MS);
    stage_audit(stage, &lost, &doubled, &report);
    if (lost != 0 || doubled != 0 || !master_untouched(stage)) {
        stage_print_logs(stage);
        fail_msg("%d machines lost, %d doubled, master %s\n%s", lost, doubled,
                 master_untouched(stage) ? "untouched" : "TOUCHED", text_get(&report));
    }
}

void e2e_end(struct stage *stage, bool failed)
{
    if (failed) {
        stage_print_logs(stage);
    }
    int bad_ends = stage_destroy(stage, getenv("VPSIE_KEEP_STAGE") != NULL);
    if (!failed) {
        assert_int_equal(bad_ends, 0);
    }
}
