#include <stdio.h>
#include <string.h>

#include "coordinator/decide/cron.h"
#include "coordinator/kube/decode.h"
#include "coordinator/kube/decode_spec.h"
#include "coordinator/model/cluster.h"

// ---- budgets for disturbance. What cannot be read of one narrows it: it is then always in force, for every
// group and reason, or lets nothing be disturbed at all.

// 3, "3" or "10%".
static bool read_nodes(const cJSON *value, struct disruption_budget_facts *out)
{
    int64_t number;
    if (value && json_is_integer(value, &number) && number >= 0 && number <= INT32_MAX) {
        out->nodes_max = (int32_t)number;
        return true;
    }
    const char *text = cJSON_GetStringValue(value);
    size_t length = text ? strlen(text) : 0;
    bool percent = length > 0 && text[length - 1] == '%';
    if (length == 0 || text_parse_i64(text, percent ? length - 1 : length, &number, NULL) < 0 || number < 0 ||
        number > (percent ? 100 : INT32_MAX))
        return false;
    out->nodes_max = percent ? -1 : (int32_t)number;
    out->percent = percent ? (int32_t)number : 0;
    return true;
}

static void read_window(const struct spec *spec, struct arena *arena, struct disruption_budget_facts *out)
{
    const cJSON *schedule = json_get(spec->json, "schedule");
    const cJSON *duration = json_get(spec->json, "duration");
    struct cron cron;
    struct error error = {0};
    out->schedule = spec_text(spec, arena, "schedule", false);
    out->duration_seconds = spec_seconds(spec, "duration", 0);
    if (*out->schedule != '\0' && cron_parse(out->schedule, strlen(out->schedule), &cron, &error) < 0) {
        AUTOTEXT struct text wanted = {0};
        text_printf(&wanted, "a cron schedule such as 0 9 * * mon-fri (%s)", error.text);
        spec_problem(spec, "schedule", schedule, text_get(&wanted));
    }
    if (*out->schedule != '\0' && !duration)
        spec_problem(spec, "duration", NULL, "how long each opening of the schedule lasts, such as 8h,");
    if (*out->schedule == '\0' && duration)
        spec_problem(spec, "schedule", NULL, "a schedule to go with the duration");
}

static uint32_t read_reasons(const struct spec *spec)
{
    static const struct {
        const char *word;
        enum disruption_reason reason;
    } words[] = {{"Empty", DISRUPTION_EMPTY},
                 {"Underused", DISRUPTION_UNDERUSED},
                 {"Consolidation", DISRUPTION_CONSOLIDATION},
                 {"Replacement", DISRUPTION_REPLACEMENT}};
    const cJSON *array = json_get(spec->json, "reasons");
    uint32_t reasons = 0, read = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        const char *text = cJSON_GetStringValue(entry);
        for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++) {
            if (strcmp(words[i].word, text) == 0) {
                reasons |= words[i].reason;
                read++;
            }
        }
    }
    if (!array || (cJSON_IsArray(array) && read == json_count(array)))
        return reasons;
    spec_problem(spec, "reasons", array, "a list of Empty, Underused, Consolidation and Replacement");
    return 0;
}

static void read_budget(const struct spec *spec, struct arena *arena, struct disruption_budget_facts *out)
{
    const cJSON *nodes = json_get(spec->json, "nodes");
    *out = (struct disruption_budget_facts){.schedule = ""};
    if (!read_nodes(nodes, out))
        spec_problem(spec, "nodes", nodes, "a number such as 3 or a share such as 10%");
    read_window(spec, arena, out);
    size_t told = spec->problems->length;
    out->groups = spec_texts(spec, arena, "nodeGroups", 0, &out->group_count);
    if (spec->problems->length > told)
        out->group_count = 0;
    out->reasons = read_reasons(spec);
}

static void decode_budgets(const struct spec *whole, struct arena *arena, struct config_facts *out)
{
    const cJSON *array = json_get(whole->json, "disruptionBudgets");
    uint32_t count = json_count(array);
    if (!array)
        return;
    if (!cJSON_IsArray(array)) {
        spec_problem(whole, "disruptionBudgets", array, "a list of budgets");
        count = 1;
    }
    struct disruption_budget_facts *budgets = ARENA_ARRAY(arena, struct disruption_budget_facts, count);
    out->budgets = budgets;
    out->budget_count = count;
    if (!cJSON_IsArray(array)) {
        budgets[0] = (struct disruption_budget_facts){.schedule = ""};
        return;
    }
    uint32_t at = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        char path[48];
        snprintf(path, sizeof(path), "spec.disruptionBudgets[%u]", at);
        struct spec spec = {.json = entry, .path = path, .problems = whole->problems};
        read_budget(&spec, arena, &budgets[at++]);
    }
}

// ---- the whole

static void add_defaults(const cJSON *json, struct arena *arena, struct text *problems,
                         struct config_facts *out)
{
    struct nodegroup_facts *defaults = ARENA_NEW(arena, struct nodegroup_facts);
    decode_group_defaults(json, arena, defaults);
    if (*defaults->invalid != '\0')
        text_printf(problems, "%s%s", problems->length > 0 ? "; " : "", defaults->invalid);
    out->group_defaults = defaults;
}

int decode_config(const cJSON *json, struct arena *arena, struct config_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    AUTOTEXT struct text problems = {0};
    const char *name;
    if (decode_identity(json, arena, NULL, &name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    out->resource_version = json_copy(arena, metadata, "resourceVersion");
    out->generation = json_integer(metadata, "generation", 0);
    out->paused = strcmp(json_text(json_get(metadata, "annotations"), KEY_PAUSED), "true") == 0;
    out->consolidation =
        strcmp(json_text(json_get(metadata, "annotations"), KEY_CONSOLIDATION), "enabled") == 0;
    struct spec whole = {.json = json_get(json, "spec"), .path = "spec", .problems = &problems};
    struct spec spec = spec_part(&whole, "globalSettings", "spec.globalSettings");
    out->scale_up_cooldown_seconds = spec_integer(&spec, "scaleUpCooldownSeconds", 0, INT32_MAX, 60, false);
    out->scale_down_cooldown_seconds =
        spec_integer(&spec, "scaleDownCooldownSeconds", 0, INT32_MAX, 300, false);
    out->max_concurrent_scale_ups = spec_count(&spec, "maxConcurrentScaleUps", 0, 1, false);
    out->max_concurrent_scale_downs = spec_count(&spec, "maxConcurrentScaleDowns", 0, 1, false);
    out->max_cluster_workers = spec_count(&spec, "maxClusterWorkers", 0, 10, false);
    out->unschedulable_grace_seconds =
        spec_integer(&spec, "unschedulablePodGracePeriodSeconds", 0, INT32_MAX, 30, false);
    out->dynamic_groups = spec_bool(&spec, "enableDynamicNodeGroupCreation", true);
    out->rebalancing = spec_bool(&spec, "enableRebalancing", false);
    out->node_ready_timeout_seconds =
        spec_integer(&spec, "nodeReadyTimeoutSeconds", 60, INT32_MAX, 600, false);
    out->pod_eviction_timeout_seconds =
        spec_integer(&spec, "podEvictionTimeoutSeconds", 0, INT32_MAX, 120, false);
    decode_budgets(&whole, arena, out);
    const cJSON *defaults = json_get(whole.json, "nodeGroupDefaults");
    if (defaults)
        add_defaults(defaults, arena, &problems, out);
    out->invalid = arena_strdup(arena, text_get(&problems));
    return 0;
}
