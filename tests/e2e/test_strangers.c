#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/e2e/e2e.h"
#include "tests/support/certificates.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/json.h"

// The reply of `agents -o json`, to be freed.
static cJSON *agents_of(struct stage *stage)
{
    AUTOTEXT struct text out = {0};
    static const char *const words[] = {"agents", "-o", "json", NULL};
    stage_ask(stage, 0, words, &out);
    return cJSON_Parse(text_get(&out));
}

static bool knows_agent(struct stage *stage, const char *node)
{
    AUTOJSON cJSON *reply = agents_of(stage);
    const cJSON *agent;
    cJSON_ArrayForEach(agent, json_at(reply, "agents"))
    {
        if (strcmp(json_text(agent, "node"), node) == 0) {
            return true;
        }
    }
    return false;
}

static bool was_refused(struct stage *stage, void *reason)
{
    AUTOTEXT struct text log = {0};
    return text_read_file(stage->coordinator[0].log_path, 64u << 20, &log, NULL) == 0 &&
           strstr(text_get(&log), reason) != NULL;
}

// A real agent with a real token of its own node says that it is another one.
static void an_agent_that_lies_about_its_node_is_not_believed(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("liar", 11);
    stage_start_coordinator(stage, 0, NULL);
    int minimum = E2E_GROUP_MIN;
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_wait(stage, e2e_agents_heard, NULL);
    pthread_mutex_lock(&stage->agents_lock);
    struct host_tree *tree = &stage->agents[0].tree;
    char words[7][400], token_path[300];
    snprintf(token_path, sizeof token_path, "%s/token-%s", stage->dir, stage->agents[0].node);
    snprintf(words[0], sizeof words[0], "--coordinator=localhost:%d", stage->agent_port[0]);
    snprintf(words[1], sizeof words[1], "--path.procfs=%s/proc", tree->root);
    snprintf(words[2], sizeof words[2], "--path.sysfs=%s/sys", tree->root);
    snprintf(words[3], sizeof words[3], "--path.rootfs=%s/rootfs", tree->root);
    snprintf(words[4], sizeof words[4], "--ca-file=%s/ca.pem", stage->dir);
    snprintf(words[5], sizeof words[5], "--token-file=%s", token_path);
    snprintf(words[6], sizeof words[6], "%s/vpsie-agent", stage->bin);
    pthread_mutex_unlock(&stage->agents_lock);
    struct process_arguments arguments = {0};
    process_argument(&arguments, words[6]);
    for (int i = 0; i < 6; i++) {
        process_argument(&arguments, words[i]);
    }
    process_argument(&arguments, "--node-name=master-1");
    process_argument(&arguments, "--interval=1s");
    process_argument(&arguments, "--listen=-");
    struct process liar = {0};
    char log_path[300];
    struct error error = {0};
    snprintf(log_path, sizeof log_path, "%s/liar.log", stage->dir);
    e2e_assert(stage, process_start(&liar, "liar", log_path, &arguments, NULL, &error) == 0);
    e2e_wait(stage, was_refused, (void *)(uintptr_t) "other-node");
    e2e_assert(stage, !knows_agent(stage, "master-1"));
    int status = process_stop(&liar, SIGTERM, 30000);
    e2e_assert(stage, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    e2e_end(stage, false);
}

// The admin socket cannot be made: the coordinator says so and does its job all the same; with room again, it
// answers.
static void a_full_disk_under_the_admin_socket_stops_nothing(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("full", 12);
    char folder[256], flag[300];
    snprintf(folder, sizeof folder, "%s/full", stage->dir);
    e2e_assert(stage, mkdir(folder, 0700) == 0);
    if (mount("none", folder, "tmpfs", 0, "size=4k,nr_inodes=1") != 0) {
        printf("SKIPPED: no file system of one's own can be mounted here: %s\n", strerror(errno));
        e2e_end(stage, false);
        skip();
    }
    snprintf(flag, sizeof flag, "--admin-socket=%s/admin.sock", folder);
    const char *const extra[] = {flag, NULL};
    stage_start_coordinator(stage, 0, extra);
    int minimum = E2E_GROUP_MIN;
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_assert(stage, process_alive(&stage->coordinator[0]));
    e2e_wait(stage, was_refused, (void *)(uintptr_t) "admin");
    e2e_assert(stage, mount("none", folder, "tmpfs", MS_REMOUNT, "size=64k,nr_inodes=64") == 0);
    snprintf(stage->socket[0], sizeof stage->socket[0], "%.200s/admin.sock", folder);
    e2e_wait(stage, e2e_leads, NULL);
    process_stop(&stage->coordinator[0], SIGTERM, 10000);
    umount(folder);
    e2e_end(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_that_lies_about_its_node_is_not_believed),
        cmocka_unit_test(a_full_disk_under_the_admin_socket_stops_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
