#include "tests/manifests/cluster/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"

#define WAIT_LIMIT_MS 120000

struct story story;

int story_begin(void **state)
{
    (void)state;
    struct stage_options options = stage_options_quick("cluster");
    options.with_agents = false;
    story.stage = stage_create(&options);
    cluster_start(&story.cluster, story.stage);
    kubelets_start(&story.kubelets, &story.cluster);
    cluster_client_open(&story.client, &story.cluster);
    return 0;
}

int story_end(void **state)
{
    (void)state;
    cluster_client_close(&story.client);
    kubelets_stop(&story.kubelets);
    cluster_stop(&story.cluster);
    int bad_ends = stage_destroy(story.stage, getenv("VPSIE_KEEP_STAGE") != NULL) +
                   atomic_load(&story.kubelets.bad_ends);
    return bad_ends == 0 ? 0 : -1;
}

void story_wait(const char *what, bool (*condition)(void))
{
    for (int64_t until_ms = clock_monotonic_ms() + WAIT_LIMIT_MS; !condition(); clock_sleep_ms(200)) {
        if (clock_monotonic_ms() >= until_ms) {
            AUTOTEXT struct text out = {0};
            kubelets_ask(&story.kubelets, false, (const char *const[]){"status", NULL}, &out);
            print_message("%s\n", text_get(&out));
            cluster_kubectl(&story.cluster, &out, "get nodes,pods,ng,vn -A");
            print_message("%s\n", text_get(&out));
            kubelets_print_logs(&story.kubelets);
            fail_msg("waited in vain: %s", what);
        }
    }
}

void story_apply(const char *name, const char *text, struct text *out)
{
    AUTOFREE char *path = xprintf("%s/%s.yaml", story.stage->dir, name);
    certificates_write(path, text);
    assert_kubectl(out, "apply -f %s", path);
}

// Each line of a command's output is in the document, as the document shows output.
void story_assert_documented(const struct text *out, const char *file)
{
    AUTOTEXT struct text document = {0};
    AUTOFREE char *path = xprintf(SOURCE "/docs/%s", file);
    assert_int_equal(text_read_file(path, 1 << 20, &document, NULL), 0);
    AUTOFREE char *copy = xstrdup(text_get(out));
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        AUTOFREE char *shown = xprintf("\n    %s\n", line);
        if (*line != '\0' && strstr(text_get(&document), shown) == NULL) {
            fail_msg("%s does not show: %s", file, line);
        }
    }
}

// What the coordinator that leads says of itself.
bool story_leader_is(const char *state)
{
    AUTOTEXT struct text out = {0};
    if (kubelets_ask(&story.kubelets, false, (const char *const[]){"status", "-o", "json", NULL}, &out) !=
        0) {
        return false;
    }
    AUTOJSON cJSON *reply = cJSON_Parse(text_get(&out));
    return strcmp(json_text(reply, "state"), state) == 0;
}

bool story_only_watches(void)
{
    return story_leader_is("DRY RUN");
}

bool story_acts(void)
{
    return story_leader_is("ACTING");
}

bool story_one_stands_by(void)
{
    AUTOTEXT struct text out = {0};
    return kubelets_ask(&story.kubelets, true, (const char *const[]){"status", NULL}, &out) == 0;
}

int story_count_listed(const char *path)
{
    AUTOJSON cJSON *list = cluster_ask(&story.client, "GET", path, NULL, NULL);
    return cJSON_GetArraySize(json_at(list, "items"));
}

bool story_agents_are_heard(void)
{
    AUTOTEXT struct text out = {0};
    if (kubelets_ask(&story.kubelets, false, (const char *const[]){"status", "-o", "json", NULL}, &out) !=
        0) {
        return false;
    }
    AUTOJSON cJSON *reply = cJSON_Parse(text_get(&out));
    int nodes = story_count_listed("/api/v1/nodes");
    return nodes > 0 && json_number(reply, "agents.heard", 0) == nodes;
}

struct stage_counts story_counts(void)
{
    struct stage_counts counts = stage_count(story.stage);
    return counts;
}

bool story_is_possible(void)
{
    bool possible = cluster_is_possible();
    if (!possible) {
        fprintf(stderr, "NOT TESTED: no real control plane here (tests/manifests/run_cluster builds one)\n");
    }
    return possible;
}
