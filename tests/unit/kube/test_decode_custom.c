// NodeGroups, VPSieNodes and the AutoscalerConfig: the table of fields, defaults and rules, and what is said
// when one is wrong.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

#define REQUIRED                                                                                             \
    "'minNodes':1,'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','offeringIDs':[" \
    "'o1'],'kubernetesVersion':'v1.30.2'"

static struct nodegroup_facts group_of(const char *metadata, const char *spec, const char *status)
{
    AUTOFREE char *text =
        xprintf("{'metadata':{'name':'general','namespace':'kube-system','uid':'u'%s},'spec':{%s},"
                "'status':{%s}}",
                metadata, spec, status);
    AUTOJSON cJSON *json = script_parse(text);
    struct nodegroup_facts group;
    struct error error = {0};
    if (decode_nodegroup(json, arena, &group, &error) < 0)
        fail_msg("%s", error.text);
    return group;
}

static void a_minimal_group_has_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct nodegroup_facts group = group_of("", REQUIRED, "");
    assert_string_equal(group.invalid, "");
    assert_int_equal(group.min_nodes, 1);
    assert_int_equal(group.max_nodes, 5);
    assert_int_equal(group.offering_count, 1);
    assert_true(group.allow_mixed_instances);
    assert_int_equal(group.kube_size_id, 0);
    assert_true(group.scale_up.enabled);
    assert_int_equal(group.scale_up.stabilization_seconds, 60);
    assert_int_equal(group.scale_up.cpu_threshold_percent, 80);
    assert_int_equal(group.scale_up.memory_threshold_percent, 80);
    assert_int_equal(group.scale_up.cooldown_seconds, 0);
    assert_true(group.scale_down.enabled);
    assert_int_equal(group.scale_down.stabilization_seconds, 600);
    assert_int_equal(group.scale_down.cpu_threshold_percent, 50);
    assert_int_equal(group.scale_down.memory_threshold_percent, 50);
    assert_int_equal(group.scale_down.cooldown_seconds, 600);
    assert_false(group.spot_enabled);
    assert_false(group.multi_region_enabled);
    assert_false(group.managed);
    assert_false(group.has_finalizer);
    assert_int_equal(group.conditions != NULL && group.condition_count > 0, 0);
}

static void what_is_set_is_read(void **state)
{
    (void)state;
    struct nodegroup_facts group = group_of(
        ",'resourceVersion':'8','generation':4,'labels':{'autoscaler.vpsie.com/managed':'true'},"
        "'annotations':{'autoscaler.vpsie.com/paused':'true','kubectl/last':'x'},"
        "'finalizers':['x','nodegroup.autoscaler.vpsie.com/finalizer']",
        REQUIRED
        ",'kubeSizeID':12,'allowMixedInstances':false,'osImageID':'img','preferredInstanceType':'o1',"
        "'notes':'n','labels':{'team':'a'},'taints':[{'key':'gpu','value':'1','effect':'NoSchedule'}],"
        "'sshKeyIDs':['k1','k2'],'tags':['a','b','c'],"
        "'scaleDownPolicy':{'enabled':false,'cpuThreshold':30,'cooldownSeconds':0},"
        "'spotConfig':{'enabled':true},'multiRegion':{'enabled':true}",
        "'vpsieGroupID':77,'desiredNodes':3,'lastScaleUpTime':'2026-01-01T00:00:00Z','conditions':[{'type':'"
        "Ready',"
        "'status':'True','reason':'r','message':'m','lastTransitionTime':'2026-01-01T00:00:01Z'},"
        "{'type':'Error','status':'Unknown'},{'status':'True'}]");
    assert_string_equal(group.invalid, "");
    assert_true(group.managed);
    assert_true(group.has_finalizer);
    assert_int_equal(group.generation, 4);
    assert_int_equal(group.annotations.count, 1);
    assert_int_equal(group.kube_size_id, 12);
    assert_false(group.allow_mixed_instances);
    assert_int_equal(group.node_labels.count, 1);
    assert_int_equal(group.node_taints.count, 1);
    assert_int_equal(group.ssh_key_count, 2);
    assert_int_equal(group.tag_count, 3);
    assert_false(group.scale_down.enabled);
    assert_int_equal(group.scale_down.cpu_threshold_percent, 30);
    assert_int_equal(group.scale_down.memory_threshold_percent, 50);
    assert_int_equal(group.scale_down.cooldown_seconds, 0);
    assert_true(group.spot_enabled);
    assert_true(group.multi_region_enabled);
    assert_int_equal(group.status_vpsie_group_id, 77);
    assert_int_equal(group.status_desired_nodes, 3);
    assert_true(group.status_last_scale_up_ms > 0);
    assert_int_equal(group.condition_count, 2);
    assert_int_equal(group.conditions[0].status, TRISTATE_TRUE);
    assert_int_equal(group.conditions[1].status, TRISTATE_UNSET);
}

static void a_spec_that_is_wrong_names_field_value_and_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *says;
    } cases[] = {
        {"'minNodes':'three','maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p',"
         "'offeringIDs':['o1'],'kubernetesVersion':'v1.30.2'",
         "spec.minNodes is \"three\": a whole number of at least 0 is needed"},
        {"'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','offeringIDs':['o1'],"
         "'kubernetesVersion':'v1.30.2'",
         "spec.minNodes is missing: a whole number of at least 0 is needed"},
        {"'minNodes':6,'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','"
         "offeringIDs':["
         "'o1'],'kubernetesVersion':'v1.30.2'",
         "spec.minNodes is 6: at most spec.maxNodes is needed"},
        {"'minNodes':0,'maxNodes':0,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','"
         "offeringIDs':["
         "'o1'],'kubernetesVersion':'v1.30.2'",
         "spec.maxNodes is 0: a whole number of at least 1 is needed"},
        {"'minNodes':1.5,'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','"
         "offeringIDs':["
         "'o1'],'kubernetesVersion':'v1.30.2'",
         "spec.minNodes is 1.5: a whole number of at least 0 is needed"},
        {"'minNodes':1,'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','"
         "offeringIDs':[],"
         "'kubernetesVersion':'v1.30.2'",
         "spec.offeringIDs is []: a list with at least one text is needed"},
        {"'minNodes':1,'maxNodes':5,'datacenterID':'dc','resourceIdentifier':'rid','project':'p','"
         "offeringIDs':['o']"
         ",'kubernetesVersion':'1.30'",
         "spec.kubernetesVersion is \"1.30\": a version such as v1.30.2 is needed"},
        {"'minNodes':1,'maxNodes':5,'datacenterID':'','resourceIdentifier':7,'project':'p','offeringIDs':['o'"
         "],"
         "'kubernetesVersion':'v1.30.2'",
         "spec.datacenterID is \"\": a text is needed; spec.resourceIdentifier is 7: a text is needed"},
        {REQUIRED ",'kubeSizeID':0", "spec.kubeSizeID is 0: a whole number of at least 1 is needed"},
        {REQUIRED ",'scaleUpPolicy':{'cpuThreshold':101}",
         "spec.scaleUpPolicy.cpuThreshold is 101: a whole number between 0 and 100 is needed"},
        {REQUIRED ",'scaleUpPolicy':7", "spec.scaleUpPolicy is 7: an object is needed"},
        {REQUIRED ",'scaleDownPolicy':{'enabled':'yes'}",
         "spec.scaleDownPolicy.enabled is \"yes\": true or false is needed"},
        {REQUIRED ",'labels':{'a':1}", "spec.labels is {\"a\":1}: a map of texts is needed"},
        {REQUIRED ",'taints':[{'key':'a','effect':'Never'}]",
         "spec.taints is [{\"key\":\"a\",\"effect\":\"Never\"}]: a list of key, value and effect "
         "(NoSchedule, "
         "PreferNoSchedule or NoExecute) is needed"},
        {REQUIRED ",'tags':'a'", "spec.tags is \"a\": a list of texts is needed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(group_of("", cases[i].spec, "").invalid, cases[i].says);
}

static void regions_and_costs_are_read_with_the_defaults_of_the_table(void **state)
{
    (void)state;
    struct nodegroup_facts group = group_of("", REQUIRED, "");
    assert_false(group.multi_region.enabled);
    assert_int_equal(group.multi_region.distribution, DISTRIBUTION_BALANCED);
    assert_int_equal(group.multi_region.nodes_per_region_min, 1);
    assert_string_equal(group.multi_region.primary, "");
    assert_true(group.cost.enabled);
    assert_int_equal(group.cost.strategy, COST_AUTO);
    assert_int_equal(group.cost.interval_seconds, 86400);
    assert_true(group.cost.monthly_savings_min > 9.99 && group.cost.monthly_savings_min < 10.01);
    assert_int_equal(group.cost.performance_impact_max_percent, 5);
    assert_false(group.cost.require_approval);
    assert_string_equal(group.doubtful, "");
    group = group_of("",
                     REQUIRED
                     ",'multiRegion':{'enabled':true,'datacenterIDs':['dc-2','dc-1'],'distributionStrategy':"
                     "'weighted','weightedDistribution':{'dc-2':1,'dc-1':3},'primaryDatacenter':'dc-2',"
                     "'minNodesPerRegion':0},"
                     "'costOptimization':{'enabled':false,'strategy':'conservative','optimizationInterval':"
                     "'1h30m','minMonthlySavings':2.5,'maxPerformanceImpact':0,'requireApproval':true}",
                     "");
    assert_string_equal(group.invalid, "");
    assert_string_equal(group.doubtful, "");
    assert_true(group.multi_region.enabled && group.multi_region_enabled);
    assert_int_equal(group.multi_region.datacenter_count, 2);
    assert_string_equal(group.multi_region.datacenter_ids[0], "dc-2");
    assert_int_equal(group.multi_region.distribution, DISTRIBUTION_WEIGHTED);
    assert_int_equal(group.multi_region.weight_count, 2);
    assert_string_equal(group.multi_region.weights[0].datacenter_id, "dc-1"); // sorted
    assert_int_equal(group.multi_region.weights[0].weight, 3);
    assert_string_equal(group.multi_region.primary, "dc-2");
    assert_int_equal(group.multi_region.nodes_per_region_min, 0);
    assert_false(group.cost.enabled);
    assert_int_equal(group.cost.strategy, COST_CONSERVATIVE);
    assert_int_equal(group.cost.interval_seconds, 5400);
    assert_true(group.cost.monthly_savings_min > 2.49 && group.cost.monthly_savings_min < 2.51);
    assert_int_equal(group.cost.performance_impact_max_percent, 0);
    assert_true(group.cost.require_approval);
}

static void a_mistake_about_regions_or_costs_is_named_and_harms_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *says;
    } cases[] = {
        {"'costOptimization':{'strategy':'greedy'}",
         "spec.costOptimization.strategy is \"greedy\": auto, manual, aggressive or conservative is needed"},
        {"'costOptimization':{'optimizationInterval':'1day'}",
         "spec.costOptimization.optimizationInterval is \"1day\": a duration of at least a second, such as "
         "8h "
         "or 1h30m, is needed"},
        {"'costOptimization':{'minMonthlySavings':-1,'maxPerformanceImpact':101}",
         "spec.costOptimization.minMonthlySavings is -1: a number of at least 0 is needed; "
         "spec.costOptimization.maxPerformanceImpact is 101: a whole number between 0 and 100 is needed"},
        {"'costOptimization':7", "spec.costOptimization is 7: an object is needed"},
        {"'multiRegion':{'distributionStrategy':'even'}",
         "spec.multiRegion.distributionStrategy is \"even\": balanced, weighted or primary-backup is needed"},
        {"'multiRegion':{'weightedDistribution':{'a':-1}}",
         "spec.multiRegion.weightedDistribution is {\"a\":-1}: a map of whole numbers of at least 0 is "
         "needed"},
        {"'multiRegion':{'weightedDistribution':[1]}",
         "spec.multiRegion.weightedDistribution is [1]: a map of whole numbers of at least 0 is needed"},
        {"'multiRegion':{'datacenterIDs':'a','minNodesPerRegion':-1}",
         "spec.multiRegion.datacenterIDs is \"a\": a list of texts is needed; "
         "spec.multiRegion.minNodesPerRegion is -1: a whole number of at least 0 is needed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTOFREE char *spec = xprintf("%s,%s", REQUIRED, cases[i].spec);
        struct nodegroup_facts group = group_of("", spec, "");
        assert_string_equal(group.doubtful, cases[i].says);
        assert_string_equal(group.invalid, "");
    }
    // what nobody knows only recommends
    assert_int_equal(group_of("", REQUIRED ",'costOptimization':{'strategy':'greedy'}", "").cost.strategy,
                     COST_MANUAL);
}

static void the_text_about_a_wrong_spec_is_bounded_and_whole_characters(void **state)
{
    (void)state;
    AUTOTEXT struct text spec = {0};
    text_append(&spec, REQUIRED ",'notes':[");
    for (int i = 0; i < 5000; i++)
        text_printf(&spec, "%s'\u00e9\u00e9\u00e9'", i ? "," : "");
    text_append(&spec, "]");
    struct nodegroup_facts group = group_of("", spec.bytes, "");
    assert_true(strlen(group.invalid) < 200);
    for (const char *at = group.invalid; *at;) {
        size_t step = text_utf8_length(at, strlen(at));
        assert_true(step > 0);
        at += step;
    }
}

static void a_group_without_any_spec_is_kept_with_what_is_missing(void **state)
{
    (void)state;
    AUTOJSON cJSON *json = script_parse("{'metadata':{'name':'g','namespace':'n','uid':'u'}}");
    struct nodegroup_facts group;
    assert_int_equal(decode_nodegroup(json, arena, &group, NULL), 0);
    assert_true(text_starts_with(group.invalid, "spec.minNodes is missing"));
    assert_string_equal(group.datacenter_id, "");
}

static struct intention_facts intention_of(const char *text)
{
    AUTOJSON cJSON *json = script_parse(text);
    struct intention_facts intention;
    assert_int_equal(decode_intention(json, arena, &intention, NULL), 0);
    return intention;
}

static void an_intention_is_read_whole(void **state)
{
    (void)state;
    struct intention_facts intention = intention_of(
        "{'metadata':{'name':'vn','namespace':'n','uid':'u','resourceVersion':'5','labels':{'a':'b'},"
        "'annotations':{'autoscaler.vpsie.com/creation-requested':'x','z/y':'w'},"
        "'finalizers':['vpsienode.autoscaler.vpsie.com/"
        "finalizer'],'ownerReferences':[{'kind':'NodeGroup','uid':'g-1',"
        "'controller':true}]},'spec':{'vpsieInstanceID':0,'instanceType':'t','nodeGroupName':'general',"
        "'datacenterID':'dc','resourceIdentifier':'rid','project':'p','kubernetesVersion':'v1.30.2',"
        "'vpsieNodeIdentifier':'','vpsieGroupID':9,'ipAddress':'1.1.1.1'},"
        "'status':{'phase':'Joining','nodeName':'w-7','hostname':'W-7','createdAt':'2026-01-01T00:00:00Z',"
        "'provisionedAt':'2026-01-01T00:00:01Z','joinedAt':'2026-01-01T00:00:02Z','readyAt':'2026-01-01T00:"
        "00:03Z',"
        "'terminatingAt':'2026-01-01T00:00:04Z','deletedAt':'2026-01-01T00:00:05Z','lastError':'e'}}");
    assert_string_equal(intention.group_name, "general");
    assert_string_equal(intention.owner_uid, "g-1");
    assert_string_equal(intention.identifier, "");
    assert_int_equal(intention.vpsie_instance_id, 0);
    assert_int_equal(intention.vpsie_group_id, 9);
    assert_true(intention.has_finalizer);
    assert_int_equal(intention.annotations.count, 1);
    assert_string_equal(intention.node_name, "w-7");
    assert_string_equal(intention.hostname, "W-7");
    assert_int_equal(intention.phase, INTENTION_JOINING);
    assert_int_equal(intention.deleted_ms - intention.status_created_ms, 5000);
    assert_int_equal(intention.ready_ms - intention.joined_ms, 1000);
    assert_string_equal(intention.last_error, "e");
}

static void phases_are_read_and_an_empty_or_strange_one_is_pending(void **state)
{
    (void)state;
    static const char *const names[] = {"Pending", "Provisioning", "Provisioned", "Joining",
                                        "Ready",   "Terminating",  "Deleting",    "Failed"};
    for (size_t i = 0; i < 8; i++) {
        AUTOFREE char *text =
            xprintf("{'metadata':{'name':'a','namespace':'n','uid':'u'},'status':{'phase':'%s'}}", names[i]);
        assert_int_equal(intention_of(text).phase, i);
        assert_string_equal(decode_phase_name((enum intention_phase)i), names[i]);
    }
    assert_int_equal(intention_of("{'metadata':{'name':'a','namespace':'n','uid':'u'}}").phase,
                     INTENTION_PENDING);
    assert_int_equal(
        intention_of("{'metadata':{'name':'a','namespace':'n','uid':'u'},'status':{'phase':'Odd'}}").phase,
        INTENTION_PENDING);
}

static struct config_facts config_of(const char *metadata, const char *settings)
{
    AUTOFREE char *text =
        xprintf("{'metadata':{'name':'default','uid':'u'%s},'spec':{%s}}", metadata, settings);
    AUTOJSON cJSON *json = script_parse(text);
    struct config_facts config;
    assert_int_equal(decode_config(json, arena, &config, NULL), 0);
    return config;
}

static void an_empty_configuration_has_the_defaults(void **state)
{
    (void)state;
    struct config_facts config = config_of("", "");
    assert_string_equal(config.invalid, "");
    assert_int_equal(config.scale_up_cooldown_seconds, 60);
    assert_int_equal(config.scale_down_cooldown_seconds, 300);
    assert_int_equal(config.max_concurrent_scale_ups, 1);
    assert_int_equal(config.max_concurrent_scale_downs, 1);
    assert_int_equal(config.max_cluster_workers, 10);
    assert_int_equal(config.unschedulable_grace_seconds, 30);
    assert_true(config.dynamic_groups);
    assert_false(config.rebalancing);
    assert_int_equal(config.node_ready_timeout_seconds, 600);
    assert_int_equal(config.pod_eviction_timeout_seconds, 120);
    assert_false(config.paused);
}

static void a_configuration_is_read_and_its_mistakes_are_named(void **state)
{
    (void)state;
    struct config_facts config = config_of(",'annotations':{'autoscaler.vpsie.com/paused':'true'}",
                                           "'globalSettings':{'maxClusterWorkers':0,'enableRebalancing':true,"
                                           "'scaleUpCooldownSeconds':0,'nodeReadyTimeoutSeconds':59}");
    assert_true(config.paused);
    assert_int_equal(config.max_cluster_workers, 0);
    assert_true(config.rebalancing);
    assert_int_equal(config.scale_up_cooldown_seconds, 0);
    assert_int_equal(config.node_ready_timeout_seconds, 600);
    assert_string_equal(config.invalid,
                        "spec.globalSettings.nodeReadyTimeoutSeconds is 59: a whole number of at "
                        "least 60 is needed");
}

#define BUDGETS(items) "'disruptionBudgets':[" items "]"

static void budgets_for_disturbance_are_read(void **state)
{
    (void)state;
    struct config_facts config = config_of(
        ",'annotations':{'autoscaler.vpsie.com/consolidation':'enabled'}",
        BUDGETS("{'nodes':'10%'},{'nodes':'3'},{'nodes':0,'schedule':'0 9 * * mon-fri','duration':"
                "'8h','nodeGroups':['general','gpu'],'reasons':['Empty','Underused']},{'nodes':5,"
                "'schedule':'@hourly','duration':'30m','reasons':['Consolidation','Replacement']}"));
    assert_string_equal(config.invalid, "");
    assert_true(config.consolidation);
    assert_int_equal(config.budget_count, 4);
    const struct disruption_budget_facts *budgets = config.budgets;
    assert_int_equal(budgets[0].nodes_max, -1);
    assert_int_equal(budgets[0].percent, 10);
    assert_string_equal(budgets[0].schedule, "");
    assert_int_equal(budgets[0].group_count, 0);
    assert_int_equal(budgets[0].reasons, 0);
    assert_int_equal(budgets[1].nodes_max, 3);
    assert_int_equal(budgets[2].nodes_max, 0);
    assert_string_equal(budgets[2].schedule, "0 9 * * mon-fri");
    assert_int_equal(budgets[2].duration_seconds, 8 * 3600);
    assert_string_equal(budgets[2].groups[1], "gpu");
    assert_int_equal(budgets[2].reasons, DISRUPTION_EMPTY | DISRUPTION_UNDERUSED);
    assert_string_equal(budgets[3].schedule, "@hourly");
    assert_int_equal(budgets[3].duration_seconds, 1800);
    assert_int_equal(budgets[3].reasons, DISRUPTION_CONSOLIDATION | DISRUPTION_REPLACEMENT);
}

static void a_budget_that_is_wrong_is_named_and_lets_less_be_disturbed_not_more(void **state)
{
    (void)state;
    static const struct {
        const char *budget;
        const char *says;
        int32_t nodes_max;
    } cases[] = {
        {"{}",
         "spec.disruptionBudgets[0].nodes is missing: a number such as 3 or a share such as 10% is needed",
         0},
        {"{'nodes':'101%'}",
         "spec.disruptionBudgets[0].nodes is \"101%\": a number such as 3 or a share such as 10% is needed",
         0},
        {"{'nodes':-1}",
         "spec.disruptionBudgets[0].nodes is -1: a number such as 3 or a share such as 10% is needed", 0},
        {"{'nodes':'%'}",
         "spec.disruptionBudgets[0].nodes is \"%\": a number such as 3 or a share such as 10% is needed", 0},
        {"{'nodes':2.5}",
         "spec.disruptionBudgets[0].nodes is 2.5: a number such as 3 or a share such as 10% is needed", 0},
        {"{'nodes':1,'schedule':'0 9 * *','duration':'8h'}",
         "spec.disruptionBudgets[0].schedule is \"0 9 * *\": a cron schedule such as 0 9 * * mon-fri (", 1},
        {"{'nodes':1,'schedule':'@hourly'}",
         "spec.disruptionBudgets[0].duration is missing: how long each opening of the schedule lasts, such "
         "as "
         "8h, is needed",
         1},
        {"{'nodes':1,'duration':'8h'}",
         "spec.disruptionBudgets[0].schedule is missing: a schedule to go with the duration is needed", 1},
        {"{'nodes':1,'schedule':'@hourly','duration':'8'}",
         "spec.disruptionBudgets[0].duration is \"8\": a duration of at least a second, such as 8h or 1h30m, "
         "is "
         "needed",
         1},
        {"{'nodes':1,'reasons':['Empty','Bored']}",
         "spec.disruptionBudgets[0].reasons is [\"Empty\",\"Bored\"]: a list of Empty, Underused, "
         "Consolidation and Replacement is needed",
         1},
        {"{'nodes':1,'nodeGroups':['a',7]}",
         "spec.disruptionBudgets[0].nodeGroups is [\"a\",7]: a list of texts is needed", 1},
        {"7", "spec.disruptionBudgets[0].nodes is missing", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTOFREE char *spec =
            xprintf("'globalSettings':{'maxClusterWorkers':7},'disruptionBudgets':[%s]", cases[i].budget);
        struct config_facts config = config_of("", spec);
        if (!text_starts_with(config.invalid, cases[i].says))
            fail_msg("%s: %s", cases[i].budget, config.invalid);
        assert_int_equal(config.max_cluster_workers, 7);
        assert_int_equal(config.budget_count, 1);
        assert_int_equal(config.budgets[0].nodes_max, cases[i].nodes_max);
        assert_int_equal(config.budgets[0].reasons, 0);     // every reason
        assert_int_equal(config.budgets[0].group_count, 0); // every group
    }
    struct config_facts config = config_of("", "'disruptionBudgets':{}");
    assert_string_equal(config.invalid, "spec.disruptionBudgets is {}: a list of budgets is needed");
    assert_int_equal(config.budget_count, 1);
    assert_int_equal(config.budgets[0].nodes_max, 0);
    config = config_of("", BUDGETS("{'nodes':1},{'nodes':'x'},{'nodes':2}"));
    assert_true(text_starts_with(config.invalid, "spec.disruptionBudgets[1].nodes is"));
    assert_int_equal(config.budget_count, 3);
    assert_int_equal(config.budgets[2].nodes_max, 2);
}

static void defaults_for_groups_are_read_and_nothing_of_them_is_required(void **state)
{
    (void)state;
    assert_null(config_of("", "").group_defaults);
    struct config_facts config = config_of("", "'nodeGroupDefaults':{}");
    assert_string_equal(config.invalid, "");
    assert_non_null(config.group_defaults);
    assert_int_equal(config.group_defaults->min_nodes, 1);
    assert_int_equal(config.group_defaults->max_nodes, 10);
    assert_string_equal(config.group_defaults->space, "default");
    assert_string_equal(config.group_defaults->datacenter_id, "");
    assert_int_equal(config.group_defaults->offering_count, 0);
    assert_int_equal(config.group_defaults->scale_down.cooldown_seconds, 600);
    assert_true(config.group_defaults->cost.enabled);
    config =
        config_of("", "'nodeGroupDefaults':{'namespace':'kube-system','datacenterID':'dc','offeringIDs':["
                      "'o'],'kubernetesVersion':'v1.30.2','maxNodes':3,'labels':{'a':'b'},'scaleUpPolicy'"
                      ":{'cpuThreshold':70},'costOptimization':{'strategy':'manual'}}");
    assert_string_equal(config.invalid, "");
    assert_string_equal(config.group_defaults->space, "kube-system");
    assert_string_equal(config.group_defaults->datacenter_id, "dc");
    assert_string_equal(config.group_defaults->offering_ids[0], "o");
    assert_int_equal(config.group_defaults->max_nodes, 3);
    assert_int_equal(config.group_defaults->node_labels.count, 1);
    assert_int_equal(config.group_defaults->scale_up.cpu_threshold_percent, 70);
    assert_int_equal(config.group_defaults->cost.strategy, COST_MANUAL);
    config = config_of("", "'globalSettings':{'nodeReadyTimeoutSeconds':1},'nodeGroupDefaults':{'minNodes':9,"
                           "'maxNodes':3,'scaleUpPolicy':{'cpuThreshold':170}}");
    assert_string_equal(config.invalid,
                        "spec.globalSettings.nodeReadyTimeoutSeconds is 1: a whole number of at least 60 is "
                        "needed; spec.nodeGroupDefaults.minNodes is 9: at most maxNodes is needed; "
                        "spec.nodeGroupDefaults.scaleUpPolicy.cpuThreshold is 170: a whole number between 0 "
                        "and 100 is needed");
    assert_true(text_starts_with(config.group_defaults->invalid, "spec.nodeGroupDefaults.minNodes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_minimal_group_has_the_defaults_of_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_set_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_spec_that_is_wrong_names_field_value_and_what_would_be_right, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_text_about_a_wrong_spec_is_bounded_and_whole_characters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_group_without_any_spec_is_kept_with_what_is_missing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_intention_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(phases_are_read_and_an_empty_or_strange_one_is_pending, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_empty_configuration_has_the_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(a_configuration_is_read_and_its_mistakes_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(regions_and_costs_are_read_with_the_defaults_of_the_table, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_mistake_about_regions_or_costs_is_named_and_harms_nothing_else,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(budgets_for_disturbance_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_that_is_wrong_is_named_and_lets_less_be_disturbed_not_more,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(defaults_for_groups_are_read_and_nothing_of_them_is_required, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
