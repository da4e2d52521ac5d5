// How long from a pod becoming unschedulable to the VPSie request for its machine? The real coordinator over
// HTTPS, so many trials, each with one pod that fits nowhere. Prints one JSON line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/stage/stage.h"
#include "tests/world/json.h"

#define TRIALS        100
#define STEP_LIMIT_MS 60000

struct watcher {
    int64_t unschedulable_ms; // wall clock, 0: not yet in this trial
};

// Within the write, so to the millisecond.
static void on_change(void *context, const struct api_change *change)
{
    struct watcher *watcher = context;
    if (change->kind != API_POD || change->type == API_DELETED || watcher->unschedulable_ms != 0) {
        return;
    }
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(change->now->json, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), "PodScheduled") == 0 &&
            strcmp(json_text(condition, "reason"), "Unschedulable") == 0) {
            watcher->unschedulable_ms = clock_wall_ms();
        }
    }
}

static bool has_ordered(struct stage *stage, void *unused)
{
    (void)unused;
    stage_lock(stage);
    bool ordered = stage->vpsie.first_order_ms != 0;
    stage_unlock(stage);
    return ordered;
}

static bool all_run(struct stage *stage, void *unused)
{
    (void)unused;
    struct stage_counts counts = stage_count(stage);
    return counts.pods > 0 && counts.pods_running == counts.pods && counts.nodes_ready == counts.machines;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    int trials = argc > 1 ? atoi(argv[1]) : TRIALS;
    trials = trials < 1 ? 1 : trials > TRIALS ? TRIALS : trials;
    struct stage_options options = stage_options_quick("bench-pending");
    options.with_agents = false;
    options.settings.boot = (struct span){300, 600};
    struct stage *stage = stage_create(&options);
    struct watcher watcher = {0};
    int64_t taken_ms[TRIALS];
    stage_lock(stage);
    api_listen(stage->world->api, on_change, &watcher);
    stage_unlock(stage);
    stage_add_group(stage, "general", 1, 1, TRIALS + 10, 3600);
    stage_deploy(stage,
                 &(struct workload){
                     .space = "bench", .name = "web", .replicas = 1, .cpu_millis = 1500, .memory_mb = 64});
    stage_start_coordinator(stage, 0, NULL);
    bool good = stage_wait(stage, "the first pod running", all_run, NULL, STEP_LIMIT_MS);
    int done = 0;
    for (; good && done < trials; done++) {
        stage_lock(stage);
        watcher.unschedulable_ms = 0;
        stage->vpsie.first_order_ms = 0;
        stage_unlock(stage);
        stage_scale(stage, "bench", "web", done + 2);
        good = stage_wait(stage, "an order", has_ordered, NULL, STEP_LIMIT_MS);
        stage_lock(stage);
        taken_ms[done] = stage->vpsie.first_order_ms - watcher.unschedulable_ms;
        stage_unlock(stage);
        good = good && stage_wait(stage, "the pod running", all_run, NULL, STEP_LIMIT_MS);
    }
    if (good) {
        qsort(taken_ms, (size_t)done, sizeof taken_ms[0], ascending);
        printf(
            "{\"case\":\"pending_to_call\",\"trials\":%d,\"p50_ms\":%lld,\"p99_ms\":%lld,\"max_ms\":%lld}\n",
            done, (long long)taken_ms[done / 2], (long long)taken_ms[(done * 99 - 1) / 100],
            (long long)taken_ms[done - 1]);
    } else {
        stage_print_logs(stage);
    }
    stage_destroy(stage, false);
    return good ? 0 : 1;
}
