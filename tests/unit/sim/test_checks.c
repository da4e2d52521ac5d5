// The simulator catches a core that breaks a rule: a check that never fires proves nothing. This program
// brings a core of its own, which does one wrong thing as soon as it leads
// and knows the cluster.
#include "tests/unit/sim/tale.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"

struct core {
    uint64_t term, commands;
    bool led;
};
static struct sim *stage;
static void (*misdeed)(struct core *core, struct commands *out);
static void (*prepare)(struct sim *sim); // what else is there before it leads; NULL: nothing
static bool restless;

struct core_config core_config_default(void)
{
    return (struct core_config){.http_timeout_ms = 30000, .appearance_bound_ms = 900000};
}

struct core *core_create(const struct core_config *config)
{
    (void)config;
    return xcalloc(1, sizeof(struct core));
}

void core_destroy(struct core *core)
{
    free(core);
}

int64_t core_next_wake_ms(const struct core *core)
{
    return restless && core->led ? 0 : INT64_MAX;
}

void core_step(struct core *core, const struct event *event, struct commands *out)
{
    if (event->kind == EVENT_LEADER && event->leader.leading) {
        core->term = event->leader.term;
        core->led = true;
    }
    if (event->kind == EVENT_KUBE_SYNCED && core->led)
        misdeed(core, out);
}

static struct command *command(struct core *core, struct commands *out, enum command_kind kind)
{
    struct command *made = commands_add(out, kind);
    made->id = ++core->commands;
    made->term = core->term;
    return made;
}

// A cluster with a master, pet-1, and one machine of ours with a pod on it; what the core does breaks
// `words`.
static void caught(void (*deed)(struct core *core, struct commands *out), const char *words, bool dry_run)
{
    struct sim_settings settings = sim_settings_default(1);
    settings.core.dry_run = dry_run;
    struct sim *sim = stage = tale_prepare(&settings, 0, 2);
    struct world *world = sim_world(sim);
    int64_t id = person_adds_group(world, SIM_CLUSTER, "general", SIM_SIZE)->id;
    struct cloud_machine *machine = cloud_add_present(world, SIM_CLUSTER, "ours-1", id, SIM_SIZE, false);
    machine->call = 1;
    add_predecessor_node(world, NULL, "general", "general-1", "ours-1", "Ready");
    add_bare_pod(world, &(struct workload){.name = "pod",
                                           .cpu_millis = 100,
                                           .memory_mb = 64,
                                           .affinity_key = "kubernetes.io/hostname",
                                           .affinity_value = "ours-1"});
    world_advance(world, world->now_ms + 30000);
    misdeed = deed;
    if (prepare != NULL)
        prepare(sim);
    prepare = NULL;
    sim_start(sim);
    sim_run(sim, MINUTES(90));
    if (words == NULL ? sim_broken(sim)[0] != 0 : strstr(sim_broken(sim), words) == NULL) {
        sim_print(sim);
        fail_msg("expected \"%s\", got \"%s\"", words == NULL ? "" : words, sim_broken(sim));
    }
    sim_destroy(sim);
}

static void add(struct core *core, struct commands *out, const char *key)
{
    struct command *made = command(core, out, COMMAND_VPSIE_ADD_MACHINE);
    made->key = key;
    made->add_machine.cluster = SIM_CLUSTER;
    made->add_machine.group_id = cloud_group_by_name(sim_world(stage), SIM_CLUSTER, "general")->id;
}

static void does_nothing(struct core *core, struct commands *out)
{
    (void)core;
    (void)out;
}

static void calls_twice(struct core *core, struct commands *out)
{
    add(core, out, "general-2");
    add(core, out, "general-2");
}

static void orders_too_many(struct core *core, struct commands *out)
{
    add(core, out, "general-2");
    add(core, out, "general-3");
}

static void deletes(struct core *core, struct commands *out, const char *node_name)
{
    struct command *made = command(core, out, COMMAND_VPSIE_DELETE_MACHINE);
    made->delete_machine.cluster = SIM_CLUSTER;
    made->delete_machine.identifier = cloud_machine_by_node(sim_world(stage), node_name)->identifier;
}

static void deletes_a_master(struct core *core, struct commands *out)
{
    deletes(core, out, "master-1");
}

static void deletes_a_stranger(struct core *core, struct commands *out)
{
    deletes(core, out, "pet-1");
}

static void deletes_with_a_pod(struct core *core, struct commands *out)
{
    deletes(core, out, "ours-1");
}

static void cordons_a_stranger(struct core *core, struct commands *out)
{
    struct command *made = command(core, out, COMMAND_KUBE_CORDON);
    made->cordon.node_name = "pet-1";
    made->cordon.reason = "because";
}

static void evicts_unasked(struct core *core, struct commands *out)
{
    struct command *made = command(core, out, COMMAND_KUBE_EVICT);
    made->pod.space = "default";
    made->pod.name = "pod";
    made->pod.uid = api_find(sim_world(stage)->api, API_POD, "default", "pod")->uid;
    made->pod.grace_seconds = -1;
}

static void speaks_with_an_old_term(struct core *core, struct commands *out)
{
    add(core, out, "general-2");
    out->items[0]->term--;
}

static void deletes_the_node(struct core *core, struct commands *out, const char *uid)
{
    struct command *made = command(core, out, COMMAND_KUBE_DELETE_NODE);
    made->delete_node.node_name = "ours-1";
    made->delete_node.uid = uid;
}

static void deletes_a_node_by_its_name(struct core *core, struct commands *out)
{
    deletes_the_node(core, out, "");
}

static void deletes_a_node_whose_machine_runs(struct core *core, struct commands *out)
{
    deletes_the_node(core, out, api_find(sim_world(stage)->api, API_NODE, "", "ours-1")->uid);
}

// A coordinator before it had cordoned the node; then a person does, for a reason of their own.
static void is_cordoned_by_both(struct sim *sim)
{
    annotate(sim_world(sim), API_NODE, "", "ours-1", KEY_CORDONED_BY, "unschedulable");
    sim_person_cordons(sim, "ours-1", true);
}

static void uncordons(struct core *core, struct commands *out)
{
    struct command *made = command(core, out, COMMAND_KUBE_UNCORDON);
    made->cordon.node_name = "ours-1";
    made->cordon.reason = "";
}

// Called for, and nobody has gone on with it.
static void has_an_open_intention(struct sim *sim)
{
    char now[32];
    struct world *world = sim_world(sim);
    text_format_time(now, sizeof now, world->now_ms);
    add_predecessor_node(world, NULL, "general", "general-2", "", "Provisioning");
    annotate(world, API_VPSIENODE, "default", "general-2", KEY_CREATION_REQUESTED, now);
}

static void asks_and_cordons(struct core *core, struct commands *out)
{
    struct command *made = command(core, out, COMMAND_KUBE_CORDON);
    made->cordon.node_name = "ours-1";
    made->cordon.reason = "because";
    made = command(core, out, COMMAND_AGENT_DIRECTIVE); // before the cordon is confirmed
    made->directive.node_name = "ours-1";
    made->directive.kind = DIRECTIVE_PREPARE_DRAIN;
    made->directive.directive_id = "t1-1";
    made->directive.deadline_ms = INT64_MAX;
    evicts_unasked(core, out);
}

static void a_core_that_does_nothing_breaks_nothing(void **state)
{
    (void)state;
    caught(does_nothing, NULL, false);
}

static void a_second_call_for_one_intention_is_caught(void **state)
{
    (void)state;
    caught(calls_twice, "a second call for the intention general-2", false);
}

static void more_machines_than_the_maximum_are_caught(void **state)
{
    (void)state;
    caught(orders_too_many, "more than its maximum", false);
}

static void a_machine_without_an_intention_is_caught(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(1);
    struct sim *sim = stage = tale_prepare(&settings, 0, 5);
    int64_t id = person_adds_group(sim_world(sim), SIM_CLUSTER, "general", SIM_SIZE)->id;
    cloud_add_machine(sim_world(sim), SIM_CLUSTER, id);
    misdeed = does_nothing;
    sim_start(sim);
    sim_run(sim, MINUTES(20));
    assert_string_equal(sim_broken(sim), "");
    sim_run(sim, MINUTES(30));
    assert_non_null(strstr(sim_broken(sim), "has no intention"));
    sim_destroy(sim);
}

static void a_deletion_of_what_is_not_ours_is_caught(void **state)
{
    (void)state;
    caught(deletes_a_master, "master-1, which is not ours, is deleted", false);
    caught(deletes_a_stranger, "pet-1, which is not ours, is deleted", false);
    caught(cordons_a_stranger, "pet-1, which is not ours", false);
}

static void a_node_deleted_without_its_uid_or_before_its_machine_is_caught(void **state)
{
    (void)state;
    caught(deletes_a_node_by_its_name, "ours-1 is deleted without a UID precondition", false);
    caught(deletes_a_node_whose_machine_runs, "ours-1 is deleted while its machine stands in VPSie's list",
           false);
}

static void a_person_s_cordon_that_is_lifted_is_caught(void **state)
{
    (void)state;
    prepare = is_cordoned_by_both;
    caught(does_nothing, NULL, false);
    prepare = is_cordoned_by_both;
    caught(uncordons, "a person's cordon of ours-1 was lifted", false);
}

static void a_forgotten_intention_is_caught(void **state)
{
    (void)state;
    prepare = has_an_open_intention;
    caught(does_nothing, "intention general-2 was called for", false);
}

static void takes_a_stranger(struct core *core, struct commands *out)
{
    struct command *made = command(core, out, COMMAND_KUBE_UPDATE_INTENTION);
    made->update_intention.space = "default";
    made->update_intention.name = "general-1";
    made->update_intention.resource_version = "";
    made->update_intention.identifier = cloud_machine_by_node(sim_world(stage), "pet-1")->identifier;
}

static void takes_another_group_s(struct core *core, struct commands *out)
{
    int64_t id = person_adds_group(sim_world(stage), SIM_CLUSTER, "theirs", SIM_SIZE_LARGE)->id;
    const struct cloud_machine *machine = person_adds_machine(sim_world(stage), SIM_CLUSTER, id);
    struct command *made = command(core, out, COMMAND_KUBE_UPDATE_INTENTION);
    made->update_intention.space = "default";
    made->update_intention.name = "general-1";
    made->update_intention.resource_version = "";
    made->update_intention.identifier = machine->identifier;
    made->update_intention.vpsie_group_id = id - 1;
}

static void a_stranger_taken_for_ours_is_caught(void **state)
{
    (void)state;
    caught(takes_another_group_s, "which is another group's", false);
    caught(takes_a_stranger, "takes pet-1, which is not ours", false);
}

static void a_machine_deleted_with_a_pod_on_it_is_caught(void **state)
{
    (void)state;
    caught(deletes_with_a_pod, "is deleted with 1 pods on it", false);
}

static void an_eviction_without_evidence_is_caught(void **state)
{
    (void)state;
    caught(evicts_unasked, "before its agent answered READY", false);
    caught(asks_and_cordons, "before its agent answered READY", false);
}

static void a_write_in_a_dry_run_is_caught(void **state)
{
    (void)state;
    caught(orders_too_many, "in a dry run", true);
}

static void a_write_with_another_term_is_caught(void **state)
{
    (void)state;
    caught(speaks_with_an_old_term, "in term 1", false);
}

static void a_core_that_never_rests_is_caught(void **state)
{
    (void)state;
    restless = true;
    caught(does_nothing, "does not come to rest", false);
    restless = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_that_does_nothing_breaks_nothing),
        cmocka_unit_test(a_second_call_for_one_intention_is_caught),
        cmocka_unit_test(more_machines_than_the_maximum_are_caught),
        cmocka_unit_test(a_machine_without_an_intention_is_caught),
        cmocka_unit_test(a_deletion_of_what_is_not_ours_is_caught),
        cmocka_unit_test(a_stranger_taken_for_ours_is_caught),
        cmocka_unit_test(a_node_deleted_without_its_uid_or_before_its_machine_is_caught),
        cmocka_unit_test(a_person_s_cordon_that_is_lifted_is_caught),
        cmocka_unit_test(a_forgotten_intention_is_caught),
        cmocka_unit_test(a_machine_deleted_with_a_pod_on_it_is_caught),
        cmocka_unit_test(an_eviction_without_evidence_is_caught),
        cmocka_unit_test(a_write_in_a_dry_run_is_caught),
        cmocka_unit_test(a_write_with_another_term_is_caught),
        cmocka_unit_test(a_core_that_never_rests_is_caught),
    };
    return cmocka_run_group_tests_name("the simulator's checks", tests, NULL, NULL);
}
