// The picture in, the plan out: from files as kubectl prints them, from manifests, from a snapshot.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/admin/view.h"
#include "coordinator/kube/json.h"
#include "coordinator/plan/report.h"
#include "coordinator/plan/whatif.h"
#include "tests/unit/decide/policy_stage.c"

#define HOUR_MS ((int64_t)3600 * 1000)
#define AT_MS   STAGE_START_MS

// ---- a cluster as kubectl prints it

static void add_node(struct text *out, const char *name, bool managed)
{
    text_printf(out,
                "{\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\",\"uid\":\"u-%s\",\"creationTimestamp\":"
                "\"2025-12-30T00:00:00Z\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"",
                name, name, name);
    if (managed)
        text_printf(out,
                    ",\"autoscaler.vpsie.com/managed\":\"true\",\"autoscaler.vpsie.com/nodegroup\":"
                    "\"general\",\"autoscaler.vpsie.com/vpsienode\":\"vn-%s\"",
                    name);
    text_printf(
        out,
        "}},\"spec\":{%s},\"status\":{\"capacity\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"110\"},"
        "\"allocatable\":{\"cpu\":\"3800m\",\"memory\":\"7Gi\",\"pods\":\"110\"},\"conditions\":[{"
        "\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"2025-12-30T00:01:00Z\"}],"
        "\"addresses\":[{\"type\":\"Hostname\",\"address\":\"%s\"}]}},\n",
        managed ? ""
                : "\"taints\":[{\"key\":\"node-role.kubernetes.io/control-plane\",\"effect\":"
                  "\"NoSchedule\"}]",
        name);
    if (managed)
        text_printf(
            out,
            "{\"kind\":\"VPSieNode\",\"metadata\":{\"name\":\"vn-%s\",\"namespace\":\"kube-system\",\"uid\":"
            "\"u-vn-%s\",\"creationTimestamp\":\"2025-12-30T00:00:00Z\",\"annotations\":{\"autoscaler.vpsie."
            "com/created-by\":\"vpsie-coordinator\"}},\"spec\":{\"nodeGroupName\":\"general\","
            "\"datacenterID\":\"dc-1\",\"resourceIdentifier\":\"c-1\",\"project\":\"p\",\"instanceType\":"
            "\"s\","
            "\"kubernetesVersion\":\"v1.30.0\",\"vpsieNodeIdentifier\":\"vps-%s\",\"nodeName\":\"%s\"},"
            "\"status\":{\"phase\":\"Ready\",\"nodeName\":\"%s\",\"hostname\":\"%s\"}},\n",
            name, name, name, name, name, name);
}

static void add_pod(struct text *out, const char *name, const char *owner, const char *cpu, const char *node,
                    bool local)
{
    text_printf(out,
                "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"%s\",\"uid\":\"u-%s\","
                "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"%s-6d5f\",\"uid\":\"u\","
                "\"controller\":true}]},\"spec\":{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":"
                "\"%s\",\"memory\":\"256Mi\"}}}]%s",
                name, name, owner, cpu, local ? ",\"volumes\":[{\"name\":\"tmp\",\"emptyDir\":{}}]" : "");
    if (node != NULL)
        text_printf(out, ",\"nodeName\":\"%s\"},\"status\":{\"phase\":\"Running\"}},\n", node);
    else
        text_printf(out, "},\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\","
                         "\"status\":\"False\",\"reason\":\"Unschedulable\",\"lastTransitionTime\":"
                         "\"2025-12-31T00:00:00Z\"}]}},\n");
}

static void usual_items(struct text *out)
{
    text_append(out, "{\"kind\":\"List\",\"items\":[\n");
    add_node(out, "cp-1", false);
    for (int i = 1; i <= 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w-%d", i);
        add_node(out, name, true);
    }
    add_pod(out, "web-6d5f-a", "web", "1500m", "w-1", false);
    add_pod(out, "web-6d5f-b", "web", "1500m", "w-1", false);
    add_pod(out, "cart-6d5f-a", "cart", "200m", "w-2", true);
    add_pod(out, "api-6d5f-a", "api", "200m", "w-3", false);
    text_append(
        out,
        "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}},\n"
        "{\"kind\":\"NodeGroup\",\"metadata\":{\"name\":\"general\",\"namespace\":\"kube-system\",\"uid\":"
        "\"u-"
        "general\",\"generation\":1,\"labels\":{\"autoscaler.vpsie.com/managed\":\"true\"}},\"spec\":{"
        "\"minNodes\":1,\"maxNodes\":6,\"datacenterID\":\"dc-1\",\"resourceIdentifier\":\"c-1\",\"project\":"
        "\"p\",\"offeringIDs\":[\"10\"],\"kubernetesVersion\":\"v1.30.0\",\"kubeSizeID\":10},\"status\":{"
        "\"vpsieGroupID\":7}}]}\n");
}

static struct source *source;
static struct future *future;

static int setup(void **state)
{
    (void)state;
    source = source_create();
    source->at_ms = AT_MS;
    future = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    future_destroy(future);
    source_destroy(source);
    return 0;
}

static void add_text(const char *text)
{
    struct error error = {0};
    cJSON *document = json_parse(text, strlen(text), &error);
    if (document == NULL || source_add_document(source, document, "test.json", &error) < 0)
        fail_msg("%s", error.text);
}

static void add_usual(void)
{
    AUTOTEXT struct text text = {0};
    usual_items(&text);
    add_text(text_get(&text));
}

static const char PRICES[] =
    "[{\"id\":10,\"name\":\"small\",\"cpu\":4,\"ram\":8192,\"disk\":80,\"hourly_price\":0.05},"
    "{\"id\":20,\"name\":\"large\",\"cpu\":8,\"ram\":16384,\"disk\":160,\"hourly_price\":0.09}]";

static cJSON *live(int64_t hours)
{
    struct error error = {0};
    const cJSON *offers = NULL;
    cJSON *document = json_parse(PRICES, sizeof(PRICES) - 1, &error);
    assert_int_equal(cloud_check_offers(document, "offers", &offers, &error), 0);
    struct core_config config = core_config_default();
    future = future_create(source, &config, offers);
    cJSON *report = report_begin(future, hours * HOUR_MS);
    future_live(future, future->begin_ms + hours * HOUR_MS);
    report_end(report, future, REPORT_NODES_DEFAULT);
    future->picture.offers = NULL;
    cJSON_Delete(document);
    return report;
}

static const cJSON *node_of(const cJSON *report, const char *name)
{
    const cJSON *node;
    cJSON_ArrayForEach(node,
                       json_get(report, "nodes")) if (strcmp(json_text(node, "name"), name) == 0) return node;
    return NULL;
}

static bool leaves(const cJSON *report, const char *name)
{
    const cJSON *decision, *leaving;
    cJSON_ArrayForEach(decision, json_get(report, "decisions")) cJSON_ArrayForEach(
        leaving, json_get(decision, "leaving")) if (strcmp(leaving->valuestring, name) == 0) return true;
    return false;
}

static int64_t ordered(const cJSON *report)
{
    int64_t machines = 0;
    const cJSON *decision;
    cJSON_ArrayForEach(decision, json_get(report, "decisions")) machines +=
        json_integer(decision, "machines", 0);
    return machines;
}

// ---- what it says

static void idle_nodes_go_when_their_window_is_over_and_the_rest_says_why_it_stays(void **state)
{
    (void)state;
    add_usual();
    AUTOJSON cJSON *report = live(6);
    assert_true(leaves(report, "w-4")); // empty
    assert_true(leaves(report, "w-3")); // its pod fits elsewhere
    assert_false(leaves(report, "w-1"));
    assert_false(leaves(report, "cp-1"));
    assert_null(node_of(report, "w-4"));
    assert_string_equal(json_text(node_of(report, "w-2"), "verdict"), "KEPT by local data");
    assert_string_equal(json_text(node_of(report, "w-1"), "verdict"), "KEPT, in use");
    const cJSON *first = cJSON_GetArrayItem(json_get(report, "decisions"), 0);
    assert_in_range(json_integer(first, "afterSeconds", -1), 600, 660); // the group's window
    assert_int_equal(json_integer(json_get(report, "end"), "waiting", -1), 0);
    assert_true(json_true(report, "comesToRest"));
}

static void pods_that_fit_nowhere_get_machines_at_once_and_run_on_them(void **state)
{
    (void)state;
    struct error error = {0};
    add_usual();
    assert_int_equal(whatif_set(source, "shop/web=+10", &error), 0);
    AUTOJSON cJSON *report = live(1);
    const cJSON *first = cJSON_GetArrayItem(json_get(report, "decisions"), 0);
    assert_in_range(json_integer(first, "afterSeconds", -1), 0, 1);
    assert_string_equal(json_text(first, "group"), "general");
    assert_int_equal(json_integer(first, "sizeID", -1), 10);
    assert_int_equal(ordered(report), 2); // 6 machines of 2 pods each are the group's maximum
    assert_int_equal(json_integer(json_get(report, "begin"), "waiting", -1), 10);
    assert_int_equal(json_integer(first, "podsPlaced", -1), 10);
    assert_int_equal(json_integer(json_get(report, "end"), "waiting", -1), 0);
}

static void a_limit_shows_in_the_pods_that_stay_and_a_change_of_it_helps(void **state)
{
    (void)state;
    struct error error = {0};
    add_usual();
    assert_int_equal(whatif_set(source, "shop/web=+20", &error), 0);
    cJSON *report = live(1);
    const cJSON *unhelped = cJSON_GetArrayItem(json_get(report, "unhelped"), 0);
    assert_non_null(strstr(json_text(unhelped, "verdict"), "general is at its maximum: 6 of 6 nodes"));
    int64_t waiting = json_integer(unhelped, "pods", 0);
    assert_true(waiting > 0);
    struct screen screen = {.width = 200};
    report_show(&screen, report);
    assert_null(strstr(text_get(&screen.out), "every pod has its place"));
    text_free(&screen.out);
    cJSON_Delete(report);
    future_destroy(future);
    future = NULL;
    assert_int_equal(whatif_set(source, "general.maxNodes=20", &error), 0);
    report = live(1);
    assert_int_equal(json_count(json_get(report, "unhelped")), 0);
    cJSON_Delete(report);
}

static void removed_pods_free_a_node(void **state)
{
    (void)state;
    struct error error = {0};
    add_usual();
    assert_int_equal(whatif_set(source, "shop/web=-2", &error), 0);
    AUTOJSON cJSON *report = live(2);
    assert_true(leaves(report, "w-1"));
}

static void the_same_picture_gives_the_same_plan(void **state)
{
    (void)state;
    struct error error = {0};
    add_usual();
    assert_int_equal(whatif_set(source, "shop/web=+7", &error), 0);
    AUTOTEXT struct text once = {0}, twice = {0};
    cJSON *report = live(6);
    json_print(report, &once);
    cJSON_Delete(report);
    future_destroy(future);
    report = live(6);
    json_print(report, &twice);
    cJSON_Delete(report);
    assert_string_equal(text_get(&once), text_get(&twice));
}

static void a_plan_reads_as_text(void **state)
{
    (void)state;
    add_usual();
    AUTOJSON cJSON *report = live(6);
    struct screen screen = {.width = 120};
    report_show(&screen, report);
    const char *shown = text_get(&screen.out);
    assert_non_null(strstr(shown, "WOULD DO, NOW AND WITHIN 6h"));
    assert_non_null(strstr(shown, "remove w-"));
    assert_non_null(strstr(shown, "KEPT by local data"));
    assert_non_null(strstr(shown, "no agents: use is taken from requests"));
    assert_non_null(strstr(shown, "1 node stays: no NodeGroup manages it, such as cp-1"));
    text_free(&screen.out);
}

// Four nodes that are half full, where two of another size would do for less.
static void add_dear_cluster(const char *strategy)
{
    AUTOTEXT struct text text = {0};
    text_append(&text, "{\"kind\":\"List\",\"items\":[\n");
    for (int i = 1; i <= 4; i++) {
        char name[8], pod[16];
        snprintf(name, sizeof(name), "w-%d", i);
        snprintf(pod, sizeof(pod), "web-6d5f-%d", i);
        add_node(&text, name, true);
        add_pod(&text, pod, "web", "2000m", name, false);
    }
    text_printf(
        &text,
        "{\"kind\":\"NodeGroup\",\"metadata\":{\"name\":\"general\",\"namespace\":\"kube-system\","
        "\"uid\":\"u-general\",\"generation\":1,\"labels\":{\"autoscaler.vpsie.com/managed\":\"true\"},"
        "\"annotations\":{\"autoscaler.vpsie.com/consolidation\":\"enabled\"}},\"spec\":{\"minNodes\":1,"
        "\"maxNodes\":6,\"datacenterID\":\"dc-1\",\"resourceIdentifier\":\"c-1\",\"project\":\"p\","
        "\"offeringIDs\":[\"10\",\"20\"],\"kubernetesVersion\":\"v1.30.0\",\"costOptimization\":{"
        "\"strategy\":\"%s\",\"minMonthlySavings\":1,\"maxPerformanceImpact\":100}}},"
        "{\"kind\":\"AutoscalerConfig\",\"metadata\":{\"name\":\"default\",\"uid\":\"u-c\"},\"spec\":{"
        "\"globalSettings\":{\"enableRebalancing\":true,\"maxClusterWorkers\":0}}}]}",
        strategy);
    add_text(text_get(&text));
}

static double price_at(const cJSON *report, const char *name)
{
    return json_get(json_get(report, name), "pricePerHour")->valuedouble;
}

static void nodes_are_moved_to_fewer_machines_and_the_price_falls(void **state)
{
    (void)state;
    add_dear_cluster("aggressive");
    AUTOJSON cJSON *report = live(6);
    assert_true(price_at(report, "begin") > 0.199 && price_at(report, "begin") < 0.201);
    assert_true(price_at(report, "end") < 0.181); // two large ones, or less
    assert_true(ordered(report) > 0 && leaves(report, "w-1"));
    assert_int_equal(json_integer(json_get(report, "end"), "waiting", -1), 0);
    assert_int_equal(json_integer(json_get(report, "end"), "pods", -1), 4);
}

static void what_waits_for_an_approval_is_said_and_not_taken_as_done(void **state)
{
    (void)state;
    add_dear_cluster("manual");
    AUTOJSON cJSON *report = live(6);
    const cJSON *first = cJSON_GetArrayItem(json_get(report, "decisions"), 0);
    assert_true(json_true(first, "recommended"));
    assert_int_equal(json_integer(json_get(report, "end"), "nodes", -1), 4);
    struct screen screen = {.width = 200};
    report_show(&screen, report);
    assert_non_null(strstr(text_get(&screen.out), "waits for approval"));
    text_free(&screen.out);
}

// ---- what it reads

static void a_manifest_of_yaml_is_laid_over_what_is_there(void **state)
{
    (void)state;
    char directory[] = "/tmp/plan-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char AUTOFREE *objects = xprintf("%s/a.json", directory), *manifest = xprintf("%s/b.yaml", directory);
    AUTOTEXT struct text items = {0};
    usual_items(&items);
    FILE *file = fopen(objects, "w");
    fputs(text_get(&items), file);
    fclose(file);
    file = fopen(manifest, "w");
    fputs("---\n# more room\napiVersion: autoscaler.vpsie.com/v1alpha1\nkind: NodeGroup\nmetadata:\n"
          "  name: general\n  namespace: kube-system\n  labels:\n    autoscaler.vpsie.com/managed: \"true\"\n"
          "spec:\n  minNodes: 3\n  maxNodes: 9\n  datacenterID: dc-1\n  resourceIdentifier: c-1\n"
          "  project: p\n  offeringIDs: [\"10\"]\n  kubernetesVersion: v1.30.0\n  kubeSizeID: 10\n"
          "---\nkind: ConfigMap\nmetadata: {name: y}\n",
          file);
    fclose(file);
    struct error error = {0};
    if (source_add_directory(source, directory, &error) < 0)
        fail_msg("%s", error.text);
    source->at_ms = AT_MS;
    AUTOJSON cJSON *report = live(6);
    const struct group *group = cluster_group(future->core->cluster, NULL, "general");
    assert_int_equal(future->core->cluster->group_count, 1);
    assert_int_equal(group->facts.max_nodes, 9);
    assert_true(group->facts.managed);
    assert_int_equal(json_count(json_get(report, "nodes")), 3); // the new minimum holds three
    unlink(objects);
    unlink(manifest);
    rmdir(directory);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"[]", "test.json: the document is no object"},
        {"{}", "neither a kind nor items"},
        {"{\"snapshotVersion\":1,\"items\":[]}", "snapshotVersion is 1; this program reads 2"},
        {"{\"snapshotVersion\":2,\"templates\":[],\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},"
         "\"template\":4,\"spec\":{}}]}",
         "pod p has template 4, which is not there"},
        {"{\"kind\":\"List\",\"items\":[3]}", "an item is not an object"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct error error = {0};
        cJSON *document = json_parse(CASES[i].text, strlen(CASES[i].text), &error);
        assert_non_null(document);
        assert_int_equal(source_add_document(source, document, "test.json", &error), -1);
        if (strstr(error.text, CASES[i].says) == NULL)
            fail_msg("\"%s\" says \"%s\"", CASES[i].text, error.text);
    }
}

static void a_wrong_what_if_says_what_would_be_right(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"nonsense", "right would be GROUP.FIELD=VALUE"},
        {"=3", "right would be GROUP.FIELD=VALUE"},
        {"general=3", "which field of general"},
        {"general.=3", "a field without a name"},
        {"general..x=3", "a field without a name"},
        {"genral.maxNodes=3", "no such NodeGroup; there are: general"},
        {"config.globalSettings.maxClusterWorkers=3", "no such NodeGroup"}, // there is no AutoscalerConfig
        {"shop/web=3", "is not +N or -N"},
        {"shop/web=+0", "is not +N or -N"},
        {"shop/web=+1000000", "from 1 to 100000"},
        {"shop/we=+1", "has no pod of a controller we"},
        {"other/web=+1", "namespace other has no pod"},
    };
    add_usual();
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct error error = {0};
        assert_int_equal(whatif_set(source, CASES[i][0], &error), -1);
        if (strstr(error.text, CASES[i][1]) == NULL || strstr(error.text, CASES[i][0]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", CASES[i][0], error.text, CASES[i][1]);
    }
}

// ---- a snapshot

static char *snapshot_of(struct core *core)
{
    struct error error = {0};
    const char *text = "{\"command\":\"snapshot\"}";
    struct admin_request *request = admin_request_parse(text, strlen(text), &error);
    struct view_extra extra = {
        .version = "1", .identity = "i", .kube_detail = "", .vpsie_detail = "", .admin_detail = ""};
    char *reply = view_render(core, &extra, request);
    admin_request_free(request);
    return reply;
}

// Items and templates with the templates' numbers left out: they are only names.
static char *objects_of(const char *snapshot)
{
    struct error error = {0};
    cJSON *document = json_parse(snapshot, strlen(snapshot), &error);
    assert_non_null(document);
    AUTOTEXT struct text out = {0};
    cJSON *one;
    cJSON_ArrayForEach(one, json_get(document, "templates"))
        cJSON_DeleteItemFromObjectCaseSensitive(one, "id");
    cJSON_ArrayForEach(one, json_get(document, "items"))
    {
        // what a running core says of them is not the object's
        static const char *const SAID[] = {"template",       "life",         "verdict",
                                           "underusedSince", "hasBeenReady", "status"};
        for (size_t i = 0; i < sizeof(SAID) / sizeof(SAID[0]); i++)
            if (i < 5 || strcmp(json_text(one, "kind"), "NodeGroup") == 0)
                cJSON_DeleteItemFromObjectCaseSensitive(one, SAID[i]);
    }
    json_print(json_get(document, "templates"), &out);
    text_append(&out, "\n");
    json_print(json_get(document, "items"), &out);
    cJSON_Delete(document);
    return text_take(&out);
}

static struct stage *busy_stage(void)
{
    struct stage *stage = stage_create();
    struct event *group = stage_group_event(stage, "general", 0, 6);
    const char **offering = ARENA_NEW(group->arena, const char *);
    *offering = "10";
    group->object.group->offering_ids = offering;
    group->object.group->offering_count = 1;
    group->object.group->cost.interval_seconds = 86400;
    group->object.group->multi_region.nodes_per_region_min = 1;
    stage_label(group, &group->object.group->labels, KEY_MANAGED, "true");
    stage_step(stage, group);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_machine(stage, "w-3", "general");
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "small", "w-2", 200, 64);
    stage_step(stage, stage_budget_event(stage, "web", "web", 1));
    stage_reports(stage);
    return stage;
}

static void a_snapshot_read_back_is_the_same_cluster(void **state)
{
    (void)state;
    struct stage *stage = busy_stage();
    char AUTOFREE *written = snapshot_of(stage->core);
    add_text(written);
    struct core_config config = core_config_default();
    future = future_create(source, &config, NULL);
    assert_int_equal(future->refused, 0);
    char AUTOFREE *again = snapshot_of(future->core);
    char AUTOFREE *left = objects_of(written), AUTOFREE *right = objects_of(again);
    assert_string_equal(left, right);
    const struct node *node = cluster_node(future->core->cluster, "w-1");
    assert_non_null(node->agent);
    assert_int_equal(node->agent->cpu_used_millis,
                     cluster_node(stage->core->cluster, "w-1")->agent->cpu_used_millis);
    stage_destroy(stage);
}

static void a_plan_on_a_snapshot_goes_on_where_the_core_was(void **state)
{
    (void)state;
    struct stage *stage = busy_stage();
    stage_wait(stage, 300000); // half of the window is over
    stage_reports(stage);
    char AUTOFREE *written = snapshot_of(stage->core);
    stage_destroy(stage);
    add_text(written);
    assert_true(source->has_vpsie && source->has_agents);
    AUTOJSON cJSON *report = live(1);
    assert_true(leaves(report, "w-3"));
    const cJSON *first = cJSON_GetArrayItem(json_get(report, "decisions"), 0);
    assert_in_range(json_integer(first, "afterSeconds", -1), 200, 320);
}

static void a_snapshot_of_every_rule_reads_back(void **state)
{
    (void)state;
    AUTOTEXT struct text text = {0};
    usual_items(&text);
    add_text(text_get(&text));
    add_text(
        "{\"kind\":\"List\",\"items\":["
        "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"rich\",\"uid\":\"u-rich\","
        "\"labels\":{\"app\":\"rich\"},\"annotations\":{\"cluster-autoscaler.kubernetes.io/safe-to-evict\":"
        "\"true\",\"karpenter.sh/do-not-disrupt\":\"true\"}},\"spec\":{\"priority\":7,\"nodeSelector\":{"
        "\"disk\":\"ssd\"},\"tolerations\":[{\"key\":\"gpu\",\"operator\":\"Exists\"}],\"affinity\":{"
        "\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
        "\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"In\",\"values\":[\"a\",\"b\"]}]}]}},"
        "\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"topologyKey\":"
        "\"kubernetes.io/hostname\",\"labelSelector\":{\"matchLabels\":{\"app\":\"rich\"}}}]}},"
        "\"topologySpreadConstraints\":[{\"maxSkew\":2,\"topologyKey\":\"zone\",\"whenUnsatisfiable\":"
        "\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"rich\"}}}],\"containers\":[{"
        "\"ports\":[{\"hostPort\":443,\"containerPort\":443}],\"resources\":{\"requests\":{\"cpu\":"
        "\"250m\",\"memory\":\"64Mi\",\"example.com/gpu\":\"1\"}}}],\"volumes\":[{\"name\":\"d\","
        "\"persistentVolumeClaim\":{\"claimName\":\"data-0\"}}]},\"status\":{\"phase\":\"Pending\"}},"
        "{\"kind\":\"PodDisruptionBudget\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"b\",\"uid\":"
        "\"u-b\",\"generation\":1},\"spec\":{\"selector\":{\"matchExpressions\":[{\"key\":\"app\","
        "\"operator\":\"Exists\"}]}},\"status\":{\"observedGeneration\":1,\"disruptionsAllowed\":1}},"
        "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\",\"labels\":{\"team\":\"a\"}}},"
        "{\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"data-0\"},"
        "\"spec\":{\"volumeName\":\"pv-1\",\"storageClassName\":\"fast\",\"accessModes\":["
        "\"ReadWriteOncePod\"]},\"status\":{\"phase\":\"Bound\"}},"
        "{\"kind\":\"PersistentVolume\",\"metadata\":{\"name\":\"pv-1\",\"labels\":{"
        "\"topology.kubernetes.io/zone\":\"a\"}},\"spec\":{\"csi\":{\"driver\":\"d\",\"volumeHandle\":"
        "\"h\"},\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":"
        "\"zone\",\"operator\":\"In\",\"values\":[\"a\"]}]}]}}}},"
        "{\"kind\":\"StorageClass\",\"metadata\":{\"name\":\"fast\"},\"provisioner\":\"d\","
        "\"volumeBindingMode\":\"WaitForFirstConsumer\",\"allowedTopologies\":[{"
        "\"matchLabelExpressions\":[{\"key\":\"zone\",\"values\":[\"a\",\"b\"]}]}]},"
        "{\"kind\":\"CSINode\",\"metadata\":{\"name\":\"w-1\"},\"spec\":{\"drivers\":[{\"name\":\"d\","
        "\"allocatable\":{\"count\":16}},{\"name\":\"e\"}]}},"
        "{\"kind\":\"AutoscalerConfig\",\"metadata\":{\"name\":\"default\",\"uid\":\"u-c\"},\"spec\":{"
        "\"globalSettings\":{\"maxClusterWorkers\":40,\"scaleDownCooldownSeconds\":0}}}]}");
    struct core_config config = core_config_default();
    future = future_create(source, &config, NULL);
    assert_int_equal(future->refused, 0);
    char AUTOFREE *first = snapshot_of(future->core);
    struct source *second_source = source_create();
    struct error error = {0};
    cJSON *document = json_parse(first, strlen(first), &error);
    assert_int_equal(source_add_document(second_source, document, "again", &error), 0);
    struct future *second = future_create(second_source, &config, NULL);
    char AUTOFREE *again = snapshot_of(second->core);
    char AUTOFREE *left = objects_of(first), AUTOFREE *right = objects_of(again);
    assert_string_equal(left, right);
    assert_non_null(strstr(left, "\"example.com/gpu\":\"1\""));
    assert_non_null(strstr(left, "\"claimName\":\"data-0\""));
    assert_non_null(strstr(left, "\"topologySpreadConstraints\":[{\"topologyKey\":\"zone\""));
    assert_non_null(strstr(left, "\"hostPort\":443"));
    assert_non_null(strstr(left, "\"podAntiAffinity\""));
    const struct cluster *cluster = second->core->cluster;
    assert_int_equal(cluster->config->max_cluster_workers, 40);
    assert_true(cluster_claim(cluster, "shop", "data-0")->facts.one_pod_only);
    assert_string_equal(cluster_volume(cluster, "pv-1")->facts.handle, "h");
    assert_int_equal(cluster_storage_class(cluster, "fast")->facts.allowed_topology_count, 1);
    assert_int_equal(cluster_csi_node(cluster, "w-1")->facts.drivers[0].volumes_max, 16);
    assert_string_equal(cluster_space(cluster, "shop")->facts.labels.items[0].value, "a");
    future_destroy(second);
    source_destroy(second_source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(idle_nodes_go_when_their_window_is_over_and_the_rest_says_why_it_stays),
        TEST(pods_that_fit_nowhere_get_machines_at_once_and_run_on_them),
        TEST(a_limit_shows_in_the_pods_that_stay_and_a_change_of_it_helps),
        TEST(removed_pods_free_a_node),
        TEST(the_same_picture_gives_the_same_plan),
        TEST(a_plan_reads_as_text),
        TEST(nodes_are_moved_to_fewer_machines_and_the_price_falls),
        TEST(what_waits_for_an_approval_is_said_and_not_taken_as_done),
        TEST(a_manifest_of_yaml_is_laid_over_what_is_there),
        TEST(what_cannot_be_read_is_named),
        TEST(a_wrong_what_if_says_what_would_be_right),
        TEST(a_snapshot_read_back_is_the_same_cluster),
        TEST(a_plan_on_a_snapshot_goes_on_where_the_core_was),
        TEST(a_snapshot_of_every_rule_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
