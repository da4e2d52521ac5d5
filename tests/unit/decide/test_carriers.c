// Events and commands as plain data: copies of their own, canonical text, a row for every kind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/command.h"
#include "coordinator/decide/describe.h"
#include "coordinator/decide/event.h"
#include "coordinator/decide/policy.h"

static const struct label some_labels[] = {{"a", "1"}, {"b", NULL}};
static const struct taint some_taints[] = {{"t", "v", TAINT_NO_EXECUTE}};
static const struct condition_facts some_conditions[] = {{"Ready", TRISTATE_TRUE, "Why", "message", 5}};
static const char *const some_texts[] = {"one", "two"};

static const struct nodegroup_facts some_group = {.space = "space",
                                                  .name = "name",
                                                  .uid = "",
                                                  .resource_version = "",
                                                  .datacenter_id = "dc",
                                                  .resource_identifier = "cluster",
                                                  .project = "project",
                                                  .offering_ids = some_texts,
                                                  .offering_count = 2,
                                                  .kubernetes_version = "v1.30.0",
                                                  .os_image_id = "",
                                                  .preferred_instance_type = "",
                                                  .notes = "",
                                                  .node_labels = {some_labels, 1},
                                                  .node_taints = {some_taints, 1},
                                                  .invalid = "",
                                                  .doubtful = ""};

static void fill_kube(struct command *command, const struct intention_facts *facts)
{
    static const struct group_node_facts nodes[] = {{"n", "v", "t", "s", "i", 1, 2}};
    switch (command->kind) {
    case COMMAND_KUBE_LIST_NODE_PODS: command->list_node_pods.node_name = "node"; break;
    case COMMAND_KUBE_CREATE_INTENTION:
        command->create_intention.facts = facts;
        command->create_intention.owner_name = "owner";
        break;
    case COMMAND_KUBE_UPDATE_INTENTION:
        command->update_intention.space = "space";
        command->update_intention.name = "name";
        command->update_intention.resource_version = "7";
        command->update_intention.annotations = (struct labels){some_labels, 2};
        command->update_intention.labels = (struct labels){some_labels, 1};
        command->update_intention.identifier = "identifier";
        command->update_intention.node_name = "node";
        command->update_intention.ip_address = "ip";
        command->update_intention.instance_type = "type";
        command->update_intention.vpsie_group_id = 3;
        command->update_intention.finalizer = TRISTATE_FALSE;
        break;
    case COMMAND_KUBE_INTENTION_STATUS:
        command->intention_status.space = "space";
        command->intention_status.name = "name";
        command->intention_status.status = (struct intention_status_facts){.phase = INTENTION_JOINING,
                                                                           .node_name = "node",
                                                                           .hostname = "host",
                                                                           .vpsie_status = "active",
                                                                           .last_error = "",
                                                                           .conditions = some_conditions,
                                                                           .condition_count = 1};
        break;
    case COMMAND_KUBE_DELETE_INTENTION:
        command->delete_intention.space = "space";
        command->delete_intention.name = "name";
        command->delete_intention.uid = "uid";
        break;
    case COMMAND_KUBE_CREATE_NODEGROUP: command->create_nodegroup.facts = &some_group; break;
    case COMMAND_KUBE_DELETE_NODEGROUP:
        command->delete_nodegroup.space = "space";
        command->delete_nodegroup.name = "name";
        command->delete_nodegroup.uid = "uid";
        break;
    case COMMAND_KUBE_GROUP_STATUS:
        command->group_status.space = "space";
        command->group_status.name = "name";
        command->group_status.nodes = nodes;
        command->group_status.node_count = 1;
        command->group_status.conditions = some_conditions;
        command->group_status.condition_count = 1;
        break;
    case COMMAND_KUBE_GROUP_FINALIZER:
        command->group_finalizer.space = "space";
        command->group_finalizer.name = "name";
        break;
    case COMMAND_KUBE_CORDON:
    case COMMAND_KUBE_UNCORDON:
        command->cordon.node_name = "node";
        command->cordon.reason = "reason";
        break;
    case COMMAND_KUBE_LABEL_NODE:
        command->label_node.node_name = "node";
        command->label_node.labels = (struct labels){some_labels, 1};
        command->label_node.annotations = (struct labels){some_labels, 1};
        command->label_node.taints = (struct taints){some_taints, 1};
        break;
    case COMMAND_KUBE_EVICT:
    case COMMAND_KUBE_DELETE_POD:
        command->pod.space = "space";
        command->pod.name = "name";
        command->pod.uid = "uid";
        command->pod.grace_seconds = -1;
        break;
    case COMMAND_KUBE_DELETE_NODE:
        command->delete_node.node_name = "node";
        command->delete_node.uid = "uid";
        break;
    case COMMAND_KUBE_EVENT:
        command->event.regarding = REGARDING_POD;
        command->event.space = "space";
        command->event.name = "name";
        command->event.uid = "uid";
        command->event.reason = "Reason";
        command->event.action = "Action";
        command->event.message = "a \"message\"";
        break;
    case COMMAND_KUBE_SAVE_STATE:
        command->save_state.paused = true;
        command->save_state.paused_reason = "why";
        break;
    default: break;
    }
}

static void fill(struct command *command, const struct intention_facts *facts)
{
    command->id = 12;
    command->term = 3;
    command->decision_id = 9;
    command->key = "key";
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_MACHINES:
    case COMMAND_VPSIE_LIST_GROUPS:
    case COMMAND_VPSIE_LIST_OFFERS:
        command->vpsie_list.cluster = "cluster";
        command->vpsie_list.datacenter_id = "dc";
        break;
    case COMMAND_VPSIE_CREATE_GROUP:
        command->create_group.cluster = "cluster";
        command->create_group.name = "group";
        command->create_group.size_id = 21;
        break;
    case COMMAND_VPSIE_ADD_MACHINE:
        command->add_machine.cluster = "cluster";
        command->add_machine.group_id = 12;
        break;
    case COMMAND_VPSIE_DELETE_MACHINE:
        command->delete_machine.cluster = "cluster";
        command->delete_machine.identifier = "identifier";
        break;
    case COMMAND_AGENT_DIRECTIVE:
        command->directive.node_name = "node";
        command->directive.kind = DIRECTIVE_PREPARE_DRAIN;
        command->directive.directive_id = "T1-1";
        command->directive.pod_uids = some_texts;
        command->directive.pod_uid_count = 2;
        command->directive.ignore_uids = some_texts;
        command->directive.ignore_uid_count = 1;
        command->directive.ignore_volumes = some_texts;
        command->directive.ignore_volume_count = 2;
        break;
    case COMMAND_OPERATOR_REPLY:
        command->operator_reply.text = "text";
        command->operator_reply.code = "code";
        break;
    case COMMAND_NOTE:
        command->note.text = "text";
        command->note.subject = "subject";
        break;
    default: fill_kube(command, facts); break;
    }
}

static void every_command_is_copied_whole_and_outlives_its_list(void **state)
{
    (void)state;
    struct intention_facts facts = {.space = "space",
                                    .name = "name",
                                    .uid = "uid",
                                    .resource_version = "1",
                                    .labels = {some_labels, 1},
                                    .annotations = {some_labels, 1},
                                    .group_name = "group",
                                    .owner_uid = "owner",
                                    .identifier = "identifier",
                                    .instance_type = "21",
                                    .datacenter_id = "dc",
                                    .resource_identifier = "cluster",
                                    .project = "project",
                                    .kubernetes_version = "v1.30.0",
                                    .node_name = "",
                                    .ip_address = "",
                                    .hostname = "",
                                    .last_error = ""};
    for (int kind = 0; kind < COMMAND_KIND_COUNT; kind++) {
        struct commands *commands = commands_create();
        struct command *command = commands_add(commands, (enum command_kind)kind);
        struct text before = {0}, after = {0};
        fill(command, &facts);
        command_describe(command, &before);
        struct command *copy = command_copy(command);
        commands_destroy(commands);
        command_describe(copy, &after);
        assert_string_equal(text_get(&before), text_get(&after));
        assert_true(strlen(text_get(&after)) > 10);
        assert_non_null(strstr(text_get(&after), command_kind_name((enum command_kind)kind)));
        text_free(&before);
        text_free(&after);
        command_destroy(copy);
    }
    command_destroy(NULL);
}

static void kinds_are_named_apart_and_only_reads_are_harmless(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_KIND_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(command_kind_name((enum command_kind)i),
                                    command_kind_name((enum command_kind)j));
    static const enum command_kind harmless[] = {COMMAND_KUBE_LIST_FRESH,
                                                 COMMAND_KUBE_LIST_NODE_PODS,
                                                 COMMAND_VPSIE_LIST_MACHINES,
                                                 COMMAND_VPSIE_LIST_GROUPS,
                                                 COMMAND_VPSIE_LIST_OFFERS,
                                                 COMMAND_OPERATOR_REPLY,
                                                 COMMAND_NOTE};
    uint32_t writing = 0;
    for (int kind = 0; kind < COMMAND_KIND_COUNT; kind++)
        writing += command_writes((enum command_kind)kind);
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        assert_false(command_writes(harmless[i]));
    assert_int_equal(writing, COMMAND_KIND_COUNT - sizeof(harmless) / sizeof(harmless[0]));
    assert_false(command_has_outcome(COMMAND_NOTE));
    assert_false(command_has_outcome(COMMAND_KUBE_EVENT));
    assert_false(command_has_outcome(COMMAND_AGENT_DIRECTIVE));
    assert_false(command_has_outcome(COMMAND_OPERATOR_REPLY));
    assert_true(command_has_outcome(COMMAND_VPSIE_ADD_MACHINE));
    assert_string_equal(command_kind_name(COMMAND_KIND_COUNT), "?");
}

static void a_list_of_commands_can_be_used_again(void **state)
{
    (void)state;
    struct commands *commands = commands_create();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            assert_null(commands_add(commands, COMMAND_NOTE)->note.text); // zeroed
        assert_int_equal(commands->count, 100);
        commands_clear(commands);
        assert_int_equal(commands->count, 0);
    }
    commands_destroy(commands);
    commands_destroy(NULL);
}

static void described(struct event *event, const char *words)
{
    struct text text = {0};
    event->now_ms = 1700000000000;
    event_describe(event, &text);
    if (strstr(text_get(&text), words) == NULL)
        print_message("%s\n", text_get(&text));
    assert_non_null(strstr(text_get(&text), words));
    assert_non_null(strstr(text_get(&text), event_kind_name(event->kind)));
    assert_null(strchr(text_get(&text), '\n'));
    text_free(&text);
    event_destroy(event);
}

static struct pod_facts some_pod(void)
{
    static const struct requirement expression = {"zone", SELECTOR_IN, some_texts, 2};
    static const struct node_term term = {&expression, 1, &expression, 1};
    static const struct toleration toleration = {"key", "v", TOLERATION_EQUAL, false, TAINT_NO_SCHEDULE};
    static const struct extended_resource gpu = {"gpu", 2};
    return (struct pod_facts){
        .space = "shop",
        .name = "web-1",
        .uid = "u",
        .node_name = "w-1",
        .nominated_node = "",
        .shape = {.requests = {.cpu_millis = 100, .extended = &gpu, .extended_count = 1},
                  .affinity_terms = &term,
                  .affinity_term_count = 1,
                  .has_affinity = true,
                  .tolerations = &toleration,
                  .toleration_count = 1,
                  .scheduler_name = ""},
        .controller_kind = "",
        .controller_name = "",
        .controller_uid = "",
        .unschedulable_message = "",
        .safe_to_evict = TRISTATE_TRUE,
        .safe_local_volumes = "",
        .local_volumes = some_texts,
        .local_volume_count = 2};
}

static struct event *object(enum object_kind kind)
{
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = kind;
    return event;
}

static void every_object_is_described_on_one_line(void **state)
{
    (void)state;
    struct event *event = object(OBJECT_POD);
    struct pod_facts pod = some_pod();
    event->object.pod = &pod;
    described(event, "pod space=\"shop\" name=\"web-1\"");
    event = object(OBJECT_NODE);
    struct node_facts node = {.name = "w-1",
                              .uid = "",
                              .resource_version = "",
                              .labels = {some_labels, 1},
                              .taints = {some_taints, 1},
                              .ready = NODE_READY_TRUE,
                              .provider_id = "",
                              .hostname = "",
                              .internal_ip = "",
                              .external_ip = "",
                              .kubelet_version = ""};
    event->object.node = &node;
    described(event, "ready=true");
    event = object(OBJECT_BUDGET);
    struct requirement selector = {"app", SELECTOR_EXISTS, NULL, 0};
    struct budget_facts budget = {
        .space = "shop", .name = "b", .uid = "", .selector = &selector, .selector_count = 1};
    event->object.budget = &budget;
    described(event, "selector=(app exists)");
    event = object(OBJECT_DAEMONSET);
    struct daemonset_facts daemonset = {.space = "kube-system", .name = "log", .uid = ""};
    daemonset.shape = pod.shape;
    event->object.daemonset = &daemonset;
    described(event, "gpu:2");
    event = object(OBJECT_VOLUME_ATTACHMENT);
    struct volume_attachment_facts attachment = {"a", "w-1", "pv", true};
    event->object.attachment = &attachment;
    described(event, "attached");
    event = object(OBJECT_CONFIG);
    struct disruption_budget_facts budgets[] = {
        {.nodes_max = -1, .percent = 10, .schedule = "@daily", .duration_seconds = 60, .reasons = 1},
        {.nodes_max = 2, .schedule = "", .groups = some_texts, .group_count = 1}};
    struct nodegroup_facts defaults = {.max_nodes = 3};
    struct config_facts config = {.uid = "",
                                  .resource_version = "",
                                  .paused = true,
                                  .budgets = budgets,
                                  .budget_count = 2,
                                  .group_defaults = &defaults,
                                  .invalid = ""};
    event->object.config = &config;
    described(event, "budget={ 10% schedule=\"@daily\" seconds=60 reasons=1 } budget={ 2 groups=[");
}

static void custom_resources_are_described_on_one_line(void **state)
{
    (void)state;
    struct event *event = object(OBJECT_NODEGROUP);
    struct nodegroup_facts *group = event->object.group = ARENA_NEW(event->arena, struct nodegroup_facts);
    *group = (struct nodegroup_facts){.space = "default",
                                      .name = "general",
                                      .uid = "",
                                      .resource_version = "",
                                      .min_nodes = 1,
                                      .max_nodes = 4,
                                      .conditions = some_conditions,
                                      .condition_count = 1,
                                      .offering_ids = some_texts,
                                      .offering_count = 2,
                                      .multi_region = {.enabled = true, .primary = "dc-1"},
                                      .cost = {.enabled = true, .strategy = COST_MANUAL},
                                      .invalid = ""};
    described(event, "regions={ balanced primary=\"dc-1\" } cost={ manual }");
    event = object(OBJECT_INTENTION);
    struct intention_facts *intention = event->object.intention =
        ARENA_NEW(event->arena, struct intention_facts);
    *intention = (struct intention_facts){.space = "default", .name = "w1", .phase = INTENTION_DELETING};
    described(event, "phase=Deleting");
    event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_INTENTION;
    event->gone.space = event->gone.name = "x";
    event->gone.uid = "";
    described(event, "vpsienode");
}

static void outcomes_and_reports_are_described_on_one_line(void **state)
{
    (void)state;
    struct pod_facts pod = some_pod();
    struct machine_facts machine = {.identifier = "vps-1", .role = MACHINE_ROLE_MASTER};
    struct vpsie_group_facts group = {.id = 12, .name = "general", .nodes_count = 3};
    struct offer_facts offer = {.id = 21, .price_hour = 0.05};
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = 5;
    event->outcome.outcome = OUTCOME_LIMITED;
    event->outcome.machines = &machine;
    event->outcome.groups = &group;
    event->outcome.offers = &offer;
    event->outcome.pods = &pod;
    event->outcome.machine_count = event->outcome.group_count = event->outcome.offer_count =
        event->outcome.pod_count = 1;
    described(event, "limited");
    struct evidence_reason reason = {"local-data", "u", "spool", 5, 0, "5 bytes"};
    struct pod_evidence_facts evidence = {.uid = "u", .largest_volume = "spool", .unknown = ""};
    struct agent_report_facts report = {
        .node_name = "w-1",
        .start_id = "s",
        .version = "1",
        .pods = &evidence,
        .pod_count = 1,
        .verdict = {.state = EVIDENCE_BLOCKED, .reasons = &reason, .reason_count = 1},
        .directive_id = "T1-1"};
    event = event_create(EVENT_AGENT_REPORT);
    event->report = &report;
    described(event, "BLOCKED");
}

static void the_rest_is_described_on_one_line(void **state)
{
    (void)state;
    described(event_create(EVENT_TIMER), "timer");
    described(event_create(EVENT_KUBE_SYNCED), "kube-synced");
    described(event_create(EVENT_KUBE_STATE), "unreachable");
    described(event_create(EVENT_VPSIE_STATE), "unusable");
    described(event_create(EVENT_LEADER), "following");
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = OPERATOR_RELEASE;
    described(event, "release");
    event_destroy(NULL);
}

static void every_value_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_KIND_COUNT; i++)
        assert_string_not_equal(event_kind_name((enum event_kind)i), "?");
    for (int i = 0; i < OBJECT_KIND_COUNT; i++)
        assert_string_not_equal(object_kind_name((enum object_kind)i), "?");
    for (int i = 0; i <= OUTCOME_UNKNOWN; i++)
        assert_string_not_equal(outcome_name((enum outcome)i), "?");
    assert_string_equal(event_kind_name(EVENT_KIND_COUNT), "?");
    assert_string_equal(object_kind_name(OBJECT_KIND_COUNT), "?");
    assert_string_equal(intention_phase_name(INTENTION_FAILED), "Failed");
    assert_string_equal(evidence_state_name(EVIDENCE_BUSY), "BUSY");
    assert_string_equal(taint_effect_name(TAINT_PREFER_NO_SCHEDULE), "PreferNoSchedule");
}

static void what_pods_ask_about_others_and_volumes_are_described_on_one_line(void **state)
{
    (void)state;
    static const struct requirement web = {"app", SELECTOR_EXISTS, NULL, 0};
    static const struct pod_term near = {"zone", {&web, 1, false}, some_texts, 2, {NULL, 0, true}};
    static const struct pod_term apart = {"host", {NULL, 0, false}, NULL, 0, {NULL, 0, true}};
    static const struct spread_constraint spread = {"zone", {&web, 1, false}, "shop", 1, 2, true, true};
    static const struct host_port ports[] = {{"0.0.0.0", 80, PORT_TCP}, {"10.0.0.1", 53, PORT_UDP}};
    struct pod_facts pod = some_pod();
    pod.shape.pod_affinity = &near;
    pod.shape.pod_anti_affinity = &apart;
    pod.shape.spread = &spread;
    pod.shape.host_ports = ports;
    pod.shape.pod_affinity_count = pod.shape.pod_anti_affinity_count = pod.shape.spread_count = 1;
    pod.shape.host_port_count = 2;
    static const char *const SAID[] = {" with={ by=\"zone\" pods=(app exists) spaces=[",
                                       " apart={ by=\"host\" pods=all space_labels=nothing }",
                                       " spread={ by=\"zone\" pods=(app exists) space=\"shop\" skew=1 "
                                       "domains=2 honor_affinity honor_taints }",
                                       " port=0.0.0.0:80/TCP port=10.0.0.1:53/UDP"};
    for (size_t i = 0; i < sizeof(SAID) / sizeof(SAID[0]); i++) {
        struct event *event = object(OBJECT_POD);
        event->object.pod = &pod;
        described(event, SAID[i]);
    }
    static const struct node_term zone = {&web, 1, NULL, 0};
    struct event *event = object(OBJECT_NAMESPACE);
    struct namespace_facts space = {.name = "shop", .labels = {some_labels, 1}};
    event->object.space = &space;
    described(event, " name=\"shop\" labels={");
    event = object(OBJECT_CLAIM);
    struct claim_facts claim = {
        .space = "shop", .name = "data", .class_name = "fast", .bound = true, .selected_node = "w-1"};
    event->object.claim = &claim;
    described(event, " space=\"shop\" name=\"data\" class=\"fast\" bound selected_node=\"w-1\"");
    event = object(OBJECT_VOLUME);
    struct volume_facts volume = {.name = "pv-1",
                                  .driver = "d",
                                  .has_affinity = true,
                                  .affinity_terms = &zone,
                                  .affinity_term_count = 1};
    event->object.volume = &volume;
    described(event, " name=\"pv-1\" driver=\"d\" affinity term={ labels=(app exists) }");
    event = object(OBJECT_STORAGE_CLASS);
    struct storage_class_facts class = {.name = "fast", .provisioner = "d", .waits_for_consumer = true};
    event->object.storage_class = &class;
    described(event, " name=\"fast\" provisioner=\"d\" waits_for_consumer");
    event = object(OBJECT_CSI_NODE);
    struct csi_driver_limit limit = {"d", 3};
    struct csi_node_facts csi_node = {.name = "w-1", .drivers = &limit, .driver_count = 1};
    event->object.csi_node = &csi_node;
    described(event, " name=\"w-1\" d=3");
}

static void no_two_decisions_or_brakes_are_called_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < DECISION_KIND_COUNT; i++) {
        assert_string_not_equal(decision_kind_name((enum decision_kind)i), "?");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(decision_kind_name((enum decision_kind)i),
                                    decision_kind_name((enum decision_kind)k));
    }
    for (int i = 0; i < BRAKE_COUNT; i++) {
        assert_string_not_equal(brake_name((enum brake)i), "?");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(brake_name((enum brake)i), brake_name((enum brake)k));
    }
    assert_string_equal(decision_kind_name(DECISION_KIND_COUNT), "?");
    assert_string_equal(brake_name(BRAKE_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_copied_whole_and_outlives_its_list),
        cmocka_unit_test(kinds_are_named_apart_and_only_reads_are_harmless),
        cmocka_unit_test(a_list_of_commands_can_be_used_again),
        cmocka_unit_test(every_object_is_described_on_one_line),
        cmocka_unit_test(custom_resources_are_described_on_one_line),
        cmocka_unit_test(outcomes_and_reports_are_described_on_one_line),
        cmocka_unit_test(the_rest_is_described_on_one_line),
        cmocka_unit_test(every_value_has_a_name),
        cmocka_unit_test(what_pods_ask_about_others_and_volumes_are_described_on_one_line),
        cmocka_unit_test(no_two_decisions_or_brakes_are_called_the_same),
    };
    return cmocka_run_group_tests_name("events and commands", tests, NULL, NULL);
}
